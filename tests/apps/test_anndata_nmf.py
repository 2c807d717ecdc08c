"""AnnData: results where scanpy has those of its PCA; types kept; backed files in blocks."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from nonneg.apps import bio
from nonneg.apps.anndata_nmf import write_h5ad
from nonneg.apps.expression_steps import take_genes
from nonneg.errors import InputError
from nonneg.io import expression_files
from nonneg.io.expression import read_expression


def cells(dtype: type = np.float32, *, sparse: bool = True) -> anndata.AnnData:
    rng = np.random.default_rng(0)
    values = rng.poisson(rng.gamma(0.3, 2, (50, 4)) @ rng.gamma(0.3, 2, (4, 30))).astype(dtype)
    values[:, 0] += 1
    adata = anndata.AnnData(sp.csr_matrix(values) if sparse else values)
    adata.layers["counts"] = adata.X.copy()
    adata.var["highly_variable"] = np.arange(30) % 3 > 0
    return adata


@pytest.mark.parametrize("sparse", [True, False])
def test_results_are_where_they_are_expected(*, sparse: bool) -> None:
    adata = cells(sparse=sparse)
    before = adata.X.copy()
    assert bio.nmf(adata, 4, random_state=0) is None
    usages, loadings = adata.obsm["X_nmf"], adata.varm["nmf"]
    assert usages.shape == (50, 4)
    assert loadings.shape == (30, 4)
    assert usages.dtype == loadings.dtype == np.float32
    assert not loadings[~adata.var["highly_variable"]].any()
    assert np.allclose(loadings.sum(axis=0), 1, atol=1e-5)
    assert (adata.X != before).sum() == 0
    assert adata.uns["nmf"]["params"]["mask_var"] == "highly_variable"
    assert adata.uns["nmf"]["share"].sum() == pytest.approx(1)


def test_options_are_followed() -> None:
    adata = cells()
    assert bio.nmf(adata, 3, copy=True, mask_var=None, key_added="kl", n_runs=3) is not adata
    assert "X_kl" not in adata.obsm
    found = bio.nmf(adata, 3, copy=True, mask_var=None, key_added="kl", n_runs=3)
    assert found.varm["kl"].all(axis=1).any()
    assert found.uns["kl"]["stability"].shape == (3,)
    adata.X = adata.X * 0
    with pytest.raises(InputError):
        bio.nmf(adata, 3)
    bio.nmf(adata, 3, layer="counts")
    same = cells()
    bio.nmf(same, 3)
    assert np.array_equal(adata.obsm["X_nmf"], same.obsm["X_nmf"])


def test_it_is_what_metagenes_finds() -> None:
    adata = cells()
    bio.nmf(adata, 4, mask_var=None, random_state=3)
    model = bio.Metagenes(4, n_runs=1, random_state=3).fit(adata)
    assert np.array_equal(model.usages_, adata.obsm["X_nmf"])


def test_cells_without_values_keep_their_row() -> None:
    adata = cells(sparse=False)
    adata.X[7] = 0
    bio.nmf(adata, 3)
    assert not adata.obsm["X_nmf"][7].any()
    assert np.isfinite(adata.obsm["X_nmf"]).all()


@pytest.mark.parametrize("sparse", [True, False])
def test_backed_files_are_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sparse: bool
) -> None:
    monkeypatch.setattr(expression_files, "_BLOCK_ROWS", 7)
    whole = cells(sparse=sparse)
    whole.write_h5ad(tmp_path / "c.h5ad")
    backed = anndata.read_h5ad(tmp_path / "c.h5ad", backed="r")
    bio.nmf(whole, 4)
    bio.nmf(backed, 4)
    assert np.array_equal(backed.obsm["X_nmf"], whole.obsm["X_nmf"])
    with pytest.raises(InputError, match="backed"):
        bio.nmf(backed, 4, copy=True)
    backed.file.close()
    assert read_expression(tmp_path / "c.h5ad", layer="counts").values.dtype == np.float32


def test_results_survive_a_file(tmp_path: Path) -> None:
    adata = cells()
    mask = adata.var["highly_variable"].to_numpy()
    bio.nmf(adata, 4, n_runs=2, mask_var=mask, key_added="by_array")
    bio.nmf(adata, 4, n_runs=2, mask_var=None, key_added="all")
    bio.nmf(adata, 4, n_runs=2)
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert np.array_equal(again.obsm["X_nmf"], adata.obsm["X_nmf"])
    table = read_expression(tmp_path / "a.h5ad")
    model = bio.Metagenes(3, n_runs=2, random_state=0).fit(table)
    write_h5ad(model, table, tmp_path / "b.h5ad")
    written = anndata.read_h5ad(tmp_path / "b.h5ad")
    assert np.array_equal(written.varm["nmf"], model.components_.T)
    assert [int(c) - 1 for c in written.obs["nmf_class"]] == model.classes_.tolist()
    assert [place.name for place in tmp_path.glob(".*")] == []


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
def test_a_file_keeps_what_it_holds(tmp_path: Path) -> None:
    values = cells(sparse=False).X
    values[7] = 0
    adata = anndata.AnnData(sp.csr_matrix(values), layers={"counts": sp.csr_matrix(values)})
    adata.obs["kind"] = ["a", "b"] * 25
    adata.obs_names = ["twice"] * 2 + [f"c{i}" for i in range(48)]
    adata.write_h5ad(tmp_path / "a.h5ad")
    table = take_genes(read_expression(tmp_path / "a.h5ad"), np.arange(5, 25))
    model = bio.Metagenes(3, n_runs=2, random_state=0).fit(table)
    write_h5ad(model, table, tmp_path / "b.h5ad", source=tmp_path / "a.h5ad")
    written = anndata.read_h5ad(tmp_path / "b.h5ad")
    assert written.obs["kind"].tolist() == adata.obs["kind"].tolist()
    assert (written.X != adata.X).nnz == 0
    assert "counts" in written.layers
    assert written.obs["nmf_class"].iloc[7] == "none"
    assert np.isnan(written.obs["nmf_margin"].iloc[7])
    assert not written.obsm["X_nmf"][7].any()
    assert np.array_equal(np.delete(written.obsm["X_nmf"], 7, axis=0), model.usages_)
    assert np.array_equal(written.varm["nmf"][5:25], model.components_.T)
    assert not written.varm["nmf"][25:].any()


def test_a_mask_is_a_column_or_an_array() -> None:
    adata = cells()
    mask = adata.var["highly_variable"].to_numpy()
    bio.nmf(adata, 3, layer="counts")
    assert adata.uns["nmf"]["params"]["layer"] == "counts"
    for given in (mask, mask.tolist(), adata.var["highly_variable"]):
        bio.nmf(adata, 3, mask_var=given, key_added="given")
        assert np.array_equal(adata.obsm["X_given"], adata.obsm["X_nmf"])
    assert np.array_equal(adata.uns["given"]["params"]["mask_var"], mask)
    bio.nmf(adata, 3, mask_var=None)
    params = adata.uns["nmf"]["params"]
    assert params["mask_var"] is None
    assert "layer" not in params
    for bad in (mask[:5], np.ones(30), [False] * 30):
        with pytest.raises(InputError, match="which of the 30 genes"):
            bio.nmf(adata, 3, mask_var=bad)


def test_what_cannot_be_used_is_refused() -> None:
    adata = cells()
    for bad, message in (
        ({"layer": "spliced"}, "layer"),
        ({"mask_var": "chosen"}, "no such column"),
        ({"n_components": 99}, "only 50 samples"),
    ):
        with pytest.raises(InputError, match=message):
            bio.nmf(adata, **{"n_components": 3, **bad})
    adata.var["highly_variable"] = False
    with pytest.raises(InputError, match="which of the 30 genes"):
        bio.nmf(adata, 3)
    with pytest.raises(InputError, match="is for AnnData"):
        bio.nmf(np.ones((3, 3)), 2)
    adata = cells()
    adata.X = adata.X * -1
    with pytest.raises(InputError):
        bio.nmf(adata, 3)
