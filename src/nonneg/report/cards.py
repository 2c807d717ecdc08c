"""Component cards: of every kind of model what its components are, as facts and as plain HTML.

The HTML has no script and no style sheet, so that a notebook, a mail and a report can hold it; it
takes its colours from the page around it.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from nonneg.report.facts import Facts, factorization_facts
from nonneg.report.figures.style import clip, colour, number

__all__ = ["card_facts", "cards_html", "heading"]

_MOST_CARDS = 30


def card_facts(model: Any, kind: str, *, top: int = 10, side: str = "columns") -> Facts:
    """What a model's components are.

    Parameters
    ----------
    model : object
    kind : str
        The name of its class.
    top : int, default 10
        Entries of each component.
    side : {"columns", "rows"}
        Of a factorization: whose entries.

    Returns
    -------
    dict
        `heading` and `cards`: `number`, `name`, `share` (None where unknown), `sparseness`
        (likewise) and `entries`, the largest with `name` and `weight`.
    """
    cards: list[Facts] = _CARDS[kind](model, top, side)
    return {"heading": heading(model, kind), "cards": cards}


def _of_factors(fit: Any, top: int, side: str) -> list[Facts]:
    return [
        {
            "number": one["number"],
            "name": f"component {one['number']}",
            "share": one["share"],
            "sparseness": one["sparseness"][side],
            "entries": one[side],
        }
        for one in factorization_facts(fit, top=top)["components"]
    ]


def _of_taste(model: Any, top: int, side: str) -> list[Facts]:
    del side
    cards = []
    for t, items in enumerate(model.component_items(top)):
        columns = model.item_factors_[:, model.groups_ == t]
        codes = model.ratings_.item_codes(list(items))
        weights = np.abs(columns[codes]).sum(axis=1, dtype=np.float64) / max(columns.shape[1], 1)
        entries: list[Facts] = [
            {"name": str(item), "weight": float(weight)}
            for item, weight in zip(items, weights, strict=True)
        ]
        cards.append(
            {
                "number": t + 1,
                "name": f"taste {t + 1}",
                "share": None,
                "sparseness": None,
                "entries": sorted(entries, key=lambda entry: -entry["weight"]),
            }
        )
    return cards


def _of_topics(model: Any, top: int, side: str) -> list[Facts]:
    del side
    return [
        {
            "number": row.topic + 1,
            "name": f"{row.topic + 1}: {row.name}",
            "share": row.share,
            "sparseness": None,
            "entries": [
                {"name": word.word, "weight": float(word.weight)}
                for word in model.top_words(row.topic, top)
            ],
        }
        for row in model.topics(1)
    ]


def _of_classes(model: Any, top: int, side: str) -> list[Facts]:
    del side
    usage = model.usages_.sum(axis=0, dtype=np.float64)
    H = model.components_.astype(np.float64)
    # Genes that exceed all other metagenes by most, whether they pass as markers or not.
    excess = [row - np.delete(H, t, axis=0).max(axis=0, initial=0.0) for t, row in enumerate(H)]
    best = [np.argsort(-one, kind="stable")[:top] for one in excess]
    return [
        {
            "number": t + 1,
            "name": f"class {t + 1}, {int((model.classes_ == t).sum()):,} samples",
            "share": float(usage[t] / (usage.sum() or 1.0)),
            "sparseness": None,
            "entries": [
                {"name": model.genes_[j], "weight": float(H[t, j])}
                for j in best[t].tolist()
                if excess[t][j] > 0
            ],
        }
        for t in range(len(H))
    ]


def _of_signatures(model: Any, top: int, side: str) -> list[Facts]:
    del side
    total = float(model.exposures_.sum()) or 1.0
    return [
        {
            "number": t + 1,
            "name": name,
            "share": float(model.exposures_[:, t].sum()) / total,
            "sparseness": None,
            "entries": [
                {"name": model.channels_[j], "weight": float(model.components_[t, j])}
                for j in np.argsort(-model.components_[t], kind="stable")[:top].tolist()
            ],
        }
        for t, name in enumerate(model.names_)
    ]


def _of_parts(model: Any, top: int, side: str) -> list[Facts]:
    del side
    W = model.coefficients_
    return [
        {
            "number": t + 1,
            "name": f"part {t + 1}, most in",
            "share": float(share),
            "sparseness": float(sparse),
            "entries": [
                {"name": model.names_[i], "weight": float(W[i, t])}
                for i in np.argsort(-W[:, t], kind="stable")[:top].tolist()
                if W[i, t] > 0
            ],
        }
        for t, (share, sparse) in enumerate(zip(model.energy_, model.sparseness_, strict=True))
    ]


def _of_inner(name: str, how: Callable[[Any, int, str], list[Facts]]) -> Any:
    return lambda model, top, side: how(getattr(model, name), top, side)


_CARDS: dict[str, Callable[[Any, int, str], list[Facts]]] = {
    "Factorization": _of_factors,
    "NMF": _of_inner("factorization_", _of_factors),
    "Consensus": _of_inner("fit", _of_factors),
    "ImageParts": _of_parts,
    "Recommender": _of_taste,
    "TopicModel": _of_topics,
    "TopicClassifier": _of_inner("topics_", _of_topics),
    "Metagenes": _of_classes,
    "Signatures": _of_signatures,
}


def _topics_told(model: Any) -> str:
    documents, words = model.document_topics_.shape[0], len(model.vocabulary_)
    return f"{model.n_topics_} topics of {documents:,} documents, {words:,} words"


# What the representation of an object says too long.
_HEADINGS: dict[str, Callable[[Any], str]] = {
    "NMF": lambda model: repr(model.factorization_),
    "Consensus": lambda agreed: (
        f"{len(agreed.labels):,} samples in {agreed.n_components} classes, {agreed.n_runs} runs"
    ),
    "TopicModel": _topics_told,
    "TopicClassifier": lambda model: _topics_told(model.topics_),
    "RankSelection": str,
}


def heading(shown: Any, kind: str) -> str:
    """Return an object in a line."""
    return clip(" ".join(_HEADINGS.get(kind, repr)(shown).split()), 300)


def cards_html(facts: Facts, *, entries: int = 10) -> str:
    """Return `card_facts` as HTML: a line of small cards that wraps.

    Parameters
    ----------
    facts : dict
        A card may also have what it `says`, an entry how its weight is `told`, and instead of its
        entries a card may have `groups` of them: each with a `heading`, and the weight of a `full`
        bar (None: the largest).
    entries : int, default 10
        Entries of each card at most.
    """
    shown = facts["cards"][:_MOST_CARDS]
    more = len(facts["cards"]) - len(shown)
    rest = f'<p style="margin:4px 0">and {more} more</p>' if more else ""
    head = f'<p style="margin:0 0 8px">{escape(facts["heading"])}</p>' if facts["heading"] else ""
    return (
        f'<div style="font:13px/1.45 system-ui,sans-serif;max-width:1100px">{head}'
        '<div style="display:grid;gap:10px;'
        'grid-template-columns:repeat(auto-fill,minmax(min(260px,100%),1fr))">'
        + "".join(_card(one, t, entries) for t, one in enumerate(shown))
        + f"</div>{rest}</div>"
    )


def _card(one: Facts, t: int, most: int) -> str:
    told = [
        *([one["says"]] if one.get("says") else []),
        *([] if one["share"] is None else [f"{one['share']:.0%} of all"]),
        *([] if one["sparseness"] is None else [f"sparseness {one['sparseness']:.2f}"]),
    ]
    groups = one.get("groups", [])
    # Bars of all groups of a card begin where the longest name ends.
    longest = max((len(entry["name"]) for group in groups for entry in group["entries"]), default=0)
    lines = _bars(one.get("entries", [])[:most], t) + "".join(
        f'<div style="margin-top:6px">{escape(group["heading"])}</div>'
        f"{_bars(group['entries'][:most], t, group['full'], f'min(54%,{longest + 2}ch)')}"
        for group in groups
    )
    return (
        '<div style="min-width:0;border:1px solid rgba(128,128,128,'
        '.35);border-radius:6px;padding:8px 10px;break-inside:avoid">'
        f'<div style="font-weight:600;overflow-wrap:anywhere">{escape(clip(one["name"], 60))}</div>'
        f'<div style="opacity:.75;margin-bottom:3px">{escape(" · ".join(told))}</div>{lines}</div>'
    )


def _bars(listed: list[Facts], t: int, full: float | None = None, names: str = "54%") -> str:
    """Lines with a bar; the longest has the whole width, unless `full` says what has."""
    largest = full or max((entry["weight"] for entry in listed), default=0.0) or 1.0
    return "".join(
        f'<div title="{escape(entry["name"])}: {_told(entry)}" '
        'style="display:flex;gap:6px;align-items:center">'
        f'<span style="flex:0 0 {names};overflow:hidden;text-overflow:ellipsis;white-space:nowrap">'
        f"{escape(entry['name'])}</span>"
        '<span style="flex:1 1 auto"><span style="display:block;height:9px;'
        f"background:{colour(t)};print-color-adjust:exact;-webkit-print-color-adjust:exact;"
        f'width:{max(2.0, 100 * entry["weight"] / largest):.0f}%"></span></span>'
        '<span style="flex:0 0 4.4em;text-align:right;opacity:.75;font-size:12px">'
        f"{_told(entry)}</span></div>"
        for entry in listed
    )


def _told(entry: Facts) -> str:
    return escape(entry["told"]) if "told" in entry else number(entry["weight"])
