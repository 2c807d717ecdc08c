"""Facts of pictures, as dicts: what they add up to, in what order, and how large they get."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from nonneg import consensus, factorize, factorize_runs
from nonneg.apps import talk
from nonneg.errors import InputError
from nonneg.report.factors import (
    approximation_facts,
    component_order,
    convergence_facts,
    factor_facts,
    similarity_facts,
)
from nonneg.report.geometry import cone_facts
from nonneg.report.grouping import _apart, consensus_facts, crowding, structure_facts


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    W = np.kron(np.eye(3), np.ones((10, 1))) + 0.05 * rng.random((30, 3))
    return W @ rng.gamma(0.5, 1.0, (3, 12))


@given(st.integers(1, 40), st.integers(1, 5), st.integers(0, 9))
def test_the_order_is_a_permutation_and_keeps_components_together(n, k, seed):
    weights = np.random.default_rng(seed).random((n, k))
    order = component_order(weights)
    assert sorted(order) == list(range(n))
    leading = weights.argmax(axis=1)[order]
    assert (np.diff(leading) >= 0).all()


def test_rows_of_nothing_come_last():
    assert component_order(np.array([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0]])).tolist() == [2, 1, 0]


def test_factors_of_the_talk_in_order():
    fit = talk.talk_factors()
    facts = factor_facts(fit.W, fit.H, fit.row_names, fit.column_names)
    rows = facts["rows"]
    assert [fit.row_names[i] for i in rows["order"]] == rows["names"]
    assert np.allclose(rows["values"], fit.W[rows["order"]])
    assert facts["columns"]["names"][-1] == "Jai"  # who alone leans to sitcoms
    assert rows["note"] == ""


def test_groups_are_means_and_say_so(planted):
    fit = factorize(planted, 3, random_state=0)
    facts = factor_facts(fit.W, fit.H, most=7)
    values = np.array(facts["rows"]["values"])
    assert len(values) == 7
    assert "30 rows" in facts["rows"]["note"]
    sizes = [len(group) for group in np.array_split(np.arange(30), 7)]
    assert np.allclose(values.T @ sizes, fit.W.sum(axis=0))


@pytest.mark.parametrize("most", [200, 4])
def test_x_beside_wh_keeps_the_means(planted, most):
    X = planted.copy()
    X[3, 4] = np.nan
    fit = factorize(X, 3, random_state=0)
    facts = approximation_facts(fit, X, most=most)
    rows = np.array_split(component_order(fit.W * fit.H.sum(axis=1)), min(30, most))
    columns = np.array_split(component_order(fit.H.T * fit.W.sum(axis=0)), min(12, most))
    for shown, table in ((facts["X"], X), (facts["WH"], fit.W @ fit.H)):
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                cells = table[np.ix_(row, column)]
                known = cells[~np.isnan(cells)]
                if known.size:
                    assert shown[i][j] == pytest.approx(known.mean())
                else:
                    assert shown[i][j] is None


def test_sparse_x_is_shown_as_dense_x(planted):
    X = np.where(planted > np.median(planted), planted, 0.0)
    for missing in (np.nan, 0):
        fit = factorize(X, 3, missing_values=missing, random_state=0)
        dense, sparse = (
            approximation_facts(fit, given, missing_values=missing, most=5)
            for given in (X, sp.csr_array(X))
        )
        for name in ("X", "WH"):
            a, b = (np.array(facts[name], dtype=float) for facts in (dense, sparse))
            assert np.allclose(a, b, equal_nan=True)


def test_the_cone_holds_wh_and_its_axes_are_lengths(planted):
    fit = factorize(planted, 3, random_state=0)
    facts = cone_facts(fit, planted)
    directions = np.array(facts["directions"])
    assert np.allclose(np.linalg.norm(directions, axis=1), 1.0)
    # Lengths and angles in the space drawn are those among the features.
    fitted = np.array(facts["fitted"])
    assert np.allclose(fitted @ fitted.T, (fit.W @ fit.H) @ (fit.W @ fit.H).T)
    inside = np.linalg.lstsq(directions.T, fitted.T, rcond=None)[0]
    assert (inside > -1e-9).all()
    # X is projected: what is left is at right angles to it.
    points = np.array(facts["points"])
    assert ((points**2).sum(axis=1) <= (planted**2).sum(axis=1) + 1e-9).all()
    assert facts["inside"] == pytest.approx((points**2).sum() / (planted**2).sum())
    assert np.allclose(np.sum(facts["shares"], axis=1), 1.0)


def test_features_are_the_axes_where_there_are_as_many():
    X = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 2.0]])
    facts = cone_facts(factorize(X, 2, random_state=0), X)
    assert facts["axes"] == ["feature 1", "feature 2"]
    assert np.allclose(facts["points"], X)


def test_runs_stand_beside_one_another(planted):
    fits = factorize_runs(planted, 3, n_runs=3, random_state=0)
    facts = cone_facts(fits[0], planted, runs=[fits[0], *fits[1:]])
    assert np.allclose(facts["runs"][0], facts["directions"])
    assert facts["agreement"][0] == pytest.approx(1.0)
    assert all(0 <= cosine <= 1 + 1e-12 for cosine in facts["agreement"])


def test_a_cone_takes_two_directions():
    fit = factorize(np.ones((3, 3)), 1, random_state=0)
    with pytest.raises(InputError, match="two or three directions"):
        cone_facts(fit)
    fit = factorize(np.eye(4) + 1, 4, random_state=0)
    with pytest.raises(InputError, match="from 1 to 4"):
        cone_facts(fit, components=(1, 9))
    with pytest.raises(InputError, match="shape"):
        cone_facts(fit, np.ones((2, 2)))
    with pytest.raises(InputError, match="side"):
        cone_facts(fit, side="up")


def test_the_tree_ends_where_the_matrix_does(planted):
    agreed = consensus(planted, 3, n_runs=6, random_state=0)
    facts = consensus_facts(agreed)
    assert np.allclose(facts["matrix"], agreed.matrix[np.ix_(agreed.order, agreed.order)])
    assert len(facts["tree"]) == 29
    assert all(-0.5 <= x <= 29.5 for merge in facts["tree"] for x in merge["x"])
    leaves = [x for m in facts["tree"] for x, y in zip(m["x"], m["y"], strict=True) if y == 0]
    assert set(leaves) >= set(range(30))
    assert facts["classes"] == [int(agreed.labels[i]) + 1 for i in agreed.order]
    few = consensus_facts(agreed, most=5)
    assert len(few["matrix"]) == 5
    assert "30 samples" in few["note"]


def test_bars_of_the_structure_plot_add_up(planted):
    fit = factorize(planted, 3, random_state=0)
    facts = structure_facts(np.vstack([fit.W, np.zeros((1, 3))]), most=8)
    assert np.allclose(np.sum(facts["values"], axis=1), 1.0)
    assert facts["empty"] == 1
    assert facts["n"] == 30
    assert sum(group["bars"] for group in facts["groups"]) == 8


def test_similarity_is_the_cosine_of_the_talk():
    fit = talk.talk_factors()
    facts = similarity_facts(fit.W, fit.row_names)
    places = [fit.row_names.index(name) for name in facts["names"]]
    expected = talk.talk_similarity()[np.ix_(places, places)]
    assert np.allclose(facts["values"], expected)
    few = similarity_facts(fit.W, fit.row_names, most=3)
    assert few["note"] == "the 3 largest of 7 items"


def test_points_on_a_map_do_not_cover_one_another():
    for places in (np.zeros((4, 2)), np.random.default_rng(0).normal(size=(12, 2))):
        moved = _apart(places)
        low, high = moved.min(axis=0), moved.max(axis=0)
        at = (moved - low) / np.where(high > low, high - low, 1.0)
        gaps = np.abs(at[:, None] - at[None]) / (0.09 * crowding(len(at)))
        assert not ((gaps < 1).all(axis=2) & ~np.eye(len(at), dtype=bool)).any()
    far = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert np.array_equal(_apart(far), far)


def test_facts_are_json(planted):
    fit = factorize(planted, 3, random_state=0)
    agreed = consensus(planted, 3, n_runs=3, random_state=0)
    for facts in (
        factor_facts(fit.W, fit.H),
        approximation_facts(fit, planted),
        cone_facts(fit, planted),
        convergence_facts(fit),
        consensus_facts(agreed),
        structure_facts(fit.W),
        similarity_facts(fit.H.T, list(range(12))),
    ):
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
