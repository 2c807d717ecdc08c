"""The facts of the examples: every number that `nonneg demo` prints."""

from __future__ import annotations

from collections.abc import Callable

from nonneg.apps import talk
from nonneg.apps.neighbors import cosine_similarity
from nonneg.report.facts import Facts
from nonneg.report.taste import explanation_facts, neighbor_facts

__all__ = ["demo_facts", "topics_demo_facts"]

_DEMO_TOPICS = 12


def demo_facts() -> Facts:
    """Work through the talk: ratings, factors, similarity, its answer, and the better one.

    Returns
    -------
    dict
        `users`, `shows`, `ratings` (users × shows, None where there is none), `W` (shows ×
        categories), `H` (categories × users), `error` (‖X − WH‖), `similarity` (shows × shows),
        `naive` with `user`, `show`, `neighbors`, `estimate` and `recommended`, and `right`, the
        explanation of the same question with empty cells left empty.
    """
    fit = talk.talk_factors()
    answer = talk.naive_answer()
    return {
        "users": list(talk.USERS),
        "shows": list(talk.SHOWS),
        "ratings": [[value or None for value in row] for row in talk.RATINGS.tolist()],
        "W": fit.W.tolist(),
        "H": fit.H.tolist(),
        "error": fit.error,
        # From W as it is printed, to three decimals, as the talk has it.
        "similarity": cosine_similarity(fit.W.round(3)).tolist(),
        "naive": {
            "user": answer.user,
            "show": answer.show,
            "neighbors": neighbor_facts(answer.neighbors),
            "estimate": answer.estimate,
            "recommended": answer.recommended,
        },
        "right": explanation_facts(talk.right_answer(answer.user, answer.show)),
    }


def topics_demo_facts(progress: Callable[[str, float], None]) -> Facts:
    """Find the topics of what Python's standard library says about itself.

    Parameters
    ----------
    progress : callable
        Called with what is being done and the share that is.

    Returns
    -------
    dict
        `source` and the facts of `nonneg.report.topics.topic_facts`.
    """
    # Only this example needs scikit-learn and a second to load it.
    from nonneg.apps.docstrings import library_documents
    from nonneg.apps.topics import TopicModel
    from nonneg.report.topics import topic_facts

    documents = library_documents(progress)
    progress(f"finding {_DEMO_TOPICS} topics in {len(documents):,} texts", 0.0)
    model = TopicModel(_DEMO_TOPICS, random_state=0).fit(documents)
    facts = topic_facts(model, top=8)
    facts["left_out"] = {**documents.left_out, **facts["left_out"]}
    return {"source": documents.source, **facts}
