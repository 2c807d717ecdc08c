"""Facts in, figures out: plain dicts of `data` and `layout`, as Plotly's JSON has them.

No function here computes anything that could be called a result, and none needs Plotly: whoever
shows a figure hands the dict to Plotly, in Python or in a browser.
"""

from nonneg.report.figures.curves import convergence, rank_curves
from nonneg.report.figures.factors import approximation, cards, factors, parts, similarity
from nonneg.report.figures.geometry import cone, simplex
from nonneg.report.figures.groups import (
    class_flows,
    consensus_map,
    structure,
    topic_flows,
    topic_map,
)
from nonneg.report.figures.reasons import recommendations, waterfall
from nonneg.report.figures.signatures import matches, profiles, signature_ranks
from nonneg.report.figures.style import bare, themed

__all__ = [
    "approximation",
    "bare",
    "cards",
    "class_flows",
    "cone",
    "consensus_map",
    "convergence",
    "factors",
    "matches",
    "parts",
    "profiles",
    "rank_curves",
    "recommendations",
    "signature_ranks",
    "similarity",
    "simplex",
    "structure",
    "themed",
    "topic_flows",
    "topic_map",
    "waterfall",
]
