"""Components of many runs: matched whatever their order, outliers dropped, medians refitted."""

from dataclasses import replace

import numpy as np
import pytest

from nonneg import factorize, factorize_runs
from nonneg.errors import InputError
from nonneg.metrics import match_components
from nonneg.selection.stability import identical_runs, refit, stable_components


def planted(seed=0, m=60, n=40, k=4, noise=0.01):
    rng = np.random.default_rng(seed)
    H = rng.gamma(0.3, size=(k, n)) * (rng.random((k, n)) < 0.5)
    return rng.dirichlet(np.full(k, 0.3), size=m) @ H + noise * rng.random((m, n)), H


@pytest.fixture(scope="module")
def runs():
    X, H = planted()
    return X, H, factorize_runs(X, 4, n_runs=12, random_state=1)


def shuffled(fit, seed):
    """The same factorization with its components in another order and of another scale."""
    rng = np.random.default_rng(seed)
    order, scale = rng.permutation(fit.n_components), rng.uniform(0.1, 10, fit.n_components)
    return replace(
        fit, W=fit.W[:, order] / scale, H=fit.H[order] * scale[:, None], seed=seed, history=()
    )


def test_planted_components_come_back(runs):
    X, H, fits = runs
    stable = stable_components(fits)
    assert match_components(stable.components, H).cosines.min() > 0.98
    assert stable.components.sum(axis=1) == pytest.approx(np.ones(4))
    assert (np.diff(stable.share) <= 0).all()
    assert stable.share.sum() == pytest.approx(1)
    assert stable.n_identical == 0
    fit = refit(X, stable.components, random_state=0)
    assert fit.objective <= min(run.objective for run in fits) * 1.01
    kept = refit(X, stable.components, polish=False)
    assert np.allclose(kept.H / kept.H.sum(axis=1, keepdims=True), stable.components)
    assert fit.objective <= kept.objective * (1 + 1e-9)


def test_order_and_scale_of_components_mean_nothing(runs):
    *_, fits = runs
    plain = stable_components(fits)
    moved = stable_components([shuffled(fit, seed) for seed, fit in enumerate(fits)])
    assert moved.components == pytest.approx(plain.components, abs=1e-9)
    assert moved.stability == pytest.approx(plain.stability, abs=1e-9)
    assert moved.share == pytest.approx(plain.share)


def test_order_of_the_runs_means_nothing(runs):
    *_, fits = runs
    plain, turned = stable_components(fits), stable_components(fits[::-1])
    assert turned.components == pytest.approx(plain.components, abs=1e-9)
    assert np.array_equal(turned.members, plain.members[::-1])


def test_one_run_astray_is_dropped_and_moves_no_median(runs):
    *_, fits = runs
    rng = np.random.default_rng(3)
    astray = replace(fits[0], H=rng.gamma(0.1, size=fits[0].H.shape), seed=99, history=())
    stable = stable_components([*fits, astray])
    assert stable.dropped[-1].all()
    assert not stable.dropped[:-1].any()
    assert stable.share_kept == pytest.approx(np.full(4, 12 / 13))
    assert stable.components == pytest.approx(stable_components(fits).components, abs=1e-9)
    assert (stable.density[-1] > stable.density_threshold).all()
    # What was dropped still counts against the stability.
    assert (stable.stability < stable_components(fits).stability).all()


def test_silhouettes_are_those_of_scikit_learn():
    from sklearn.metrics import silhouette_samples

    X, _ = planted(noise=0.5)
    fits = factorize_runs(X, 5, n_runs=6, random_state=0)
    stable = stable_components(fits, density_threshold=2)
    rows = np.concatenate([fit.H[chosen] for fit, chosen in zip(fits, stable.members, strict=True)])
    widths = silhouette_samples(rows, np.tile(np.arange(5), 6), metric="cosine").reshape(6, 5)
    assert stable.stability == pytest.approx(widths.mean(axis=0), abs=1e-10)


def test_too_many_components_are_less_stable(runs):
    X, *_ = runs
    over = stable_components(factorize_runs(X, 7, n_runs=12, random_state=1))
    assert over.stability.min() < 0.7 < stable_components(runs[2]).stability.min()


def test_identical_starts_are_counted():
    X, _ = planted()
    one = factorize(X, 3, init="nndsvd", random_state=0)
    other = factorize(X, 3, init="nndsvd", random_state=1)
    assert identical_runs([one, one]) == 1
    # nndsvd draws nothing that matters: another seed is no other start.
    assert identical_runs([one, other]) == 1
    assert stable_components([one, other]).n_identical == 1
    assert identical_runs(factorize_runs(X, 1, n_runs=8, random_state=0)) == 0


def test_a_single_component_and_dead_ones():
    X, _ = planted()
    stable = stable_components(factorize_runs(X, 1, n_runs=3, random_state=0))
    assert stable.stability == pytest.approx([1.0])
    fits = factorize_runs(X, 2, n_runs=3, random_state=0)
    dead = [replace(fit, H=fit.H * np.array([[1.0], [0.0]])) for fit in fits]
    assert np.isfinite(stable_components(dead).components).all()


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_medians_with_zeros_can_be_polished(loss):
    X, _ = planted()
    H = np.vstack([np.eye(2, 40), np.zeros((1, 40))])
    H[2, 2:6] = 1
    assert refit(X, H, loss=loss).relative_error < 0.9


def test_bad_input_says_what_to_do(runs):
    X, _, fits = runs
    with pytest.raises(InputError, match="raise n_runs"):
        stable_components(fits[:1])
    with pytest.raises(InputError, match="of one rank"):
        stable_components([fits[0], factorize(X, 2, random_state=0)])
    with pytest.raises(InputError, match="density_threshold"):
        stable_components(fits, density_threshold=0)
