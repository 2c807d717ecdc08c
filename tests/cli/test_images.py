"""Pictures at the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from .conftest import Run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    digits = load_digits(n_class=3)
    for i, (image, digit) in enumerate(zip(digits.images[:90], digits.target[:90], strict=True)):
        (folder / str(digit)).mkdir(exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(folder / str(digit) / f"{i}.png")
    (folder / "0" / "broken[bold].png").write_bytes(b"broken")
    return folder


@pytest.fixture
def digits_model(run: Run, pictures: Path, tmp_path: Path) -> Path:
    path = tmp_path / "digits.nonneg"
    run("images", pictures, "-k", 6, "-o", path)
    return path


def test_a_report_though_the_first_picture_is_black(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate([np.zeros((8, 8)), *load_digits().images[:8]]):
        Image.fromarray((image * 15).astype(np.uint8)).save(folder / f"{i}.png")
    run("images", folder, "-k", 2, "--report", tmp_path / "r.html", "--threads", 1)
    assert "1.png, part by part" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_parts_of_a_folder(run: Run, pictures: Path, tmp_path: Path) -> None:
    parts, model = tmp_path / "parts.png", tmp_path / "model.nonneg"
    out = run(
        "images", pictures, "-k", 6, "--labels", "--compression", "--parts", parts, "-o", model
    ).out
    for told in ("90 pictures of 8 × 8 pixels in 6 parts", "1 file left out", "broken[bold].png"):
        assert told in out
    for told in ("Recognition", "PCA, nearest picture", "Compression", "3 labels", "6 · "):
        assert told in out
    assert out.splitlines()[-2:] == [f"Wrote {parts}", f"Wrote {model}"]
    with Image.open(parts) as image:
        assert image.width > 300
    assert "6 parts" in run("show", model).out


def test_the_facts_as_json(run: Run, pictures: Path) -> None:
    facts = run(
        "images", pictures, "-k", 5, "--sparseness", ".7", "--labels", "--compression", "--json"
    ).json
    assert facts["rank"] == 5
    assert facts["sparseness"]["lowest"] == pytest.approx(0.7, abs=0.02)
    assert facts["recognition"]["nearest"] > 0.9
    assert len(facts["recognition"]["confusion"]) == 3
    assert facts["skipped"][0]["name"] == "0/broken[bold].png"
    assert {row["method"] for row in facts["compression"]} == {"nonneg", "svd"}
    assert len(facts["components"]) == 5
    assert np.array(facts["components"][0]["sketch"]).max() == 4


def test_new_pictures_are_told_and_repaired(
    run: Run, digits_model: Path, pictures: Path, tmp_path: Path
) -> None:
    hole = np.zeros((8, 8), np.uint8)
    hole[3:5] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    one = pictures / "1" / "1.png"
    out, stages = tmp_path / "out", tmp_path / "stages.png"
    answer = run(
        "images-of", digits_model, one, "--missing", tmp_path / "hole.png", "--repair", out,
        "--stages", stages,
    ).out  # fmt: skip
    assert "25 % of its pixels" in answer
    assert answer.splitlines()[-2:] == [f"Wrote {out / '1.png'}", f"Wrote {stages}"]
    with Image.open(out / "1.png") as repaired, Image.open(one) as true:
        ours, theirs = np.asarray(repaired).astype(int), np.asarray(true).astype(int)
    known = hole == 0
    assert np.abs(ours - theirs)[known].max() <= 1
    facts = run("images-of", digits_model, pictures / "2", "--json", "-n", 2).json
    assert all(len(image["nearest"]) == 2 for image in facts["images"])
    assert np.mean([image["label"] == "2" for image in facts["images"]]) > 0.9
    assert facts["told"] is None
    for image in facts["images"]:
        stands_out = image["lead"] >= facts["least_lead"]
        assert (image["reason"] == "") == (image["known"] and stands_out)
    assert "ahead of the next" in answer
    told = run("images-of", digits_model, pictures, "--json").json["told"]
    assert told["n"] == 90 == told["right"] + told["wrong"] + told["unknown"]
    assert sum(told["reasons"].values()) == told["unknown"]
    assert told["right"] > 80
    assert (
        f"{told['right']} of 90 told as they are labelled"
        in run("images-of", digits_model, pictures).out
    )


def test_a_cube_of_bands(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cube = np.einsum("hwk,kb->hwb", rng.random((6, 7, 2)), rng.random((2, 30)))
    np.save(tmp_path / "cube.npy", cube)
    facts = run("images", tmp_path / "cube.npy", "--bands", "-k", 2, "--tol", "1e-8", "--json").json
    assert (facts["n_images"], facts["height"], facts["width"]) == (30, 6, 7)
    assert facts["relative_error"] < 1e-3


def test_options_change_the_fit(run: Run, pictures: Path) -> None:
    for options in (
        ["--variant", "local", "--n-init", "2"],
        ["--variant", "orthogonal"],
        ["--smoothness", ".5", "--loss", "huber"],
        ["--size", "4x4", "--scaling", "image"],
        ["--colour"],
        ["--seed", "3", "--threads", "1", "--max-iter", "20"],
    ):
        assert run("images", pictures, "-k", 3, "--json", *options).json["rank"] == 3


def test_what_cannot_be_done(fails, run: Run, pictures, digits_model, model, tmp_path) -> None:
    assert "no such file" in fails("images", tmp_path / "none", "-k", 2)
    assert "is no size" in fails("images", pictures, "-k", 2, "--size", "big")
    assert "call it .png" in fails("images", pictures, "-k", 2, "--parts", "parts.jpg")
    assert "90 images of 64 pixels" in fails("images", pictures, "-k", 70)
    assert "variant" in fails("images", pictures, "-k", 2, "--variant", "odd")
    assert "saved NMF" in fails("images-of", model, pictures)
    assert "images-of" in fails(
        "transform", digits_model, pictures / "x.csv", "-o", tmp_path / "w.csv"
    )
    small = tmp_path / "small.npy"
    np.save(small, np.zeros((2, 5, 5), np.uint8))
    assert "has 5 × 5 pixels" in fails("images-of", digits_model, small)
    target = tmp_path / "out"
    told = run("images-of", digits_model, pictures / "1", "--repair", target).out
    assert told.splitlines()[-1] == f"Wrote {target}"
    assert len(list(target.iterdir())) == 30
    assert "exists already" in fails("images-of", digits_model, pictures / "1", "--repair", target)


@pytest.fixture
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.mark.usefixtures("own_temporary")
def test_the_demo_writes_its_pictures(run: Run) -> None:
    facts = run("demo", "images", "--json").json
    assert [Path(path).exists() for path in facts["written"]] == [True, True]
    assert facts["repair"]["error"] < facts["repair"]["error_of_mean"]
    assert facts["recognition"]["nearest"] > 0.95


@pytest.mark.usefixtures("own_temporary")
def test_the_demo_tells_a_story(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from nonneg.report import image_demo

    monkeypatch.setattr(image_demo, "N_PARTS", 9)
    out = run("demo", "images").out
    for told in ("1. Repair", "2. Recognise", "Try next", "Wrote"):
        assert told in out
