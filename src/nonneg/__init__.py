"""Nonnegative matrix factorization: from a table with holes to parts a person can read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nonneg.apps.images import ImageParts
    from nonneg.apps.metagenes import Metagenes
    from nonneg.apps.recommend import Recommender
    from nonneg.apps.topic_labels import TopicClassifier
    from nonneg.apps.topics import TopicModel
    from nonneg.core.alternate import Status, Step
    from nonneg.core.factorize import Factorization, factorize
    from nonneg.core.losses import HuberLoss
    from nonneg.core.runs import factorize_runs
    from nonneg.errors import NonnegError
    from nonneg.estimators import NMF
    from nonneg.metrics import (
        ComponentMatch,
        explained_variance,
        hoyer_sparseness,
        match_components,
        relative_error,
    )
    from nonneg.models import load, save
    from nonneg.selection.consensus import Consensus, consensus
    from nonneg.selection.rank import RankSelection, select_rank

__version__ = "0.1.0"

# In the order of the reference.
__all__ = [  # noqa: RUF022
    "NMF",
    "factorize",
    "factorize_runs",
    "Factorization",
    "Status",
    "Step",
    "HuberLoss",
    "select_rank",
    "RankSelection",
    "consensus",
    "Consensus",
    "Recommender",
    "TopicModel",
    "TopicClassifier",
    "ImageParts",
    "Metagenes",
    "save",
    "load",
    "relative_error",
    "explained_variance",
    "hoyer_sparseness",
    "match_components",
    "ComponentMatch",
    "NonnegError",
]

# Which module has each public name; it is imported when the name is first used.
_WHERE = {
    "NMF": "nonneg.estimators",
    "factorize": "nonneg.core.factorize",
    "factorize_runs": "nonneg.core.runs",
    "Factorization": "nonneg.core.factorize",
    "Status": "nonneg.core.alternate",
    "Step": "nonneg.core.alternate",
    "HuberLoss": "nonneg.core.losses",
    "select_rank": "nonneg.selection.rank",
    "RankSelection": "nonneg.selection.rank",
    "consensus": "nonneg.selection.consensus",
    "Consensus": "nonneg.selection.consensus",
    "Recommender": "nonneg.apps.recommend",
    "TopicModel": "nonneg.apps.topics",
    "TopicClassifier": "nonneg.apps.topic_labels",
    "ImageParts": "nonneg.apps.images",
    "Metagenes": "nonneg.apps.metagenes",
    "save": "nonneg.models",
    "load": "nonneg.models",
    "relative_error": "nonneg.metrics",
    "explained_variance": "nonneg.metrics",
    "hoyer_sparseness": "nonneg.metrics",
    "match_components": "nonneg.metrics",
    "ComponentMatch": "nonneg.metrics",
    "NonnegError": "nonneg.errors",
}


def __getattr__(name: str) -> object:
    if name in _WHERE:
        value = getattr(import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nonneg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
