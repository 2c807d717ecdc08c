"""`nonneg report` and `--report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nonneg import NMF
from nonneg.errors import MissingLibraryError

from .conftest import Run

pytest.importorskip("plotly")


def test_a_report_of_a_saved_model(run: Run, model: Path, counts: Path, tmp_path: Path) -> None:
    path = tmp_path / "counts.html"
    outcome = run("report", model, "-o", path, "--table", counts, "--title", "Two <words>")
    assert outcome.out.splitlines()[-1] == f"Wrote {path}"
    page = path.read_text(encoding="utf-8")
    assert "<h1>Two &lt;words&gt;</h1>" in page
    assert 'data-figure="approximation"' in page
    run("report", model, "-o", path, "--table", counts, "--runs", 2, "--force")
    assert "2 other runs (dashed)" in path.read_text(encoding="utf-8")
    facts = json.loads(run("report", model, "-o", path, "--force", "--json").out)
    assert facts["kind"] == "NMF"
    assert "cone" in facts["figures"]


def test_what_cannot_be_drawn_is_said(
    fails: Callable[..., str], model: Path, counts: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.html"
    assert "recommenders" in fails("report", model, "-o", path, "--user", "Ann")
    assert "parts of pictures" in fails("report", model, "-o", path, "--image", counts)
    assert "add --table" in fails("report", model, "-o", path, "--runs", 2)
    assert "reads it" in fails("report", model, "-o", model, "--force")
    path.write_text("mine")
    assert "exists already" in fails("report", model, "-o", path)
    assert "exists already" in fails("fit", counts, "-k", 2, "--report", path)
    assert path.read_text() == "mine"


def test_reports_of_the_other_commands(run: Run, counts: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit.html"
    outcome = run("fit", counts, "-k", 2, "--report", path)
    assert f"Wrote {path}" in outcome.out
    assert 'data-figure="approximation"' in path.read_text(encoding="utf-8")

    ratings = tmp_path / "ratings.csv"
    lines = [f"u{i},i{j},{1 + (i * j) % 5}" for i in range(6) for j in range(5) if (i + j) % 4]
    ratings.write_text("user,item,rating\n" + "\n".join(lines) + "\n")
    path = tmp_path / "taste.html"
    saved = tmp_path / "taste.nonneg"
    run("recommend", ratings, "-u", "u1", "-i", "i3", "--report", path, "-k", 2, "-o", saved)
    assert 'data-figure="waterfall"' in path.read_text(encoding="utf-8")
    run("report", saved, "-o", path, "--force", "-u", "u2", "-i", "i2")
    assert 'data-figure="recommendations"' in path.read_text(encoding="utf-8")

    channels = tmp_path / "channels.csv"
    kinds = [f"{a}[{b}]{c}" for a in "ACGT" for b in ("C>A", "C>T", "T>C") for c in "ACGT"]
    table = np.random.default_rng(0).poisson(5, (len(kinds), 8))
    rows = [f"{kind},{','.join(map(str, row))}" for kind, row in zip(kinds, table, strict=True)]
    channels.write_text("kind,a,b,c,d,e,f,g,h\n" + "\n".join(rows) + "\n")
    path = tmp_path / "signatures.html"
    options = ("-k", 2, "--runs", 3, "--orientation", "channels-by-samples")
    run("signatures", channels, *options, "--report", path)
    assert 'data-figure="profiles"' in path.read_text(encoding="utf-8")

    pictures = tmp_path / "pictures.npy"
    np.save(pictures, np.random.default_rng(0).random((9, 5, 4)))
    path, saved = tmp_path / "images.html", tmp_path / "images.nonneg"
    run("images", pictures, "-k", 3, "--report", path, "-o", saved)
    assert 'data-figure="steps"' in path.read_text(encoding="utf-8")
    one = tmp_path / "one.npy"
    np.save(one, np.random.default_rng(1).random((1, 5, 4)))
    run("report", saved, "-o", path, "--force", "--image", one)
    assert 'data-figure="steps"' in path.read_text(encoding="utf-8")

    path = tmp_path / "rank.html"
    run("rank", counts, "--ranks", "2..3", "--runs", 3, "--report", path)
    assert 'data-figure="curves"' in path.read_text(encoding="utf-8")


def test_without_its_libraries_a_report_says_what_to_install(
    fails: Callable[..., str],
    model: Path,
    counts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for library in ("plotly", "plotly.graph_objects", "jinja2"):
        monkeypatch.setitem(sys.modules, library, None)
    path = tmp_path / "a.html"
    told = "plotly is not installed · pip install 'nonneg[report]'"
    assert told in fails("report", model, "-o", path)
    assert told in fails("rank", counts, "--report", path)
    assert not path.exists()
    fit = NMF(2, random_state=0).fit(np.eye(4) + 1)
    assert fit.figure("cone")["data"]
    with pytest.raises(MissingLibraryError, match=r"pip install 'nonneg\[report\]'"):
        fit.plot()
    with pytest.raises(MissingLibraryError, match=r"pip install 'nonneg\[report\]'"):
        fit.write_report(path)
