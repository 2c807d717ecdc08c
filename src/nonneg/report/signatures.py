"""Facts about mutational signatures, and the folder that a user of SigProfiler recognises."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from nonneg.apps.signature_refit import ALIKE, Exposures, Mixture
from nonneg.apps.signatures import Match, Signatures, channel_kind
from nonneg.errors import InputError
from nonneg.io.files import PathLike
from nonneg.io.rows import fresh_folder, write_json, write_rows
from nonneg.report.facts import Facts

__all__ = [
    "match_cards",
    "match_facts",
    "match_table",
    "refit_facts",
    "signature_facts",
    "told_names",
    "write_refit_folder",
    "write_signature_folder",
]

_TOP_CHANNELS = 4
_NEAREST = 5


def signature_facts(model: Signatures, match: Match | None = None) -> Facts:
    """The facts of signatures.

    Returns
    -------
    dict
        `n_samples`, `n_channels`, `n_mutations`, `runs`, `resampled`, `seed`, `rank` and the
        `reason` for it; `ranks`: of each its mean and lowest stability, relative error, mean cosine
        of the samples and whether it is stable; `signatures`: name, stability, share of the
        mutations, n_samples with 1 % or more of theirs, the largest channels; with a reference also
        its `matches` (every reference, best first), the `mixture` of few of them, and its `name`
        there: `known_as`, on a cosine of .9 or more, or None, with a `verdict` in words.

    Raises
    ------
    InputError
        The match is none, or of other signatures.
    """
    if match is not None:
        _check(model, match)
    total = float(model.exposures_.sum()) or 1.0
    of_sample = model.exposures_ / np.maximum(model.exposures_.sum(axis=1, keepdims=True), 1e-300)
    seed = model.random_state
    signatures = []
    for t, name in enumerate(model.names_):
        largest = np.argsort(-model.components_[t], kind="stable")[:_TOP_CHANNELS]
        signatures.append(
            {
                "name": name,
                "stability": float(model.stability_[t]),
                "share": float(model.exposures_[:, t].sum()) / total,
                "n_samples": int((of_sample[:, t] >= 0.01).sum()),
                "channels": [
                    {"name": model.channels_[j], "share": float(model.components_[t, j])}
                    for j in largest.tolist()
                ],
                **_match_facts(match, t),
            }
        )
    return {
        "n_samples": len(model.samples_),
        "n_channels": len(model.channels_),
        "n_mutations": total,
        "runs": int(model.n_runs),
        "resampled": bool(model.resample),
        "seed": int(seed) if isinstance(seed, Integral) else None,
        "rank": model.n_components_,
        "reason": model.reason_,
        "ranks": [
            {
                "rank": found.n_components,
                "mean_stability": float(found.stability.mean()),
                "least_stability": float(found.stability.min()),
                "relative_error": found.relative_error,
                "mean_cosine": float(found.cosines.mean()),
                "stable": found.is_stable,
            }
            for found in model.solutions_
        ],
        "signatures": signatures,
    }


def _match_facts(match: Match | None, t: int) -> Facts:
    if match is None:
        return {"known_as": None, "verdict": None, "matches": None, "mixture": None}
    order = np.argsort(-match.cosines[t], kind="stable").tolist()
    mixed = match.mixtures[t]
    return {
        "known_as": match.names[t],
        "verdict": _verdict(match, t),
        "matches": [
            {"name": match.references[j], "cosine": float(match.cosines[t, j])} for j in order
        ],
        "mixture": {
            "parts": [
                {"name": name, "share": share}
                for name, share in zip(mixed.names, mixed.shares, strict=True)
            ],
            "cosine": mixed.cosine,
        },
    }


def _check(model: Signatures, match: object) -> None:
    if not isinstance(match, Match):
        raise InputError(
            f"match={match!r} · it is what the match of these signatures with a reference returns "
            "· pass match=model.match(reference)"
        )
    if match.signatures != model.names_:
        raise InputError(
            f"match is of {', '.join(match.signatures)}, the model has {', '.join(model.names_)} · "
            "a match belongs to its own model · pass match=model.match(reference)"
        )


def match_facts(model: Signatures, match: Match) -> Facts:
    """The facts of signatures against known ones.

    Returns
    -------
    dict
        `against`: how many known ones of which file, without its folder; `alike`: from which cosine
        on one is called by a name; `signatures`, as in `signature_facts`, each with a `told` name;
        and `known`, the nearest to any first: name, and its `cosines` with all signatures.

    Raises
    ------
    InputError
        The match is none, or of other signatures.
    """
    _check(model, match)
    facts = signature_facts(model, match)["signatures"]
    order = np.argsort(-match.cosines.max(axis=0), kind="stable").tolist()
    known = "1 known signature" if len(order) == 1 else f"{len(order)} known signatures"
    return {
        "against": f"{known} of {Path(match.source).name}",
        "alike": ALIKE,
        "signatures": [{**one, "told": _told(one)} for one in facts],
        "known": [
            {"name": match.references[j], "cosines": match.cosines[:, j].tolist()} for j in order
        ],
    }


def told_names(model: Signatures, match: Match | None = None) -> list[str]:
    """Return the names of the signatures; with a reference, also what they are called there."""
    return [_told(one) for one in signature_facts(model, match)["signatures"]]


def _told(one: Facts) -> str:
    return f"{one['name']} ({one['known_as']})" if one["known_as"] else str(one["name"])


def match_cards(facts: Facts) -> list[Facts]:
    """Return of each signature of `match_facts` a card: verdict, best cosines, mixture."""
    return [
        {
            "number": t + 1,
            "name": one["told"],
            "share": None,
            "sparseness": None,
            "says": one["verdict"],
            "groups": [
                {
                    "heading": "cosines",
                    "full": 1.0,
                    "entries": [
                        {
                            "name": match["name"],
                            "weight": match["cosine"],
                            "told": f"{match['cosine']:.3f}",
                        }
                        for match in one["matches"][:_NEAREST]
                    ],
                },
                {
                    "heading": f"as a mixture: cosine {one['mixture']['cosine']:.3f}",
                    "full": 1.0,
                    "entries": [
                        {
                            "name": part["name"],
                            "weight": part["share"],
                            "told": f"{part['share']:.0%}",
                        }
                        for part in one["mixture"]["parts"]
                    ],
                },
            ],
        }
        for t, one in enumerate(facts["signatures"])
    ]


def match_table(facts: Facts) -> Facts:
    """Return all cosines of `match_facts` as a table for a page."""
    names = [one["told"] for one in facts["signatures"]]
    return {
        "says": f"All cosines with {facts['against']}, the nearest first; from {facts['alike']} on "
        "in bold",
        "corner": "known",
        "columns": names,
        "rows": [{"name": one["name"], "values": one["cosines"]} for one in facts["known"]],
        "strong": facts["alike"],
    }


def _verdict(match: Match, t: int) -> str:
    """What a signature may be called, and on what evidence."""
    name, cosine = match.names[t], float(match.cosines[t].max())
    if name is not None:
        return f"{name}, cosine {cosine:.3f}"
    if match.mixtures[t].is_enough:
        return f"no single one ({match.nearest[t]} {cosine:.3f}, below {ALIKE}): see the mixture"
    return f"none: neither one nor a mixture of few reaches {ALIKE}; new, or too few mutations"


def _decomposed(name: str, mixed: Mixture) -> tuple[str, float]:
    """The known signatures that explain one, and their cosine; or itself."""
    if not mixed.is_enough:
        return f"Signature {name} (100.00%)", 1.0
    parts = zip(mixed.names, mixed.shares, strict=True)
    return " & ".join(f"Signature {part} ({share:.2%})" for part, share in parts), mixed.cosine


def refit_facts(found: Exposures) -> Facts:
    """The facts of known signatures in samples.

    Returns
    -------
    dict
        `n_samples`, `n_mutations`; `signatures` that are used: name, share of all mutations and
        n_samples; `samples`: name, cosine, and `parts` with name, mutations, low and high.
    """
    total = float(found.values.sum()) or 1.0
    used = np.flatnonzero(found.values.any(axis=0))
    order = used[np.argsort(-found.values[:, used].sum(axis=0), kind="stable")].tolist()
    samples = []
    for i, name in enumerate(found.samples):
        parts = [j for j in np.argsort(-found.values[i], kind="stable") if found.values[i, j] > 0]
        samples.append(
            {
                "name": name,
                "cosine": float(found.cosines[i]),
                "parts": [
                    {
                        "name": found.signatures[j],
                        "mutations": float(found.values[i, j]),
                        "low": float(found.low[i, j]),
                        "high": float(found.high[i, j]),
                    }
                    for j in parts
                ],
            }
        )
    return {
        "n_samples": len(found.samples),
        "n_mutations": total,
        "signatures": [
            {
                "name": found.signatures[j],
                "share": float(found.values[:, j].sum()) / total,
                "n_samples": int((found.values[:, j] > 0).sum()),
            }
            for j in order
        ],
        "samples": samples,
    }


def write_signature_folder(
    model: Signatures, path: PathLike, *, match: Match | None = None, force: bool = False
) -> list[Path]:
    """Write signatures and activities of all ranks, laid out as SigProfilerExtractor does.

    KIND being SBS96 or the like: KIND/All_solutions_stat.csv; KIND/All_Solutions/
    KIND_k_Signatures/Signatures and /Activities; KIND/Suggested_Solution/
    KIND_De-Novo_Solution/Signatures and /Activities; with a reference
    …/COSMIC_KIND_Decomposed_Solution/De_Novo_map_to_COSMIC_KIND.csv and cosines.csv; facts.json.
    As SigProfiler has it, a signature that known ones do not explain (a cosine of .9) stands for
    itself in the map.
    """
    folder = fresh_folder(path, force=force)
    kind = channel_kind(model.channels_)
    top = folder / kind
    written = []

    def table(target: Path, corner: str, names: Any, columns: Any, values: Any) -> None:
        rows = ([name, *row] for name, row in zip(names, values.tolist(), strict=True))
        written.append(write_rows(target, [corner, *columns], rows, force=force))

    facts = signature_facts(model, match)
    header = ["Signatures", "Stability (Mean)", "Stability (Minimum)", "Matrix Frobenius%"]
    header += ["Mean Cosine", "Stable"]
    rows = [
        [
            row["rank"],
            row["mean_stability"],
            row["least_stability"],
            100 * row["relative_error"],
            row["mean_cosine"],
            "YES" if row["stable"] else "NO",
        ]
        for row in facts["ranks"]
    ]
    written.append(write_rows(top / "All_solutions_stat.csv", header, rows, force=force))
    for found in model.solutions_:
        k = found.n_components
        names = [f"{kind}{chr(65 + t) if t < 26 else t + 1}" for t in range(k)]
        here = top / "All_Solutions" / f"{kind}_{k}_Signatures"
        bases = [here]
        if k == model.n_components_:
            bases.append(top / "Suggested_Solution" / f"{kind}_De-Novo_Solution")
        for side, base in product(("Signatures", "Activities"), bases):
            is_chosen = base != here
            stem = f"{kind}_De-Novo" if is_chosen else f"{kind}_S{k}"
            if side == "Signatures":
                target = base / side / f"{stem}_Signatures.txt"
                table(target, "MutationType", model.channels_, names, found.components.T)
            else:
                end = "Activities_refit" if is_chosen else "NMF_Activities"
                target = base / side / f"{stem}_{end}.txt"
                table(target, "Samples", model.samples_, names, found.exposures)
    if match is not None:
        base = top / "Suggested_Solution" / f"COSMIC_{kind}_Decomposed_Solution"
        rows = [
            [name, *_decomposed(name, mixed)]
            for name, mixed in zip(match.signatures, match.mixtures, strict=True)
        ]
        header = ["De novo extracted", "Global NMF Signatures", "Cosine Similarity"]
        target = base / f"De_Novo_map_to_COSMIC_{kind}.csv"
        written.append(write_rows(target, header, rows, force=force))
        table(base / "cosines.csv", "signature", match.signatures, match.references, match.cosines)
    return [*written, write_json(folder / "facts.json", facts, force=force)]


def write_refit_folder(found: Exposures, path: PathLike, *, force: bool = False) -> list[Path]:
    """Write the activities of known signatures, as SigProfilerAssignment names them.

    Activities/Assignment_Solution_Activities.txt (samples × signatures that are used) and
    Activities/intervals.csv (sample, signature, mutations, low, high); facts.json.
    """
    folder = fresh_folder(path, force=force)
    facts = refit_facts(found)
    used = [found.signatures.index(one["name"]) for one in facts["signatures"]]
    values = found.values[:, used].tolist()
    written = [
        write_rows(
            folder / "Activities" / "Assignment_Solution_Activities.txt",
            ["Samples", *(found.signatures[j] for j in used)],
            ([s, *row] for s, row in zip(found.samples, values, strict=True)),
            force=force,
        ),
        write_rows(
            folder / "Activities" / "intervals.csv",
            ["sample", "signature", "mutations", "low", "high"],
            (
                [one["name"], part["name"], part["mutations"], part["low"], part["high"]]
                for one in facts["samples"]
                for part in one["parts"]
            ),
            force=force,
        ),
    ]
    return [*written, write_json(folder / "facts.json", facts, force=force)]
