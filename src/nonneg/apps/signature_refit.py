"""How much of each known signature is in a sample: sparse refit with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.special
from numpy.typing import NDArray

from nonneg.core.factorize import RandomState, as_generator, solve_left
from nonneg.errors import InputError
from nonneg.io.catalogue import Catalogue, filled, read_catalogue, with_channels

__all__ = ["ALIKE", "Exposures", "Mixture", "cosine_table", "mixture", "refit_signatures"]

# From this cosine on a signature is called by the name of a known one, or explained by several.
ALIKE = 0.9
_MOST_MIXED, _GAIN = 4, 0.01
_LEVEL = 0.95

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exposures:
    """Mutations of each sample by signature.

    Attributes
    ----------
    samples, signatures : tuple of str
    values : ndarray of float64 (n_samples, n_signatures)
        Mutations; 0 for signatures that were not needed.
    low, high : ndarray of float64, the same shape
        Bootstrap interval that holds 95 % of the refits to resampled counts, and the value.
    cosines : ndarray of float64 (n_samples,)
        Of each sample with what the signatures make of it.
    """

    samples: tuple[str, ...]
    signatures: tuple[str, ...]
    values: Matrix
    low: Matrix
    high: Matrix
    cosines: Matrix

    def __repr__(self) -> str:
        m, k = self.values.shape
        return (
            f"Exposures({m} samples by {k} signatures, {np.count_nonzero(self.values.any(axis=0))} "
            f"used, cosines from {self.cosines.min():.3f})"
        )


@dataclass(frozen=True)
class Mixture:
    """A signature as a mixture of known ones.

    Attributes
    ----------
    names : tuple of str
        Largest share first.
    shares : tuple of float
        They add up to 1.
    cosine : float
        Of the mixture with the signature.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    cosine: float

    @property
    def is_enough(self) -> bool:
        """Whether it explains the signature: a cosine of .9 or more."""
        return self.cosine >= ALIKE


def cosine_table(components: Matrix, reference: Matrix) -> Matrix:
    """Return the cosine of each component with each reference signature."""
    left, right = (
        rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
        for rows in (np.asarray(components, dtype=np.float64), reference)
    )
    table: Matrix = np.clip(left @ right.T, 0.0, 1.0)
    return table


def mixture(component: Matrix, reference: Catalogue) -> Mixture:
    """Explain a signature by few known ones.

    Signatures are added one by one, each time the one that raises the cosine most, as long as it
    gains .01 or more, up to four.

    Examples
    --------
    >>> known = read_catalogue(np.eye(3))
    >>> found = mixture(np.array([0.7, 0.3, 0.0]), known)
    >>> found.names, [round(share, 3) for share in found.shares]
    (('sample 1', 'sample 2'), [0.7, 0.3])
    """
    target = np.asarray(component, dtype=np.float64)
    chosen: list[int] = []
    shares, best = np.zeros(0), 0.0
    while len(chosen) < min(_MOST_MIXED, len(reference.samples)):
        tries = []
        for j in range(len(reference.samples)):
            if j not in chosen:
                basis = reference.values[[*chosen, j]]
                weights = scipy.optimize.nnls(basis.T, target)[0]
                tries.append((float(cosine_table(weights[None] @ basis, target[None])[0, 0]), j))
        top, j = max(tries, key=lambda pair: (pair[0], -pair[1]))
        if top - best < _GAIN:
            break
        chosen.append(j)
        shares, best = scipy.optimize.nnls(reference.values[chosen].T, target)[0], top
    order = [i for i in np.argsort(-shares, kind="stable") if shares[i] > 0]
    total = shares.sum() or 1.0
    return Mixture(
        tuple(reference.samples[chosen[i]] for i in order),
        tuple(float(shares[i] / total) for i in order),
        best,
    )


def refit_signatures(
    catalogue: object,
    reference: object,
    *,
    n_bootstrap: int = 100,
    random_state: RandomState = 0,
    n_threads: int | None = None,
    callback: Callable[[int, int], object] | None = None,
) -> Exposures:
    """Explain each sample by as few known signatures as it takes.

    All signatures are fitted to a sample under the Kullback–Leibler divergence; then the one that
    matters least is dropped as long as that costs less deviance than log(n_channels) +
    2 log(n_signatures), the extended Bayesian information criterion (Chen & Chen 2008), the
    deviance being in units of its own spread where counts vary more than Poisson counts do.

    Parameters
    ----------
    catalogue : Catalogue, path, frame or array
        Samples × channels, as in `read_catalogue`.
    reference : Catalogue, path or frame
        Known signatures × channels, such as a COSMIC file.
    n_bootstrap : int ≥ 0, default 100
        Poisson resamples of each sample for the intervals, its signatures being given; with 0 the
        intervals are the values.
    random_state : int, Generator, RandomState or None, default 0
    n_threads : int, optional
    callback : callable(done, total), optional
        Called after each sample.

    Returns
    -------
    Exposures

    Raises
    ------
    InputError
        The reference lacks channels, or the data cannot be used.

    Examples
    --------
    >>> known = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.9, 0.1], [0.25, 0.25, 0.25, 0.25]])
    >>> found = refit_signatures(np.array([[50, 50, 90, 10]]), known)
    >>> found.values.round().tolist()
    [[100.0, 100.0, 0.0]]
    """
    data = filled(read_catalogue(catalogue))
    known = with_channels(read_catalogue(reference), data.channels)
    rng, _ = as_generator(random_state)
    if isinstance(n_bootstrap, bool) or not isinstance(n_bootstrap, int) or n_bootstrap < 0:
        raise InputError(f"n_bootstrap={n_bootstrap!r} · a whole number from 0 · change it")
    m = len(data.samples)
    everything = _solved(data.values, known.values, n_threads)
    values = np.zeros((m, len(known.samples)))
    low, high = np.zeros_like(values), np.zeros_like(values)
    for i, x in enumerate(data.values):
        chosen = _needed(x, known.values, everything[i], n_threads)
        basis = known.values[chosen]
        values[i, chosen] = _solved(x[None], basis, n_threads)[0]
        low[i], high[i] = values[i], values[i]
        if n_bootstrap:
            again = rng.poisson(x, (n_bootstrap, len(x))).astype(np.float64)
            refits = _solved(again, basis, n_threads)
            tails = (0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2)
            below, above = np.quantile(refits, tails, axis=0)
            low[i, chosen] = np.minimum(below, values[i, chosen])
            high[i, chosen] = np.maximum(above, values[i, chosen])
        if callback is not None:
            callback(i + 1, m)
    cosines = np.array(
        [
            cosine_table(x[None], (row @ known.values)[None])[0, 0]
            for x, row in zip(data.values, values, strict=True)
        ]
    )
    return Exposures(data.samples, known.samples, values, low, high, cosines)


def _needed(x: Matrix, H: Matrix, start: Matrix, n_threads: int | None) -> list[int]:
    """Return the signatures that a sample needs, by backward elimination."""
    chosen = [int(j) for j in np.flatnonzero(start > 1e-6 * start.sum())]
    worst = _deviance(x, start[chosen] @ H[chosen])
    spread = max(1.0, worst / max(len(x) - len(chosen), 1))
    allowed = (np.log(len(x)) + 2.0 * np.log(len(H))) * spread
    while len(chosen) > 1:
        costs = []
        for j in chosen:
            rest = [i for i in chosen if i != j]
            fit = _solved(x[None], H[rest], n_threads)[0] @ H[rest]
            costs.append((_deviance(x, fit), j))
        least, gone = min(costs)
        if least - worst > allowed:
            break
        chosen.remove(gone)
        worst = least
    return chosen


def _deviance(x: Matrix, fit: Matrix) -> float:
    return 2.0 * float(scipy.special.kl_div(x, np.maximum(fit, 1e-12)).sum())


def _solved(X: Matrix, H: Matrix, n_threads: int | None) -> Matrix:
    W = solve_left(X, H, loss="kullback-leibler", n_threads=n_threads)
    return np.asarray(W, dtype=np.float64)
