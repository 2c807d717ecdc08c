"""Expression tables: samples (or cells) × genes with names, from whatever holds them.

Which side the genes are on is either said by the format, or by the caller, or read off the names
and the shape; then a note says so. What was repaired is in the notes, too. Nothing is ever
transformed here: logarithms and size factors are steps of `apps/expression_steps.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from nonneg.errors import InputError
from nonneg.frames import as_named_matrix, is_frame
from nonneg.io.cells import check_choice, first_twice
from nonneg.io.expression_files import (
    find_10x,
    from_anndata,
    is_anndata,
    is_sparse,
    open_h5ad,
    read_10x,
    read_gct,
)
from nonneg.io.files import PathLike, format_suffix
from nonneg.io.table import read_table
from nonneg.io.text_table import Content, Matrix

__all__ = [
    "Expression",
    "Orientation",
    "genes_in_rows",
    "read_expression",
    "read_obs",
    "unique_names",
]

Orientation = Literal["genes-by-samples", "samples-by-genes"]
Side = tuple[str, ...] | None

# Names that only genes have, and names that only samples have.
_GENE = re.compile(
    r"ENS[A-Z]*[GT]\d{6,}(\.\d+)?|\w+_at|ILMN_\d+|[NX][MR]_\d+(\.\d+)?|MT-\w+|LOC\d{4,}|"
    r"cg\d{6,}|RP[LS]\d+[A-Z]?"
)
_SAMPLE = re.compile(
    r"GSM\d+|TCGA[-.].*|[SED]RR\d+|.*[ACGT]{12,}.*|"
    r".*(sample|patient|tumou?r|cell|donor|control|subject).*",
    re.IGNORECASE,
)
# Genes that nearly every table of human or mouse genes has.
_KNOWN = frozenset(
    {"ACTB", "GAPDH", "B2M", "TP53", "MYC", "CD74", "MALAT1", "EEF1A1", "VIM", "PTPRC", "EGFR"}
    | {"GATA3", "KRT8", "KRT18", "CD3D", "CD19"}
)
# The share of names from which they count as evidence, and how much longer the genes' side is.
_ENOUGH, _LONGER = 0.2, 3.0
_ODD_SHAPE = 5.0


@dataclass(frozen=True, eq=False)
class Expression:
    """Samples × genes, with names.

    Attributes
    ----------
    values : ndarray or csr_array, shape (n_samples, n_genes)
        ≥ 0; NaN where a value is missing (dense only). The type of the source is kept where
        it is float32 or float64.
    samples, genes : tuple of str
        Each name once.
    source : str
        Where it came from, for messages.
    notes : tuple of str
        What was decided or repaired.
    steps : tuple of dict
        The preparation so far, in order; see `apps/expression_steps.py`.
    """

    values: Matrix
    samples: tuple[str, ...]
    genes: tuple[str, ...]
    source: str = "the table"
    notes: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and genes."""
        return cast("tuple[int, int]", self.values.shape)

    def __repr__(self) -> str:
        kind = "sparse" if is_sparse(self.values) else "dense"
        m, n = self.shape
        return f"Expression({m} samples × {n} genes, {kind} {self.values.dtype}, {self.source})"


def read_expression(
    source: object,
    *,
    orientation: Orientation | None = None,
    layer: str | None = None,
    keep_empty: bool = False,
) -> Expression:
    """Read an expression table.

    Parameters
    ----------
    source : path, frame, array, sparse matrix, AnnData or Expression
        A file: CSV, TSV, npz, npy, Parquet or Matrix Market as in `read_table`, `.gct`, `.h5ad`
        (needs `nonneg[anndata]`); or a 10x folder with matrix.mtx, features.tsv (or genes.tsv)
        and barcodes.tsv, each also as .gz.
    orientation : {"genes-by-samples", "samples-by-genes"}, optional
        What the rows are. Default: as the format has it (genes in rows in GCT and 10x, samples in
        rows in AnnData); samples in rows for what is in memory; and for other files what names
        and shape say, which a note repeats. Where they say nothing, an error asks.
    layer : str, optional
        Of an AnnData or .h5ad: read this layer instead of X.
    keep_empty : bool, default False
        Keep genes and samples without any value above 0.

    Returns
    -------
    Expression
        Samples × genes. Sparse stays sparse, float32 float32. Repeated names get -1, -2, …;
        genes and samples without any value above 0 are left out; both with a note.

    Raises
    ------
    InputError
        Values below 0, infinite ones, an orientation that cannot be told, or no such file.
    FileFormatError
        The file is not what its name says.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"s1": [5, 0, 1], "s2": [0, 0, 3]}, index=["TP53", "MYC", "VIM"])
    >>> expression = read_expression(table, orientation="genes-by-samples")
    >>> expression.samples, expression.genes
    (('s1', 's2'), ('TP53', 'VIM'))
    >>> expression.notes
    ('1 gene without any value above 0 was left out: MYC',)
    """
    if orientation is not None:
        check_choice("orientation", orientation, Orientation)
    if isinstance(source, Expression):
        return source
    if isinstance(source, (str, os.PathLike)):
        content, usual, name = _from_path(Path(source), layer)
    else:
        content, usual, name = _from_memory(source, layer)
    found, notes = _oriented(content, usual, orientation, name)
    rows, columns = content.row_names, content.column_names
    values: Any = content.values
    if found == "genes-by-samples":
        turned = values.T
        values = scipy.sparse.csr_array(turned) if is_sparse(turned) else turned
        rows, columns = columns, rows
    m, n = values.shape
    samples, said = _named(rows, m, "sample")
    genes, told = _named(columns, n, "gene")
    expression = Expression(
        values, samples, genes, name, (*content.notes, *notes, *said, *told), ()
    )
    return _checked(expression, keep_empty=keep_empty)


def read_obs(path: PathLike, column: str) -> dict[str, str | None]:
    """Return a column of obs of an .h5ad by cell; None where it is empty."""
    adata = open_h5ad(path)
    try:
        names = list(map(str, adata.obs.columns))
        if column not in names:
            raise InputError(
                f"there is no file '{column}', and obs of '{path}' has no such column · it has "
                f"{', '.join(names) or 'none'} · name one of them, or a file"
            )
        cells = unique_names(list(map(str, adata.obs_names)))
        # Categories that are empty are NaN, which differs from itself.
        values = [None if value != value else str(value) for value in adata.obs[column]]
        return dict(zip(cells, values, strict=True))
    finally:
        adata.file.close()


def _from_path(path: Path, layer: str | None) -> tuple[Content, Orientation | None, str]:
    suffix, name = format_suffix(path), os.fspath(path)
    folder = find_10x(path) if path.is_dir() or suffix == ".mtx" else None
    if layer is not None and suffix != ".h5ad":
        raise InputError(f"layer={layer!r} is for .h5ad and AnnData, not '{name}' · leave it out")
    if folder is not None:
        return read_10x(folder), "genes-by-samples", name
    if path.is_dir():
        raise InputError(
            f"'{name}' is a folder · a 10x folder has matrix.mtx, features.tsv (or genes.tsv) and "
            "barcodes.tsv, each also as .gz · name a file, or a folder with these"
        )
    if suffix == ".gct":
        return read_gct(path), "genes-by-samples", name
    if suffix == ".h5ad":
        adata = open_h5ad(path)
        try:
            return from_anndata(adata, layer), "samples-by-genes", name
        finally:
            adata.file.close()
    table = read_table(path)
    twice = "names repeat an earlier one"  # said again below, with what was done about it
    notes = tuple(note for note in table.notes if twice not in note)
    return Content(table.values, table.row_names, table.column_names, notes), None, name


def _from_memory(source: object, layer: str | None) -> tuple[Content, Orientation | None, str]:
    if is_anndata(source):
        return from_anndata(source, layer), "samples-by-genes", "the AnnData"
    if layer is not None:
        raise InputError(f"layer={layer!r} is for AnnData · leave it out")
    named = as_named_matrix(source, "expression")
    values: Any = named.values
    if is_sparse(values):
        values = scipy.sparse.csr_array(values)
    name = "the frame" if is_frame(source) else "the table"
    return Content(values, named.row_names, named.column_names), "samples-by-genes", name


def _oriented(
    content: Content, usual: Orientation | None, asked: Orientation | None, name: str
) -> tuple[Orientation, tuple[str, ...]]:
    """What the rows are, and what there is to say about it."""
    looks, why, sure = _evidence(content)
    if asked is None and usual is None:
        if looks is None:
            m, n = content.values.shape
            raise InputError(
                f"'{name}' has {m} rows and {n} columns · neither names nor shape say which of "
                'them are genes · say it: orientation="genes-by-samples" or "samples-by-genes" '
                "(--orientation on the command line)"
            )
        return looks, (f"read as {_words(looks)}, since {why}; say orientation if not",)
    used = asked or cast(Orientation, usual)
    if looks is not None and looks != used and sure:
        return used, (f"read as {_words(used)}, but it looks turned: {why}",)
    return used, ()


def _words(orientation: Orientation) -> str:
    return orientation.replace("-by-", " × ")


def genes_in_rows(rows: Side, columns: Side) -> str | None:
    """Return why names say that the rows of a table are genes, or None where they do not.

    Examples
    --------
    >>> genes_in_rows(("ENSG00000141510", "ENSG00000136997"), ("a", "b"))
    'the rows have names of genes, such as ENSG00000141510'
    """
    found, why = _by_names(rows, columns)
    return why if found == "genes-by-samples" else None


def _evidence(content: Content) -> tuple[Orientation | None, str, bool]:
    """What names and shape say of the rows, why, and whether that is beyond reasonable doubt."""
    named, why = _by_names(content.row_names, content.column_names)
    if named is not None:
        return named, why, True
    m, n = content.values.shape
    if max(m, n) < _LONGER * min(m, n):
        return None, "", False
    found: Orientation = "genes-by-samples" if m > n else "samples-by-genes"
    why = f"there are {m:,} rows and {n:,} columns, and genes outnumber samples as a rule"
    return found, why, max(m, n) >= _ODD_SHAPE * min(m, n)


def _by_names(rows: Side, columns: Side) -> tuple[Orientation | None, str]:
    in_rows, in_columns = _gene_share(rows), _gene_share(columns)
    if max(in_rows, in_columns) >= _ENOUGH and in_rows != in_columns:
        side, names = ("rows", rows) if in_rows > in_columns else ("columns", columns)
        example = next((name for name in names or () if _is_gene(name)), "")
        found: Orientation = "genes-by-samples" if side == "rows" else "samples-by-genes"
        return found, f"the {side} have names of genes, such as {example}"
    for side, names in (("rows", rows), ("columns", columns)):
        like = [name for name in names or () if _SAMPLE.fullmatch(name)]
        if names and len(like) >= 0.5 * len(names):
            found = "samples-by-genes" if side == "rows" else "genes-by-samples"
            return found, f"the {side} have names of samples, such as {like[0]}"
    return None, ""


def _gene_share(names: Sequence[str] | None) -> float:
    if not names:
        return 0.0
    known = len(_KNOWN & {name.upper() for name in names})
    share = sum(1 for name in names if _is_gene(name)) / len(names)
    return max(share, _ENOUGH if known >= min(3, len(names)) else 0.0)


def _is_gene(name: str) -> bool:
    return name.upper() in _KNOWN or _GENE.fullmatch(name) is not None


def _named(names: Side, size: int, noun: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names that differ, and what there is to say."""
    if names is None:
        return tuple(f"{noun} {i + 1}" for i in range(size)), ()
    count, first = first_twice(names)
    if not count:
        return names, ()
    made = unique_names(names)
    repeats = "name repeats an earlier one" if count == 1 else "names repeat an earlier one"
    return made, (f"{count} {noun} {repeats}, the first is {first}: -1, -2, … were added",)


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Add -1, -2, … to names that repeat an earlier one, as AnnData does.

    Examples
    --------
    >>> unique_names(["a", "a", "b", "a"])
    ('a', 'a-1', 'b', 'a-2')
    """
    taken, count, made = set(names), dict.fromkeys(names, 0), []
    seen: set[str] = set()
    for name in names:
        new = name
        while new in seen or (new != name and new in taken):
            count[name] += 1
            new = f"{name}-{count[name]}"
        seen.add(new)
        made.append(new)
    return tuple(made)


def _checked(expression: Expression, *, keep_empty: bool) -> Expression:
    """Refuse what is no expression; leave out empty samples and genes, and say so."""
    values, name = expression.values, expression.source
    stored = cast("NDArray[Any]", values.data if is_sparse(values) else values)
    if stored.dtype.kind not in "biuf":
        raise InputError(f"'{name}' holds {stored.dtype}, not numbers · give real numbers")
    if stored.size and np.isinf(stored).any():
        raise InputError(f"'{name}' holds infinite values · correct them, or leave them empty")
    lowest = np.nanmin(stored, initial=0.0)
    if lowest < 0:
        raise InputError(
            f"'{name}' holds values below 0, the lowest is {lowest:g} · log-ratios and centred or "
            "standardised values cannot be sums of nonnegative parts · give the values before "
            "centring: counts, TPM, intensities, or log(1 + x) of them"
        )
    notes = list(expression.notes)
    if stored.dtype.kind == "f" and np.isnan(stored).any():
        n_missing = int(np.isnan(stored).sum())
        if is_sparse(values):
            raise InputError(
                f"'{name}' is sparse and holds {n_missing} NaN · in a sparse table what is absent "
                "is 0, not missing · make it dense, or correct them"
            )
        share = n_missing / stored.size
        notes.append(f"{n_missing} values ({share:.1%}) are missing: they stay empty, not 0")
    expression = replace(expression, notes=tuple(notes))
    if keep_empty:
        return expression
    kept = _take_filled(expression)
    if 0 in kept.shape:
        raise InputError(f"'{name}' has no value above 0 · there is nothing to find · check it")
    return kept


def _take_filled(expression: Expression) -> Expression:
    above = expression.values > 0
    keep = [np.asarray(above.sum(axis=1)).ravel() > 0, np.asarray(above.sum(axis=0)).ravel() > 0]
    notes, names = list(expression.notes), [expression.samples, expression.genes]
    for side, noun in ((0, "sample"), (1, "gene")):
        gone = [names[side][i] for i in np.flatnonzero(~keep[side])]
        if gone:
            names[side] = tuple(names[side][i] for i in np.flatnonzero(keep[side]))
            shown = ", ".join(gone[:3]) + (", …" if len(gone) > 3 else "")
            what = f"1 {noun} without any value above 0 was left out"
            if len(gone) > 1:
                what = f"{len(gone):,} {noun}s without any value above 0 were left out"
            notes.append(f"{what}: {shown}")
    values: Any = expression.values
    if not keep[0].all():
        values = values[keep[0]]
    if not keep[1].all():
        values = values[:, keep[1]]
    return replace(expression, values=values, samples=names[0], genes=names[1], notes=tuple(notes))
