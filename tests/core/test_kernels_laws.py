"""What every half-step promises: the objective never rises, it rests at an optimum, no NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from nonneg.core import kernels, reference
from nonneg.core.kernels import GramRun, NativeLoss, StepResult, Sweeps, Terms

some = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
penalties = st.builds(
    Terms,
    l1=st.sampled_from([0.0, 0.1]),
    l2=st.sampled_from([0.0, 0.1, 10.0]),
    upper=st.sampled_from([np.inf, 12.0]),
)

QUADRATIC = NativeLoss()
KL = NativeLoss("beta", beta=1.0, floor=1e-10)
ROBUST = [
    NativeLoss("huber", delta=0.5, scale=2.0),
    NativeLoss("huber", delta=1e-2, scale=1e2),
    NativeLoss("row-norm", delta=0.1),
]


class Rows:
    """A few rows with W anywhere between 1e-12 and 10, many entries exactly zero."""

    def __init__(self, seed: int, dtype: type = np.float64, max_k: int = 9) -> None:
        rng = np.random.default_rng(seed)
        rows, cols, k = rng.integers(1, [9, 20, max_k + 1])

        def sparse(values: np.ndarray) -> np.ndarray:
            return (values * (rng.random(values.shape) < 0.7)).astype(dtype)

        self.F = sparse(rng.uniform(0.1, 1, (cols, k)))
        self.W = sparse(10 ** rng.uniform(-12, 1, (rows, k)))
        self.X = sparse(rng.uniform(0.1, 5, (rows, cols)))
        self.weights = sparse(rng.uniform(0.2, 2, (rows, cols)))
        indptr, indices = np.arange(rows + 1) * cols, np.tile(np.arange(cols), rows)
        self.csr = kernels.csr_kernel(
            self.X.shape, indptr, indices, self.X.ravel(), self.weights.ravel()
        )

    def step(
        self, loss: NativeLoss, update: str, terms: Terms, n: int = 1, weighted: bool = False
    ) -> StepResult:
        X = self.csr if weighted else self.X
        return kernels.entry_step(
            X,
            self.F,
            self.W,
            loss=loss,
            update=update,
            layout="stored" if weighted else "full",
            terms=terms,
            sweeps=Sweeps(n),
            n_threads=1,
            cautious=True,
        )

    def cross_step(
        self, cross: np.ndarray, gram: np.ndarray, terms: Terms, sweeps: Sweeps
    ) -> StepResult:
        run = GramRun(self.F, gram, self.W, sweeps)
        return kernels.gram_steps_cross(cross, [run], terms, 1)[0]

    def objective(self, loss: NativeLoss, terms: Terms, weighted: bool = False) -> float:
        omega = self.weights if weighted else np.ones_like(self.X)
        data = sum(
            reference.row_loss(x, y, o, loss)
            for x, y, o in zip(self.X, self.W @ self.F.T, omega, strict=True)
        )
        return data + terms.l1 * float(self.W.sum()) + 0.5 * terms.l2 * float(np.sum(self.W**2))


def assert_never_rises(rows: Rows, loss: NativeLoss, update: str, terms: Terms, w: bool) -> None:
    before = rows.objective(loss, terms, w)
    for _ in range(4):
        rows.step(loss, update, terms, weighted=w)
        after = rows.objective(loss, terms, w)
        # The floor of Kullback–Leibler is worth about 1e-10 of slope for each entry.
        assert after <= before + 1e-7 * (1 + abs(before))
        before = after


@pytest.mark.parametrize("loss", [QUADRATIC, KL, *ROBUST], ids=str)
@some
@given(seeds, penalties, st.booleans())
def test_descent_never_raises_the_objective(
    loss: NativeLoss, seed: int, terms: Terms, weighted: bool
) -> None:
    assert_never_rises(Rows(seed), loss, "descend", terms, weighted)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
@some
@given(seeds, st.booleans())
def test_multiplicative_update_never_raises_the_objective(
    beta: float, seed: int, weighted: bool
) -> None:
    rows = Rows(seed)
    rows.X = np.maximum(rows.X, 0.1) if beta == 0 else rows.X
    loss = NativeLoss("beta", beta=beta, floor=0 if beta == 2 else 1e-12)
    assert_never_rises(rows, loss, "multiply", Terms(), weighted and beta > 0)


@some
@given(seeds, penalties)
def test_gram_step_never_raises_the_objective_and_knows_it(seed: int, terms: Terms) -> None:
    rows = Rows(seed, max_k=20)
    gram, cross = rows.F.T @ rows.F, rows.X @ rows.F
    before = rows.objective(QUADRATIC, terms)
    for _ in range(3):
        got = rows.cross_step(cross, gram, terms, Sweeps(2))
        after = rows.objective(QUADRATIC, terms)
        assert after <= before + 1e-9 * (1 + before)
        before = after
        measured = 0.5 * np.sum(rows.X**2) - got.cross + 0.5 * np.sum(gram * got.gram)
        np.testing.assert_allclose(
            measured, rows.objective(QUADRATIC, Terms()), rtol=1e-9, atol=1e-9
        )


# --- At the optimum -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [QUADRATIC, KL], ids=str)
@settings(some, max_examples=20)
@given(seeds, st.booleans())
def test_descent_rests_at_the_optimum(loss: NativeLoss, seed: int, weighted: bool) -> None:
    rows = Rows(seed, max_k=4)
    terms = Terms(l1=0.05, l2=0.05)  # strongly convex: 5000 sweeps suffice
    rows.step(loss, "descend", terms, n=5000, weighted=weighted)
    objective, W = rows.objective(loss, terms, weighted), rows.W.copy()
    got = rows.step(loss, "descend", terms, weighted=weighted)
    assert got.residual <= 1e-8 * (1 + objective)
    np.testing.assert_allclose(rows.W, W, atol=1e-4)


@some
@given(seeds, st.sampled_from([0.0, 0.1]))
def test_pivoting_and_sweeps_rest_where_pivoting_ended(seed: int, l1: float) -> None:
    rows, terms = Rows(seed, max_k=20), Terms(l1=l1, l2=1e-3)
    gram, cross = rows.F.T @ rows.F, rows.X @ rows.F
    kernels.pivot_step_cross(cross, gram, rows.W, terms, 1)
    scale = 1 + float(np.sum(rows.X**2))
    again = kernels.pivot_step_cross(cross, gram, rows.W, terms, 1)
    assert again.residual <= 1e-18 * scale
    assert rows.cross_step(cross, gram, terms, Sweeps()).residual < 1e-18 * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "k"), [(2, 3), (3, 6), (6, 12), (8, 20)])
@settings(some, max_examples=60)
@given(seeds, st.booleans())
def test_pivoting_with_dependent_components(
    dtype: type, n: int, k: int, seed: int, near: bool
) -> None:
    # More components than columns: a singular Gram, and many solutions that are equally good.
    rng = np.random.default_rng(seed)
    F = (rng.random((n, 1)) + 1e-3 * rng.random((n, k)) if near else rng.random((n, k))).astype(
        dtype
    )
    X = rng.random((4, n)).astype(dtype)
    W = np.zeros((4, k), dtype)
    got = kernels.pivot_step_cross(X @ F, F.astype(float).T @ F.astype(float), W, Terms(), 1)
    assert np.isfinite(W).all()
    assert np.isfinite(got.residual)
    error = np.sum((X - W.astype(float) @ F.T) ** 2, axis=1)
    best = [nnls(F.astype(float), x.astype(float))[1] ** 2 for x in X]
    np.testing.assert_allclose(error, best, atol=5e-3 * np.sum(X**2))


# --- Degenerate factors -------------------------------------------------------------------------

STEPS = [
    ("descend", QUADRATIC),
    ("descend", KL),
    *[("descend", loss) for loss in ROBUST],
    *[("multiply", NativeLoss("beta", beta=b, floor=1e-10)) for b in (0.0, 0.5, 1.0, 2.0, 3.0)],
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tiny", [0.0, 1e-18, 1e-25, 1e-30], ids=str)
@pytest.mark.parametrize(("update", "loss"), STEPS, ids=str)
def test_empty_and_almost_empty_components(
    update: str, loss: NativeLoss, tiny: float, dtype: type
) -> None:
    rows = Rows(3, dtype)
    rows.X[rows.X == 0] = 1  # Itakura–Saito is infinite at 0
    rows.F[rows.F == 0] = 0.5
    rows.F[:, ::2] = tiny
    got = rows.step(loss, update, Terms(), n=3)
    assert np.isfinite(rows.W).all()
    assert np.isfinite([got.loss, got.residual]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tiny", [0.0, 1e-18, 1e-25, 1e-30], ids=str)
def test_empty_and_almost_empty_components_in_gram_form(tiny: float, dtype: type) -> None:
    rows = Rows(3, dtype)
    rows.F[:, ::2] = tiny
    gram = rows.F.T.astype(float) @ rows.F
    for got in (
        rows.cross_step(rows.X @ rows.F, gram, Terms(), Sweeps(3)),
        kernels.pivot_step_cross(rows.X @ rows.F, gram, rows.W, Terms(), 1),
    ):
        assert np.isfinite(rows.W).all()
        assert np.isfinite([got.cross, got.residual]).all()
        assert np.isfinite(got.gram).all()


@pytest.mark.parametrize("update", ["descend", "multiply"])
def test_a_factor_of_zeros_everywhere(update: str) -> None:
    rows = Rows(4)
    rows.F[:] = 0
    got = rows.step(KL, update, Terms(), n=3)
    assert np.isfinite(rows.W).all()
    assert np.isfinite(got.loss)
