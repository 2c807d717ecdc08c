"""Facts for the pictures of groups: consensus with its tree, topics on a map, mixed memberships."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from nonneg.apps.topics import TopicModel
from nonneg.report.factors import component_order, names_of
from nonneg.report.facts import Facts
from nonneg.selection.consensus import Consensus

__all__ = ["consensus_facts", "structure_facts", "topic_map_facts"]

_MOST = 240
_MOST_MERGES = 150
_MOST_BARS = 400
# What a disc and a number beside take of the sides of a map 400 pixels wide.
_ROOM, _PUSHES = np.array([0.14, 0.17]), 300
_FEW = 16  # topics; the discs of more are smaller
Numbers = NDArray[np.float64]


def consensus_facts(
    agreed: Consensus,
    names: Sequence[object] | None = None,
    *,
    classes: NDArray[np.integer[Any]] | None = None,
    most: int = _MOST,
) -> Facts:
    """The consensus matrix in the order of its tree, and the tree.

    Parameters
    ----------
    agreed : Consensus
    names : sequence of str, optional
        Of the samples. Default: those of its best run, or their places from 1.
    classes : ndarray of int (n_samples,), optional
        From 0, to be shown beside. Default: those in which the tree is cut.
    most : int, default 240
        Groups of samples at most: neighbours in the tree are averaged.

    Returns
    -------
    dict
        `names` and `classes` (from 1; of a group the one of its first sample) and `matrix` of the
        groups in order; `tree`: the topmost merges, each as `x` and `y`, four points (left leg,
        top, right leg; x in places of the groups from 0, y the distance 1 − consensus);
        `silhouettes` of the groups (means), `rank`, `n_runs`, `cophenetic`, `dispersion`, `pac`,
        `warning`, `n` and `note`.
    """
    n = len(agreed.labels)
    groups = np.array_split(agreed.order, min(n, most))
    which = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    member = np.zeros((len(groups), n))
    member[which, agreed.order] = 1.0
    member /= member.sum(axis=1, keepdims=True)
    told = names_of(names or agreed.fit.row_names, n, "sample")
    labels = agreed.labels if classes is None else classes
    note = "" if len(groups) == n else f"{n:,} samples, shown as the means of {len(groups)} groups"
    return {
        "names": [told[g[0]] + ("" if len(g) == 1 else f" and {len(g) - 1} more") for g in groups],
        "classes": [int(labels[group[0]]) + 1 for group in groups],
        "matrix": (member @ agreed.matrix @ member.T).tolist(),
        "tree": _tree(agreed, n / len(groups)),
        "silhouettes": [float(agreed.silhouettes[group].mean()) for group in groups],
        "rank": agreed.n_components,
        "n_runs": agreed.n_runs,
        "cophenetic": float(agreed.cophenetic),
        "dispersion": float(agreed.dispersion),
        "pac": float(agreed.pac),
        "warning": agreed.warning,
        "n": n,
        "note": note,
    }


def _tree(agreed: Consensus, per_group: float) -> list[Facts]:
    """The topmost merges as brackets over the places of the samples."""
    n = len(agreed.order)
    at = np.zeros(2 * n - 1)
    height = np.zeros(2 * n - 1)
    at[agreed.order] = np.arange(n)
    for i, (left, right, distance, _) in enumerate(agreed.tree):
        at[n + i] = (at[int(left)] + at[int(right)]) / 2
        height[n + i] = distance
    # A place of a sample as one of the groups, whose middles are at 0, 1, …
    place = (at + 0.5) / per_group - 0.5
    shown = []
    for i in range(max(0, n - 1 - _MOST_MERGES), n - 1):
        left, right = int(agreed.tree[i, 0]), int(agreed.tree[i, 1])
        if place[left] > place[right]:
            left, right = right, left
        top = float(height[n + i])
        shown.append(
            {
                "x": [float(place[one]) for one in (left, left, right, right)],
                "y": [float(height[left]), top, top, float(height[right])],
            }
        )
    return shown


def structure_facts(
    shares: NDArray[Any],
    names: Sequence[object] | None = None,
    component_names: Sequence[object] | None = None,
    *,
    what: str = "sample",
    most: int = _MOST_BARS,
) -> Facts:
    """The structure plot: of each row how much of each component it has, alike ones together.

    Parameters
    ----------
    shares : ndarray (n, n_components), ≥ 0
        Each row is scaled to a sum of 1.
    names, component_names : sequence, optional
    what : str, default "sample"
        What a row is called.
    most : int, default 400
        Bars at most; neighbours are averaged.

    Returns
    -------
    dict
        `components` (names), `values` (bar by bar, shares of the components), `names`, `groups`
        (of each component: `first` bar and `bars` whose largest share it is), `what`, `n`, `empty`
        (rows of zeros, left out) and `note`.
    """
    values = np.asarray(shares, dtype=np.float64)
    total = values.sum(axis=1, keepdims=True)
    some = total.ravel() > 0
    values = values[some] / total[some]
    k = values.shape[1]
    order = component_order(values)
    told = names_of(names, len(some), what)
    told = [name for name, there in zip(told, some, strict=True) if there]
    bars = np.array_split(order, min(len(order), most)) if len(order) else []
    means = np.array([values[bar].mean(axis=0) for bar in bars]).reshape(-1, k)
    best = means.argmax(axis=1)
    n = int(some.sum())
    return {
        "components": names_of(component_names, k, "component"),
        "values": means.tolist(),
        "names": [told[b[0]] + ("" if len(b) == 1 else f" and {len(b) - 1} more") for b in bars],
        "groups": [
            {"first": int(np.argmax(best == t)), "bars": int((best == t).sum())} for t in range(k)
        ],
        "what": what,
        "n": n,
        "empty": int((~some).sum()),
        "note": ""
        if len(bars) == n
        else f"{n:,} {what}s, shown as the means of {len(bars)} groups",
    }


def topic_map_facts(model: TopicModel, *, top: int = 6) -> Facts:
    """Topics as points: near ones have words in common.

    The distance is Jensen and Shannon's between the words of two topics, and the map is by
    classical scaling (Torgerson 1952), as in LDAvis (Sievert & Shirley 2014).

    Returns
    -------
    dict
        `topics`: `number`, `name`, `x`, `y`, `share` (of all documents' contents), `documents` and
        `words`; `kept`, the share of the squared distances that two dimensions hold. Topics that
        would cover one another are pushed apart.
    """
    words = np.asarray(model.topic_words_, dtype=np.float64)
    places, kept = _scaled(_jensen_shannon(words))
    places = _apart(places)
    return {
        "topics": [
            {
                "number": row.topic + 1,
                "name": row.name,
                "x": float(places[row.topic, 0]),
                "y": float(places[row.topic, 1]),
                "share": row.share,
                "documents": row.documents,
                "words": list(row.words),
            }
            for row in model.topics(top)
        ],
        "kept": kept,
        "crowding": crowding(len(places)),
    }


def _jensen_shannon(rows: Numbers) -> Numbers:
    if len(rows) < 2:
        return np.zeros((len(rows), len(rows)))
    rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-300)
    apart = np.nan_to_num(pdist(rows, "jensenshannon"))  # rounding may make a root of −0
    return np.asarray(squareform(apart), dtype=np.float64)


def crowding(n: int) -> float:
    """Return how much smaller the discs of n topics are than those of a few, on the same map."""
    return min(1.0, math.sqrt(_FEW / max(n, 1)))


def _apart(places: Numbers) -> Numbers:
    """Push points that would cover one another's numbers apart, as little as that takes."""
    low, high = places.min(axis=0, initial=0.0), places.max(axis=0, initial=0.0)
    size = np.where(high > low, high - low, 1.0)
    at = (places - low) / size
    room = _ROOM * crowding(len(at))
    for _ in range(_PUSHES):
        gaps = at[:, None, :] - at[None, :, :]
        near = (np.abs(gaps / room) < 1.0).all(axis=2) & ~np.eye(len(at), dtype=bool)
        if not near.any():
            break
        # Equal places part in the order of their numbers.
        order = np.arange(len(at))
        sign = np.where(gaps == 0, np.sign(order[:, None] - order[None, :])[:, :, None], gaps)
        push = np.sign(sign) * (room - np.abs(gaps)) * near[:, :, None]
        # Along the side on which less has to be moved.
        less = (room - np.abs(gaps)) / room
        push *= np.stack([less[..., 0] <= less[..., 1], less[..., 1] < less[..., 0]], axis=-1)
        at = at + 0.5 * push.sum(axis=1)
    return np.asarray(low + at * size, dtype=np.float64)


def _scaled(distances: Numbers) -> tuple[Numbers, float]:
    """Classical scaling to the plane; signs are settled, so that a map does not flip."""
    n = len(distances)
    centre = np.eye(n) - 1.0 / max(n, 1)
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    places = np.zeros((n, 2))
    used = min(2, n)
    places[:, :used] = vectors[:, :used] * np.sqrt(values[:used])
    strongest = np.abs(places).argmax(axis=0)
    places *= np.where(places[strongest, [0, 1]] < 0, -1.0, 1.0)
    total = float(values.sum())
    return places, float(values[:2].sum()) / total if total else 1.0
