"""`nonneg rank`: one table, one picture, one sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .conftest import Run


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    model = 20 * rng.gamma(0.5, size=(60, 3)) @ rng.gamma(0.5, size=(3, 40))
    path = tmp_path_factory.mktemp("rank") / "counts.csv"
    np.savetxt(path, rng.poisson(model), delimiter=",", fmt="%d")
    return path


FEW = ("--ranks", "2..4", "--runs", "4", "--repeats", "2", "--loss", "kullback-leibler")


def test_the_answer_ends_in_a_sentence(run: Run, table) -> None:
    told = run("rank", table, *FEW)
    assert "held-out entries" in told.out
    assert "permuted data" in told.out
    assert "▸" in told.out
    sentence = " ".join(told.out.split("\n\n")[-1].split())
    assert sentence[0].isupper()
    assert "3 components" in sentence


def test_json_has_what_the_picture_shows(run: Run, table) -> None:
    facts = run("rank", table, *FEW, "--json").json
    assert [row["rank"] for row in facts["rows"]] == [2, 3, 4]
    assert facts["preferred"]["held-out"] == 3
    curves = {curve["name"]: curve for curve in facts["curves"]}
    assert list(curves) == list(facts["preferred"])
    assert curves["held-out"]["values"] == [row["held_out"] for row in facts["rows"]]
    assert curves["explained-variance"]["baseline"][0] < curves["explained-variance"]["values"][0]
    assert facts["shape"] == [60, 40]


def test_some_criteria_and_a_list_of_ranks(run: Run, table) -> None:
    few = ("--ranks", "2,3", "--criteria", "held-out, stability")
    facts = run("rank", table, *few, "--json").json
    assert list(facts["preferred"]) == ["held-out", "stability"]
    assert [row["rank"] for row in facts["rows"]] == [2, 3]


def test_parts_of_the_samples(run: Run, table, tmp_path) -> None:
    few = ("--ranks", "2..4", "--runs", "4", "--criteria", "consensus,stability,held-out")
    path = tmp_path / "rank.html"
    told = run("rank", table, *few, "--resample", 0.8, "--report", path).out
    note = "consensus and stability: each run on 80 % of the samples"
    assert note in told
    page = path.read_text(encoding="utf-8")
    assert f"{note}, as in Monti et al. 2003" in page
    facts = run("rank", table, *few, "--resample", 0.8, "--json").json
    assert facts["resample"] == 0.8
    plain = run("rank", table, *few, "--json").json
    assert plain["resample"] is None
    for one, other in zip(facts["rows"], plain["rows"], strict=True):
        assert one["held_out"] == other["held_out"]
        assert one["stability"] != other["stability"]


def test_genes_may_be_in_rows(run: Run, table, tmp_path) -> None:
    few = ("--ranks", "2,3", "--criteria", "consensus", "--runs", "3", "--json")
    values = np.loadtxt(table, delimiter=",", dtype=int)
    lines = ["gene," + ",".join(f"s{i}" for i in range(60))]
    lines += [f"ENSG{j:011d}," + ",".join(map(str, row)) for j, row in enumerate(values.T)]
    genes = tmp_path / "genes.csv"
    genes.write_text("\n".join(lines))
    unsaid = run("rank", genes, *few)
    assert unsaid.json["shape"] == [40, 60]
    assert "say --orientation genes-by-samples" in unsaid.err
    said = run("rank", genes, *few, "--orientation", "genes-by-samples")
    assert said.json["shape"] == [60, 40]
    assert said.json["rows"] == run("rank", table, *few).json["rows"]
    rest = [line.partition(",") for line in lines[1:]]
    body = [f"{name}\tna\t" + cells.replace(",", "\t") for name, _, cells in rest]
    head = "NAME\tDescription\t" + lines[0].partition(",")[2].replace(",", "\t")
    (tmp_path / "genes.gct").write_text("\n".join(["#1.2", "40\t60", head, *body]))
    assert run("rank", tmp_path / "genes.gct", *few).json["rows"] == said.json["rows"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--ranks", "8..2"), "as --ranks 2..8"),
        (("--ranks", "many"), "as --ranks 2..8"),
        (("--ranks", "2..90"), "give ranks up to 20"),
        (("--criteria", "luck"), "the criteria are"),
        (("--missing", "x"), "nan or 0"),
        (("--resample", "80"), "--resample 80.0 · it is the share of the samples"),
        (("--ranks", "2..9", "--resample", ".1"), "each run sees 6, too few for 9 components"),
        (("--criteria", "held-out", "--resample", ".8"), "criteria has neither · leave it out"),
    ],
)
def test_bad_options_say_what_to_do(fails: Callable[..., str], table, options, words) -> None:
    assert words in fails("rank", table, *options)
