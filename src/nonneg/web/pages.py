"""Which pages each kind of thing has, and the facts that each page shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.cluster.hierarchy import cut_tree
from scipy.optimize import linear_sum_assignment

from nonneg.errors import InputError, UnknownNameError
from nonneg.report.facts import Facts
from nonneg.web.store import Entry

__all__ = [
    "DATA",
    "KINDS",
    "PAGES",
    "Page",
    "Query",
    "cone_of",
    "cut_labels",
    "data_of",
    "factors_of",
    "facts_of",
    "first_page",
    "pages_of",
    "picture_of",
    "why_facts",
]

_PREVIEW = 12  # rows and columns of a table
_MEMBERS = 30  # samples of a class in a list
_SEEN = 24  # pictures of a folder
_STAGES = 40  # parts that are added one by one
_FULL = 400  # cells of a factor that are shown in full
_POPULAR = 12  # items that a newcomer is asked about
_TEXT = 600  # characters of a text in a list
_LISTED = 200  # users in a list to choose from
_SHOWN = 20_000  # characters of the text of a page
_WORD = re.compile(r"(\w+)")


@dataclass(frozen=True)
class Query:
    """What a page was asked for; what it does not know it ignores.

    Attributes
    ----------
    user, item : str
        Of *Why* and *Recommend*; "" is the first one.
    document : int
        Of *Topics*, from 1; the picture of *Parts*, from 1.
    cut : int
        Of *Classes*: how many classes to cut the tree into, 0: as fitted.
    top : int
        Names of each component.
    """

    user: str = ""
    item: str = ""
    document: int = 1
    cut: int = 0
    top: int = 10

    @property
    def key(self) -> str:
        """The same for the same question."""
        return repr(self)


@dataclass(frozen=True)
class Page:
    """A page: its word in the address, its title, its facts."""

    word: str
    title: str
    facts: Callable[[Entry, Query], Facts]


def pages_of(entry: Entry) -> list[Page]:
    """Return the pages of an entry, the first of them its start."""
    return [PAGES[word] for word in KINDS[entry.kind][1]]


def facts_of(entry: Entry, page: Page, query: Query) -> Facts:
    """Return what a page shows; `notes` are what was found odd in reading or fitting."""
    facts = page.facts(entry, query)
    return facts | {"notes": [*facts.get("notes", []), *entry.opened.about.get("notes", [])]}


def first_page(entry: Entry) -> str:
    """Return the address of its start."""
    return f"/open/{entry.number}/{KINDS[entry.kind][1][0]}"


def _data(entry: Entry, query: Query) -> Facts:
    return _DATA[entry.kind](entry.opened.thing)


def _table_data(table: Any) -> Facts:
    rows, columns = table.values.shape
    sparse = scipy.sparse.issparse(table.values)
    part: Any = table.values[:_PREVIEW, :_PREVIEW]
    cells = part.toarray() if sparse else part
    stored = table.values.data if sparse else table.values
    return {
        "holds": "table",
        "shape": [rows, columns],
        "missing": int(np.isnan(stored).sum()),
        "stored": int(table.values.nnz) if sparse else rows * columns,
        "negative": bool((stored < 0).any()),
        "notes": list(table.notes),
        "column_names": list((table.column_names or _counted("column", columns))[:_PREVIEW]),
        "row_names": list((table.row_names or _counted("row", rows))[:_PREVIEW]),
        "cells": [
            [None if np.isnan(cell) else float(cell) for cell in row] for row in cells.tolist()
        ],
    }


def _ratings_data(ratings: Any) -> Facts:
    return {
        "holds": "ratings",
        "n_users": ratings.n_users,
        "n_items": ratings.n_items,
        "n_ratings": len(ratings),
        "scale": [float(ratings.values.min()), float(ratings.values.max())],
        "mean": float(ratings.values.mean()),
        "notes": list(ratings.notes),
    }


def _texts_data(documents: Any) -> Facts:
    return {
        "holds": "texts",
        "n_documents": len(documents),
        "left_out": dict(documents.left_out),
        "notes": list(documents.notes),
        "texts": [
            {"name": str(name), "text": text[:_TEXT]}
            for name, text in list(zip(documents.names, documents.texts, strict=True))[:_PREVIEW]
        ],
    }


def _picture_data(pictures: Any) -> Facts:
    from nonneg.report.parts import pixel_facts

    labels = Counter(pictures.labels or ())
    height, width, _ = pictures.shape
    return {
        "holds": "pictures",
        "n_pictures": len(pictures),
        "height": height,
        "width": width,
        "missing": int(np.isnan(pictures.pixels).sum()),
        "labels": [{"name": name, "n_pictures": count} for name, count in labels.items()],
        "skipped": [{"name": one.name, "reason": one.reason} for one in pictures.skipped],
        "notes": [],
        "shown": [
            {"name": name, "pixels": pixel_facts(image)}
            for name, image in list(zip(pictures.names, pictures.pixels, strict=True))[:_SEEN]
        ],
    }


_DATA: dict[str, Callable[[Any], Facts]] = {
    "table": _table_data,
    "ratings": _ratings_data,
    "texts": _texts_data,
    "pictures": _picture_data,
}
DATA = tuple(_DATA)  # kinds that something can be found in


def _factors(entry: Entry, query: Query) -> Facts:
    return _FACTORS[entry.kind](entry, query)


def _factorization(entry: Entry, query: Query) -> Facts:
    from nonneg.report.facts import factorization_facts

    fit = entry.opened.thing
    known = data_of(entry) is not None
    return _with_factors(fit, factorization_facts(fit, top=query.top), known=known)


def _talk_factors(entry: Entry, query: Query) -> Facts:
    from nonneg.report.demo import demo_facts
    from nonneg.report.facts import factorization_facts

    fit, facts = factors_of(entry), demo_facts()
    told = {name: facts[name] for name in ("users", "shows", "ratings")}
    found = _with_factors(fit, factorization_facts(fit, top=query.top), known=True)
    return found | {"talk": told}


def _with_factors(fit: Any, facts: Facts, *, known: bool) -> Facts:
    """W and H themselves where they are small, how the fit went, and whether X is `known`."""
    facts["known"] = known
    facts["rows"] = _side(fit.W, fit.row_names, "row")
    facts["columns"] = _side(fit.H.T, fit.column_names, "column")
    facts["history"] = [[step.n_iter, step.objective] for step in fit.history]
    return facts


def _side(factor: Any, names: Any, side: str) -> Facts | None:
    if factor.size > _FULL:
        return None
    named = list(names or _counted(side, len(factor)))
    return {"names": named, "weights": factor.astype(np.float64).tolist()}


def _tastes(entry: Entry, query: Query) -> Facts:
    from nonneg.report.taste import taste_facts

    return taste_facts(entry.opened.thing, top=query.top, titles=_titles(entry))


_FACTORS: dict[str, Callable[[Entry, Query], Facts]] = {
    "factors": _factorization,
    "talk": _talk_factors,
    "recommender": _tastes,
}


def factors_of(entry: Entry) -> Any:
    """Return the factorization that an entry is or holds."""
    return entry.opened.about.get("factors", entry.opened.thing)


def data_of(entry: Entry) -> Any:
    """Return the X that it was fitted to, None where it was opened without."""
    here = entry.opened.about.get("X")
    return here if here is not None or entry.parent is None else entry.parent.opened.thing.values


def cone_of(entry: Entry) -> Facts:
    """Return the facts of the cone; the talk's points are its people, columns of X."""
    from nonneg.report.geometry import cone_facts

    side = "columns" if entry.kind == "talk" else "rows"
    return cone_facts(factors_of(entry), data_of(entry), side=side)


def _geometry(entry: Entry, query: Query) -> Facts:
    if factors_of(entry).n_components < 2:
        return {"dimensions": 0}
    return cone_of(entry)


def _recommend(entry: Entry, query: Query) -> Facts:
    from nonneg.report.taste import reasoned_facts, recommender_facts

    model, titles = entry.opened.thing, _titles(entry)
    ratings = model.ratings_
    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    popular = np.argsort(-counts, kind="stable")[:_POPULAR]
    names = ratings.item_ids
    facts = recommender_facts(model) | {
        "popular": [_named(names[i : i + 1].tolist()[0], titles) for i in popular],
        "users": [str(name) for name in ratings.user_ids[:_LISTED].tolist()],
        "list": None,
    }
    if query.user:
        facts["list"] = reasoned_facts(
            model, query.user, 10, titles=titles, labels=entry.opened.about.get("labels")
        )
    return facts


def why_facts(entry: Entry, query: Query) -> Facts:
    """Return why an item is or is not for somebody, and what they rated."""
    from nonneg.report.taste import explanation_facts, find_item

    model, titles = entry.opened.thing, _titles(entry)
    ratings = model.ratings_
    user = query.user or entry.opened.about.get("user") or str(ratings.user_ids[:1].tolist()[0])
    code = ratings.user_code(user)
    if query.item:
        item = find_item(model, query.item, titles)
    elif "item" in entry.opened.about:
        item = entry.opened.about["item"]
    else:
        item = model.recommend(user, 1, exclude_seen=False)[0].item
    why = model.explain(user, item)
    facts = explanation_facts(why, model=model, titles=titles)
    facts["users"] = [str(name) for name in ratings.user_ids[:_LISTED].tolist()]
    facts["own"] = _own(model, code, titles)
    facts["n_own"] = int((ratings.users == code).sum())
    facts["talk"] = _naive(user, str(item)) if entry.kind == "talk" else None
    return facts


def _own(model: Any, code: int, titles: Any) -> list[Facts]:
    """What somebody rated, the best first."""
    ratings = model.ratings_
    mine = np.flatnonzero(ratings.users == code)
    order = mine[np.argsort(-ratings.values[mine], kind="stable")][:_LISTED]
    items = ratings.item_ids[ratings.items[order]].tolist()
    return [
        _named(item, titles) | {"rating": float(value)}
        for item, value in zip(items, ratings.values[order], strict=True)
    ]


def _naive(user: str, show: str) -> Facts:
    """The talk's own answer, in which what was not seen counts as 0."""
    from nonneg.apps.talk import naive_answer
    from nonneg.report.taste import neighbor_facts

    answer = naive_answer(user, show)
    return {
        "neighbors": neighbor_facts(answer.neighbors),
        "estimate": answer.estimate,
        "recommended": answer.recommended,
    }


def _topics(entry: Entry, query: Query) -> Facts:
    from nonneg.report.topics import saved_facts, topic_facts

    model = entry.opened.thing
    texts = entry.opened.about.get("texts")
    if texts is None:
        return saved_facts(model, top=query.top) | {"document": None}
    if not 1 <= query.document <= len(texts):
        raise UnknownNameError(
            f"there is no document {query.document} · there are {len(texts)} · ask for one of them"
        )
    facts = topic_facts(model, top=query.top, examples=1)
    at = query.document - 1
    carried: dict[str, tuple[int, float]] = {}
    for t in range(model.n_topics_):
        for word in model.words_of(at, t, None):
            if word.contribution > carried.get(word.word, (0, 0.0))[1]:
                carried[word.word] = (t + 1, word.contribution)
    most = max((value for _, value in carried.values()), default=1.0)
    text = texts[at]
    facts["document"] = {
        "number": query.document,
        "name": None if model.document_names_ is None else str(model.document_names_[at]),
        "shares": [float(share) for share in model.document_topics_[at]],
        "pieces": _tinted(text[:_SHOWN], carried, most),
    }
    return facts


def _tinted(text: str, carried: dict[str, tuple[int, float]], most: float) -> list[Facts]:
    """The text in pieces; those that carry a topic have its number and a strength from 1 to 4."""
    pieces: list[Facts] = []
    for piece in _WORD.split(text):
        topic, value = carried.get(piece.casefold(), (0, 0.0))
        strength = min(4, 1 + int(4 * value / most)) if topic else 0
        if pieces and not topic and not pieces[-1]["topic"]:
            pieces[-1]["text"] += piece
        elif piece:
            pieces.append({"text": piece, "topic": topic, "strength": strength})
    return pieces


def _classes(entry: Entry, query: Query) -> Facts:
    from nonneg.report.classes import class_facts

    model = entry.opened.thing
    facts = class_facts(model, top=query.top)
    agreed = model.consensus_
    facts["consensus"] = None
    if agreed is None:
        return facts
    labels = (1 + cut_labels(model, query)[agreed.order]).tolist()
    samples = [model.samples_[i] for i in agreed.order]
    groups: dict[int, list[str]] = {label: [] for label in sorted(set(labels))}
    for name, label in zip(samples, labels, strict=True):
        groups[label].append(name)
    facts["consensus"] = {
        "cut": query.cut or model.n_components,
        "samples": samples,
        "labels": labels,
        "groups": [
            {"number": label, "n_samples": len(names), "samples": names[:_MEMBERS]}
            for label, names in groups.items()
        ],
        "cophenetic": agreed.cophenetic,
        "dispersion": agreed.dispersion,
        "runs": agreed.n_runs,
    }
    return facts


def picture_of(entry: Entry, number: int) -> Any:
    """Return one of the pictures that can be looked at, from 1."""
    pictures = entry.opened.about.get("pictures")
    n = 0 if pictures is None else len(pictures)
    if pictures is None or not 1 <= number <= n:
        raise UnknownNameError(
            f"there is no picture {number} · {n} can be looked at · ask for one of them"
        )
    return pictures.at(number - 1)


def _parts(entry: Entry, query: Query) -> Facts:
    from nonneg.report.images import image_facts
    from nonneg.report.parts import part_facts, step_facts

    model, pictures = entry.opened.thing, entry.opened.about.get("pictures")
    facts = image_facts(model) | {"parts": part_facts(model), "picture": None, "pictures": 0}
    if pictures is not None:
        facts["pictures"] = len(pictures)
        shown = picture_of(entry, query.document)
        facts["picture"] = step_facts(model, shown, most=_STAGES) | {"place": query.document}
    return facts


def cut_labels(model: Any, query: Query) -> Any:
    """Return the class of each sample, from 0, where the tree is cut into so many.

    A class has the number of the metagene that most of its samples have; further ones follow in the
    order of the tree.
    """
    agreed, cut = model.consensus_, query.cut or model.n_components
    n = len(agreed.order)
    if not 1 <= cut <= n:
        raise InputError(f"cut={cut} · the tree of {n} samples has 1 to {n} classes · ask for one")
    # By counting merges: with heights that are equal, a cut by height may give fewer classes.
    found = cut_tree(agreed.tree, n_clusters=[cut]).ravel()
    together = np.zeros((cut, model.n_components))
    np.add.at(together, (found, model.classes_), 1)
    pairs = zip(*linear_sum_assignment(together, maximize=True), strict=True)
    numbers = {int(label): int(number) for label, number in pairs}
    free = (t for t in range(cut) if t not in set(numbers.values()))
    for label in dict.fromkeys(found[agreed.order].tolist()):
        if label not in numbers:
            numbers[label] = next(free)
    return np.array([numbers[label] for label in found.tolist()])


def _signatures(entry: Entry, query: Query) -> Facts:
    from nonneg.report.signatures import signature_facts

    return signature_facts(entry.opened.thing)


def _rank(entry: Entry, query: Query) -> Facts:
    from nonneg.report.rank import rank_facts

    return rank_facts(entry.opened.thing)


def _titles(entry: Entry) -> Any:
    return entry.opened.about.get("titles")


def _named(item: Any, titles: Any) -> Facts:
    name = item if isinstance(item, str | int | float) else str(item)
    return {"item": name, "title": None if titles is None else titles.get(str(item))}


def _counted(side: str, size: int) -> list[str]:
    return [f"{side} {i + 1}" for i in range(min(size, _FULL))]


PAGES = {
    page.word: page
    for page in (
        Page("data", "Data", _data),
        Page("factors", "Factors", _factors),
        Page("geometry", "Geometry", _geometry),
        Page("recommend", "Recommend", _recommend),
        Page("why", "Why", why_facts),
        Page("topics", "Topics", _topics),
        Page("parts", "Parts", _parts),
        Page("classes", "Classes", _classes),
        Page("signatures", "Signatures", _signatures),
        Page("rank", "Rank", _rank),
    )
}
# What a kind is called, and its pages.
KINDS = {
    "table": ("a table", ("data",)),
    "ratings": ("ratings", ("data",)),
    "texts": ("texts", ("data",)),
    "pictures": ("pictures", ("data",)),
    "factors": ("components", ("factors", "geometry")),
    "talk": ("the talk's example", ("factors", "geometry", "recommend", "why")),
    "recommender": ("a recommender", ("recommend", "why", "factors")),
    "topics": ("topics", ("topics",)),
    "classifier": ("topics and classes", ("topics",)),
    "images": ("parts of pictures", ("parts",)),
    "classes": ("classes", ("classes",)),
    "signatures": ("signatures", ("signatures",)),
    "rank": ("a choice of the rank", ("rank",)),
}
