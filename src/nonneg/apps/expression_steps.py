"""Preparation of expression tables: outside of the factorization, stated, stored, repeatable.

Each step takes an `Expression` and returns another whose `steps` say what was done, with the
numbers that were used, so that `repeat_steps` can do the same to new samples. Zeros stay zeros in
all of them: sparse tables stay sparse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.errors import InputError
from nonneg.io.expression import Expression
from nonneg.io.expression_files import is_sparse

__all__ = [
    "STEPS",
    "highly_variable",
    "log1p",
    "prepare",
    "repeat_steps",
    "size_factors",
    "take_genes",
    "unit_variance",
]

# Overdispersion of counts in Pearson residuals, as Lause et al. have it.
_THETA = 100.0
_BLOCK_GENES = 512
_DEFAULT_VARIABLE = 2000


def log1p(expression: Expression) -> Expression:
    """Replace x by log(1 + x).

    Examples
    --------
    >>> from nonneg.io.expression import read_expression
    >>> done = log1p(read_expression([[0.0, 1.0], [3.0, 1.0]]))
    >>> done.values.round(3).tolist(), done.steps
    ([[0.0, 0.693], [1.386, 0.693]], ({'step': 'log1p'},))
    """
    values: Any = expression.values
    if is_sparse(values):
        done = values.astype(_float(values.dtype)).log1p()
    else:
        done = np.log1p(values, dtype=_float(values.dtype))
    return _with(expression, done, {"step": "log1p"})


def size_factors(expression: Expression, target: float | None = None) -> Expression:
    """Scale each sample so that its values add up to `target`, as scanpy's `normalize_total`.

    Parameters
    ----------
    expression : Expression
    target : float > 0, optional
        Default: the median of the samples' sums.
    """
    sums = _row_sums(expression.values)
    aim = float(np.median(sums)) if target is None else float(target)
    if not 0 < aim < np.inf:
        raise InputError(f"target={target!r} · samples are scaled to a sum above 0 · change it")
    factors = np.divide(aim, sums, out=np.zeros_like(sums), where=sums > 0)
    return _with(
        expression, _scaled(expression.values, rows=factors), {"step": "size-factors", "sum": aim}
    )


def highly_variable(expression: Expression, n_genes: int = _DEFAULT_VARIABLE) -> Expression:
    """Keep the genes that vary most.

    Counts: by the variance of Pearson residuals of a negative binomial with overdispersion 1/100,
    cut at ±√n_samples (Lause, Berens & Kobak 2021, Genome Biology 22:258), which is scanpy's
    flavor "pearson_residuals". Anything else: by the variance of log(1 + x).

    Parameters
    ----------
    expression : Expression
    n_genes : int ≥ 1, default 2000
        All genes are kept where there are no more.
    """
    if isinstance(n_genes, bool) or not isinstance(n_genes, (int, np.integer)) or n_genes < 1:
        raise InputError(f"n_genes={n_genes!r} · it must be a whole number from 1 · change it")
    is_counts = _whole_numbers(expression.values)
    spread = _residual_variance(expression.values) if is_counts else _log_variance(expression)
    best = np.argsort(-spread, kind="stable")[: int(n_genes)]
    kept = take_genes(expression, np.sort(best))
    how = "Pearson residuals" if is_counts else "variance of log(1 + x)"
    return replace(
        kept,
        steps=(*expression.steps, {"step": "variable", "genes": len(best), "by": how}),
    )


def unit_variance(expression: Expression) -> Expression:
    """Divide each gene by its standard deviation, without centring, as cNMF does.

    Genes that do not vary keep their values.
    """
    values = expression.values
    deviations = np.sqrt(_variances(values))
    divisors = np.where(deviations > 0, deviations, 1.0)
    step = {"step": "unit-variance", "divisors": divisors.tolist()}
    return _with(expression, _scaled(values, columns=1.0 / divisors), step)


#: The steps by the words of the command line; "variable" and "size-factors" take =NUMBER.
STEPS: dict[str, Callable[..., Expression]] = {
    "size-factors": size_factors,
    "log1p": log1p,
    "variable": highly_variable,
    "unit-variance": unit_variance,
}
_NUMBERED = {"size-factors": float, "variable": int}


def prepare(expression: Expression, words: Iterable[str]) -> Expression:
    """Do the steps named, in their order.

    Parameters
    ----------
    expression : Expression
    words : iterable of str
        Of "size-factors", "size-factors=10000", "log1p", "variable", "variable=500",
        "unit-variance".

    Raises
    ------
    InputError
        A step is unknown, or its number is none.

    Examples
    --------
    >>> from nonneg.io.expression import read_expression
    >>> done = prepare(read_expression([[1, 0, 2], [0, 4, 2]]), ["size-factors=10", "log1p"])
    >>> [step["step"] for step in done.steps]
    ['size-factors', 'log1p']
    """
    for word in words:
        name, equals, text = word.strip().partition("=")
        if name not in STEPS or (equals and name not in _NUMBERED):
            raise InputError(
                f"the step {word!r} is unknown · steps are {', '.join(STEPS)} · size-factors and "
                "variable may have =NUMBER"
            )
        try:
            arguments = [_NUMBERED[name](text)] if equals else []
        except ValueError:
            raise InputError(
                f"the step {word!r} has no number behind = · write {name}=1000, say"
            ) from None
        expression = STEPS[name](expression, *arguments)
    return expression


def repeat_steps(expression: Expression, steps: Sequence[Mapping[str, Any]]) -> Expression:
    """Do to new samples, whose genes are those of the fit, what was done to the first ones."""
    for step in steps:
        if step["step"] == "log1p":
            expression = log1p(expression)
        elif step["step"] == "size-factors":
            expression = size_factors(expression, step["sum"])
        elif step["step"] == "unit-variance":
            scaled = _scaled(expression.values, columns=1.0 / np.array(step["divisors"]))
            expression = _with(expression, scaled, dict(step))
    return expression


def take_genes(expression: Expression, chosen: NDArray[np.intp]) -> Expression:
    """Return the expression of some genes, in the order given."""
    names = tuple(expression.genes[j] for j in chosen)
    values: Any = expression.values
    return replace(expression, values=values[:, chosen], genes=names)


def _with(expression: Expression, values: Any, step: dict[str, Any]) -> Expression:
    return replace(expression, values=values, steps=(*expression.steps, step))


def _float(dtype: np.dtype[Any]) -> Any:
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)


def _row_sums(values: Any) -> NDArray[np.float64]:
    if is_sparse(values):
        return np.asarray(values.sum(axis=1, dtype=np.float64)).ravel()
    return np.asarray(np.nansum(values, axis=1, dtype=np.float64))


def _scaled(
    values: Any,
    rows: NDArray[np.float64] | None = None,
    columns: NDArray[np.float64] | None = None,
) -> Any:
    """Return values with rows or columns multiplied, in their own precision."""
    dtype = _float(values.dtype)
    if is_sparse(values):
        done: Any = scipy.sparse.csr_array(values, dtype=dtype, copy=True)
        if rows is not None:
            done.data *= np.repeat(rows, np.diff(done.indptr)).astype(dtype)
        if columns is not None:
            done.data *= columns[done.indices].astype(dtype)
        return done
    done = np.array(values, dtype=dtype)
    if rows is not None:
        done *= rows[:, None].astype(dtype)
    if columns is not None:
        done *= columns.astype(dtype)
    return done


def _variances(values: Any) -> NDArray[np.float64]:
    if is_sparse(values):
        m = values.shape[0]
        mean = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel() / m
        squares = values.astype(np.float64).power(2).sum(axis=0)
        found: NDArray[np.float64] = np.maximum(np.asarray(squares).ravel() / m - mean**2, 0.0)
        return found
    return np.asarray(np.nanvar(values, axis=0, dtype=np.float64))


def _log_variance(expression: Expression) -> NDArray[np.float64]:
    return _variances(log1p(expression).values)


def _whole_numbers(values: Any) -> bool:
    stored = values.data if is_sparse(values) else values
    return bool(np.array_equal(stored, np.floor(stored)))


def _residual_variance(values: Any) -> NDArray[np.float64]:
    """Variance of the clipped Pearson residuals of counts, a block of genes at a time."""
    m, n = values.shape
    by_gene = scipy.sparse.csc_array(values) if is_sparse(values) else values
    in_samples = _row_sums(values)
    in_genes = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
    total, bound = in_genes.sum(), np.sqrt(m)
    found = np.empty(n)
    for start in range(0, n, _BLOCK_GENES):
        block = slice(start, start + _BLOCK_GENES)
        part: Any = by_gene[:, block]
        counts = part.toarray() if is_sparse(part) else part
        mean = np.outer(in_samples, in_genes[block]) / total
        spread = np.sqrt(mean + mean**2 / _THETA)
        rest = np.divide(counts - mean, spread, out=np.zeros_like(mean), where=spread > 0)
        found[block] = np.clip(rest, -bound, bound).var(axis=0)
    return found
