"""NMF of an AnnData, with its results where scanpy's PCA has its own."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.apps.metagenes import Combine, Metagenes
from nonneg.core.factorize import RandomState
from nonneg.core.losses import Loss
from nonneg.errors import InputError
from nonneg.io.expression import Expression, unique_names
from nonneg.io.expression_files import from_anndata, is_anndata, is_sparse
from nonneg.io.files import PathLike

__all__ = ["nmf", "write_h5ad"]


def nmf(
    adata: Any,
    n_components: int,
    *,
    layer: str | None = None,
    mask_var: str | Sequence[bool] | NDArray[np.bool_] | None = "highly_variable",
    loss: str | float | Loss = "kullback-leibler",
    n_runs: int = 1,
    combine: Combine = "best",
    smoothing: float = 0.0,
    max_iter: int = 500,
    tol: float = 1e-4,
    random_state: RandomState = 0,
    n_threads: int | None = None,
    key_added: str = "nmf",
    copy: bool = False,
) -> Any:
    """Factorize the cells × genes of an AnnData, and write the result into it.

    Parameters
    ----------
    adata : AnnData
        Cells × genes ≥ 0: counts, or log1p of normalised ones; not scaled to mean 0. Sparse
        stays sparse and float32 float32; a backed one is read in blocks of rows, of which only
        the chosen genes are kept.
    n_components : int ≥ 1
    layer : str, optional
        The layer to use instead of X; the one with raw counts suits kullback-leibler.
    mask_var : str, array of bool (n_vars,) or None, default "highly_variable"
        Which genes to use: a column of `adata.var`, or one truth value a gene. The default means
        all genes where there is no such column; None means all genes.
    loss, n_runs, combine, smoothing, max_iter, tol, random_state, n_threads
        As in `Metagenes`; one run by default.
    key_added : str, default "nmf"
    copy : bool, default False
        Write into a copy and return it.

    Returns
    -------
    AnnData or None
        The copy if one was asked for. Written are ``obsm["X_nmf"]`` (cells × components: how much
        of each cell's values a component accounts for), ``varm["nmf"]`` (genes × components, each
        adding up to 1; 0 for genes that were not used) and ``uns["nmf"]`` (params, relative_error,
        n_iter, share of each component and, with several runs, its stability). As with scanpy's
        PCA params have `mask_var` (None: all genes), and `layer` where one was used. With another
        `key_added` the keys change with it.

    Raises
    ------
    InputError
        It is no AnnData, a layer or column is not there, or values are below 0.

    Examples
    --------
    >>> import anndata, numpy as np
    >>> from nonneg.apps import bio
    >>> adata = anndata.AnnData(np.random.default_rng(0).poisson(3.0, (30, 12)).astype("float32"))
    >>> bio.nmf(adata, 3)
    >>> adata.obsm["X_nmf"].shape, adata.varm["nmf"].shape, sorted(adata.uns["nmf"])
    ((30, 3), (12, 3), ['n_iter', 'params', 'relative_error', 'share'])
    """
    if not is_anndata(adata):
        raise InputError(
            f"adata is a {type(adata).__name__} · this is for AnnData · use nonneg.Metagenes for "
            "other tables"
        )
    if copy and adata.isbacked:
        raise InputError(
            "copy=True of a backed AnnData needs a file of its own · use copy=False, or "
            "adata.to_memory()"
        )
    chosen = _mask(adata, mask_var)
    content = from_anndata(adata, layer, chosen)
    values: Any = content.values
    table = Expression(values, content.row_names or (), content.column_names or (), "the AnnData")
    model = Metagenes(
        n_components,
        loss=loss,
        n_runs=n_runs,
        combine=combine,
        smoothing=smoothing,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
        n_threads=n_threads,
    ).fit(table)
    target = adata.copy() if copy else adata
    _write_into(target, model, key_added, chosen)
    used = mask_var if chosen is not None and isinstance(mask_var, str) else chosen
    params: dict[str, Any] = {"mask_var": used, **({} if layer is None else {"layer": layer})}
    target.uns[key_added] = _facts(model, params)
    return target if copy else None


def write_h5ad(
    model: Metagenes, table: Expression, path: PathLike, *, source: PathLike | None = None
) -> Path:
    """Write an expression table with metagenes and classes as .h5ad (needs `nonneg[anndata]`).

    Besides what `nmf` writes, obs has `nmf_class` (from 1) and `nmf_margin`. A file that is there
    is replaced.

    Parameters
    ----------
    model : Metagenes
    table : Expression
        What it was fitted to.
    path : str or path
    source : str or path, optional
        The .h5ad that the table came from: all that it holds is written too, its X, layers, obs and
        var as they were. Cells and genes that were left out have zeros, and no class.
    """
    try:
        anndata = importlib.import_module("anndata")
    except ImportError:
        raise InputError(
            f"cannot write '{path}': .h5ad needs anndata, which is not installed · install it with "
            "pip install 'nonneg[anndata]', or write a folder"
        ) from None
    if source is not None:
        adata = anndata.read_h5ad(source)
    else:
        values: Any = table.values
        adata = anndata.AnnData(scipy.sparse.csr_matrix(values) if is_sparse(values) else values)
        adata.obs_names, adata.var_names = list(table.samples), list(table.genes)
    cells = _places(adata.obs_names, model.samples_)
    _write_into(adata, model, "nmf", _places(adata.var_names, model.genes_), cells)
    classes = np.full(adata.n_obs, "none", dtype=object)
    classes[cells] = [str(c + 1) for c in model.classes_]
    margins = np.full(adata.n_obs, np.nan)
    margins[cells] = model.margins_
    adata.obs["nmf_class"], adata.obs["nmf_margin"] = classes, margins
    steps = "; ".join(str(step["step"]) for step in model.steps_)
    adata.uns["nmf"] = _facts(model, {"mask_var": None, "prepared": steps})
    target = Path(path)
    unfinished = target.with_name(f".{target.name}.part")
    try:
        adata.write_h5ad(unfinished)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _places(names: Any, wanted: Sequence[str]) -> NDArray[np.intp]:
    """Where the names of a model are in an AnnData, whose own may repeat."""
    place = {name: i for i, name in enumerate(unique_names(list(map(str, names))))}
    return np.array([place[name] for name in wanted], dtype=np.intp)


def _write_into(
    adata: Any, model: Metagenes, key: str, genes: Any, cells: NDArray[np.intp] | None = None
) -> None:
    """Write the factors; `genes` are a mask or places, None for all."""
    k, dtype = model.n_components, model.components_.dtype
    loadings = np.zeros((adata.n_vars, k), dtype=dtype)
    loadings[slice(None) if genes is None else genes] = model.components_.T
    usages = np.zeros((adata.n_obs, k), dtype=dtype)
    usages[slice(None) if cells is None else cells] = model.usages_
    adata.obsm[f"X_{key}"] = usages
    adata.varm[key] = loadings


def _mask(adata: Any, mask_var: str | Sequence[bool] | NDArray[np.bool_] | None) -> Any:
    if mask_var is None:
        return None
    name = f"mask_var={mask_var!r}" if isinstance(mask_var, str) else "mask_var"
    if not isinstance(mask_var, str):
        chosen = np.asarray(mask_var)
    elif mask_var in adata.var:
        chosen = np.asarray(adata.var[mask_var])
    elif mask_var == "highly_variable":
        return None
    else:
        raise InputError(
            f"{name} · adata.var has no such column · name one of "
            f"{', '.join(map(str, adata.var.columns)) or 'none'}, or None for all genes"
        )
    if chosen.dtype != bool or chosen.shape != (adata.n_vars,) or not chosen.any():
        raise InputError(
            f"{name} has the shape {chosen.shape} and the type {chosen.dtype} · it says which of "
            f"the {adata.n_vars:,} genes to use, True for some and False for the others · correct "
            "it, or use mask_var=None"
        )
    return chosen


def _facts(model: Metagenes, params: dict[str, Any]) -> dict[str, Any]:
    params = {
        "n_components": model.n_components,
        "loss": str(model.factorization_.loss),
        "n_runs": model.n_runs,
        "combine": model.combine,
        "smoothing": float(model.smoothing),
        "seed": -1 if model.factorization_.seed is None else model.factorization_.seed,
        **params,
    }
    if model.resample is not None:
        params["resample"] = float(model.resample)
    usage = model.usages_.sum(axis=0, dtype=np.float64)
    facts = {
        "params": params,
        "relative_error": model.relative_error_,
        "n_iter": model.factorization_.n_iter,
        "share": usage / (usage.sum() or 1.0),
    }
    if model.stability_ is not None:
        facts["stability"] = model.stability_
    return facts
