"""What a recommender is asked for, checked: the choices that its words stand for."""

from __future__ import annotations

from nonneg.apps.neighbor_model import Neighbors
from nonneg.core.factorize import finite_number, whole_number
from nonneg.errors import InputError

__all__ = ["PARAMETERS", "as_neighbors", "candidates", "is_implicit", "n_tastes"]

# Components of taste, unless others are asked for (docs/adr/0012).
_FOR_RATINGS, _FOR_COUNTS = 20, 50

PARAMETERS = (
    "n_components",
    "method",
    "feedback",
    "confidence",
    "n_models",
    "nonneg",
    "echoes",
    "ridge",
    "damping",
    "max_iter",
    "tol",
    "random_state",
    "n_threads",
)


def as_neighbors(method: object) -> Neighbors | None:
    """Return how neighbours estimate, or None for factors."""
    if isinstance(method, Neighbors):
        return method
    if method not in ("factors", "neighbors"):
        raise InputError(
            f'method={method!r} · it is "factors", "neighbors" or a Neighbors(…) · choose one'
        )
    return Neighbors() if method == "neighbors" else None


def is_implicit(feedback: object) -> bool:
    """Return whether the numbers are counts of use."""
    if feedback not in ("explicit", "implicit"):
        raise InputError(
            f'feedback={feedback!r} · it is "explicit" (ratings) or "implicit" (counts) · choose '
            "one"
        )
    return feedback == "implicit"


def n_tastes(n_components: object, *, implicit: bool) -> int:
    """Return how many components are asked for."""
    if isinstance(n_components, str) and n_components == "auto":
        return _FOR_COUNTS if implicit else _FOR_RATINGS
    return whole_number("n_components", n_components)


def candidates(name: str, value: object, choices: tuple[float, ...]) -> tuple[float, ...]:
    """Return what is tried of a parameter: what was asked, or all choices."""
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f'{name}={value!r} · it is a number from 0, or "auto" · change it')
        return choices
    return (finite_number(name, value),)
