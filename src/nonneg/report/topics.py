"""Facts about topics: the table, groups beside labels, the way through time, new documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.topic_labels import LabelEvaluation, TopicClassifier
from nonneg.apps.topic_measures import grouping_scores, topic_diversity
from nonneg.apps.topic_number import preferences
from nonneg.apps.topic_results import DocumentTopics
from nonneg.apps.topics import TopicModel
from nonneg.io.documents import Documents, Label
from nonneg.report.facts import Facts

__all__ = [
    "classifier_facts",
    "flow_facts",
    "label_facts",
    "new_document_facts",
    "saved_facts",
    "time_facts",
    "topic_facts",
]

_SNIPPET = 200  # characters of a document: what a person needs to know it again
_UNKNOWN = "no known word"  # such documents are there, without a topic: `unknown` counts them
_DIVERSITY_WORDS = 10


def topic_facts(model: TopicModel, *, top: int = 10, examples: int = 1) -> Facts:
    """The facts of a fitted topic model.

    Parameters
    ----------
    model : TopicModel
    top : int, default=10
        How many words of each topic.
    examples : int, default=1
        How many representative documents of each topic.

    Returns
    -------
    dict
        `n_documents`, `n_words`, `n_topics`, `loss`, `weighting`, `runs`, `seed`, `mixed` and
        `unknown` (documents), `left_out`, `coherence` (mean NPMI), `diversity`, `stability` (None
        of one run), `evidence` (for each number of topics that was tried), and `topics`: `number`
        from 1, `name`, `words` (`word`, `weight`, `relevance`, `lift`), `by_weight`, `by_lift`,
        `documents`, `mixed`, `share`, `coherence`, `stability` and `examples` (`document`,
        `share`, `text`; None in a loaded model).
    """
    assigned = model.documents_
    table = model.topics(top) if top else model.topics(1)
    stability = model.stability_
    weighting = model.weighting
    if weighting == "auto":
        weighting = "tfidf" if model.loss == "frobenius" else "counts"
    words = [
        [word.word for word in model.top_words(t, _DIVERSITY_WORDS)] for t in range(model.n_topics_)
    ]
    seed = model.random_state
    return {
        "n_documents": len(assigned),
        "n_words": len(model.vocabulary_),
        "n_topics": model.n_topics_,
        "loss": model.loss,
        "weighting": weighting,
        "runs": model.n_runs,
        "seed": seed if isinstance(seed, int) else None,
        "mixed": int(assigned.mixed.sum()),
        "unknown": int(assigned.unknown.sum()),
        "left_out": {
            reason: number for reason, number in model.left_out_.items() if reason != _UNKNOWN
        },
        "coherence": float(np.mean(model.coherence_)),
        "diversity": topic_diversity(words),
        "stability": None if stability is None else float(np.mean(stability)),
        "evidence": [
            {
                "n_topics": tried.n_topics,
                "stability": tried.stability,
                "held_out": tried.held_out,
                "chosen": tried.chosen,
            }
            for tried in model.evidence_
        ],
        "preferences": preferences(model.evidence_) if model.evidence_ else "",
        "topics": [
            {
                "number": row.topic + 1,
                "name": row.name,
                "words": [
                    {
                        "word": word.word,
                        "weight": word.weight,
                        "relevance": word.relevance,
                        "lift": word.lift,
                    }
                    for word in (model.top_words(row.topic, top) if top else ())
                ],
                "by_weight": list(row.by_weight[:top]),
                "by_lift": list(row.by_lift[:top]),
                "documents": row.documents,
                "mixed": row.mixed,
                "share": row.share,
                "coherence": row.coherence,
                "stability": row.stability,
                "examples": _examples(model, row.topic, examples),
            }
            for row in table
        ],
    }


def _examples(model: TopicModel, topic: int, n: int) -> list[Facts]:
    if not n:
        return []
    return [
        {
            "document": found.document if isinstance(found.document, str) else found.document + 1,
            "share": found.share,
            "text": None if found.text is None else _snippet(found.text),
        }
        for found in model.representatives(topic, n)
    ]


def _snippet(text: str) -> str:
    """The beginning of a text in one line."""
    return " ".join(text[: 4 * _SNIPPET].split())[:_SNIPPET]


def saved_facts(model: TopicModel | TopicClassifier, *, top: int = 10) -> Facts:
    """The facts of a loaded model: `topic_facts` without texts; `classifier`, if it is one."""
    if isinstance(model, TopicModel):
        return topic_facts(model, top=top, examples=0)
    return saved_facts(model.topics_, top=top) | {"classifier": classifier_facts(model)}


def label_facts(model: TopicModel, labels: Sequence[Label]) -> Facts:
    """Where the documents of each label have their topics.

    Returns
    -------
    dict
        `labels`: for each its `label`, `documents` (with a known word) and `shares` (mean share
        of each topic in these); `grouping`: the documents in groups against classes, a row for
        the largest topic of each and one for `TopicModel.groups` (`by`, `purity`, `nmi_max`,
        `nmi_arithmetic`, `ari`, `matched_accuracy`), none for tags.
    """
    found: dict[str, Facts] = {}
    for part in model.by_class(labels):
        start = {"label": str(part.group), "documents": part.documents}
        label = found.setdefault(str(part.group), start | {"shares": [0.0] * model.n_topics_})
        label["shares"][part.topic] = part.share
    ways = {"largest topic": model.documents_.topic, "all words": model.groups()}
    grouping = [
        {"by": by, **scores} for by, groups in ways.items() if (scores := _grouping(groups, labels))
    ]
    return {"labels": list(found.values()), "grouping": grouping}


def _grouping(groups: NDArray[np.intp], labels: Sequence[Label]) -> Facts | None:
    if any(isinstance(label, tuple) for label in labels):
        return None
    rows = [j for j, label in enumerate(labels) if label is not None and groups[j] >= 0]
    if not rows:
        return None
    return grouping_scores(groups[rows], [str(labels[j]) for j in rows])._asdict()


def classifier_facts(model: TopicClassifier) -> Facts:
    """The facts of a classifier.

    Returns
    -------
    dict
        `names` of the labels, `multilabel`, `speaks_for` (the numbers of the topics that speak
        most for each label), and `evaluation`: None, or `n_documents`, `n_folds`, `methods`
        (`name`, `accuracy`, `spread`, `macro_f1`), `counts` and `f1` of each label, `confusion`.
    """
    names = [str(name) for name in model.classes_]
    return {
        "names": names,
        "multilabel": model.multilabel_,
        "speaks_for": [[topic + 1 for topic in model.speaks_for(name)] for name in names],
        "evaluation": None if model.evaluation_ is None else _evaluation(model.evaluation_),
    }


def _evaluation(found: LabelEvaluation) -> Facts:
    return {
        "n_documents": found.n_documents,
        "n_folds": found.n_folds,
        "methods": [
            {
                "name": method.name,
                "accuracy": method.accuracy,
                "spread": method.spread,
                "macro_f1": method.macro_f1,
            }
            for method in found.methods
        ],
        "counts": list(found.counts),
        "f1": list(found.f1),
        "confusion": None if found.confusion is None else [list(row) for row in found.confusion],
    }


def time_facts(model: TopicModel, times: Sequence[object], *, n_periods: int = 10) -> list[Facts]:
    """How large each topic is in each period.

    Returns
    -------
    list of dict
        For each period its name (`period`), `documents`, and `shares`, the mean share of each
        topic.
    """
    periods: dict[Any, Facts] = {}
    for found in model.over_time(times, n_periods=n_periods):
        start = {"period": _time(found.group), "documents": found.documents}
        period = periods.setdefault(found.group, start | {"shares": [0.0] * model.n_topics_})
        period["shares"][found.topic] = found.share
    return list(periods.values())


def _time(start: object) -> str:
    return f"{start:g}" if isinstance(start, float) else str(start)


def flow_facts(model: TopicModel, n_topics: Sequence[int] | None = None) -> list[Facts]:
    """How documents go from k topics to the next number: for each such step the flows.

    Parameters
    ----------
    model : TopicModel
    n_topics : sequence of int, optional
        In rising order. Default: 2 to n_topics_, at most ten steps.
    """
    return [
        {
            "n_topics": flow.n_topics,
            "topic": flow.topic + 1,
            "name": flow.name,
            "n_next": flow.n_next,
            "next_topic": flow.next_topic + 1,
            "next_name": flow.next_name,
            "documents": flow.documents,
        }
        for flow in model.tree(n_topics)
    ]


def new_document_facts(
    documents: Documents,
    assigned: DocumentTopics,
    shares: NDArray[np.float64],
    labels: Sequence[object] | None = None,
    probabilities: NDArray[np.float64] | None = None,
) -> Facts:
    """The topics of new documents, and their labels where a classifier predicted them.

    Returns
    -------
    dict
        `n_documents`, `unknown` (without a known word), `mixed`, `left_out`, `topics` (`number`,
        `name`, `documents`), and `documents`: `document`, `topic` (None where unknown), `name`,
        `share`, `margin`, `second`, `mixed`, `shares`, `label` (a list for tags, None where
        unknown or not asked) and `probability` of the label (None for tags).
    """
    counts = np.bincount(assigned.topic[~assigned.unknown], minlength=shares.shape[1])
    rows: list[Facts] = []
    for at, found in enumerate(assigned):
        known = found.topic >= 0
        label = labels[at] if labels is not None and known else None
        certain = probabilities is not None and label is not None and not isinstance(label, tuple)
        rows.append(
            {
                "document": documents.names[at],
                "topic": found.topic + 1 if known else None,
                "name": found.name if known else None,
                "share": found.share,
                "margin": found.margin,
                "second": found.second + 1 if found.second >= 0 else None,
                "mixed": found.mixed,
                "shares": shares[at].tolist(),
                "label": list(label) if isinstance(label, tuple) else label,
                "probability": _largest(probabilities, at) if certain else None,
            }
        )
    return {
        "n_documents": len(assigned),
        "unknown": int(assigned.unknown.sum()),
        "mixed": int(assigned.mixed.sum()),
        "left_out": dict(documents.left_out),
        "topics": [
            {"number": t + 1, "name": name, "documents": int(counts[t])}
            for t, name in enumerate(assigned.topic_names)
        ],
        "documents": rows,
    }


def _largest(probabilities: NDArray[np.float64] | None, at: int) -> float | None:
    return None if probabilities is None else float(probabilities[at].max())
