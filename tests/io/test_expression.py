"""Expression tables: every format gives the same samples × genes, and what was decided is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from nonneg.errors import FileFormatError, InputError
from nonneg.io.expression import read_expression, unique_names

GENES = ("TP53", "MYC", "ACTB", "GAPDH", "B2M", "VIM")
SAMPLES = ("s1", "s2", "s3")
VALUES = np.array([[5, 0, 1, 2, 7, 0], [0, 3, 1, 9, 2, 4], [8, 1, 0, 1, 1, 2]], dtype=float)


def csv(path: Path, values: np.ndarray, rows: tuple, columns: tuple, sep: str = ",") -> Path:
    pd.DataFrame(values, index=list(rows), columns=list(columns)).to_csv(path, sep=sep)
    return path


def write_10x(folder: Path, *, zipped: bool, antibodies: bool = False) -> Path:
    folder.mkdir()
    values, genes = VALUES.T, list(GENES)
    lines = [f"ENSG{i:011d}\t{gene}\tGene Expression\n" for i, gene in enumerate(genes)]
    if antibodies:
        values = np.vstack([values, [[9, 9, 9]]])
        lines.append("CD3\tCD3\tAntibody Capture\n")
    scipy.io.mmwrite(folder / "matrix.mtx", sp.coo_array(values.astype(int)))
    texts = {"features.tsv": "".join(lines), "barcodes.tsv": "".join(f"{s}\n" for s in SAMPLES)}
    for name, text in texts.items():
        (folder / name).write_text(text)
    if zipped:
        for name in ("matrix.mtx", *texts):
            data = (folder / name).read_bytes()
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            (folder / name).unlink()
    return folder


def write_gct(path: Path, version: str) -> Path:
    lines = [f"#{version}", "6\t3" if version == "1.2" else "6\t3\t1\t1"]
    lines.append("\t".join(["Name", "Description", *SAMPLES]))
    if version == "1.3":
        lines.append("\t".join(["batch", "na", "a", "b", "b"]))
    for gene, row in zip(GENES, VALUES.T, strict=True):
        lines.append("\t".join([gene, f"what {gene} is", *(str(v) for v in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def check(expression, *, sparse: bool = False) -> None:
    assert expression.samples == SAMPLES
    assert expression.genes == GENES
    assert sp.issparse(expression.values) == sparse
    values = expression.values.toarray() if sparse else expression.values
    assert np.array_equal(values, VALUES)


def test_every_format_gives_the_same(tmp_path: Path) -> None:
    turned = csv(tmp_path / "genes.csv", VALUES.T, GENES, SAMPLES)
    check(read_expression(turned))
    check(read_expression(csv(tmp_path / "samples.tsv", VALUES, SAMPLES, GENES, "\t")))
    check(read_expression(write_gct(tmp_path / "a.gct", "1.2")))
    check(read_expression(write_gct(tmp_path / "b.gct", "1.3")))
    for zipped in (False, True):
        folder = write_10x(tmp_path / f"run{zipped}", zipped=zipped)
        check(read_expression(folder), sparse=True)
    check(read_expression(tmp_path / "runFalse" / "matrix.mtx"), sparse=True)
    adata = anndata.AnnData(VALUES.copy())
    adata.obs_names, adata.var_names = list(SAMPLES), list(GENES)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    check(read_expression(tmp_path / "cells.h5ad"))
    check(read_expression(adata))
    check(read_expression(pd.DataFrame(VALUES, index=list(SAMPLES), columns=list(GENES))))


def test_features_that_are_no_genes_are_left_out_and_said(tmp_path: Path) -> None:
    found = read_expression(write_10x(tmp_path / "run", zipped=False, antibodies=True))
    check(found, sparse=True)
    assert any("1 features that are no genes" in note for note in found.notes)


def test_a_guess_is_said_and_a_word_is_obeyed(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", VALUES.T, GENES, SAMPLES)
    assert any("read as genes × samples" in note for note in read_expression(path).notes)
    asked = read_expression(path, orientation="genes-by-samples")
    assert not asked.notes
    turned = read_expression(path, orientation="samples-by-genes")
    assert turned.samples == GENES
    assert any("it looks turned" in note for note in turned.notes)


def test_without_evidence_it_asks(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", VALUES, ("a", "b", "c"), ("u", "v", "w", "x", "y", "z"))
    with pytest.raises(InputError, match="which of them are genes"):
        read_expression(path)


def test_shape_is_evidence_only_where_it_is_plain(tmp_path: Path) -> None:
    tall = csv(
        tmp_path / "t.csv", np.ones((40, 4)), tuple(f"x{i}" for i in range(40)), tuple("abcd")
    )
    found = read_expression(tall)
    assert found.shape == (4, 40)
    assert any("genes outnumber samples" in note for note in found.notes)


def test_names_that_repeat_are_told_apart() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], index=["s", "s"], columns=["g", "h"])
    found = read_expression(frame)
    assert found.samples == ("s", "s-1")
    assert any("repeats an earlier one" in note for note in found.notes)


@given(st.lists(st.sampled_from(["a", "a-1", "b", "a-2", ""]), max_size=12))
def test_unique_names_are_unique_and_keep_the_first(names: list[str]) -> None:
    made = unique_names(names)
    assert len(set(made)) == len(names)
    for i, (old, new) in enumerate(zip(names, made, strict=True)):
        if old not in names[:i]:
            assert new == old


def test_empty_genes_and_samples_are_left_out_and_said() -> None:
    values = np.array([[1.0, 0, 2], [0, 0, 0], [3, 0, np.nan]])
    found = read_expression(values)
    assert found.samples == ("sample 1", "sample 3")
    assert found.genes == ("gene 1", "gene 3")
    told = " ".join(found.notes)
    assert "1 sample without any value above 0 was left out: sample 2" in told
    assert "1 values (11.1%) are missing" in told


def test_types_stay_what_they_are() -> None:
    sparse = sp.random_array((9, 40), density=0.5, random_state=0, dtype=np.float32)
    found = read_expression(sp.csr_matrix(sparse))
    assert sp.issparse(found.values)
    assert found.values.dtype == np.float32
    assert read_expression(VALUES.astype(np.float32)).values.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1.0, -2.0], [0.5, 1.0]]), "before\\s+centring"),
        (np.array([[1.0, np.inf], [0.5, 1.0]]), "infinite"),
        (np.zeros((3, 2)), "no value above 0"),
        (sp.csr_array(np.array([[1.0, np.nan], [0.5, 1.0]])), "is 0, not missing"),
    ],
)
def test_what_is_no_expression_is_refused(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_expression(values)


def test_bad_files_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.gct").write_text("Name\ta\nx\t1\n")
    (tmp_path / "b.gct").write_text("#1.2\n1\t2\nName\tDescription\ta\tb\ng\t-\t1\tx\n")
    (tmp_path / "c.gct").write_text("#1.2\n1\t2\nName\tDescription\ta\tb\ng\t-\t1\n")
    (tmp_path / "d.h5ad").write_bytes(b"no HDF5")
    (tmp_path / "empty").mkdir()
    for name in ("a.gct", "b.gct", "c.gct", "d.h5ad"):
        with pytest.raises(FileFormatError):
            read_expression(tmp_path / name)
    for thing in (tmp_path / "empty", tmp_path / "none.h5ad", tmp_path / "none.csv"):
        with pytest.raises(InputError):
            read_expression(thing)
    with pytest.raises(InputError, match="layer"):
        read_expression(VALUES, layer="counts")
    with pytest.raises(InputError, match="orientation"):
        read_expression(VALUES, orientation="sideways")
    folder = write_10x(tmp_path / "run", zipped=False)
    (folder / "barcodes.tsv").write_text("one\n")
    with pytest.raises(FileFormatError, match="1 barcodes"):
        read_expression(folder)


@pytest.mark.shared_data
def test_leukemia_is_read_either_way(shared_data: Path) -> None:
    path = shared_data / "all-aml" / "all_aml.csv.gz"
    found = read_expression(path)
    assert found.shape == (38, 5000)
    assert np.array_equal(
        found.values, read_expression(path, orientation="genes-by-samples").values
    )
