"""Mutational signatures: what made the mutations of many tumours, and how many such there are.

Catalogues, samples × channels, are factorized under the Kullback–Leibler divergence many times,
each time with counts drawn anew (Poisson), so that a signature counts as stable only if it does
not hang on single mutations (Alexandrov et al. 2013; Islam et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.signature_refit import (
    ALIKE,
    Exposures,
    Mixture,
    cosine_table,
    mixture,
    refit_signatures,
)
from nonneg.core.alternate import Status
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    draw_seed,
    factorize,
    solve_left,
)
from nonneg.core.intake import is_count
from nonneg.errors import InputError
from nonneg.io.catalogue import (
    Catalogue,
    ChannelSide,
    as_counts,
    filled,
    read_catalogue,
    with_channels,
)
from nonneg.selection.stability import stable_components
from nonneg.shown import Shown

__all__ = ["Match", "Signatures", "Solution", "refit_signatures"]

# What SigProfilerExtractor asks of stable solutions.
_MEAN_STABILITY, _LEAST_STABILITY = 0.8, 0.2
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solution:
    """The signatures of one rank.

    Attributes
    ----------
    n_components : int
    components : ndarray of float64 (n_components, n_channels)
        Signatures; each adds up to 1. Most mutations first.
    exposures : ndarray of float64 (n_samples, n_components)
        Mutations of each sample by signature.
    stability : ndarray of float64 (n_components,)
        Mean silhouette width over the runs; 1: found again in each.
    relative_error : float
        ‖X − WH‖ / ‖X‖.
    cosines : ndarray of float64 (n_samples,)
        Of each sample with what its signatures make of it.
    """

    n_components: int
    components: Matrix
    exposures: Matrix
    stability: Matrix
    relative_error: float
    cosines: Matrix

    def __repr__(self) -> str:
        return (
            f"Solution({self.n_components} signatures of {len(self.exposures)} samples, stability "
            f"{self.stability.min():.2f} to {self.stability.max():.2f})"
        )

    @property
    def is_stable(self) -> bool:
        """Mean stability of .8 or more, and none below .2: SigProfilerExtractor's thresholds."""
        mean, least = float(self.stability.mean()), float(self.stability.min())
        return mean >= _MEAN_STABILITY and least >= _LEAST_STABILITY


@dataclass(frozen=True, eq=False)
class Match:
    """Signatures against a reference.

    Attributes
    ----------
    signatures, references : tuple of str
    cosines : ndarray of float64 (n_signatures, n_references)
        Of all pairs.
    names : tuple of (str or None)
        What each may be called: the nearest reference if its cosine is .9 or more; None where no
        known signature is so like it.
    nearest : tuple of str
        The nearest reference of each, however far it is.
    mixtures : tuple of Mixture
        Each as a mixture of few references, which explains it where its cosine is .9 or more.
    source : str
        Where the references are from.
    """

    signatures: tuple[str, ...]
    references: tuple[str, ...]
    cosines: Matrix
    nearest: tuple[str, ...]
    mixtures: tuple[Mixture, ...]
    source: str

    def __repr__(self) -> str:
        told = ", ".join(
            f"{found}: {name or 'no single one'}"
            for found, name in zip(self.signatures, self.names, strict=True)
        )
        return f"Match(against {len(self.references)} known signatures: {told})"

    @property
    def names(self) -> tuple[str | None, ...]:
        """What each signature may be called; None where no known one is near enough."""
        most = self.cosines.max(axis=1)
        return tuple(
            name if cosine >= ALIKE else None
            for name, cosine in zip(self.nearest, most, strict=True)
        )


class Signatures(Shown):
    """Extract mutational signatures from a catalogue.

    Parameters
    ----------
    n_components : int or sequence of int, default range(2, 9)
        How many signatures, or numbers to choose from: the largest that is stable is taken.
    n_runs : int ≥ 2, default 50
        Runs of each rank, each on counts of its own.
    resample : bool, default True
        Draw the counts of each run from Poisson distributions with the catalogue's counts as means.
    max_iter : int, default 2000
    tol : float, default 1e-5
        As in `factorize`.
    random_state : int, Generator, RandomState or None
        An int makes the fit repeatable, bit for bit.
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.
    callback : callable(done, total), optional
        Called after each run.

    Attributes
    ----------
    samples_, channels_ : tuple of str
    names_ : tuple of str
        Of the signatures: SBS96A, SBS96B, … as SigProfiler has it, or with the number of channels.
    n_components_ : int
    components_ : ndarray of float64 (n_components_, n_channels)
        Signatures; each adds up to 1. Most mutations first.
    exposures_ : ndarray of float64 (n_samples, n_components_)
        Mutations of each sample by signature.
    stability_ : ndarray of float64 (n_components_,)
    solutions_ : tuple of Solution
        Of every rank.
    reason_ : str
        Why this number.
    notes_ : tuple of str

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.dirichlet(np.full(24, 0.2), 3)
    >>> counts = rng.poisson(rng.gamma(0.5, 500, (30, 3)) @ truth)
    >>> model = Signatures([2, 3, 4], n_runs=10, random_state=0).fit(counts)
    >>> model.n_components_, bool((cosine_table(truth, model.components_).max(axis=1) > 0.95).all())
    (3, True)

    References
    ----------
    Alexandrov et al. (2013), Cell Reports 3(1), 246-259; Islam et al. (2022), Cell Genomics 2(11).
    """

    def __init__(
        self,
        n_components: int | Sequence[int] = range(2, 9),
        *,
        n_runs: int = 50,
        resample: bool = True,
        max_iter: int = 2000,
        tol: float = 1e-5,
        random_state: RandomState = None,
        n_threads: int | None = None,
        callback: Callable[[int, int], object] | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_runs = n_runs
        self.resample = resample
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.callback = callback

    def __repr__(self) -> str:
        if "solutions_" not in vars(self):
            return f"Signatures({self.n_components}, not fitted)"
        return (
            f"Signatures({self.n_components_} of {len(self.samples_)} samples × "
            f"{len(self.channels_)} channels)"
        )

    def fit(self, catalogue: object, *, orientation: ChannelSide | None = None) -> Self:
        """Extract signatures.

        Parameters
        ----------
        catalogue : Catalogue, path, frame or array
            Counts of mutations, as in `read_catalogue`. Arrays are samples × channels.
        orientation : {"channels-by-samples", "samples-by-channels"}, optional
            What the rows are, where the names of the channels do not say it.

        Returns
        -------
        Signatures
            Itself.

        Raises
        ------
        InputError
            No counts, fewer samples than signatures, or parameters that cannot be used.
        """
        data = read_catalogue(catalogue, orientation=orientation)
        data = as_counts(data) if self.resample else filled(data)
        ranks = self._ranks(data)
        rng, _ = as_generator(self.random_state)
        seeds = [draw_seed(rng) for _ in range(self.n_runs)]
        solutions = []
        for number, k in enumerate(ranks):
            fits = []
            for r, seed in enumerate(seeds):
                fits.append(self._run(data, k, seed))
                if self.callback is not None:
                    self.callback(number * len(seeds) + r + 1, len(ranks) * len(seeds))
            solutions.append(self._solution(data, fits))
        self.samples_, self.channels_ = data.samples, data.channels
        self.source_, self.notes_ = data.source, data.notes
        self.solutions_ = tuple(solutions)
        return self._choose()

    def solution(self, n_components: int) -> Solution:
        """Return the solution of a rank that was fitted."""
        for found in self._fitted().solutions_:
            if found.n_components == n_components:
                return found
        ranks = ", ".join(str(found.n_components) for found in self.solutions_)
        raise InputError(
            f"{n_components} signatures were not fitted · there are {ranks} · name one"
        )

    def match(self, reference: object) -> Match:
        """Compare the signatures with known ones.

        Parameters
        ----------
        reference : Catalogue, path or frame
            Known signatures × channels, such as a COSMIC file.
        """
        H = self._fitted().components_
        known = with_channels(read_catalogue(reference), self.channels_)
        table = cosine_table(H, known.values)
        return Match(
            signatures=self.names_,
            references=known.samples,
            cosines=table,
            nearest=tuple(known.samples[j] for j in table.argmax(axis=1)),
            mixtures=tuple(mixture(component, known) for component in H),
            source=known.source,
        )

    def exposures(
        self, catalogue: object, *, n_bootstrap: int = 100, random_state: RandomState = 0
    ) -> Exposures:
        """Explain samples by the signatures found; see `refit_signatures`."""
        known = Catalogue(self._fitted().components_, self.names_, self.channels_, "the model")
        return refit_signatures(
            catalogue,
            known,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
            n_threads=self.n_threads,
        )

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted model consists of: plain values, and arrays."""
        self._fitted()
        seed = self.random_state
        ranks = self.n_components
        meta = {
            "parameters": {
                "n_components": int(ranks) if isinstance(ranks, Integral) else _listed(ranks),
                "n_runs": int(self.n_runs),
                "resample": bool(self.resample),
                "max_iter": int(self.max_iter),
                "tol": float(self.tol),
                "random_state": int(seed) if isinstance(seed, Integral) else None,
                "n_threads": self.n_threads,
            },
            "samples": list(self.samples_),
            "channels": list(self.channels_),
            "source": self.source_,
            "notes": list(self.notes_),
            "errors": [found.relative_error for found in self.solutions_],
        }
        arrays: dict[str, NDArray[Any]] = {}
        for i, found in enumerate(self.solutions_):
            for name in ("components", "exposures", "stability", "cosines"):
                arrays[f"{name}.{i}"] = np.ascontiguousarray(getattr(found, name))
        return meta, arrays

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted model from `to_record`.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of signatures, or its parts contradict one another.
        """
        model = cls(**meta["parameters"])
        m, n = len(meta["samples"]), len(meta["channels"])
        solutions = []
        for i, error in enumerate(meta["errors"]):
            H, W = arrays[f"components.{i}"], arrays[f"exposures.{i}"]
            stability, cosines = arrays[f"stability.{i}"], arrays[f"cosines.{i}"]
            k = len(H)
            shapes = (H.shape, W.shape, stability.shape, cosines.shape)
            if shapes != ((k, n), (m, k), (k,), (m,)) or not k:
                raise ValueError("the arrays of a solution do not fit together")
            if not all(np.isfinite(part).all() for part in (H, W, stability, cosines)):
                raise ValueError("a solution is not finite")
            if min(H.min(), W.min()) < 0:
                raise ValueError("a solution has negative entries")
            solutions.append(Solution(k, H, W, stability, float(error), cosines))
        if not solutions:
            raise ValueError("there is no solution")
        model.samples_ = tuple(map(str, meta["samples"]))
        model.channels_ = tuple(map(str, meta["channels"]))
        model.source_, model.notes_ = str(meta["source"]), tuple(map(str, meta["notes"]))
        model.solutions_ = tuple(solutions)
        return model._choose()

    def _choose(self) -> Self:
        stable = [found for found in self.solutions_ if found.is_stable]
        if len(self.solutions_) == 1:
            chosen, self.reason_ = self.solutions_[0], "as asked"
        elif stable:
            chosen = stable[-1]
            self.reason_ = (
                "the largest number that is stable: mean stability "
                f"{chosen.stability.mean():.2f} ≥ {_MEAN_STABILITY}, lowest "
                f"{chosen.stability.min():.2f} ≥ {_LEAST_STABILITY}"
            )
            if chosen is self.solutions_[-1]:
                self.reason_ += "; and the largest that was tried: there may be more"
        else:
            chosen = max(self.solutions_, key=lambda found: float(found.stability.mean()))
            self.reason_ = (
                "none is stable; this one comes nearest, with a mean stability of "
                f"{chosen.stability.mean():.2f}"
            )
        self.n_components_ = chosen.n_components
        self.components_, self.exposures_ = chosen.components, chosen.exposures
        self.stability_ = chosen.stability
        kind = channel_kind(self.channels_)
        self.names_ = tuple(
            f"{kind}{_LETTERS[t] if t < len(_LETTERS) else t + 1}"
            for t in range(len(self.components_))
        )
        return self

    def _run(self, data: Catalogue, k: int, seed: int) -> Factorization:
        counts = data.values
        if self.resample:
            counts = np.random.default_rng(seed).poisson(counts).astype(np.float64)
        fit = factorize(
            counts,
            k,
            loss="kullback-leibler",
            init="random",
            max_iter=self.max_iter,
            tol=self.tol,
            n_threads=self.n_threads,
            random_state=seed,
        )
        if fit.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        return fit

    def _solution(self, data: Catalogue, fits: list[Factorization]) -> Solution:
        stable = stable_components(fits)
        X, H = data.values, np.asarray(stable.components, dtype=np.float64)
        W = np.asarray(
            solve_left(X, H, loss="kullback-leibler", n_threads=self.n_threads), dtype=np.float64
        )
        order = np.argsort(-W.sum(axis=0), kind="stable")
        W, H = W[:, order], H[order]
        error = float(np.linalg.norm(X - W @ H) / np.linalg.norm(X))
        both = np.einsum("ij,ij->i", X, W @ H)
        norms = np.linalg.norm(X, axis=1) * np.linalg.norm(W @ H, axis=1)
        cosines = np.clip(both / np.maximum(norms, 1e-300), 0.0, 1.0)
        return Solution(len(H), H, W, stable.stability[order], error, cosines)

    def _ranks(self, data: Catalogue) -> list[int]:
        asked: Any = self.n_components
        listed = [asked] if isinstance(asked, Integral) else list(asked)
        if not listed or not all(is_count(k, 1) for k in listed):
            raise InputError(
                f"n_components={asked!r} · a whole number from 1, or several to choose from"
            )
        if not is_count(self.n_runs, 1) or self.n_runs < 2:
            raise InputError(
                f"n_runs={self.n_runs!r} · stability takes two runs or more · raise it"
            )
        m, n = data.values.shape
        most = min(m, n)
        ranks = sorted({int(k) for k in listed if k <= most})
        if not ranks or (len(listed) == 1 and ranks != listed):
            raise InputError(
                f"n_components={asked!r} · a catalogue of {m} × {n} (samples × channels) has at "
                f"most {most} · lower it, or add samples"
            )
        return ranks

    def _fitted(self) -> Self:
        if "solutions_" not in vars(self):
            raise InputError(
                "these Signatures have seen no catalogue yet · there is nothing to tell · call "
                "fit(catalogue) first"
            )
        return self


def channel_kind(channels: Sequence[str]) -> str:
    """Return what SigProfiler calls a set of channels: SBS96, DBS78, ID83, or CH and the number."""
    kinds = {"[": "SBS", ">": "DBS", ":": "ID"}
    kind = next((word for mark, word in kinds.items() if mark in channels[0]), "CH")
    return f"{kind}{len(channels)}"


def _listed(ranks: Any) -> list[int]:
    return [int(k) for k in cast("Sequence[int]", ranks)]
