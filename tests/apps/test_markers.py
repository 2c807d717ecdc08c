"""Scores, choices and agreement equal those of the R package NMF; laws of the flow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonneg.apps.agreement import compare_classes, labels_of_samples
from nonneg.apps.markers import gene_scores, marker_genes
from nonneg.apps.subclasses import Level, aligned_orders, flows
from nonneg.core.smooth import factorize_smooth, sharpened
from nonneg.errors import InputError


@pytest.fixture(scope="module")
def r() -> dict[str, Any]:
    path = Path(__file__).resolve().parents[1] / "data" / "reference" / "r_nmf_markers.json"
    return json.loads(path.read_text())


def test_scores_and_choices_are_those_of_r(r: dict[str, Any]) -> None:
    H = np.array(r["W"]).T
    assert np.allclose(gene_scores(H), r["kim"], atol=1e-12)
    assert np.allclose(gene_scores(H, "max"), r["max"])
    assert [genes.tolist() for genes in marker_genes(H)] == r["chosen_kim"]
    assert [genes.tolist() for genes in marker_genes(H, "max")] == r["chosen_max"]


def test_purity_and_entropy_are_those_of_r(r: dict[str, Any]) -> None:
    found = compare_classes(r["classes"], r["labels"])
    assert found.purity == pytest.approx(r["purity"], abs=1e-12)
    assert found.entropy == pytest.approx(r["entropy"], abs=1e-12)


def test_smooth_factors_are_as_near_as_those_of_r(r: dict[str, Any]) -> None:
    X = np.array(r["X"], dtype=float).T
    fits = factorize_smooth(X, 3, smoothing=0.5, n_runs=10, random_state=0)
    best = min(fits, key=lambda fit: fit.objective)
    assert best.objective <= 1.003 * r["ns_deviance"]
    W = sharpened(best.W, 0.5)
    S = 0.5 * np.eye(3) + 0.5 / 3
    assert np.allclose(W @ S, best.W, atol=1e-9 * best.W.max())
    assert np.allclose(best.H.sum(axis=1), 1)


def test_without_smoothing_it_is_plain() -> None:
    X = np.random.default_rng(0).random((20, 15))
    fit = factorize_smooth(X, 2, smoothing=0.0, random_state=0)[0]
    assert np.array_equal(sharpened(fit.W, 0.0), fit.W)
    with pytest.raises(InputError, match="below 1"):
        factorize_smooth(X, 2, smoothing=1.0)


@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 99))
def test_scores_lie_between_0_and_1_and_know_no_order(k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    H = rng.random((k, n)) * (rng.random((k, n)) < 0.7)
    scores = gene_scores(H)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.allclose(scores, gene_scores(H[::-1]))
    assert np.allclose(scores, gene_scores(7 * H))
    assert sum(len(genes) for genes in marker_genes(H)) == len(
        {int(j) for genes in marker_genes(H) for j in genes}
    )


def test_components_that_are_none_are_refused() -> None:
    for bad in ([1.0, 2.0], [[-1.0, 2.0]], [[np.nan, 1.0]], np.zeros((0, 3))):
        with pytest.raises(InputError):
            gene_scores(bad)
    with pytest.raises(InputError, match="method"):
        gene_scores([[1.0]], "best")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=30))
def test_agreement_laws(pairs: list[tuple[int, str]]) -> None:
    classes, labels = (list(side) for side in zip(*pairs, strict=True))
    found = compare_classes(classes, labels, 4)
    assert found.confusion.sum() == len(pairs)
    assert 1 / 3 - 1e-12 <= found.purity <= 1
    assert 0 <= found.entropy <= 1 + 1e-12
    assert 0 <= found.n_errors <= len(pairs)
    own = compare_classes(classes, classes, 4)
    assert (own.purity, own.entropy, own.n_errors) == (1, 0, 0)


def test_labels_find_their_samples() -> None:
    samples = ("a", "b", "c")
    assert labels_of_samples({"c": 3, "a": 1}, samples) == [1, None, 3]
    assert labels_of_samples(pd.Series([3, 1], index=["c", "a"]), samples) == [1, None, 3]
    assert labels_of_samples(pd.Series([1, 2, 3]), samples) == [1, 2, 3]
    assert labels_of_samples(["x", None, "y"], samples) == ["x", None, "y"]
    for bad in ({"d": 1}, [1, 2], "abc", 5):
        with pytest.raises(InputError):
            labels_of_samples(bad, samples)
    with pytest.raises(InputError, match="no sample has a label"):
        compare_classes([0, 1], [None, float("nan")])
    assert compare_classes([0, 1, 1], ["x", "", "y"]).n_unlabelled == 1


def test_classes_keep_their_numbers_and_flows_add_up() -> None:
    rng = np.random.default_rng(0)
    two = np.repeat([0, 1], [12, 8])
    three = np.where(np.arange(20) < 5, 2, two)
    shuffled = rng.permutation(3)[three]
    orders = aligned_orders([two, shuffled], [2, 3])
    again = np.argsort(orders[1])[shuffled]
    assert np.array_equal(again, three)
    levels = [
        Level(k, found, np.bincount(found, minlength=k), 0.1) for k, found in ((2, two), (3, again))
    ]
    found = flows(levels)
    assert sum(flow.n_samples for flow in found) == 20
    assert [(f.from_class, f.to_class, f.n_samples) for f in found] == [
        (0, 0, 7),
        (0, 2, 5),
        (1, 1, 8),
    ]
