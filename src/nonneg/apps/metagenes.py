"""Expression in, metagenes, classes and subclasses out: `Metagenes`.

Samples × genes ≈ usages × metagenes. A sample's class is the metagene it uses most; the margin
says how clearly. Many runs from different starts say how far that depends on the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.agreement import Agreement, compare_classes, labels_of_samples
from nonneg.apps.expression_steps import repeat_steps, take_genes
from nonneg.apps.markers import MarkerMethod, gene_scores, marker_genes
from nonneg.apps.metagenes_record import KeptRuns, from_parts, to_parts
from nonneg.apps.subclasses import Flow, Level, aligned_orders, flows
from nonneg.core.alternate import Status, Step
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    draw_seed,
    solve_left,
    whole_number,
)
from nonneg.core.intake import is_count
from nonneg.core.kernels import FloatArray
from nonneg.core.losses import Loss
from nonneg.core.smooth import factorize_smooth, sharpened
from nonneg.errors import InputError
from nonneg.io.expression import Expression, Orientation, read_expression
from nonneg.selection.consensus import Consensus, consensus_from, consensus_of
from nonneg.selection.measures import distance_silhouettes
from nonneg.selection.resampling import check_share, many_runs
from nonneg.selection.stability import StableComponents, refit, stable_components
from nonneg.shown import Shown

__all__ = ["Classes", "Combine", "Marker", "Metagenes"]

Combine = Literal["best", "median"]

_CUT = (Status.INTERRUPTED, Status.STOPPED)
# Beyond so many samples there is no matrix of all pairs; components are compared instead.
_MOST_PAIRED = 5000


@dataclass(frozen=True)
class Marker:
    """A gene that marks a metagene.

    Attributes
    ----------
    gene : str
    score : float
        How much it belongs to this metagene alone, from 0 to 1 (Kim & Park 2007).
    weight : float
        Its share of the metagene.
    """

    gene: str
    score: float
    weight: float


@dataclass(frozen=True, eq=False)
class Classes:
    """Classes of samples.

    Attributes
    ----------
    samples : tuple of str
    usages : ndarray (n_samples, n_components)
        How much of a sample's values each metagene accounts for.
    memberships : ndarray of float64 (n_samples, n_components)
        The same as shares: each row adds up to 1.
    classes : ndarray of int (n_samples,)
        The metagene with the largest share.
    margins : ndarray of float64 (n_samples,)
        The largest share less the second largest: 0 undecided, 1 certain.
    """

    samples: tuple[str, ...]
    usages: FloatArray
    memberships: NDArray[np.float64]
    classes: NDArray[np.intp]
    margins: NDArray[np.float64]

    def __repr__(self) -> str:
        sizes = np.bincount(self.classes, minlength=self.usages.shape[1]).tolist()
        return f"Classes({len(self.samples)} samples in classes of {', '.join(map(str, sizes))})"


class Metagenes(Shown):
    """Find metagenes and classes of samples (or programs of cells) in an expression table.

    Parameters
    ----------
    n_components : int ≥ 1
        How many metagenes, and so classes. At most as many as there are samples.
    loss : {"kullback-leibler", "frobenius"} or another loss of `factorize`
        Default "kullback-leibler", the divergence for counts and intensities (Brunet et al. 2004).
    n_runs : int ≥ 1, default 20
        Runs from different starts.
    ranks : sequence of int, optional
        Further ranks to fit, for the tree of subclasses; ``range(2, 6)``, say.
    combine : {"best", "median"}
        "best" (default): the run with the lowest objective. "median": the medians of the components
        that come back in the runs, outliers left out, fitted once more (cNMF: Kotliar et al. 2019).
    smoothing : float, 0 ≤ θ < 1, default 0
        Above 0: nsNMF, sparse metagenes and usages (Pascual-Montano et al. 2006); .5 is usual.
    resample : float between 0 and 1, optional
        The share of the samples that each run sees, drawn anew (.8 in Monti et al. 2003). Then
        consensus, cophenetic correlation and stability say how far classes and metagenes hang on
        which samples there are, not on the start alone; the best run is fitted to all samples.
    max_iter : int, default 500
    tol : float, default 1e-4
        As in `factorize`.
    random_state : int, Generator, RandomState or None
        An int makes the fit repeatable, bit for bit.
    n_threads : int, optional
        Default: all cores. The result has the same bits for any number.
    callback : callable(int, Step) -> bool or None, optional
        As in `factorize_runs`.

    Attributes
    ----------
    samples_, genes_ : tuple of str
    components_ : ndarray (n_components, n_genes)
        Metagenes; each adds up to 1. Classes that stay together over the ranks come first.
    usages_ : ndarray (n_samples, n_components)
        How much of a sample's values each metagene accounts for: X ≈ usages_ @ components_
        (with nsNMF X ≈ usages_ S components_).
    memberships_ : ndarray of float64 (n_samples, n_components)
        The same as shares: each row adds up to 1.
    classes_ : ndarray of int (n_samples,)
        The metagene with the largest share, from 0.
    margins_ : ndarray of float64 (n_samples,)
        The largest share less the second largest: 0 undecided, 1 certain.
    stability_ : ndarray of float64 (n_components,) or None
        How surely each metagene comes back in the runs, 1 at best (see `StableComponents`); None
        with a single run.
    consensus_ : Consensus or None
        How far the runs agree on the classes of this rank; None with a single run, and with more
        than 5000 samples. A model that was loaded builds it again when it is asked for, from the
        class of each sample in each run; its `fit` is `factorization_`.
    silhouettes_ : ndarray of float64 (n_samples,) or None
        How surely each sample is with its class in the runs, from −1 to 1, 1 − consensus being the
        distance; None with a single run or more than 5000 samples.
    levels_ : tuple of Level
        Classes at each rank fitted, in ascending order.
    flows_ : tuple of Flow
        Which class of a rank goes where at the next.
    factorization_ : Factorization
        The chosen one, in the order and scale of the solver.
    relative_error_ : float
    steps_ : tuple of dict
        The preparation of the table, which `classify` repeats.
    notes_ : tuple of str
        What was decided or repaired while reading.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import Metagenes
    >>> rng = np.random.default_rng(0)
    >>> means = np.kron(np.eye(2), np.full(10, 50.0)) + 5
    >>> counts = rng.poisson(means[[0, 0, 0, 0, 1, 1, 1]])
    >>> model = Metagenes(2, random_state=0).fit(counts)
    >>> model.classes_.tolist()
    [0, 0, 0, 0, 1, 1, 1]
    >>> model.agreement(list("aaaabbb")).purity
    1.0

    References
    ----------
    Brunet, Tamayo, Golub & Mesirov (2004), PNAS 101(12), 4164-4169; Monti, Tamayo, Mesirov & Golub
    (2003), Machine Learning 52, 91-118.
    """

    def __init__(
        self,
        n_components: int,
        *,
        loss: str | float | Loss = "kullback-leibler",
        n_runs: int = 20,
        ranks: Sequence[int] = (),
        combine: Combine = "best",
        smoothing: float = 0.0,
        resample: float | None = None,
        max_iter: int = 500,
        tol: float = 1e-4,
        random_state: RandomState = None,
        n_threads: int | None = None,
        callback: Callable[[int, Step], bool | None] | None = None,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.n_runs = n_runs
        self.ranks = ranks
        self.combine = combine
        self.smoothing = smoothing
        self.resample = resample
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.callback = callback

    def __repr__(self) -> str:
        if "factorization_" not in vars(self):
            return f"Metagenes({self.n_components}, not fitted)"
        return (
            f"Metagenes({self.n_components}, fitted to {len(self.samples_)} samples × "
            f"{len(self.genes_)} genes, relative error {self.relative_error_:.3g})"
        )

    def fit(self, expression: object, *, orientation: Orientation | None = None) -> Self:
        """Fit to an expression table.

        Parameters
        ----------
        expression : Expression, path, frame, array, sparse matrix or AnnData
            What `read_expression` takes. Arrays and frames have samples in rows.
        orientation : {"genes-by-samples", "samples-by-genes"}, optional
            What the rows are, where that is neither usual nor plain.

        Returns
        -------
        Metagenes
            Itself.

        Raises
        ------
        InputError
            Data or parameters that cannot be used; the message says what to do.
        KeyboardInterrupt
            Ctrl-C during the runs, or a callback that said stop.
        """
        table = read_expression(expression, orientation=orientation)
        ranks = self._checked_ranks(table)
        runs = self._runs(table, ranks)
        chosen = {k: self._chosen(table, runs[k]) for k in ranks}
        found = {k: self._classes(table.samples, chosen[k][0]) for k in ranks}
        orders = aligned_orders([found[k].classes for k in ranks], ranks)
        numbers = {k: np.argsort(order) for k, order in zip(ranks, orders, strict=True)}
        agreed = {k: _agreed(runs[k], table.shape[0]) for k in ranks}
        self.levels_ = tuple(
            _level(numbers[k][found[k].classes], chosen[k][0], agreed[k]) for k in ranks
        )
        self.flows_: tuple[Flow, ...] = flows(self.levels_)
        self.factorization_, stable = chosen[self.n_components]
        order = np.array(orders[ranks.index(self.n_components)])
        self.stability_ = None if stable is None else stable[order]
        self._kept_runs: KeptRuns | None = None
        self.consensus_ = agreed[self.n_components]
        self.samples_, self.genes_ = table.samples, table.genes
        self.steps_, self.notes_, self.source_ = table.steps, table.notes, table.source
        self._adopt(found[self.n_components], order)
        self.silhouettes_ = None
        if self.consensus_ is not None:
            self.silhouettes_ = distance_silhouettes(self.consensus_.matrix, self.classes_)
        return self

    def classify(self, expression: object, *, orientation: Orientation | None = None) -> Classes:
        """Return the classes of new samples, the metagenes being what they are.

        Genes are matched by name; those that the table lacks are left out of the fit, and those
        that the model does not know, too. The steps of the first table are repeated, unless the
        new one has steps of its own. All samples have a row; one without values has margin 0.

        Raises
        ------
        InputError
            Fewer than half of the model's genes are in the table.
        """
        H = self._fitted().factorization_.H
        # A gene that no new sample has is a zero, not a gene that was not measured.
        table = read_expression(expression, orientation=orientation, keep_empty=True)
        place = {gene: j for j, gene in enumerate(table.genes)}
        shared = [j for j, gene in enumerate(self.genes_) if gene in place]
        if 2 * len(shared) < len(self.genes_):
            raise InputError(
                f"{len(shared)} of the model's {len(self.genes_)} genes are in '{table.source}' · "
                f"its genes are called {table.genes[0]!r} and so on, those of the model "
                f"{self.genes_[0]!r} · use the same names, or say orientation"
            )
        here = take_genes(table, np.array([place[self.genes_[j]] for j in shared]))
        if not table.steps:
            here = repeat_steps(here, [_of_genes(step, shared) for step in self.steps_])
        smoothed = self._smoothing_matrix() @ H[:, shared]
        W = solve_left(here.values, smoothed, loss=self.loss, n_threads=self.n_threads)
        usages = np.asarray(W * self._sizes, dtype=H.dtype)[:, self._order]
        return _classes(table.samples, cast(FloatArray, usages))

    def gene_scores(self, method: MarkerMethod = "kim") -> NDArray[np.float64]:
        """Score how much each gene belongs to one metagene alone; see `markers.gene_scores`."""
        return gene_scores(self._fitted().components_, method)

    def markers(
        self, n: int | None = None, method: MarkerMethod = "kim"
    ) -> list[tuple[Marker, ...]]:
        """Return the marker genes of each metagene.

        Parameters
        ----------
        n : int ≥ 1, optional
            The first ones only.
        method : {"kim", "max"}
            How they are chosen; see `markers.marker_genes`.

        Returns
        -------
        list of tuple of Marker
            Those with the largest weight in the metagene first. A metagene may have none.
        """
        if n is not None and (not is_count(n, 1)):
            raise InputError(f"n={n!r} · it must be a whole number from 1, or None for all")
        H = self._fitted().components_.astype(np.float64)
        scores = gene_scores(H)
        listed = []
        for t, genes in enumerate(marker_genes(H, method)):
            best = genes[np.argsort(-H[t, genes], kind="stable")][:n]
            listed.append(
                tuple(
                    Marker(self.genes_[j], float(scores[j]), float(H[t, j])) for j in best.tolist()
                )
            )
        return listed

    def agreement(self, labels: object) -> Agreement:
        """Compare the classes with known labels.

        Parameters
        ----------
        labels : mapping from sample to label, pandas Series, or sequence
            A sequence has one label for each of `samples_`, in their order.
        """
        classes = self._fitted().classes_
        listed = labels_of_samples(labels, self.samples_)
        return compare_classes(classes, listed, self.n_components)

    def to_record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything a fitted model consists of: plain values, and arrays."""
        return to_parts(self._fitted())

    @classmethod
    def from_record(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild a fitted model from `to_record`.

        Raises
        ------
        KeyError, TypeError, ValueError
            The record is not one of metagenes, or its parts contradict one another.
        """
        parameters, attributes, order = from_parts(meta, arrays)
        model = cls(**parameters)
        vars(model).update(attributes)
        found = model._classes(model.samples_, model.factorization_)
        return model._adopt(found, order)

    @cached_property
    def consensus_(self) -> Consensus | None:
        """The agreement of the runs of a model that was loaded; `fit` sets it itself."""
        kept = self._fitted()._kept_runs
        if kept is None:
            return None
        return consensus_from(
            kept.labels,
            self.factorization_,
            n_identical=kept.n_identical,
            seeds=kept.seeds,
            objectives=kept.objectives,
            silhouette_coefficients=kept.silhouettes["coefficients"],
            silhouette_basis=kept.silhouettes["basis"],
        )

    @property
    def _sizes(self) -> NDArray[np.float64]:
        """The sums of the solver's components: what usages are counted in."""
        return cast("NDArray[np.float64]", self.factorization_.H.sum(axis=1, dtype=np.float64))

    def _smoothing_matrix(self) -> NDArray[np.float64]:
        k, theta = self.n_components, float(self.smoothing)
        return (1 - theta) * np.eye(k) + theta / k

    def _adopt(self, found: Classes, order: NDArray[np.intp]) -> Self:
        """Set what follows from the factorization and the order of its components."""
        fit = self.factorization_
        sizes = self._sizes[order, None]
        shares = fit.H[order] / np.where(sizes > 0, sizes, 1.0)
        self._order = order
        self.components_ = cast(FloatArray, shares.astype(fit.H.dtype))
        ordered = _classes(self.samples_, found.usages[:, order])
        self.usages_, self.memberships_ = ordered.usages, ordered.memberships
        self.classes_, self.margins_ = ordered.classes, ordered.margins
        self.relative_error_ = fit.relative_error
        return self

    def _classes(self, samples: tuple[str, ...], fit: Factorization) -> Classes:
        W = sharpened(fit.W, float(self.smoothing)) if self.smoothing else fit.W
        return _classes(samples, cast(FloatArray, np.asarray(W * fit.H.sum(axis=1), W.dtype)))

    def _runs(self, table: Expression, ranks: list[int]) -> dict[int, list[Factorization]]:
        """All runs by rank; run i has the same seed at every rank."""
        rng, _ = as_generator(self.random_state)
        if self.smoothing:
            seed = draw_seed(rng)
            return {
                k: factorize_smooth(
                    table.values,
                    k,
                    smoothing=self.smoothing,
                    n_runs=self.n_runs,
                    loss=self.loss,
                    max_iter=self.max_iter,
                    tol=self.tol,
                    n_threads=self.n_threads,
                    random_state=seed,
                )
                for k in ranks
            }
        fits = many_runs(
            table.values,
            ranks,
            resample=self.resample,
            n_runs=self.n_runs,
            loss=self.loss,
            max_iter=self.max_iter,
            tol=self.tol,
            n_threads=self.n_threads,
            random_state=rng if self.resample is None else draw_seed(rng),
            callback=self.callback,
        )
        if len(fits) < len(ranks) * self.n_runs or any(fit.status in _CUT for fit in fits):
            raise KeyboardInterrupt
        return {k: fits[i * self.n_runs : (i + 1) * self.n_runs] for i, k in enumerate(ranks)}

    def _chosen(
        self, table: Expression, fits: list[Factorization]
    ) -> tuple[Factorization, NDArray[np.float64] | None]:
        """The factorization to go by, and the stability of its components."""
        best = min(fits, key=lambda fit: fit.objective)
        stable = stable_components(fits) if len(fits) > 1 else None
        stability = None if stable is None else _of_run(stable, fits.index(best))
        components = best.H
        if self.combine == "median" and stable is not None:
            components, stability = stable.components, stable.stability
        elif self.resample is None:
            return best, stability
        again = refit(
            table.values,
            components,
            loss=self.loss,
            max_iter=self.max_iter,
            tol=self.tol,
            n_threads=self.n_threads,
        )
        return replace(again, seed=best.seed), stability

    def _checked_ranks(self, table: Expression) -> list[int]:
        m, n = table.shape
        self.n_components = whole_number("n_components", self.n_components)
        self.n_runs = whole_number("n_runs", self.n_runs)
        if self.combine not in get_args(Combine):
            raise InputError(f'combine={self.combine!r} · it is "best" or "median" · choose one')
        if self.combine == "median" and (self.n_runs < 2 or self.smoothing):
            raise InputError(
                'combine="median" · it takes the medians of two runs or more, without smoothing · '
                'raise n_runs, or use combine="best"'
            )
        if self.resample is not None and self.smoothing:
            raise InputError(
                f"resample={self.resample!r} with smoothing={self.smoothing!r} · smoothed runs see "
                "all samples · leave one of them out"
            )
        ranks = sorted({self.n_components, *(whole_number("ranks", k) for k in self.ranks)})
        if m < 2:
            raise InputError(
                f"'{table.source}' has one sample with values · classes need several"
                + (f" · {n:,} genes were read" if n > 1 else "")
                + " · if the table is turned, say orientation"
            )
        if ranks[-1] > m:
            raise InputError(
                f"n_components={ranks[-1]} · there are only {m} samples, and each would be a class "
                "of its own · lower it, or say orientation if the table is turned"
            )
        if self.resample is not None:
            check_share(self.resample, m, ranks[-1])
        return ranks

    def _fitted(self) -> Self:
        if "factorization_" not in vars(self):
            raise InputError(
                "these Metagenes have seen no table yet · there are no classes · call "
                "fit(expression) first"
            )
        return self


def _agreed(fits: list[Factorization], n_samples: int) -> Consensus | None:
    return consensus_of(fits) if len(fits) > 1 and n_samples <= _MOST_PAIRED else None


def _level(classes: NDArray[np.intp], fit: Factorization, agreed: Consensus | None) -> Level:
    return Level(
        n_components=fit.n_components,
        classes=classes,
        sizes=np.bincount(classes, minlength=fit.n_components),
        relative_error=fit.relative_error,
        cophenetic=None if agreed is None else agreed.cophenetic,
        dispersion=None if agreed is None else agreed.dispersion,
    )


def _classes(samples: tuple[str, ...], usages: FloatArray) -> Classes:
    whole = usages.astype(np.float64)
    total = whole.sum(axis=1, keepdims=True)
    k = whole.shape[1]
    shares = np.divide(whole, total, out=np.full_like(whole, 1.0 / k), where=total > 0)
    ordered = np.sort(shares, axis=1)
    margins = ordered[:, -1] - ordered[:, -2] if k > 1 else np.ones(len(shares))
    return Classes(samples, usages, shares, shares.argmax(axis=1), margins)


def _of_run(stable: StableComponents, run: int) -> NDArray[np.float64]:
    """Return the stability of the components of one run, in its order."""
    found = np.empty(stable.n_components)
    found[stable.members[run]] = stable.stability
    return found


def _of_genes(step: Mapping[str, Any], chosen: list[int]) -> dict[str, Any]:
    """Return a step for some of the genes."""
    if "divisors" not in step:
        return dict(step)
    return {**step, "divisors": [step["divisors"][j] for j in chosen]}
