"""The methods text: what was done, with parameters, seeds and versions, to paste into a paper."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import scipy

import nonneg
from nonneg.report.facts import factorization_facts

__all__ = ["methods_text"]

_LOSSES = {
    "frobenius": "the squared Frobenius norm",
    "kullback-leibler": "the generalized Kullback–Leibler divergence",
    "itakura-saito": "the Itakura–Saito divergence",
    "huber": "the Huber loss",
    "l1": "the sum of absolute errors",
    "l21": "the sum of the rows' Euclidean errors",
}


def methods_text(shown: Any, name: str, given: Mapping[str, Any]) -> list[str]:
    """Return paragraphs about an object.

    Parameters
    ----------
    shown : object
    name : str
        The name of the class it is drawn as.
    given : mapping
        Options of the figures; some texts have more to say with them.
    """
    text = _TEXTS[name]
    known = inspect.signature(text).parameters
    paragraphs = text(shown, **{word: given[word] for word in known if word in given})
    return [
        *paragraphs,
        f"Software: nonneg {nonneg.__version__}, Python {platform.python_version()}, NumPy "
        f"{np.__version__}, SciPy {scipy.__version__}; {platform.system()} on "
        f"{platform.machine()}. The same seed and version give the same bits for any number of "
        "threads.",
    ]


def _seed(seed: object) -> str:
    return f"seed {int(seed)}" if isinstance(seed, Integral) else "no fixed seed"


def _loss(loss: object) -> str:
    return _LOSSES.get(str(loss), f"the β-divergence with β = {loss}")


def _factorization(fit: Any) -> list[str]:
    facts = factorization_facts(fit, top=0)
    m, n = facts["shape"]
    holes = m * n - facts["n_observed"]
    gaps = f" ({holes:,} of {m * n:,} cells were missing and left out of the loss)" if holes else ""
    return [
        f"A table of {m:,} × {n:,}{gaps} was factorized as X ≈ WH with nonnegative W and H of rank "
        f"{facts['rank']}, minimizing {_loss(facts['loss'])} (solver {facts['solver']}, start "
        f"{facts['init']}, {_seed(facts['seed'])}, {facts['dtype']}). The fit "
        f"{_ended(facts['status'])} after {facts['n_iter']:,} iterations with a relative error of "
        f"{facts['relative_error']:.4g} and an objective of {facts['objective']:.6g}."
    ]


def _ended(status: str) -> str:
    return {"converged": "converged"}.get(status, f"ended ({status.replace('_', ' ')})")


def _nmf(model: Any) -> list[str]:
    given = {
        key: value
        for key, value in model.get_params(deep=False).items()
        if key in ("alpha_W", "alpha_H", "l1_ratio", "n_init", "max_iter", "tol")
    }
    listed = ", ".join(f"{key} = {value}" for key, value in given.items())
    return [*_factorization(model.factorization_), f"Parameters: {listed}."]


def _recommender(model: Any) -> list[str]:
    from nonneg.report.taste import recommender_facts

    facts = recommender_facts(model)
    low, high = facts["scale"]
    what = "ratings" if facts["feedback"] == "explicit" else "counts of use"
    error = facts["held_out_error"]
    measure = (
        "root mean squared error on held-out ratings"
        if facts["feedback"] == "explicit"
        else "mean percentile rank of held-out uses"
    )
    told = "" if error is None else f" The {measure} was {error:.4g}."
    return [
        f"{facts['n_ratings']:,} {what} ({low:g} to {high:g}) of {facts['n_items']:,} items by "
        f"{facts['n_users']:,} users were modelled by nonnegative factors of rank {facts['rank']}, "
        f"the mean of {facts['models']} runs, empty cells being left empty (method "
        f"{_word(model.method)}, ridge {facts['ridge']:.3g}, damping {facts['damping']:.3g}, "
        f"chosen on held-out data unless given; at most {model.max_iter} iterations a step, "
        f"{_seed(facts['seed'])}).{told} An estimate is the sum of the start of the scale, "
        "averages, nonnegative parts for components, and the person's own ratings."
    ]


def _word(method: object) -> str:
    return method if isinstance(method, str) else type(method).__name__


def _topics(model: Any) -> list[str]:
    from nonneg.report.topics import topic_facts

    facts = topic_facts(model, top=1, examples=0)
    weights = "tf-idf" if facts["weighting"] == "tfidf" else "counts"
    stable = facts["stability"]
    told = "" if stable is None else f", mean stability over the runs {stable:.3f}"
    return [
        f"{facts['n_documents']:,} documents with a vocabulary of {facts['n_words']:,} words "
        f"({weights}) were factorized into {facts['n_topics']} topics, minimizing "
        f"{_loss(facts['loss'])} ({facts['runs']} runs, {_seed(facts['seed'])}). Words are ranked "
        f"by relevance (λ = {model.relevance:g}; Sievert & Shirley 2014). Mean coherence (NPMI) "
        f"{facts['coherence']:.3f}, diversity {facts['diversity']:.3f}{told}."
    ]


def _classes(model: Any) -> list[str]:
    from nonneg.report.classes import class_facts

    facts = class_facts(model, top=0)
    steps = "; ".join(facts["steps"])
    prepared = f" after {steps}" if steps else ""
    agreement = (
        ""
        if facts["cophenetic"] is None
        else f" Over the runs the cophenetic correlation is {facts['cophenetic']:.4f} and the "
        f"dispersion {facts['dispersion']:.4f} (Brunet et al. 2004; Kim & Park 2007)."
    )
    smooth = f", nsNMF with θ = {facts['smoothing']:g}" if facts["smoothing"] else ""
    if facts["resample"]:
        smooth += f", each on {facts['resample']:.0%} of the samples (Monti et al. 2003)"
    return [
        f"An expression table of {facts['n_samples']:,} samples × {facts['n_genes']:,} genes"
        f"{prepared} was factorized into {facts['rank']} metagenes, minimizing "
        f"{_loss(facts['loss'])} ({facts['runs']} runs, {facts['combine']} kept{smooth}, "
        f"{_seed(facts['seed'])}); relative error {facts['relative_error']:.4g}. A sample's class "
        f"is the metagene with the largest share of its values.{agreement}"
    ]


def _parts(model: Any) -> list[str]:
    from nonneg.report.images import image_facts

    facts = image_facts(model)
    wishes = {
        "variant": facts["variant"],
        "overlap": facts["overlap"],
        "sparseness": facts["asked_sparseness"],
        "smoothness": facts["smoothness"] or None,
    }
    asked = ", ".join(f"{name} {value}" for name, value in wishes.items() if value is not None)
    colour = "grey" if facts["choices"]["grey"] else "colour"
    return [
        f"{facts['n_images']:,} {colour} images of {facts['height']} × {facts['width']} pixels "
        f"were factorized into {facts['rank']} nonnegative parts, minimizing "
        f"{_loss(facts['loss'])} ({asked}; {_seed(facts['seed'])}); the fit "
        f"{_ended(facts['status'])} after {facts['n_iter']:,} iterations with a relative error of "
        f"{facts['relative_error']:.4g}. Sparseness (Hoyer 2004) of the parts: "
        f"{facts['sparseness']['mean']:.3f} on average."
    ]


def _signatures(model: Any, match: Any = None) -> list[str]:
    from nonneg.report.signatures import match_facts, signature_facts

    facts = signature_facts(model)
    taken = "1 signature was" if facts["rank"] == 1 else f"{facts['rank']} signatures were"
    drawn = "each on counts drawn from Poisson distributions, " if facts["resampled"] else ""
    return [
        f"{facts['n_mutations']:,.0f} mutations of {facts['n_samples']:,} samples in "
        f"{facts['n_channels']} channels were factorized under the Kullback–Leibler divergence, "
        f"{facts['runs']} runs of each rank, {drawn}{_seed(facts['seed'])}. {taken} "
        f"taken: {facts['reason']} (Alexandrov et al. 2013; Islam et al. 2022).",
        *([] if match is None else [_compared(match_facts(model, match))]),
    ]


def _compared(facts: Any) -> str:
    """What signatures are called by a reference, and on what evidence."""
    told = []
    for one in facts["signatures"]:
        mixed = one["mixture"]
        parts = ", ".join(f"{part['name']} {part['share']:.0%}" for part in mixed["parts"])
        if one["known_as"] is not None:
            told.append(f"{one['name']} is {one['known_as']} ({one['matches'][0]['cosine']:.3f})")
        elif mixed["cosine"] >= facts["alike"]:
            told.append(f"{one['name']} is a mixture of {parts} ({mixed['cosine']:.3f})")
        else:
            told.append(f"{one['name']} is neither one nor a mixture of few")
    return (
        f"They were compared with {facts['against']}: a signature is called by the name of the "
        f"nearest from a cosine of {facts['alike']} on, else explained by a mixture of up to four, "
        "added one by one while the cosine gains .01 (nonnegative least squares), if that reaches "
        f"{facts['alike']}. So (cosines in brackets) {'; '.join(told)}."
    )


def _ranks(selection: Any) -> list[str]:
    from nonneg.report.rank import rank_facts

    tried = [row.rank for row in selection.rows]
    listed = ", ".join(map(str, tried))
    part = f"; {note}, as in Monti et al. 2003" if (note := rank_facts(selection)["note"]) else ""
    return [
        f"Ranks {listed} were compared by {', '.join(selection.preferred)} ({selection.n_runs} "
        f"runs of each rank, {selection.n_repeats} sets of held-out cells, "
        f"{_seed(selection.seed)}{part}), minimizing {_loss(selection.loss)}. {selection.sentence}"
    ]


def _consensus(agreed: Any) -> list[str]:
    return [
        *_factorization(agreed.fit),
        f"{agreed.n_runs} runs from different random starts were compared: cophenetic correlation "
        f"{agreed.cophenetic:.4f}, dispersion {agreed.dispersion:.4f}, proportion of ambiguous "
        f"pairs {agreed.pac:.4f} (Brunet et al. 2004; Kim & Park 2007; Şenbabaoğlu et al. 2014).",
    ]


def _explanation(why: Any) -> list[str]:
    return [" ".join(why.sentences)]


_TEXTS: dict[str, Callable[..., list[str]]] = {
    "Factorization": _factorization,
    "NMF": _nmf,
    "Recommender": _recommender,
    "Explanation": _explanation,
    "TopicModel": _topics,
    "TopicClassifier": lambda model: _topics(model.topics_),
    "Metagenes": _classes,
    "ImageParts": _parts,
    "Signatures": _signatures,
    "RankSelection": _ranks,
    "Consensus": _consensus,
}
