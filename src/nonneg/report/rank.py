"""The facts of a choice of the rank: one table, one curve a criterion, one sentence."""

from __future__ import annotations

from nonneg.report.facts import Facts
from nonneg.selection.rank import AGREEMENT, RankSelection

__all__ = ["rank_facts"]

# Of each criterion: its name for readers, the columns of its curve, of its error and of its
# baseline on permuted data, and whether less or more is better.
_CURVES: dict[str, tuple[str, str, str | None, str | None, str]] = {
    "held-out": ("held-out entries", "held_out", "held_out_se", None, "less"),
    "cross-validation": (
        "bi-cross-validation",
        "cross_validation",
        "cross_validation_se",
        None,
        "less",
    ),
    "consensus": ("consensus", "cophenetic", None, "cophenetic_baseline", "more"),
    "stability": ("stability", "stability", None, "stability_baseline", "more"),
    "explained-variance": ("explained variance", "explained", None, "explained_baseline", "more"),
}


def rank_facts(selection: RankSelection) -> Facts:
    """The facts of a choice of the rank.

    Returns
    -------
    dict
        What `RankSelection.to_dict` says; `note`: which criteria have runs on parts of the samples,
        in words, or empty; and `curves`: for each criterion its `name`, a `label`,
        which is `better` (less or more), the `preferred` rank, and by rank its `values`, their
        standard `errors` and the `baseline` on permuted data (None where there is none).
    """
    facts = selection.to_dict()
    rows = facts["rows"]
    asked = [name for name in AGREEMENT if name in facts["preferred"]]
    facts["note"] = (
        ""
        if facts["resample"] is None
        else f"{' and '.join(asked)}: each run on {100 * facts['resample']:.3g} % of the samples"
    )

    def column(name: str | None) -> list[float | None] | None:
        return None if name is None else [row[name] for row in rows]

    facts["curves"] = [
        {
            "name": name,
            "label": label,
            "better": better,
            "preferred": facts["preferred"][name],
            "values": column(values),
            "errors": column(errors),
            "baseline": column(baseline),
        }
        for name, (label, values, errors, baseline, better) in _CURVES.items()
        if name in facts["preferred"]
    ]
    return facts
