"""`select_rank`: how many components, by several criteria side by side.

No criterion is right for all data, so each says what it prefers and the answer says whether they
agree. Held-out entries and bi-cross-validation (Owen & Perry 2009) ask what predicts cells that
were not seen; consensus (Brunet et al. 2004) and stability (as in cNMF and SigProfilerExtractor)
ask what comes back in every run; explained variance is held against data whose entries were
permuted within each feature (Frigyesi & Höglund 2008), where there is nothing to find.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import scipy.sparse as sp

from nonneg.core.alternate import Rule
from nonneg.core.data import DataMatrix
from nonneg.core.factorize import (
    Factorization,
    RandomState,
    as_generator,
    draw_seed,
    make_problem,
    whole_number,
)
from nonneg.core.intake import MatrixLike, as_data, sound_csr
from nonneg.core.losses import Loss
from nonneg.errors import InputError
from nonneg.selection.consensus import Consensus, check_samples, consensus_of, finished
from nonneg.selection.held_out import bi_cross_validation, held_out_errors
from nonneg.selection.measures import Matrix
from nonneg.selection.resampling import check_share, many_runs
from nonneg.selection.stability import StableComponents, stable_components
from nonneg.shown import Shown

__all__ = ["AGREEMENT", "CRITERIA", "RankRow", "RankSelection", "select_rank"]

CRITERIA = ("held-out", "cross-validation", "consensus", "stability", "explained-variance")
# Those that ask whether runs agree, and so may ask it of runs on parts of the samples.
AGREEMENT = ("consensus", "stability")

V = TypeVar("V")
_OUTER = {"held-out": "held-out entries", "cross-validation": "bi-cross-validation"}
# Cophenetic correlations this near the highest count as equally high: the larger rank is taken.
_AS_HIGH = 0.002
# SigProfilerExtractor's thresholds: mean and least silhouette of the components.
_STABLE_MEAN, _STABLE_LEAST = 0.8, 0.2
_MAX_BASELINE_RUNS = 10


@dataclass(frozen=True)
class RankRow:
    """What the criteria measured for one rank; None where one was not asked or does not apply.

    Attributes
    ----------
    rank : int
    held_out, held_out_se : float or None
        Loss of held-out cells per unit of the loss, mean over the masks, and its standard error.
    cross_validation, cross_validation_se : float or None
        The same for blocks of rows and columns that were left out together.
    cophenetic, dispersion, pac, silhouette : float or None
        Of the consensus of the samples (see `Consensus`); None for rank 1, where all agree.
    cophenetic_baseline : float or None
        The cophenetic correlation on permuted data.
    stability, stability_least : float or None
        Mean and least stability of the components (see `StableComponents`); None for rank 1.
    stability_baseline : float or None
        Their mean on permuted data.
    kept : float or None
        Share of the runs' components that are no outliers.
    explained, explained_baseline : float or None
        1 − loss / unit of the best run, and the same on permuted data; for frobenius the
        explained variance.
    gain, gain_baseline : float or None
        What a component added to it since the rank before.
    """

    rank: int
    held_out: float | None = None
    held_out_se: float | None = None
    cross_validation: float | None = None
    cross_validation_se: float | None = None
    cophenetic: float | None = None
    dispersion: float | None = None
    pac: float | None = None
    silhouette: float | None = None
    cophenetic_baseline: float | None = None
    stability: float | None = None
    stability_least: float | None = None
    stability_baseline: float | None = None
    kept: float | None = None
    explained: float | None = None
    explained_baseline: float | None = None
    gain: float | None = None
    gain_baseline: float | None = None


@dataclass(frozen=True)
class RankSelection(Shown):
    """How many components, by each criterion.

    Attributes
    ----------
    rows : tuple of RankRow
        One a rank, ascending.
    preferred : dict of str to int or None
        The rank that each criterion prefers; None where it prefers none of those tried.
    sentence : str
        What each prefers, and whether they agree.
    warnings : tuple of str
        What makes a figure look better than it is, or a preference that lies at the end of the
        ranks tried.
    loss : str or float
    n_runs, n_repeats : int
        Runs of each rank for consensus, stability and explained variance; masks of held-out cells.
    resample : float or None
        The share of the samples that each run of consensus and stability saw; None: all.
    seed : int or None
    consensuses : dict of int to Consensus
        By rank, where asked. Not part of `to_dict`.
    stable : dict of int to StableComponents
        By rank, where asked.
    """

    rows: tuple[RankRow, ...]
    preferred: dict[str, int | None]
    sentence: str
    warnings: tuple[str, ...]
    loss: str | float
    n_runs: int
    n_repeats: int
    resample: float | None
    seed: int | None
    consensuses: dict[int, Consensus] = field(repr=False)
    stable: dict[int, StableComponents] = field(repr=False)

    @property
    def agreed(self) -> int | None:
        """The rank that every criterion prefers, None where they differ."""
        ranks = set(self.preferred.values())
        return ranks.pop() if len(ranks) == 1 else None

    def to_dict(self) -> dict[str, Any]:
        """Return table, preferences and sentence as plain numbers and strings."""
        return {
            "loss": self.loss,
            "n_runs": self.n_runs,
            "n_repeats": self.n_repeats,
            "resample": self.resample,
            "seed": self.seed,
            "rows": [asdict(row) for row in self.rows],
            "preferred": dict(self.preferred),
            "agreed": self.agreed,
            "sentence": self.sentence,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        return self.sentence


def select_rank(
    X: MatrixLike,
    ranks: Sequence[int],
    *,
    criteria: Sequence[str] = CRITERIA,
    n_runs: int = 20,
    n_repeats: int = 3,
    resample: float | None = None,
    loss: str | float | Loss = "frobenius",
    missing_values: float = math.nan,
    max_iter: int = 500,
    tol: float = 1e-4,
    n_threads: int | None = None,
    random_state: RandomState = None,
    progress: Callable[[str, float], None] | None = None,
) -> RankSelection:
    """Measure several ranks by several criteria, and say what each prefers.

    Parameters
    ----------
    X : ndarray or scipy sparse, shape (n_samples, n_features)
        As for `factorize`.
    ranks : sequence of int
        The ranks to try, such as ``range(2, 9)``.
    criteria : sequence of str, default all of them
        "held-out": the rank with the least error on held-out cells, a tenth at a time, which no
        mask has to be stored for. "cross-validation": the same on blocks of rows and columns
        left out together (Owen & Perry 2009). "consensus": the highest cophenetic correlation, of
        equally high ones (to .002) the largest rank. "stability": the largest rank whose
        components have a mean stability of .8 and none below .2 (SigProfilerExtractor's
        thresholds). "explained-variance": the last rank before a component gains no more than
        on permuted data (Frigyesi & Höglund 2008).
    n_runs : int, at least 2, default 20
        Runs of each rank from random starts, for the last three.
    n_repeats : int, default 3
        Masks of held-out cells, and divisions into blocks.
    resample : float between 0 and 1, optional
        The share of the samples that each run of consensus and stability sees, drawn anew; .8 in
        Monti et al. (2003). Default: all of them, so that runs differ in their starts alone. Where
        every run ends in the same optimum only this shows whether a rank hangs on which samples
        there are; see `resampled_runs`. Permuted data are resampled likewise. Explained variance is
        that of all samples, in runs of its own.
    loss, missing_values, max_iter, tol, n_threads, random_state
        As for `factorize`.
    progress : callable(str, float), optional
        Called with what is being done and the share of it that is done.

    Returns
    -------
    RankSelection
        The same for the same integer `random_state`.

    Raises
    ------
    InputError
        Data or arguments that cannot be used, ranks beyond what the held-out fits can hold,
        `resample` without consensus and stability.
    TooLargeError
        If the consensus of so many samples does not fit into memory: leave out that criterion.
    KeyboardInterrupt
        After Ctrl-C.

    Examples
    --------
    >>> import numpy as np
    >>> from nonneg import select_rank
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(20 * rng.gamma(0.5, size=(60, 3)) @ rng.gamma(0.5, size=(3, 40)))
    >>> chosen = select_rank(X, [2, 3, 4], criteria=["held-out"], random_state=0)
    >>> chosen.sentence
    'Held-out entries prefer 3 components.'

    References
    ----------
    Owen & Perry (2009), Ann. Appl. Stat. 3(2), 564-594; Brunet et al. (2004), PNAS 101(12); Monti,
    Tamayo, Mesirov & Golub (2003), Machine Learning 52 (parts of the samples); Frigyesi & Höglund
    (2008), Cancer Informatics 6, 275-292; Islam et al. (2022), Cell Genomics 2(11), 100179.
    """
    data = as_data(X, missing_values=missing_values, n_threads=n_threads)
    tried, asked = _ranks(ranks, data), _criteria(criteria)
    n_runs, n_repeats = whole_number("n_runs", n_runs), whole_number("n_repeats", n_repeats)
    by_runs = [name for name in asked if name not in _OUTER]
    if by_runs and n_runs < 2:
        raise InputError(
            f"n_runs=1 · {' and '.join(by_runs)} compare runs · give 2 or more, or leave them out "
            "of criteria"
        )
    if "consensus" in asked:
        check_samples(data.shape)
    if resample is not None:
        check_share(resample, data.shape[0], tried[-1])
        if not set(asked) & set(AGREEMENT):
            raise InputError(
                f"resample={resample!r} · only {_listed(AGREEMENT)} compare runs on parts of the "
                "samples, and criteria has neither · leave it out, or add one of them"
            )
    rng, seed = as_generator(random_state)
    term = make_problem(data, loss, 1).loss
    rule = Rule(whole_number("max_iter", max_iter), float(tol))
    tell = progress or (lambda text, share: None)
    # Drawn in one order whatever is asked, so that one criterion does not move another.
    seeds = [draw_seed(rng) for _ in range(n_repeats + 3)]
    table: dict[str, list[float | None]] = {}
    for name, measure in (
        ("held-out", held_out_errors),
        ("cross-validation", bi_cross_validation),
    ):
        if name in asked:
            errors = measure(
                data,
                term,
                tried,
                seeds[3:],
                rule,
                lambda share, name=name: tell(_OUTER[name], share),  # type: ignore[misc]
            )
            column = name.replace("-", "_")
            table[column] = [float(error) for error in errors.mean(axis=0)]
            if n_repeats > 1:
                spread = errors.std(axis=0, ddof=1) / math.sqrt(n_repeats)
                table[f"{column}_se"] = [float(error) for error in spread]
    consensuses: dict[int, Consensus] = {}
    stable: dict[int, StableComponents] = {}
    if by_runs:

        def runs(
            Y: MatrixLike, count: int, seed: int, share: float | None, what: str
        ) -> list[list[Factorization]]:
            total = count * len(tried)
            part = "" if share is None else f", each on {100 * share:.3g} % of the samples"
            fits = many_runs(
                Y,
                tried,
                resample=share,
                n_runs=count,
                loss=loss,
                missing_values=missing_values,
                max_iter=max_iter,
                tol=tol,
                n_threads=n_threads,
                random_state=seed,
                callback=lambda number, _: tell(f"{what}{part}", (number + 1) / total),
            )
            if len(finished(fits)) < total:
                raise KeyboardInterrupt
            return [fits[i : i + count] for i in range(0, total, count)]

        permuted = _permuted(X, np.random.default_rng(seeds[1]))

        def both(share: float | None) -> tuple[list[list[Factorization]], ...]:
            few = min(n_runs, _MAX_BASELINE_RUNS)
            return (
                runs(X, n_runs, seeds[0], share, f"{n_runs} runs of each rank"),
                runs(permuted, few, seeds[2], share, f"{few} runs of each rank on permuted data"),
            )

        agreeing = [name for name in by_runs if name in AGREEMENT]
        if agreeing:
            found, chance = both(resample)
            if "consensus" in asked:
                consensuses = {k: consensus_of(fits) for k, fits in zip(tried, found, strict=True)}
                table |= _consensus_columns(consensuses, chance)
            if "stability" in asked:
                stable = {k: stable_components(fits) for k, fits in zip(tried, found, strict=True)}
                table |= _stability_columns(stable, chance)
        if "explained-variance" in asked:
            if resample is not None or not agreeing:
                found, chance = both(None)
            table |= _explained_columns(tried, found, chance)
    rows = tuple(
        RankRow(k, **{name: values[i] for name, values in table.items()})
        for i, k in enumerate(tried)
    )
    preferred = {name: _PREFERENCES[name](rows) for name in asked}
    return RankSelection(
        rows=rows,
        preferred=preferred,
        sentence=_sentence(preferred, tried),
        warnings=tuple(_warnings(preferred, tried, consensuses, stable)),
        loss=term.name,
        n_runs=n_runs,
        n_repeats=n_repeats,
        resample=None if resample is None else float(resample),
        seed=seed,
        consensuses=consensuses,
        stable=stable,
    )


def _ranks(ranks: Sequence[int], data: DataMatrix) -> list[int]:
    if isinstance(ranks, (str, bytes)) or not isinstance(ranks, (Sequence, range, np.ndarray)):
        raise InputError(f"ranks={ranks!r} · give several whole numbers, such as range(2, 9)")
    tried = sorted({whole_number("ranks", k) for k in ranks})
    if len(tried) < 2:
        raise InputError(
            f"ranks={list(ranks)} · a choice takes two ranks or more · give several, such as "
            "range(2, 9)"
        )
    # Bi-cross-validation fits half of the rows and columns, and there has to be something left.
    most = min(data.shape) // 2
    if tried[-1] > most:
        raise InputError(
            f"ranks up to {tried[-1]} · X is {data.shape[0]} × {data.shape[1]}, and with half of "
            f"its rows and columns left out no more than {most} components can be told apart · "
            f"give ranks up to {most}"
        )
    return tried


def _criteria(criteria: Sequence[str]) -> list[str]:
    given = [criteria] if isinstance(criteria, str) else list(criteria)
    unknown = [name for name in given if name not in CRITERIA]
    if unknown or not given:
        raise InputError(
            f"criteria={given!r} · the criteria are {', '.join(CRITERIA)} · choose some of them"
        )
    return [name for name in CRITERIA if name in given]


def _permuted(X: MatrixLike, rng: np.random.Generator) -> MatrixLike:
    """Return X with the entries of each feature in a random order over the samples."""
    if not sp.issparse(X):
        return rng.permuted(np.asarray(X), axis=0)
    by_rows = cast(Any, sound_csr(X))
    columns = by_rows.tocsc()
    indices = columns.indices.copy()
    for start, stop in zip(columns.indptr[:-1], columns.indptr[1:], strict=True):
        indices[start:stop] = rng.choice(columns.shape[0], stop - start, replace=False)
    return sp.csr_array(sp.csc_array((columns.data, indices, columns.indptr), columns.shape))


def _consensus_columns(
    consensuses: dict[int, Consensus], chance: list[list[Factorization]]
) -> dict[str, list[float | None]]:
    def known(k: int, value: V) -> V | None:
        return value if k > 1 else None

    found = list(consensuses.items())
    return {
        "cophenetic": [known(k, agreed.cophenetic) for k, agreed in found],
        "dispersion": [known(k, agreed.dispersion) for k, agreed in found],
        "pac": [known(k, agreed.pac) for k, agreed in found],
        "silhouette": [agreed.silhouette_consensus for _, agreed in found],
        "cophenetic_baseline": [
            known(k, consensus_of(fits).cophenetic)
            for (k, _), fits in zip(found, chance, strict=True)
        ],
    }


def _stability_columns(
    stable: dict[int, StableComponents], chance: list[list[Factorization]]
) -> dict[str, list[float | None]]:
    def figures(k: int, values: Matrix) -> tuple[float | None, float | None]:
        return (float(values.mean()), float(values.min())) if k > 1 else (None, None)

    found = [figures(k, components.stability) for k, components in stable.items()]
    random = [
        figures(k, stable_components(fits).stability)
        for k, fits in zip(stable, chance, strict=True)
    ]
    return {
        "stability": [mean for mean, _ in found],
        "stability_least": [least for _, least in found],
        "stability_baseline": [mean for mean, _ in random],
        "kept": [float(components.share_kept.mean()) for components in stable.values()],
    }


def _explained_columns(
    tried: list[int], found: list[list[Factorization]], chance: list[list[Factorization]]
) -> dict[str, list[float | None]]:
    table: dict[str, list[float | None]] = {}
    for suffix, groups in (("", found), ("_baseline", chance)):
        shares = [max(_explained(fit) for fit in fits) for fits in groups]
        gains = np.diff(shares) / np.diff(tried)
        table[f"explained{suffix}"] = list(shares)
        table[f"gain{suffix}"] = [None, *(float(gain) for gain in gains)]
    return table


def _explained(fit: Factorization) -> float:
    robust = isinstance(fit.loss, str) and fit.loss in ("huber", "l1", "l21")
    return 1.0 - (fit.relative_error if robust else fit.relative_error**2)


# --- What a criterion prefers ---------------------------------------------------------------------


def _least(column: str) -> Callable[[Sequence[RankRow]], int | None]:
    return lambda rows: min(rows, key=lambda row: getattr(row, column)).rank


def _most_agreed(rows: Sequence[RankRow]) -> int | None:
    known = [(row.rank, row.cophenetic) for row in rows if row.cophenetic is not None]
    if not known:
        return None
    highest = max(value for _, value in known)
    return max(rank for rank, value in known if value >= highest - _AS_HIGH)


def _largest_stable(rows: Sequence[RankRow]) -> int | None:
    good = [
        row.rank
        for row in rows
        if row.stability is not None
        and row.stability >= _STABLE_MEAN
        and (row.stability_least or 0.0) >= _STABLE_LEAST
    ]
    return max(good, default=None)


def _last_that_gains(rows: Sequence[RankRow]) -> int | None:
    chosen = rows[0].rank
    for row in rows[1:]:
        if (row.gain or 0.0) <= (row.gain_baseline or 0.0):
            break
        chosen = row.rank
    return chosen


_PREFERENCES: dict[str, Callable[[Sequence[RankRow]], int | None]] = {
    "held-out": _least("held_out"),
    "cross-validation": _least("cross_validation"),
    "consensus": _most_agreed,
    "stability": _largest_stable,
    "explained-variance": _last_that_gains,
}
_SUBJECTS = {
    "held-out": ("held-out entries", "prefer"),
    "cross-validation": ("bi-cross-validation", "prefers"),
    "consensus": ("consensus", "prefers"),
    "stability": ("stability", "prefers"),
    "explained-variance": ("explained variance", "prefers"),
}


def _sentence(preferred: dict[str, int | None], tried: list[int]) -> str:
    by_rank: dict[int, list[str]] = {}
    for name, rank in preferred.items():
        if rank is not None:
            by_rank.setdefault(rank, []).append(name)
    none = [_SUBJECTS[name][0] for name, rank in preferred.items() if rank is None]
    clauses: list[str] = []
    for rank, names in sorted(by_rank.items(), key=lambda item: (-len(item[1]), item[0])):
        verb = "prefer" if len(names) > 1 else _SUBJECTS[names[0]][1]
        subject = _listed([_SUBJECTS[name][0] for name in names])
        noun = "component" if rank == 1 else "components"
        clauses.append(f"{subject} {verb} {rank}{f' {noun}' if not clauses else ''}")
    if none:
        verb = "prefers" if len(none) == 1 and not none[0].endswith("entries") else "prefer"
        clauses.append(f"{_listed(none)} {verb} none of {tried[0]} to {tried[-1]}")
    text = "; ".join(clauses)
    text = text[0].upper() + text[1:]
    if len(preferred) == 1:
        return f"{text}."
    if len(by_rank) == 1 and not none:
        return f"{text}: they all agree."
    if not by_rank:
        return f"{text}."
    low, high = min(by_rank), max(by_rank)
    if low == high:
        return f"{text}: they do not all agree."
    return (
        f"{text}: they do not agree, so look at the components of {low} to {high} before you "
        "choose."
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _warnings(
    preferred: dict[str, int | None],
    tried: list[int],
    consensuses: dict[int, Consensus],
    stable: dict[int, StableComponents],
) -> list[str]:
    said = []
    copies = {k: agreed.n_identical for k, agreed in consensuses.items()}
    copies |= {k: components.n_identical for k, components in stable.items()}
    same = [k for k, n_identical in copies.items() if n_identical]
    if same:
        said.append(
            f"runs of rank {', '.join(map(str, same))} repeat each other from the same start: "
            "consensus and stability look better than they are"
        )
    at_end = [_SUBJECTS[name][0] for name, rank in preferred.items() if rank == tried[-1]]
    if at_end:
        said.append(
            f"{tried[-1]}, which {_listed(at_end)} prefer{'' if len(at_end) > 1 else 's'}, is the "
            "largest rank tried: a larger one may be better still, try some"
        )
    return said
