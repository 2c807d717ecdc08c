"""Every kernel against the same formula in plain numpy (`nonneg.core.reference`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonneg.core import kernels, reference
from nonneg.core.kernels import EntryRun, GramRun, NativeLoss, StepResult, Sweeps, Terms

WIDTHS = [1, 2, 3, 7, 8, 9, 20, 33, 64]  # around the register blocks of 32, 24, 16, 8, 4, 2, 1
TOLERANCE = {np.dtype(np.float32): 3e-4, np.dtype(np.float64): 1e-9}

some = settings(deadline=None, max_examples=40)


@dataclass
class Case:
    """A sparse X with some stored zeros, and factors; float64 values that `dtype` can hold."""

    X: np.ndarray
    stored: np.ndarray
    weights: np.ndarray
    column_weights: np.ndarray
    F: np.ndarray
    W: np.ndarray
    fixed: np.ndarray
    dtype: np.dtype
    index: np.dtype

    def typed(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(getattr(self, name), dtype=self.dtype)

    @property
    def gram(self) -> np.ndarray:
        return self.F.T @ self.F

    def csr(self, weighted: bool = False) -> kernels.CsrKernel:
        indptr = np.concatenate([[0], np.cumsum(self.stored.sum(axis=1))])
        indices = np.nonzero(self.stored)[1].astype(self.index)
        weights = self.typed("weights")[self.stored] if weighted else None
        return kernels.csr_kernel(
            self.X.shape, indptr, indices, self.typed("X")[self.stored], weights
        )


def make_case(
    seed: int, rows: int, cols: int, k: int, density: float, dtype: type, index: type
) -> Case:
    rng = np.random.default_rng(seed)

    def values(shape: tuple[int, ...], low: float, high: float, zeros: float) -> np.ndarray:
        v = rng.uniform(low, high, shape) * (rng.random(shape) >= zeros)
        return v.astype(dtype).astype(np.float64)

    stored = rng.random((rows, cols)) < density
    stored[rng.random(rows) < 0.15] = False  # empty rows
    stored[:, rng.random(cols) < 0.1] = False  # empty columns
    for i in np.flatnonzero(rng.random(rows) < 0.15) if cols else []:  # rows of a single entry
        stored[i] = np.arange(cols) == rng.integers(cols)
    F = values((cols, k), 0.1, 1, 0.3)
    F[:, rng.random(k) < 0.1] = 0  # dead components
    return Case(
        X=values((rows, cols), 0.1, 5, 0.1) * stored,
        stored=stored,
        weights=values((rows, cols), 0.2, 2, 0.1),
        column_weights=values((cols,), 0.2, 2, 0.1),
        F=F,
        W=values((rows, k), 0.05, 2, 0.3),
        fixed=(rng.random((rows, k)) < 0.3).astype(np.uint8),
        dtype=np.dtype(dtype),
        index=np.dtype(index),
    )


@st.composite
def cases(draw: st.DrawFn, index: type | None = None) -> Case:
    return make_case(
        draw(st.integers(0, 2**32 - 1), label="seed"),
        draw(st.integers(0, 40), label="rows"),
        draw(st.integers(0, 25), label="cols"),
        draw(st.sampled_from(WIDTHS), label="k"),
        draw(st.sampled_from([0.3, 0.05, 1.0, 0.0]), label="density"),
        draw(st.sampled_from([np.float64, np.float32]), label="dtype"),
        draw(st.sampled_from([np.int32, np.int64]), label="index"),
    )


penalties = st.builds(
    Terms,
    l1=st.sampled_from([0.0, 0.3]),
    l2=st.sampled_from([0.0, 0.5]),
    l2_per_entry=st.sampled_from([0.0, 0.05]),
    lower=st.sampled_from([0.0, 0.1]),
    upper=st.sampled_from([np.inf, 0.8]),
)
sweep_counts = st.integers(1, 3).map(lambda n: Sweeps(max_sweeps=n))


def assert_same(
    case: Case,
    kernel: Callable[[np.ndarray], StepResult],
    oracle: Callable[[np.ndarray], StepResult],
    tolerance: float = 1.0,
) -> None:
    """Run both on a copy of W and compare W and everything measured."""
    W, expected_W = case.typed("W").copy(), case.W.copy()
    got, expected = kernel(W), oracle(expected_W)
    tol = tolerance * TOLERANCE[case.dtype]
    size = max(1.0, float(np.abs(expected_W).max(initial=0.0)))
    np.testing.assert_allclose(W, expected_W, rtol=tol, atol=tol * size)
    total = max(1.0, float(np.sum(case.X**2)), float(np.sum(expected_W**2)))
    for name in ("cross", "loss", "residual", "gram"):
        np.testing.assert_allclose(
            getattr(got, name), getattr(expected, name), rtol=tol, atol=tol * total, err_msg=name
        )


def with_fixed(case: Case, terms: Terms, fixed: bool) -> Terms:
    return replace(terms, fixed=case.fixed) if fixed else terms


def cross_step(
    cross: np.ndarray, case: Case, W: np.ndarray, terms: Terms, sweeps: Sweeps, n_threads: int
) -> StepResult:
    run = GramRun(case.typed("F"), case.gram, W, sweeps)
    return kernels.gram_steps_cross(cross, [run], terms, n_threads)[0]


# --- Gram form ----------------------------------------------------------------------------------


@some
@given(cases())
def test_times(case: Case) -> None:
    got = kernels.times(case.csr(), case.typed("F"), len(case.X), 2)
    assert got.dtype == case.dtype
    np.testing.assert_allclose(got, reference.times(case.X, case.F), rtol=1e-4, atol=1e-5)


@some
@given(cases(), penalties, sweep_counts, st.booleans(), st.sampled_from([None, -0.5, -np.inf]))
def test_gram_step(
    case: Case, terms: Terms, sweeps: Sweeps, fixed: bool, lower: float | None
) -> None:
    terms = with_fixed(case, terms, fixed)
    if lower is not None:  # factors of either sign are the caller's choice
        terms = replace(terms, lower=lower)
    X, F = case.csr(), case.typed("F")
    assert_same(
        case,
        lambda W: kernels.gram_step(X, F, case.gram, W, terms, sweeps, 2),
        lambda W: reference.gram_step(case.X, case.F, case.gram, W, terms, sweeps),
    )


@some
@given(cases(), penalties, sweep_counts, st.booleans())
def test_gram_step_from_cross_products(
    case: Case, terms: Terms, sweeps: Sweeps, fixed: bool
) -> None:
    terms = with_fixed(case, terms, fixed)
    cross = (case.X @ case.F).astype(case.dtype)
    assert_same(
        case,
        lambda W: cross_step(cross, case, W, terms, sweeps, 2),
        lambda W: reference.gram_step_cross(cross.astype(float), case.gram, W, terms, sweeps),
    )


@some
@given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.sampled_from([1, 3, 8, 20]))
def test_gram_step_stops_at_the_tolerance(seed: int, rows: int, k: int) -> None:
    # Up to 16 rows share their lanes, hence also the moment at which they stop.
    case = make_case(seed, rows, 20, k, 0.5, np.float64, np.int32)
    sweeps = Sweeps(max_sweeps=50, tolerance=0.05)
    cross = case.X @ case.F
    assert_same(
        case,
        lambda W: cross_step(cross, case, W, Terms(), sweeps, 1),
        lambda W: reference.gram_step_cross(cross, case.gram, W, Terms(), sweeps),
    )


@some
@given(
    cases(), st.sampled_from([0.0, 0.3]), st.sampled_from([1e-3, 0.5]), st.sampled_from(WIDTHS[:6])
)
def test_pivot_step_is_exact_nnls(case: Case, l1: float, l2: float, k: int) -> None:
    case = replace(case, F=case.F[:, :k], W=case.W[:, :k])
    terms = Terms(l1=l1, l2=l2)
    gram = case.gram.astype(case.dtype).astype(float)  # what the kernel sees
    cross = (case.X @ case.F).astype(case.dtype)
    assert_same(
        case,
        lambda W: kernels.pivot_step_cross(cross, gram, W, terms, 2),
        lambda W: reference.pivot_step_cross(cross.astype(float), gram, W, terms),
        tolerance=100,
    )


@some
@given(cases(), st.floats(0, 3), st.sampled_from([0.0, 0.1]), st.sampled_from([0.8, np.inf]))
def test_extrapolate(case: Case, reach: float, lower: float, upper: float) -> None:
    now, before = case.W, np.roll(case.W, 1, axis=1)
    move = now.astype(case.dtype), before.astype(case.dtype), reach
    [(got, gram)] = kernels.extrapolate_runs([move], lower, upper, 2)
    expected, expected_gram = reference.extrapolate(now, before, reach, lower, upper)
    tol = TOLERANCE[case.dtype]
    np.testing.assert_allclose(got, expected, rtol=tol, atol=tol)
    np.testing.assert_allclose(gram, expected_gram, rtol=tol, atol=tol * len(now))


# --- Entry form ---------------------------------------------------------------------------------

QUADRATIC = NativeLoss()
HUBER = NativeLoss("huber", delta=0.5, scale=2.0)
ABSOLUTE = NativeLoss("huber", delta=1e-2, scale=1e2)
ROW_NORM = NativeLoss("row-norm", delta=0.1)
KL = NativeLoss("beta", beta=1.0, floor=1e-6)


def assert_entry_step(
    case: Case,
    layout: kernels.Layout,
    terms: Terms,
    *,
    weighted: bool = False,
    column_weighted: bool = False,
    dense: bool = False,
    **options: object,
) -> None:
    X = case.typed("X") if dense else case.csr(weighted)
    F = case.typed("F")
    common = {"layout": layout, "terms": terms, "sweeps": Sweeps(), **options}
    typed, plain = (
        {"column_weights": w if column_weighted else None}
        for w in (case.typed("column_weights"), case.column_weights)
    )
    together = dense and kernels.side_by_side(
        X,
        EntryRun(F, F, Sweeps(), typed["column_weights"]),
        options["loss"],
        options["update"],
        terms,
    )
    assert_same(
        case,
        lambda W: kernels.entry_step(X, F, W, n_threads=2, **common, **typed),
        lambda W: reference.entry_step(
            case.X,
            case.F,
            W,
            stored=case.stored,
            weights=case.weights if weighted else None,
            side_by_side=together,
            **common,
            **plain,
        ),
    )


flags = st.fixed_dictionaries({"weighted": st.booleans(), "column_weighted": st.booleans()})


@pytest.mark.parametrize("loss", [QUADRATIC, HUBER, ABSOLUTE, ROW_NORM, KL], ids=str)
@some
@given(cases(), penalties, sweep_counts, st.booleans(), st.booleans(), flags)
def test_descend_on_stored_entries(
    loss: NativeLoss,
    case: Case,
    terms: Terms,
    sweeps: Sweeps,
    fixed: bool,
    cautious: bool,
    flags: dict[str, bool],
) -> None:
    terms = with_fixed(case, terms, fixed)
    options = {"loss": loss, "update": "descend", "sweeps": sweeps, "cautious": cautious}
    assert_entry_step(case, "stored", terms, **options, **flags)


@pytest.mark.parametrize("loss", [QUADRATIC, HUBER, ROW_NORM, KL], ids=str)
@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
@some
@given(cases(), penalties, sweep_counts, st.booleans(), st.booleans())
def test_descend_on_full_rows(
    loss: NativeLoss,
    dense: bool,
    case: Case,
    terms: Terms,
    sweeps: Sweeps,
    fixed: bool,
    column_weighted: bool,
) -> None:
    terms = with_fixed(case, terms, fixed)
    options = {"loss": loss, "update": "descend", "sweeps": sweeps, "dense": dense}
    assert_entry_step(case, "full", terms, column_weighted=column_weighted, **options)


@some
@given(cases(), penalties, sweep_counts, st.booleans(), st.booleans())
def test_descend_on_nonzeros(
    case: Case, terms: Terms, sweeps: Sweeps, fixed: bool, cautious: bool
) -> None:
    terms = with_fixed(case, terms, fixed)
    options = {"loss": KL, "update": "descend", "sweeps": sweeps, "cautious": cautious}
    assert_entry_step(case, "nonzero", terms, **options)


@some
@given(cases(), penalties, st.lists(st.integers(1, 5), min_size=1, max_size=19))
def test_descend_of_runs_abreast(case: Case, terms: Terms, sweeps: list[int]) -> None:
    # Each run has factors and a number of sweeps of its own; more than a register holds, and fewer.
    def shifted(values: np.ndarray, r: int) -> np.ndarray:
        return np.ascontiguousarray(np.roll(values, r, axis=0), dtype=case.dtype)

    runs = [
        EntryRun(shifted(case.F, r), shifted(case.W, r), Sweeps(n)) for r, n in enumerate(sweeps)
    ]
    options = {"loss": KL, "update": "descend", "layout": "nonzero", "terms": terms}
    got = kernels.entry_steps(case.csr(), runs, n_threads=2, abreast=True, **options)
    for r, (run, measured) in enumerate(zip(runs, got, strict=True)):
        of_run = replace(
            case, F=shifted(case.F, r).astype(float), W=shifted(case.W, r).astype(float)
        )
        assert_same(
            of_run,
            lambda W, run=run, measured=measured: (np.copyto(W, run.W), measured)[1],
            lambda W, run=run, F=of_run.F: reference.entry_step(
                case.X,
                F,
                W,
                stored=case.stored,
                sweeps=run.sweeps,
                abreast=True,
                **options,
            ),
        )


@pytest.mark.parametrize("n_runs", [1, 7, 16, 33])
def test_runs_abreast_do_not_depend_on_their_company(n_runs: int) -> None:
    case = make_case(3, 30, 20, 7, 0.3, np.float32, np.int32)
    options = {"loss": KL, "update": "descend", "layout": "nonzero", "terms": Terms()}

    def step(numbers: range, n_threads: int) -> dict[int, tuple[bytes, float, float]]:
        runs = [
            EntryRun(case.typed("F") * (r + 1), case.typed("W").copy(), Sweeps(1 + r % 2, 0.1))
            for r in numbers
        ]
        results = kernels.entry_steps(
            case.csr(), runs, n_threads=n_threads, abreast=True, **options
        )
        return {
            r: (run.W.tobytes(), result.loss, result.residual)
            for r, run, result in zip(numbers, runs, results, strict=True)
        }

    everyone = step(range(40), 2)
    for r, alone in step(range(40 - n_runs, 40), 1).items():
        assert alone == everyone[r]


@pytest.mark.parametrize(
    ("layout", "beta"),
    [
        ("nonzero", 1.0),  # only Kullback–Leibler needs nothing but the non-zeros
        *product(["stored", "full", "dense"], [1.0, 2.0, 0.5, 1.5, 3.0, 0.0, -1.0]),
    ],
)
@settings(some, max_examples=15)
@given(cases(), penalties, sweep_counts, st.booleans())
def test_multiply(
    layout: str, beta: float, case: Case, terms: Terms, sweeps: Sweeps, fixed: bool
) -> None:
    if beta <= 0:  # infinite at x = 0
        positive = np.where(case.X > 0, case.X, 0.5)
        case = replace(case, X=positive, stored=np.ones_like(case.stored))
    loss = NativeLoss("beta", beta=beta, floor=0 if beta == 2 else 1e-2)
    options = {"loss": loss, "update": "multiply", "sweeps": sweeps, "dense": layout == "dense"}
    terms = with_fixed(case, terms, fixed)
    assert_entry_step(case, "full" if layout == "dense" else layout, terms, **options)


@some
@given(cases(), sweep_counts, flags)
def test_multiply_with_weights(case: Case, sweeps: Sweeps, flags: dict[str, bool]) -> None:
    loss = NativeLoss("beta", beta=0.5, floor=1e-2)
    options = {"loss": loss, "update": "multiply", "sweeps": sweeps}
    assert_entry_step(case, "stored", Terms(), **options, **flags)


@pytest.mark.parametrize(
    ("layout", "loss"),
    [("nonzero", KL), *product(["stored", "full"], [QUADRATIC, HUBER, ROW_NORM, KL])],
    ids=str,
)
@settings(some, max_examples=15)
@given(cases(), flags)
def test_measure(layout: str, loss: NativeLoss, case: Case, flags: dict[str, bool]) -> None:
    flags = flags if layout == "stored" else {}
    assert_entry_step(case, layout, Terms(), loss=loss, update="measure", **flags)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("update", ["descend", "multiply"])
@pytest.mark.parametrize("loss", [QUADRATIC, KL], ids=str)
def test_rows_too_long_to_gather(loss: NativeLoss, update: str, dtype: type) -> None:
    # Above 2²¹ gathered elements the columns are gathered one by one.
    case = make_case(1, 3, 34_000, 64, 0.3, dtype, np.int32)
    case.stored[1] = True
    assert case.stored[1].sum() * 64 > 2**21
    if update == "multiply":
        loss = NativeLoss("beta", beta=1.0, floor=1e-6)
    options = {"loss": loss, "update": update, "sweeps": Sweeps(2)}
    assert_entry_step(case, "stored", Terms(), weighted=True, column_weighted=True, **options)


@pytest.mark.parametrize("loss", [QUADRATIC, KL], ids=str)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_a_cell_stored_twice(loss: NativeLoss, index: type) -> None:
    # "stored": two observations of one cell, as if the column of X and the row of F were doubled.
    case = make_case(2, 12, 9, 5, 0.6, np.float64, index)
    twice = np.hstack([case.X, case.X[:, ::-1]])
    indices = np.tile(np.concatenate([np.arange(9), np.arange(9)[::-1]]), 12)
    X = kernels.csr_kernel((12, 9), np.arange(13) * 18, indices.astype(index), twice.ravel())
    W, expected_W = case.W.copy(), case.W.copy()
    options = {"loss": loss, "update": "descend", "terms": Terms(), "sweeps": Sweeps(2)}
    got = kernels.entry_step(X, case.F, W, layout="stored", n_threads=1, **options)
    F = np.vstack([case.F, case.F[::-1]])
    expected = reference.entry_step(twice, F, expected_W, layout="stored", **options)
    np.testing.assert_allclose(W, expected_W, rtol=1e-9, atol=1e-12)
    assert got.loss == pytest.approx(expected.loss)
    # Elsewhere the entries of a cell add up.
    np.testing.assert_allclose(
        kernels.times(X, case.F, 12, 1), (twice[:, :9] + twice[:, :8:-1]) @ case.F
    )
    W, expected_W = case.W.copy(), case.W.copy()
    kernels.entry_step(X, case.F, W, layout="full", n_threads=1, **options)
    total = twice[:, :9] + twice[:, :8:-1]
    reference.entry_step(total, case.F, expected_W, layout="full", **options)
    np.testing.assert_allclose(W, expected_W, rtol=1e-9, atol=1e-12)


@some
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 130), st.booleans())
def test_byte_products_are_exact(seed: int, n: int, k: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-128, 128, (n, k)).astype(np.int8)
    most = min(2**15 - 1, (2**31 - 1) // (128 * max(k, 1)))
    vector = rng.integers(-most, most + 1, k).astype(np.int16)
    if extreme:  # the largest sum there may be
        rows[:], vector[:] = -128, -most
    got = kernels.byte_products(rows, vector)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, reference.byte_products(rows, vector))


def test_byte_products_refuse_what_might_not_fit() -> None:
    rows = np.full((2, 513), 127, np.int8)
    fits = kernels.byte_products(rows[:, :512].copy(), np.full(512, 2**15 - 1, np.int16))
    assert fits.tolist() == [127 * 512 * (2**15 - 1)] * 2
    for vector in (np.full(513, 2**15 - 1, np.int16), np.full(513, -(2**15), np.int16)):
        with pytest.raises(ValueError, match="32 bits"):
            kernels.byte_products(rows, vector)
    with pytest.raises(ValueError, match="one entry for each column"):
        kernels.byte_products(rows, np.ones(512, np.int16))
    with pytest.raises(TypeError):
        kernels.byte_products(rows, np.ones(513))
    with pytest.raises(TypeError):
        kernels.byte_products(rows[:, ::2], np.ones(257, np.int16))
