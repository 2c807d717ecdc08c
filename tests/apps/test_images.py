"""Parts of pictures: what is fitted, described, repaired, compared, refused and saved."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import nonneg
from nonneg import ImageParts
from nonneg.apps.image_evaluation import evaluate_recognition
from nonneg.apps.image_quality import compression, psnr, ssim
from nonneg.apps.image_recognition import confusion, learn_metric
from nonneg.errors import InputError
from nonneg.io.pictures import as_pictures


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.images[:400], data.target[:400]


@pytest.fixture(scope="module")
def model(digits) -> ImageParts:
    return ImageParts(12, random_state=0).fit(*digits)


def swimmer() -> tuple[np.ndarray, np.ndarray]:
    """A torso and four limbs, each in one of four places: 256 pictures of 17 parts."""
    parts = np.zeros((17, 12, 12))
    parts[0, 4:8, 5:7] = 1
    for limb in range(4):
        top, left = divmod(limb, 2)
        for place in range(4):
            row, column = divmod(place, 2)
            parts[1 + 4 * limb + place, 7 * top + row * 2 : 7 * top + row * 2 + 2,
                  8 * left + column * 2 : 8 * left + column * 2 + 2] = 1  # fmt: skip
    choice = np.stack(np.unravel_index(np.arange(256), (4, 4, 4, 4)), axis=1)
    W = np.zeros((256, 17))
    W[:, 0] = 1
    for limb in range(4):
        W[np.arange(256), 1 + 4 * limb + choice[:, limb]] = 1
    return np.einsum("ik,khw->ihw", W, parts), parts.reshape(17, -1)


@pytest.mark.parametrize("variant", ["local", "orthogonal"])
def test_data_that_have_parts_give_them_back(variant):
    X, parts = swimmer()
    model = ImageParts(17, variant=variant, random_state=3).fit(X)
    assert model.relative_error_ < 1e-6
    assert (nonneg.match_components(parts, model.components_).cosines > 0.999).all()


def test_a_plain_fit_that_may_be_exact_begins_anew_until_it_is():
    X, _ = swimmer()
    for seed in range(6):
        alone = ImageParts(17, n_init=1, random_state=seed).fit(X)
        several = ImageParts(17, random_state=seed).fit(X)
        assert several.relative_error_ < 1e-6
        assert several.relative_error_ <= alone.relative_error_


def test_transform_agrees_with_the_fit(model, digits):
    np.testing.assert_allclose(model.transform(digits[0]), model.coefficients_, atol=1e-5)
    np.testing.assert_allclose(model.errors(digits[0]), model.errors_, atol=1e-5)
    rebuilt = model.inverse_transform(model.coefficients_)
    assert rebuilt.shape == digits[0].shape
    error = np.linalg.norm(rebuilt - digits[0]) / np.linalg.norm(digits[0])
    assert error == pytest.approx(model.relative_error_, rel=1e-4)


def test_parts_are_ordered_balanced_and_shown(model):
    assert (np.diff(model.energy_) <= 1e-12).all()
    assert model.energy_.sum() == pytest.approx(1.0)
    assert model.part_images_.shape == (12, 8, 8)
    np.testing.assert_allclose(model.part_images_.max(axis=(1, 2)), 1.0)


@pytest.mark.parametrize("sparseness", [0.5, 0.9])
def test_the_dial_of_sparseness(digits, sparseness):
    model = ImageParts(8, sparseness=sparseness, random_state=0, max_iter=40).fit(digits[0])
    np.testing.assert_allclose(model.sparseness_, sparseness, atol=0.02)


def test_the_same_seed_gives_the_same_bits_for_any_threads(digits):
    holes = np.random.default_rng(0).random((60, 8, 8)) < 0.3
    for options in ({}, {"holes": holes}, {"sparseness": 0.7}, {"variant": "local", "n_init": 2}):
        missing = options.pop("holes", None)
        one, two = (
            ImageParts(6, random_state=1, n_threads=n, max_iter=30, **options).fit(
                digits[0][:60], missing=missing
            )
            for n in (1, 2)
        )
        assert one.components_.tobytes() == two.components_.tobytes()
        assert one.coefficients_.tobytes() == two.coefficients_.tobytes()


def test_stages_add_up_to_the_reconstruction(model, digits):
    stages = model.stages(digits[0][3])
    whole = model.inverse_transform(model.transform(digits[0][3]))[0]
    np.testing.assert_allclose(stages[-1].image, whole, atol=1e-5)
    assert stages[-1].error == pytest.approx(model.errors(digits[0][3])[0], abs=1e-6)
    assert sum(stage.share for stage in stages) == pytest.approx(1.0)
    assert len(model.stages(digits[0][3], 2)) == 2


def test_repair_keeps_what_is_known_and_beats_the_mean(model, digits):
    others = load_digits().images[400:500]
    holes = others.copy()
    holes[:, 2:4] = np.nan
    gone = np.isnan(holes)
    filled = model.inpaint(holes)
    np.testing.assert_allclose(filled[~gone], others[~gone], atol=1e-5)
    assert np.isfinite(filled).all()
    wrong = np.sqrt(np.mean((filled - others)[gone] ** 2))
    mean = np.broadcast_to(digits[0].mean(axis=0), others.shape)
    assert wrong < 0.9 * np.sqrt(np.mean((mean - others)[gone] ** 2))
    mask = np.zeros((8, 8), bool)
    mask[2:4] = True
    np.testing.assert_array_equal(model.inpaint(others, mask), filled)
    assert model.inpaint(others[0], mask).shape == (8, 8)
    # What lies under the mask cannot matter.
    np.testing.assert_array_equal(model.inpaint(np.where(gone, 9.0, others), mask), filled)


def test_a_fit_with_holes_fills_them(digits):
    X = digits[0] / 16
    missing = np.random.default_rng(0).random(X.shape) < 0.4
    model = ImageParts(12, random_state=0, max_iter=60).fit(X, missing=missing)
    holes = np.where(missing, np.nan, X)
    filled = model.inpaint(holes)
    mean = np.broadcast_to(np.nanmean(holes, axis=0), X.shape)
    wrong, usual = (np.sqrt(np.mean((Y - X)[missing] ** 2)) for Y in (filled, mean))
    assert wrong < 0.75 * usual
    np.testing.assert_allclose(model.transform(holes), model.coefficients_, atol=1e-5)


def test_a_picture_without_one_known_pixel_is_the_usual_one(model, digits):
    nothing = np.full((8, 8), np.nan)
    filled = model.inpaint(nothing)
    usual = model.inverse_transform(model.coefficients_.mean(axis=0))[0]
    np.testing.assert_allclose(filled, usual, atol=0.2)


def test_the_nearest_picture_of_one_is_itself(model, digits):
    found = model.nearest(digits[0][7], 3)
    assert found[0].name == "image 8"
    assert found[0].similarity == pytest.approx(1.0)
    assert np.linalg.norm(model.features(digits[0][:5]), axis=1) == pytest.approx(np.ones(5))


def test_who_is_known_and_who_is_not(model, digits):
    told = model.identify(load_digits().images[400:600])
    labels = load_digits().target[400:600]
    right = np.mean([one.label == str(label) for one, label in zip(told, labels, strict=True)])
    wrong = np.mean([one.label not in (None, str(n)) for one, n in zip(told, labels, strict=True)])
    assert right > 0.65
    assert wrong < 0.2
    noise = 16 * np.random.default_rng(0).random((20, 8, 8))
    assert not model.knows(noise).any()
    assert all(one.label is None and "do not fit" in one.reason for one in model.identify(noise))
    assert model.knows(digits[0]).mean() > 0.9


def test_recognition_is_measured_on_pictures_not_learned(digits):
    pictures = as_pictures(*digits)
    found = evaluate_recognition(pictures, lambda: ImageParts(16, random_state=0))
    assert found.n_train + found.n_test == 400
    assert found.nearest > 0.9
    assert found.logistic > 0.85
    assert found.confusion.sum() == found.n_test
    assert np.trace(found.confusion) == round(found.nearest * found.n_test)
    with pytest.raises(InputError, match="no labels"):
        evaluate_recognition(as_pictures(digits[0]), lambda: ImageParts(2))


def test_confusion_counts():
    names, table = confusion(["a", "b", "b"], ["a", "a", "b"])
    assert names == ["a", "b"]
    assert table.tolist() == [[1, 0], [1, 1]]


def test_cosines_without_labels_are_those_of_the_pictures_up_to_the_metric():
    rng = np.random.default_rng(0)
    W, H = rng.random((9, 3)), rng.random((3, 20))
    features = learn_metric(W, H, None).features(W)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0)
    # Splitting a part into two halves changes nothing that can be seen.
    split = learn_metric(
        np.hstack([W, W[:, :1]]), np.vstack([H[:1] / 2, H[1:], H[:1] / 2]), None
    ).features(np.hstack([W, W[:, :1]]))
    np.testing.assert_allclose(split @ split.T, features @ features.T, atol=1e-4)


def test_quality_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    x = rng.random((24, 31))
    y = np.clip(x + 0.1 * rng.standard_normal(x.shape), 0, 1)
    theirs = metrics.structural_similarity(
        x, y, data_range=1.0, gaussian_weights=True, use_sample_covariance=False
    )
    assert ssim(x, y) == pytest.approx(theirs, abs=1e-9)
    assert psnr(x, y) == pytest.approx(metrics.peak_signal_noise_ratio(x, y, data_range=1.0))
    assert psnr(x, x) == math.inf
    with pytest.raises(InputError, match="11 × 11"):
        ssim(x[:4], y[:4])


def test_more_parts_keep_more_and_svd_is_the_bound(digits):
    found = compression(digits[0][..., None] / 16, [4, 12])
    ours, svd = ([one for one in found if one.method == name] for name in ("nonneg", "svd"))
    assert ours[0].psnr < ours[1].psnr
    assert ours[0].bytes < ours[1].bytes
    assert all(one.psnr <= bound.psnr + 0.5 for one, bound in zip(ours, svd, strict=True))
    assert math.isnan(ours[0].ssim)
    with pytest.raises(InputError, match="missing"):
        compression(np.full((2, 3, 3, 1), np.nan), [1])


def test_robust_losses_leave_spots_out(digits):
    X = digits[0][:200] / 16
    spotted = X.copy()
    rng = np.random.default_rng(0)
    spots = rng.random(X.shape) < 0.05
    spotted[spots] = 1 - spotted[spots]

    def clean_error(loss: str) -> float:
        model = ImageParts(10, loss=loss, random_state=0, max_iter=100).fit(spotted)
        rebuilt = model.inverse_transform(model.coefficients_)
        return float(np.linalg.norm(rebuilt - X) / np.linalg.norm(X))

    assert clean_error("l1") < clean_error("frobenius")


def test_parts_under_a_wish_are_ordered_by_their_energy(digits):
    smooth = ImageParts(6, smoothness=0.3, max_iter=30, random_state=0).fit(digits[0])
    assert (np.diff(smooth.energy_) <= 1e-12).all()


def test_who_interrupts_the_trial_for_the_limit_keeps_the_parts(digits, monkeypatch):
    plain = ImageParts._plain

    def interrupted(self, *args, watched=True, **options):
        if not watched:
            raise KeyboardInterrupt
        return plain(self, *args, **options)

    monkeypatch.setattr(ImageParts, "_plain", interrupted)
    model = ImageParts(5, random_state=0, max_iter=20).fit(digits[0])
    assert (model.status_.name, model.limit_) == ("INTERRUPTED", math.inf)
    assert model.relative_error_ < 0.6
    assert model.knows(digits[0]).all()


def test_a_model_says_what_it_is(model):
    assert repr(ImageParts(5)) == "ImageParts(5, not fitted)"
    told = repr(model)
    assert told.startswith(f"ImageParts({model.n_parts}, fitted to {len(model.names_)} images of 8")
    assert f"{model.relative_error_:.3g}" in told


def test_nothing_is_told_of_a_picture_that_is_missing(model):
    one = model.identify(np.full((1, 8, 8), np.nan))[0]
    assert (one.label, one.reason) == (None, "all of its pixels are missing")


def test_a_model_comes_back(model, digits, tmp_path):
    again = nonneg.load(nonneg.save(model, tmp_path / "digits.nonneg"))
    assert isinstance(again, ImageParts)
    new = load_digits().images[500:520].copy()
    new[:, 1] = np.nan
    np.testing.assert_array_equal(again.transform(new), model.transform(new))
    np.testing.assert_array_equal(again.inpaint(new), model.inpaint(new))
    assert again.identify(new) == model.identify(new)
    assert again.nearest(new[0]) == model.nearest(new[0])
    assert again.limit_ == model.limit_
    plain = ImageParts(3, size=(4, 4), random_state=np.random.default_rng(0), loss="huber")
    plain.fit(digits[0][:9])
    back = nonneg.load(nonneg.save(plain, tmp_path / "plain.nonneg"))
    assert back.limit_ == math.inf
    assert back.size == (4, 4)
    np.testing.assert_array_equal(
        back.transform(digits[0][:3, ::2, ::2]), plain.transform(digits[0][:3, ::2, ::2])
    )


def test_a_damaged_record_is_refused(model):
    meta, arrays = model.to_record()
    for change in (
        {"H": arrays["H"][:, :9]},
        {"W": -arrays["W"]},
        {"W": arrays["W"][:5]},
        {"precision": np.eye(3)},
    ):
        with pytest.raises(ValueError):
            ImageParts.from_record(meta, arrays | change)
    with pytest.raises(KeyError):
        ImageParts.from_record({**meta, "status": "HAPPY"}, arrays)


def test_arrays_of_files_and_of_memory_are_the_same(digits, tmp_path):
    np.savez(tmp_path / "d.npz", images=digits[0][:50], y=digits[1][:50])
    one = ImageParts(4, random_state=0).fit(str(tmp_path / "d.npz"))
    two = ImageParts(4, random_state=0).fit(digits[0][:50], digits[1][:50])
    np.testing.assert_array_equal(one.components_, two.components_)
    assert one.labels_ == two.labels_


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((5, 4, 4)), {}, "black"),
        (np.full((5, 4, 4), np.nan), {}, "every pixel is missing"),
        (np.ones((3, 4, 4)), {"n_parts": 4}, "3 images of 16 pixels"),
        (np.ones((3, 4, 4)), {"n_parts": 0}, "n_parts=0"),
        (np.ones((3, 4, 4)), {"sparseness": 2.0}, "sparseness"),
        (np.eye(3)[:, None], {"loss": "l1", "smoothness": 1.0}, "goes with"),
        (np.eye(3)[:, None], {"loss": "odd"}, "loss="),
    ],
)
def test_what_cannot_be_fitted(images, options, message):
    with pytest.raises(InputError, match=message):
        ImageParts(**{"n_parts": 2, **options}).fit(images)


def test_new_images_that_cannot_be_used(model, digits):
    with pytest.raises(InputError, match="has 9 × 8 pixels"):
        model.transform(np.zeros((2, 8, 9)))
    with pytest.raises(InputError, match="one image"):
        model.nearest(digits[0][:2])
    with pytest.raises(InputError, match="not fitted"):
        ImageParts(3).transform(digits[0])
    with pytest.raises(InputError, match="no labels"):
        ImageParts(2, random_state=0).fit(digits[0][:30]).identify(digits[0][:1])
    with pytest.raises(InputError, match="12 parts"):
        model.inverse_transform(np.zeros((1, 3)))


def test_odd_images_go_through():
    with pytest.warns(UserWarning, match="1 of 1 images are of one shade.*: image 1"):
        constant = ImageParts(1, random_state=0).fit(np.full((1, 3, 3), 0.4))
    np.testing.assert_allclose(constant.inverse_transform(constant.coefficients_), 0.4, atol=1e-5)
    X = np.random.default_rng(0).random((30, 4, 4))
    X[5] = np.nan
    X[:, 0, 0] = np.nan
    with pytest.warns(UserWarning, match="1 of 16 pixels are missing in every image"):
        model = ImageParts(3, random_state=0).fit(X)
    assert np.isfinite(model.coefficients_).all()
    repaired = model.inpaint(X)
    assert np.isfinite(repaired).all()
    # What nobody knows is as what lies beside it, not black.
    assert repaired[:, 0, 0].min() > 0.05
    colour = np.random.default_rng(0).random((20, 4, 5, 3))
    kept = ImageParts(3, grey=False, random_state=0).fit(colour)
    assert kept.part_images_.shape == (3, 4, 5, 3)
    assert ImageParts(3, random_state=0).fit(colour).part_images_.shape == (3, 4, 5)


@pytest.mark.shared_data
def test_real_faces(shared_data: Path):
    with np.load(shared_data / "cbcl" / "cbcl_faces.npz") as stored:
        X = stored["X"][::12]
    plain = ImageParts(25, random_state=0).fit(X)
    sparse = ImageParts(25, sparseness=0.85, random_state=0, max_iter=60).fit(X)
    np.testing.assert_allclose(sparse.sparseness_, 0.85, atol=0.02)
    assert sparse.relative_error_ < 1.5 * plain.relative_error_
    assert not plain.knows(np.random.default_rng(0).random((10, 19, 19)) * 255).any()
