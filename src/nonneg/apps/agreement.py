"""How far classes that were found agree with labels that are known.

Definitions as in R's `NMF`; all but the entropy are the measures of a grouping of documents
(`topic_measures`), the adjusted Rand index (Hubert & Arabie 1985) among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nonneg.errors import InputError

__all__ = ["Agreement", "compare_classes", "labels_of_samples"]

_NONE = {"", "na", "nan", "none", "null", "n/a"}


@dataclass(frozen=True, eq=False)
class Agreement:
    """Classes against labels.

    Attributes
    ----------
    labels : tuple of str
        The known labels, in the order of the table's columns.
    confusion : ndarray of int (n_classes, n_labels)
        How many samples of each class have each label.
    purity : float
        Share of the samples that have the commonest label of their class: 1 is best.
    entropy : float
        −Σ n_qc log₂(n_qc / n_q) / (n log₂ #labels) (Kim & Park 2007): 0 is best; 0 with one label.
    adjusted_rand : float
        1: the same partition; about 0: no more in common than by chance.
    nmi : float
        Normalised mutual information, by the arithmetic mean of the entropies.
    n_errors : int
        Samples left over when each class is given one label of its own, as well as possible.
    n_samples, n_unlabelled : int
        Samples compared, and samples without a label, which do not count.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    purity: float
    entropy: float
    adjusted_rand: float
    nmi: float
    n_errors: int
    n_samples: int
    n_unlabelled: int


def compare_classes(
    classes: Sequence[int] | NDArray[np.integer],
    labels: Sequence[Any],
    n_classes: int | None = None,
) -> Agreement:
    """Compare classes with labels of the same samples.

    Parameters
    ----------
    classes : sequence of int ≥ 0
    labels : sequence
        One for each sample; None, nan and empty texts mean unknown.
    n_classes : int, optional
        How many classes there are; some may be empty. Default: the largest one plus 1.

    Raises
    ------
    InputError
        The two differ in length, or no label is known.

    Examples
    --------
    >>> agreement = compare_classes([0, 0, 1, 1], ["a", "a", "b", "a"])
    >>> agreement.confusion.tolist(), agreement.purity, agreement.n_errors
    ([[2, 0], [1, 1]], 0.75, 1)
    """
    found = np.asarray(classes, dtype=np.intp)
    if len(labels) != len(found):
        raise InputError(
            f"{len(labels)} labels for {len(found)} samples · give one for each, in their order, "
            "or a mapping from sample to label"
        )
    known = np.array([not _unknown(label) for label in labels], dtype=bool)
    if not known.any():
        raise InputError("no sample has a label · there is nothing to compare · check the labels")
    words = [str(label) for label, is_known in zip(labels, known, strict=True) if is_known]
    names = sorted(set(words))
    code = {name: i for i, name in enumerate(names)}
    truth = np.array([code[word] for word in words])
    mine = found[known]
    n = len(mine)
    table = np.zeros((n_classes or int(found.max()) + 1, len(names)), dtype=np.int64)
    np.add.at(table, (mine, truth), 1)
    sizes = table.sum(axis=1, keepdims=True)
    ratio = np.divide(table, sizes, out=np.ones(table.shape), where=table > 0)
    spread = -float((table * np.log2(ratio)).sum())
    from nonneg.apps.topic_measures import grouping_scores  # which loads scikit-learn

    scores = grouping_scores(mine, truth)

    return Agreement(
        labels=tuple(names),
        confusion=table,
        purity=scores.purity,
        entropy=max(spread, 0.0) / (n * np.log2(len(names))) if len(names) > 1 else 0.0,
        adjusted_rand=scores.ari,
        nmi=scores.nmi_arithmetic,
        n_errors=round(n * (1.0 - scores.matched_accuracy)),
        n_samples=n,
        n_unlabelled=len(found) - n,
    )


def labels_of_samples(labels: object, samples: Sequence[str]) -> list[Any]:
    """Return the label of each sample, None where it has none.

    Parameters
    ----------
    labels : mapping, pandas Series, or sequence
        By the sample's name, or one for each in their order. A Series goes by its index if that
        has the samples' names.
    samples : sequence of str

    Raises
    ------
    InputError
        Another number of labels than samples, or names of which none is a sample's.
    """
    by_name: dict[str, Any] | None = None
    if isinstance(labels, Mapping):
        by_name = {str(name): label for name, label in labels.items()}
    elif type(labels).__module__.startswith("pandas") and type(labels).__name__ == "Series":
        series = cast(Any, labels)
        indexed = {str(name): label for name, label in zip(series.index, series, strict=True)}
        by_name = None if set(indexed).isdisjoint(samples) else indexed
    if by_name is None:
        if isinstance(labels, str) or not isinstance(labels, Iterable):
            raise InputError(
                f"labels={labels!r} · they are a mapping from sample to label, or one for each "
                "sample in their order"
            )
        listed = list(labels)
        if len(listed) != len(samples):
            raise InputError(
                f"{len(listed)} labels for {len(samples)} samples · give one for each, in their "
                "order, or a mapping from sample to label"
            )
        return listed
    found = [by_name.get(sample) for sample in samples]
    if all(label is None for label in found):
        named = next(reversed(by_name), "")  # not the first, which may be a header
        raise InputError(
            f"none of the {len(by_name)} labelled names is a sample · labels are for "
            f"{named!r} and others, samples are called {samples[0]!r} and so on "
            "· use the same names"
        )
    return found


def _unknown(label: object) -> bool:
    if label is None or label != label:  # nan
        return True
    return str(label).strip().casefold() in _NONE
