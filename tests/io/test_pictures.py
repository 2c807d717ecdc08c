"""Pictures come in as they are, holes stay holes, and what cannot be read is named."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from nonneg.errors import FileFormatError, InputError, UnknownNameError
from nonneg.io.pictures import Choices, as_pictures, read_pictures, write_png

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for person in ("ann", "bob"):
        (tmp_path / person).mkdir()
        for i in (1, 2, 10):
            Image.fromarray(GREY + np.uint8(i)).save(tmp_path / person / f"{i}.png")
    return tmp_path


@settings(max_examples=20)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_what_is_written_comes_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("png") / "one.png"
    write_png(path, values / 255)
    found = read_pictures(path)
    np.testing.assert_array_equal(np.round(found.pixels[0, :, :, 0] * 255), values)


def test_a_folder_has_labels_names_and_a_natural_order(folder):
    found = read_pictures(folder)
    assert found.names[:3] == ("ann/1.png", "ann/2.png", "ann/10.png")
    assert found.labels == ("ann",) * 3 + ("bob",) * 3
    assert found.shape == (6, 8, 1)
    np.testing.assert_allclose(found.pixels[0, :, :, 0] * 255, GREY + 1, atol=1e-4)
    assert found.index("bob/2.png") == 4
    with pytest.raises(UnknownNameError, match=r"bob/3\.png"):
        found.index("bob/3.png")


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(folder):
    (folder / "ann" / "broken.png").write_bytes(b"no picture")
    noise = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    Image.fromarray(noise).save(folder / "ann" / "cut.png")
    whole = (folder / "ann" / "cut.png").read_bytes()
    (folder / "ann" / "cut.png").write_bytes(whole[: len(whole) - 40])
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(folder / "bob" / "small.png")
    frames = [Image.fromarray(GREY + np.uint8(i)) for i in (0, 90)]
    frames[0].save(folder / "bob" / "moving.png", save_all=True, append_images=frames[1:])
    (folder / "notes.txt").write_text("not a picture, and not asked for")
    found = read_pictures(folder)
    assert len(found) == 6
    told = {one.name: one.reason for one in found.skipped}
    assert set(told) == {f"ann/{n}.png" for n in ("broken", "cut")} | {
        f"bob/{n}.png" for n in ("small", "moving")
    }
    assert "no picture" in told["ann/broken.png"]
    assert "damaged" in told["ann/cut.png"]
    assert "4 × 3 pixels, most have 8 × 6" in told["bob/small.png"]
    assert "animated" in told["bob/moving.png"]
    resized = read_pictures(folder, choices=Choices(size=(3, 4)))
    assert resized.shape == (3, 4, 1)
    assert "bob/small.png" in resized.names


def test_nothing_to_read_is_an_error_that_names_a_file(tmp_path):
    with pytest.raises(InputError, match="no picture in"):
        read_pictures(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.png"):
        read_pictures(tmp_path)
    with pytest.raises(FileFormatError, match=r"a\.png"):
        read_pictures(tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        read_pictures(tmp_path / "b.png")


def test_sixteen_bits_colour_and_transparency(tmp_path):
    deep = (np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = read_pictures(tmp_path / "deep.png").pixels[0, :, :, 0]
    np.testing.assert_allclose(found, deep / 65535, atol=1e-6)
    colour = np.zeros((2, 3, 4), np.uint8)
    colour[..., 0], colour[..., 3] = 255, 255
    colour[0, 0, 3] = 0
    Image.fromarray(colour).save(tmp_path / "red.png")
    grey = read_pictures(tmp_path / "red.png").pixels[0]
    assert np.isnan(grey[0, 0]).all()
    np.testing.assert_allclose(grey[1], 0.299, atol=1e-6)
    kept = read_pictures(tmp_path / "red.png", choices=Choices(grey=False)).pixels[0]
    assert kept.shape == (2, 3, 3)
    np.testing.assert_array_equal(kept[1, 1], [1, 0, 0])
    assert np.isnan(kept[0, 0]).all()


def test_holes_do_not_bleed_when_resized():
    image = np.full((4, 4), 0.5)
    image[:2, :2] = np.nan
    small = as_pictures(image, choices=Choices(size=(2, 2))).pixels[0, :, :, 0]
    assert np.isnan(small[0, 0])
    np.testing.assert_allclose(small.ravel()[1:], 0.5)


@pytest.mark.parametrize(
    ("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535), (bool, 1), (float, 1)]
)
def test_the_unit_of_arrays(dtype, peak):
    found = as_pictures(np.ones((2, 3, 4), dtype) * (1 if peak == 1 else dtype(peak)))
    assert found.choices.peak == peak
    np.testing.assert_allclose(found.pixels, 1.0)


def test_floats_above_one_are_divided_by_the_largest():
    found = as_pictures(np.array([[[0.0, 16.0]]]))
    assert found.choices.peak == 16
    again = as_pictures(np.array([[[0.0, 8.0]]]), choices=found.choices)
    assert again.pixels.max() == 0.5


def test_stretched_pictures(folder):
    found = read_pictures(folder, choices=Choices(scaling="image"))
    assert (found.matrix.min(axis=1) == 0).all()
    assert (found.matrix.max(axis=1) == 1).all()
    flat = as_pictures(np.full((1, 2, 2), 0.3), choices=Choices(scaling="image"))
    assert (flat.pixels == 0).all()


def test_cubes_and_labels_in_files(tmp_path):
    cube = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    np.save(tmp_path / "cube.npy", cube)
    found = as_pictures(str(tmp_path / "cube.npy"), bands=True)
    assert found.shape == (4, 5, 1)
    np.testing.assert_array_equal(found.pixels[2, :, :, 0], cube[:, :, 2])
    np.savez(tmp_path / "faces.npz", X=np.zeros((2, 4, 5), np.uint8), y=[7, 8])
    assert read_pictures(tmp_path / "faces.npz").labels == ("7", "8")


def test_what_is_missing(tmp_path):
    images = np.ones((2, 3, 4))
    one = as_pictures(images, missing=np.eye(3, 4, dtype=bool))
    assert np.isnan(one.pixels).sum() == 6
    write_png(tmp_path / "mask.png", np.eye(3, 4))
    other = as_pictures(images, missing=tmp_path / "mask.png")
    np.testing.assert_array_equal(np.isnan(one.pixels), np.isnan(other.pixels))
    with pytest.raises(InputError, match="missing has shape"):
        as_pictures(images, missing=np.zeros((5, 5)))


def test_a_mask_belongs_to_the_picture_of_its_name(folder, tmp_path_factory):
    masks = tmp_path_factory.mktemp("masks")
    pictures = read_pictures(folder)
    for i, name in enumerate(pictures.names):
        (masks / name).parent.mkdir(exist_ok=True)
        hole = np.zeros((6, 8))
        hole[i] = 1
        write_png(masks / name, hole)
    # The first picture is left out: the masks of the others stay theirs.
    (folder / "ann" / "1.png").write_bytes(b"broken")
    found = as_pictures(folder, missing=masks)
    rows = [np.flatnonzero(np.isnan(one).all(axis=(1, 2))).tolist() for one in found.pixels]
    assert rows == [[1], [2], [3], [4], [5]]
    (masks / "bob" / "2.png").unlink()
    with pytest.raises(InputError, match=r"no mask that can be read for 'bob/2\.png'"):
        as_pictures(folder, missing=masks)
    small = write_png(tmp_path_factory.mktemp("one") / "small.png", np.eye(3))
    with pytest.raises(InputError, match="has 3 × 3 pixels · the pictures have 8 × 6"):
        as_pictures(folder, missing=small)


def test_new_pictures_are_those_of_the_size_that_was_fitted(folder):
    for person in ("ann", "bob"):
        for i in (1, 2):
            write_png(folder / person / f"{i}.png", np.eye(3), force=True)
    assert read_pictures(folder).shape == (3, 3, 1)
    found = as_pictures(folder, shape=(6, 8, 1))
    assert found.names == ("ann/10.png", "bob/10.png")
    assert "3 × 3 pixels, those that were fitted have 8 × 6" in found.skipped[0].reason


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".bmp", ".tiff", ".pgm"])
def test_every_format_is_read(tmp_path, suffix):
    kind = {".webp": {"lossless": True}}.get(suffix, {})
    Image.fromarray(GREY).save(tmp_path / f"one{suffix}", **kind)
    found = read_pictures(tmp_path)
    np.testing.assert_allclose(found.pixels[0, :, :, 0] * 255, GREY, atol=1e-3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.array([["a"]]), "not numbers"),
        (np.full((1, 2, 2), -1.0), "below 0"),
        (np.full((1, 2, 2), np.inf), "infinity"),
        (np.zeros((0, 2, 2)), "shape"),
        (np.zeros(3), "shape"),
        ([np.zeros((2, 2)), np.zeros((3, 3))], "different sizes"),
    ],
)
def test_arrays_that_are_no_pictures(images, message):
    with warnings.catch_warnings(), pytest.raises(InputError, match=message):
        as_pictures(images)


def test_choices_are_checked():
    with pytest.raises(InputError, match="scaling"):
        as_pictures(np.ones((1, 2, 2)), choices=Choices(scaling="odd"))
    with pytest.raises(InputError, match="size"):
        as_pictures(np.ones((1, 2, 2)), choices=Choices(size=(0, 2)))
    with pytest.raises(InputError, match="2 labels"):
        as_pictures(np.ones((1, 2, 2)), ["a", "b"])
