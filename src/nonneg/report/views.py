"""Which figures each kind of fitted object has: the one table behind `plot`, notebooks and reports.

A view is a function of the object and of options by name; those without a default are needed (the
X that was factorized, a user and an item), and a report leaves out the views it cannot draw.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import numpy as np

from nonneg.errors import InputError, MissingLibraryError
from nonneg.report import figures
from nonneg.report.cards import card_facts, cards_html
from nonneg.report.factors import (
    approximation_facts,
    convergence_facts,
    factor_facts,
    similarity_facts,
)
from nonneg.report.facts import Facts
from nonneg.report.figures.style import Figure
from nonneg.report.geometry import cone_facts

__all__ = ["View", "class_name", "figure", "kinds", "notebook_html", "plotly_figure", "views_of"]

_LEVELS = 5  # numbers of topics of a flow
_MANY = 6  # components; of more, a card has fewer lines


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class View:
    """A kind of figure of a kind of object.

    Attributes
    ----------
    draw : callable(object, **options) -> dict
    says : str
        What can be read from it, in one or two sentences.
    fits : callable(object) -> bool
        Whether this object has it: a model of rank 1 has no cone.
    heading : str
        What it is called in a report.
    in_report : bool
        False for what takes long.
    cards : callable(object, **options) -> list of dict, or None
        The components, of a view that shows them: where a page can, it has them as text.
    table : callable(object, **options) -> dict, or None
        All numbers of a view with cards, for a page to unfold: what it `says`, the `corner`, the
        `columns`, `rows` with `name` and `values` from 0 to 1, and from where on they are `strong`.
    """

    draw: Callable[..., Figure]
    says: str
    fits: Callable[[Any], bool] = _always
    heading: str = ""
    in_report: bool = True
    cards: Callable[..., list[Facts]] | None = None
    table: Callable[..., Facts] | None = None


def kinds(shown: object) -> list[str]:
    """Return the kinds of figures that an object has."""
    return list(views_of(shown))


def views_of(shown: object) -> dict[str, View]:
    """Return the views of an object by kind.

    Raises
    ------
    InputError
        It is not fitted, or of no kind that can be drawn.
    """
    name = class_name(shown)
    if _FITTED.get(name, "") not in ("", *vars(shown)):
        raise InputError(f"this {name} is not fitted · there is nothing to see · call fit first")
    return {kind: view for kind, view in _VIEWS[name].items() if view.fits(shown)}


def class_name(shown: object) -> str:
    """Return the name of the class that an object is drawn as."""
    for one in type(shown).__mro__:
        if one.__name__ in _VIEWS and one.__module__.startswith("nonneg."):
            return one.__name__
    raise InputError(
        f"cannot draw a {type(shown).__name__} · there are figures of {', '.join(_VIEWS)} · pass "
        "one of these"
    )


def figure(shown: object, kind: str | None, options: Mapping[str, Any]) -> Figure:
    """Draw one figure; see `nonneg.shown.Shown.figure`."""
    views = views_of(shown)
    # Unless asked otherwise, the first that needs nothing.
    chosen = kind or next(name for name, view in views.items() if not wanted(view)[0])
    if chosen not in views:
        raise InputError(
            f"kind={kind!r} · a {class_name(shown)} like this has {', '.join(views)} · name one"
        )
    needed, known = wanted(views[chosen])
    unknown = [name for name in options if name not in known]
    missing = [name for name in needed if name not in options]
    if unknown or missing:
        told = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)}"
        raise InputError(
            f"the figure {chosen!r} {told} · it takes {', '.join(known) or 'no option'} · pass "
            "these by name"
        )
    return views[chosen].draw(shown, **options)


def wanted(view: View) -> tuple[list[str], list[str]]:
    """Return which options a view needs, and all that it takes."""
    parameters = list(inspect.signature(view.draw).parameters.values())[1:]
    needed = [one.name for one in parameters if one.default is one.empty]
    return needed, [one.name for one in parameters]


def plotly_figure(drawn: Figure) -> Any:
    """Return a figure as Plotly's own object."""
    try:
        import plotly.graph_objects as go
    except ImportError:
        raise MissingLibraryError(
            "figures are shown by plotly, which is not installed · figure() gives the same as a "
            "plain dict · pip install 'nonneg[report]'"
        ) from None
    return go.Figure(drawn)


def notebook_html(shown: object) -> str | None:
    """Return the cards of an object as HTML, or None where it has none (yet)."""
    name = class_name(shown)
    if _FITTED.get(name, "") not in ("", *vars(shown)):
        return _UNFITTED.get(name, _nothing)(shown)
    if name in _BARE:
        return None
    return cards_html(card_facts(shown, name))


# --- the views ---------------------------------------------------------------------------------


def _card_view(cards: Callable[..., list[Facts]], heading: str, says: str) -> View:
    """The view of components, from a function that lists them and says by its options which."""

    @wraps(cards)
    def draw(shown: Any, **options: Any) -> Figure:
        return figures.cards(cards(shown, **options))

    return View(draw, says, heading=heading, cards=cards)


def _components(shown: Any, *, top: int | None = None) -> list[Facts]:
    return _cards(shown, class_name(shown), top, "columns")


def _cards(shown: Any, name: str, top: int | None, side: str) -> list[Facts]:
    """The cards; unless asked otherwise with fewer entries where there are many of them."""
    if side not in ("rows", "columns"):
        raise InputError(f'side={side!r} · it is "rows" or "columns" · choose one')
    cards: list[Facts] = card_facts(shown, name, top=top or 10, side=side)["cards"]
    most = top or (5 if len(cards) > _MANY else 10)
    return [{**one, "entries": one["entries"][:most]} for one in cards]


def _tastes(model: Any, *, top: int | None = None, titles: Any = None) -> list[Facts]:
    cards = _cards(model, "Recommender", top, "columns")
    for entry in (entry for one in cards for entry in one["entries"] if titles is not None):
        entry["name"] = titles.get(entry["name"]) or entry["name"]
    return cards


def _of_fit(fit_of: Callable[[Any], Any]) -> dict[str, View]:
    """The views of a factorization, of an object that has one."""

    def components(shown: Any, *, top: int | None = None, side: str = "columns") -> list[Facts]:
        return _cards(fit_of(shown), "Factorization", top, side)

    return {
        "components": _card_view(
            components,
            "Components",
            "Each component with its largest entries. The share is that of the sum of WH; "
            "sparseness (Hoyer) is 0 if all entries are equal and 1 if there is only one.",
        ),
        **_factor_views(fit_of),
        "approximation": View(
            lambda shown, X, missing_values=np.nan: figures.approximation(
                approximation_facts(fit_of(shown), X, missing_values=missing_values)
            ),
            "The table beside what the factors make of it, on one scale of colours. Cells that "
            "are empty on the left are filled on the right.",
        ),
        **_cone_views(fit_of),
        "convergence": _convergence(fit_of),
        "similarity": View(
            lambda shown, side="columns", most=40: _similar(fit_of(shown), side, most),
            "The cosine of the factors: 1 is the same mixture of components, 0 nothing in common.",
        ),
    }


def _factor_views(fit_of: Callable[[Any], Any]) -> dict[str, View]:
    def factors(shown: Any, *, most: int = 200) -> Figure:
        fit = fit_of(shown)
        return figures.factors(
            factor_facts(fit.W, fit.H, fit.row_names, fit.column_names, most=most)
        )

    return {
        "factors": View(
            factors,
            "Both factors with rows and columns sorted by the component they lean to. The darkest "
            "cell of a component is its largest entry.",
        )
    }


def _cone_views(fit_of: Callable[[Any], Any]) -> dict[str, View]:
    def cone(
        shown: Any,
        *,
        X: Any = None,
        side: str = "rows",
        components: Sequence[int] | None = None,
        runs: Sequence[Any] = (),
    ) -> Figure:
        return figures.cone(
            cone_facts(fit_of(shown), X, side=side, components=components, runs=runs)
        )

    def simplex(
        shown: Any, *, side: str = "rows", components: Sequence[int] | None = None
    ) -> Figure:
        return figures.simplex(cone_facts(fit_of(shown), side=side, components=components))

    return {
        "cone": View(
            cone,
            "Every row of WH is a mixture of the components, so it lies in the cone between them. "
            "Points near an edge are made of one component; points of X outside are what the model "
            "cannot say.",
            lambda shown: _rank(fit_of(shown)) >= 2,
        ),
        "simplex": View(
            simplex,
            "The same without sizes: in a corner are rows made of one component, in the middle "
            "those made of all three.",
            lambda shown: _rank(fit_of(shown)) >= 3,
        ),
    }


def _rank(fit: Any) -> int:
    """How many components are not empty."""
    return int((fit.W.any(axis=0) & fit.H.any(axis=1)).sum())


def _convergence(fit_of: Callable[[Any], Any]) -> View:
    return View(
        lambda shown: figures.convergence(convergence_facts(fit_of(shown))),
        "The objective and the distance from optimality (KKT residual) by iteration.",
        lambda shown: bool(fit_of(shown).history),
    )


def _similar(fit: Any, side: str, most: int) -> Figure:
    if side not in ("rows", "columns"):
        raise InputError(f'side={side!r} · it is "rows" or "columns" · choose one')
    from nonneg.report.factors import names_of

    factor, given = (fit.W, fit.row_names) if side == "rows" else (fit.H.T, fit.column_names)
    names = names_of(given, len(factor), side[:-1])
    return figures.similarity(similarity_facts(factor, names, most=most, what=side))


def _recommended(
    model: Any, user: Any, *, n: int = 10, titles: Any = None, exclude_seen: bool = True
) -> Figure:
    from nonneg.report.taste import recommendation_facts

    return figures.recommendations(
        recommendation_facts(model, user, n, exclude_seen=exclude_seen, titles=titles)
    )


def _why(model: Any, user: Any, item: Any, *, titles: Any = None) -> Figure:
    from nonneg.report.taste import explanation_facts

    # A mapping is somebody new, with these ratings.
    why = (model.explain_for if isinstance(user, Mapping) else model.explain)(user, item)
    return figures.waterfall(explanation_facts(why, model=model, titles=titles))


def _why_told(why: Any) -> Figure:
    from nonneg.report.taste import explanation_facts

    return figures.waterfall(explanation_facts(why))


def _alike(model: Any, *, most: int = 40, titles: Any = None) -> Figure:
    ids = [str(item) for item in model.ratings_.item_ids.tolist()]
    names = ids if titles is None else [titles.get(item) or item for item in ids]
    counts = np.bincount(model.ratings_.items, minlength=len(names))
    return figures.similarity(
        similarity_facts(model.item_factors_, names, most=most, weights=counts),
        title="Items that please the same people: cosine of their factors",
    )


def _of_documents(topics_of: Callable[[Any], Any]) -> dict[str, View]:
    def mapped(shown: Any) -> Figure:
        from nonneg.report.grouping import topic_map_facts

        return figures.topic_map(topic_map_facts(topics_of(shown)))

    def structure(shown: Any) -> Figure:
        from nonneg.report.grouping import structure_facts

        model = topics_of(shown)
        return figures.structure(
            structure_facts(
                model.document_topics_,
                model.document_names_,
                [f"{t + 1}: {name}" for t, name in enumerate(model.topic_names_)],
                what="document",
            )
        )

    def flows(shown: Any, *, n_topics: Sequence[int] | None = None) -> Figure:
        from nonneg.report.topics import flow_facts

        model = topics_of(shown)
        # Names of more levels would lie on one another.
        steps = np.geomspace(2, max(model.n_topics_, 2), _LEVELS).round().astype(int)
        return figures.topic_flows(flow_facts(model, n_topics or sorted(set(steps.tolist()))))

    return {
        "components": _card_view(
            _components,
            "Topics",
            "The words of each topic, the most telling first; bars are their shares of the topic.",
        ),
        "map": View(mapped, "Topics near one another share words; large ones fill more documents."),
        "structure": View(
            structure,
            "One bar a document, sorted by topic: bars of one colour are about one thing. The "
            "number above is of the topic that leads.",
        ),
        "flows": View(
            flows,
            "Where the documents of k topics go when there is one topic more; a flow is as wide as "
            "it has documents.",
            lambda shown: topics_of(shown).matrix_ is not None,
            in_report=False,
        ),
    }


def _class_fit(model: Any) -> Any:
    """The factorization of metagenes in the order and scale of the classes."""
    return replace(
        model.factorization_,
        W=model.usages_,
        H=model.components_,
        row_names=tuple(model.samples_),
        column_names=tuple(model.genes_),
    )


def _agreed(model: Any, *, cut: float | None = None) -> Figure:
    from nonneg.report.grouping import consensus_facts

    facts = consensus_facts(model.consensus_, model.samples_, classes=model.classes_)
    return figures.consensus_map(facts, cut=cut)


def _agreement(agreed: Any, *, names: Any = None, cut: float | None = None) -> Figure:
    from nonneg.report.grouping import consensus_facts

    return figures.consensus_map(consensus_facts(agreed, names), cut=cut)


def _class_structure(model: Any) -> Figure:
    from nonneg.report.grouping import structure_facts

    names = [f"class {t + 1}" for t in range(len(model.components_))]
    return figures.structure(structure_facts(model.memberships_, model.samples_, names))


def _class_flows(model: Any) -> Figure:
    from nonneg.report.classes import class_facts

    return figures.class_flows(class_facts(model, top=0))


def _gallery(model: Any, *, most: int = 100) -> Figure:
    from nonneg.report.parts import gallery_facts

    return figures.parts(gallery_facts(model, most=most))


def _steps(model: Any, image: Any, *, n: int = 10, missing: Any = None) -> Figure:
    from nonneg.report.parts import build_up_facts

    return figures.parts(build_up_facts(model, image, n=n, missing=missing))


def _profiles(model: Any, *, match: Any = None) -> Figure:
    from nonneg.report.signatures import told_names

    return figures.profiles(told_names(model, match), model.channels_, model.components_.tolist())


def _matches(model: Any, match: Any, *, most: int = 40) -> Figure:
    from nonneg.report.signatures import match_facts

    return figures.matches(match_facts(model, match), most=most)


def _match_cards(model: Any, match: Any, **_: Any) -> list[Facts]:
    from nonneg.report.signatures import match_cards, match_facts

    return match_cards(match_facts(model, match))


def _match_table(model: Any, match: Any, **_: Any) -> Facts:
    from nonneg.report.signatures import match_facts, match_table

    return match_table(match_facts(model, match))


def _channels(model: Any, *, top: int | None = None, match: Any = None) -> list[Facts]:
    from nonneg.report.signatures import told_names

    cards = _components(model, top=top)
    return [
        {**one, "name": name} for one, name in zip(cards, told_names(model, match), strict=True)
    ]


def _exposures(model: Any, *, match: Any = None) -> Figure:
    from nonneg.report.grouping import structure_facts
    from nonneg.report.signatures import told_names

    return figures.structure(
        structure_facts(
            model.exposures_,
            model.samples_,
            [f"{t + 1}: {name}" for t, name in enumerate(told_names(model, match))],
        ),
        title="Which signatures made the mutations of each sample",
    )


def _signature_ranks(model: Any) -> Figure:
    from nonneg.report.signatures import signature_facts

    return figures.signature_ranks(signature_facts(model))


def _rank_curves(selection: Any) -> Figure:
    from nonneg.report.rank import rank_facts

    return figures.rank_curves(rank_facts(selection))


_MIXED = (
    "One bar a sample, sorted by class: bars of one colour are sure, mixed ones are not. The "
    "number above is of the class that leads."
)
_TOGETHER = (
    "How often two samples are in one class, over all runs. Dark squares with sharp edges mean "
    "that the runs agree; the tree is average linkage on what is missing to 1."
)
_WATERFALL = (
    "The parts of the estimate, which add up to it exactly: they are the model itself, not a story "
    "about it."
)

_VIEWS: dict[str, dict[str, View]] = {
    "Factorization": _of_fit(lambda fit: fit),
    "NMF": _of_fit(lambda model: model.factorization_),
    "Recommender": {
        "recommendations": View(
            _recommended, "What is expected to please most among what was not rated yet."
        ),
        "waterfall": View(_why, _WATERFALL),
        "components": _card_view(
            _tastes, "Tastes", "Of each taste the items that tell most about it, by their weight."
        ),
        "similarity": View(
            _alike,
            "The cosine of the items' factors: 1 pleases the same people, 0 other people.",
            lambda model: model.ratings_.n_items > 1,
        ),
    },
    "Explanation": {"waterfall": View(_why_told, _WATERFALL)},
    "TopicModel": _of_documents(lambda model: model),
    "TopicClassifier": _of_documents(lambda model: model.topics_),
    "Metagenes": {
        "components": _card_view(
            _components,
            "Metagenes",
            "Genes that each metagene has more of than any other has; bars are their weights.",
        ),
        "consensus": View(_agreed, _TOGETHER, lambda model: model.consensus_ is not None),
        "structure": View(_class_structure, _MIXED),
        "flows": View(
            _class_flows,
            "Which class of a rank goes where at the next: a tree of subclasses. In brackets the "
            "samples of each class.",
            lambda model: bool(model.flows_),
        ),
        **_factor_views(_class_fit),
        **_cone_views(_class_fit),
        "convergence": _convergence(lambda model: model.factorization_),
    },
    "ImageParts": {
        "parts": View(
            _gallery, "What the pictures are made of: bright is much. The largest parts are first."
        ),
        "steps": View(
            _steps,
            "A picture and what it becomes when its parts are added one by one, with the relative "
            "error that is left.",
        ),
        "components": _card_view(
            _components, "Where the parts are", "Of each part the pictures that hold most of it."
        ),
    },
    "Signatures": {
        "profiles": View(
            _profiles, "The channels of each signature; colours are the kinds of mutation."
        ),
        "matches": View(
            _matches,
            "Which known signature each is like: it is called by a name from a cosine of .9 on, "
            "else told as a mixture of few, where that reaches .9. Bars go from 0 to 1.",
            heading="Known signatures",
            cards=_match_cards,
            table=_match_table,
        ),
        "structure": View(
            _exposures,
            "One bar a sample, by the signatures that explain it. The number above is of the "
            "signature that leads.",
        ),
        "ranks": View(
            _signature_ranks,
            "A number is stable if its signatures come back in runs on resampled counts.",
            lambda model: len(model.solutions_) > 1,
        ),
        "components": _card_view(_channels, "Channels", "The largest channels of each signature."),
    },
    "RankSelection": {
        "curves": View(
            _rank_curves,
            "Each criterion over the ranks; a ring marks the rank it prefers, a dashed line is the "
            "same on permuted data.",
        )
    },
    "Consensus": {
        "consensus": View(_agreement, _TOGETHER),
        **_factor_views(lambda agreed: agreed.fit),
        **_cone_views(lambda agreed: agreed.fit),
    },
}
# What an object has once it is fitted; the others are results, which are always complete.
_FITTED = {
    "NMF": "factorization_",
    "Recommender": "model_",
    "TopicModel": "components_",
    "TopicClassifier": "topics_",
    "Metagenes": "factorization_",
    "ImageParts": "components_",
    "Signatures": "solutions_",
}


def _nothing(_: object) -> None:
    return None


def _parameters(shown: object) -> str:
    """What scikit-learn shows of an estimator."""
    from sklearn.utils import estimator_html_repr

    return str(estimator_html_repr(shown))


# What a notebook shows before a fit.
_UNFITTED: dict[str, Callable[[object], str | None]] = dict.fromkeys(
    ("NMF", "TopicModel", "TopicClassifier"), _parameters
)
# What has no components to put on cards.
_BARE = ("Explanation", "RankSelection")
