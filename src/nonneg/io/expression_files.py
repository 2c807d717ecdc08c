"""Formats of expression tables that say themselves which side the genes are on.

GCT (GenePattern), a 10x Genomics folder (matrix.mtx, features.tsv, barcodes.tsv, each also as
.gz), and AnnData, in memory or as .h5ad. anndata is imported by the functions that need it alone.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from nonneg.errors import FileFormatError, InputError
from nonneg.io.cells import not_a_number, to_floats
from nonneg.io.files import PathLike, numbered_rows, ragged, read_text
from nonneg.io.matrix_files import read_mtx
from nonneg.io.text_table import Content

__all__ = [
    "find_10x",
    "from_anndata",
    "is_anndata",
    "is_sparse",
    "open_h5ad",
    "read_10x",
    "read_gct",
]

_EXPRESSION = "Gene Expression"
# Rows of a backed AnnData that are read at a time.
_BLOCK_ROWS = 4096


def read_gct(path: PathLike) -> Content:
    """Read GenePattern's GCT, version 1.2 or 1.3: genes × samples, annotations left out."""
    source = os.fspath(path)
    lines = numbered_rows(read_text(path), "\t", source)
    version = next(lines, (1, [""]))[1][0].strip()
    sizes = next(lines, (2, []))[1]
    if version not in ("#1.2", "#1.3") or not all(c.strip().isdecimal() for c in sizes[:2] if c):
        raise FileFormatError(
            f"cannot read '{source}': a GCT file begins with #1.2 or #1.3 and a line of sizes. "
            "Give a table without them the suffix .tsv."
        )
    numbers = [int(cell) for cell in sizes if cell.strip()]
    # 1.3: so many columns of facts about genes, and lines of facts about samples.
    beside, above = (numbers[2], numbers[3]) if len(numbers) >= 4 else (1, 0)
    start, header = next(lines, (3, []))
    samples = tuple(header[1 + beside :])
    genes, rows = [], []
    for number, (line, cells) in enumerate(lines):
        if len(cells) != len(header):
            raise ragged(source, line, len(cells), start, len(header))
        if number < above:
            continue
        genes.append(cells[0])
        try:
            rows.append(to_floats(cells[1 + beside :]))
        except ValueError:
            bad = next(c for c in cells[1 + beside :] if not _reads(c))
            raise FileFormatError(
                f"cannot read '{source}': line {line}: {not_a_number(bad)}"
            ) from None
    if not rows or not samples:
        raise FileFormatError(f"cannot read '{source}': it has no values below its header.")
    notes: tuple[str, ...] = ()
    if numbers[:2] != [len(rows), len(samples)]:
        notes = (
            f"the second line promises {numbers[0]} genes and {numbers[1]} samples; there are "
            f"{len(rows)} and {len(samples)}",
        )
    return Content(np.array(rows), tuple(genes), samples, notes)


def _reads(cell: str) -> bool:
    try:
        to_floats([cell])
    except ValueError:
        return False
    return True


def find_10x(path: PathLike) -> dict[str, Path] | None:
    """Return the three files of a 10x folder, given as the folder or its matrix; None if not."""
    folder = Path(path)
    if not folder.is_dir():
        folder = folder.parent
    found = {}
    wanted = {"matrix": ["matrix.mtx"], "genes": ["features.tsv", "genes.tsv"]}
    wanted["barcodes"] = ["barcodes.tsv"]
    for key, names in wanted.items():
        places = [folder / f"{name}{end}" for name in names for end in ("", ".gz")]
        there = [place for place in places if place.is_file()]
        if not there:
            return None
        found[key] = there[0]
    is_other_file = Path(path).is_file() and not Path(path).samefile(found["matrix"])
    return None if is_other_file else found


def read_10x(files: dict[str, Path]) -> Content:
    """Read a 10x folder as genes × cells: symbols as names, features other than genes left out."""
    content = read_mtx(os.fspath(files["matrix"]))
    features = [
        cells for _, cells in numbered_rows(read_text(files["genes"]), "\t", files["genes"])
    ]
    barcodes = tuple(line.strip() for line in read_text(files["barcodes"]).splitlines() if line)
    if content.values.shape != (len(features), len(barcodes)):
        raise FileFormatError(
            f"cannot read '{files['matrix']}': it is {content.values.shape[0]} × "
            f"{content.values.shape[1]} · beside it are {len(features)} features and "
            f"{len(barcodes)} barcodes · put files of one run into the folder"
        )
    values, notes = content.values, content.notes
    kept = [i for i, f in enumerate(features) if len(f) < 3 or f[2].strip() == _EXPRESSION]
    if 0 < len(kept) < len(features):
        notes = (*notes, f"left out {len(features) - len(kept)} features that are no genes")
        values = scipy.sparse.csr_array(values)[np.array(kept)]
        features = [features[i] for i in kept]
    genes = tuple((f[1] if len(f) > 1 and f[1].strip() else f[0]).strip() for f in features)
    return Content(values, genes, barcodes, notes)


def is_anndata(thing: object) -> bool:
    """Whether this is an AnnData, without importing anndata."""
    return any(c.__name__ == "AnnData" for c in type(thing).__mro__)


def is_sparse(values: Any) -> bool:
    """Whether this is a matrix of scipy.sparse; the type checker then knows no more than before."""
    return bool(scipy.sparse.issparse(values))


def open_h5ad(path: PathLike) -> Any:
    """Open an .h5ad file as a backed AnnData; anndata comes with the extra `nonneg[anndata]`."""
    try:
        anndata = importlib.import_module("anndata")
    except ImportError:
        raise InputError(
            f"cannot read '{path}': .h5ad needs anndata, which is not installed. "
            "Install it with: pip install 'nonneg[anndata]'."
        ) from None
    if not Path(path).is_file():
        raise InputError(f"there is no file '{path}': check the path.")
    try:
        return anndata.read_h5ad(path, backed="r")
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileFormatError(
            f"cannot read '{path}' as h5ad: {why}. Save it again with adata.write_h5ad(…)."
        ) from None


def from_anndata(adata: Any, layer: str | None = None, columns: Any = None) -> Content:
    """Return X or a layer of an AnnData as samples × genes.

    Parameters
    ----------
    adata : AnnData
        A backed one is read in blocks of rows, and nothing is kept but the chosen columns.
    layer : str, optional
        The layer to read instead of X.
    columns : ndarray of bool (n_vars,), optional
        The genes to read.
    """
    names = list(map(str, adata.layers.keys()))
    if layer is not None and layer not in names:
        raise InputError(
            f"layer={layer!r} · the AnnData has {', '.join(names) or 'no layers'} · name one of "
            "them, or leave it out for X"
        )
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        raise InputError("the AnnData has no X · there are no values · name a layer")
    chosen = slice(None) if columns is None else np.flatnonzero(columns)
    genes = tuple(map(str, adata.var_names[chosen]))
    if adata.isbacked and layer is None:
        starts = range(0, adata.n_obs, _BLOCK_ROWS)
        parts = [_plain(matrix[s : min(s + _BLOCK_ROWS, adata.n_obs)])[:, chosen] for s in starts]
        if isinstance(parts[0], np.ndarray):
            values: Any = np.concatenate(parts)
        else:
            values = scipy.sparse.csr_array(scipy.sparse.vstack(parts, format="csr"))
    else:
        values = _plain(matrix)[:, chosen] if columns is not None else _plain(matrix)
    return Content(values, tuple(map(str, adata.obs_names)), genes)


def _plain(values: Any) -> Any:
    """Return a csr_array or an ndarray; the numbers are not copied where they fit."""
    return scipy.sparse.csr_array(values) if is_sparse(values) else np.asarray(values)
