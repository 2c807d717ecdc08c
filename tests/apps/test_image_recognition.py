"""How pictures are compared, and who is unknown."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from nonneg import ImageParts
from nonneg.apps.image_recognition import leads, learn_metric


def test_a_lead_is_over_the_best_of_the_next_five_labels():
    codes = np.array([0, 1, 0, 2, 3, 4, 5, 6, 6])
    cosines = np.array([[0.1, 0.2, 0.9, 0.3, 0.4, 0.5, 0.6, 0.7, -0.5]])
    np.testing.assert_allclose(leads(cosines, codes), 0.9 - np.mean([0.3, 0.4, 0.5, 0.6, 0.7]))
    two = np.array([0, 1, 1])
    np.testing.assert_allclose(leads(np.array([[0.5, 0.2, 0.8]]), two), 0.3)
    np.testing.assert_allclose(leads(np.array([[0.5, 0.2, 0.8]]), 0 * two), 0.8)


def test_nearly_all_pictures_of_known_labels_have_the_lead():
    rng = np.random.default_rng(0)
    centres, codes = rng.gamma(1.0, size=(30, 12)), np.repeat(np.arange(30), 12)
    W = np.maximum(centres[codes] + 0.25 * rng.standard_normal((360, 12)), 0)
    fitted = np.arange(360) % 12 < 6
    metric = learn_metric(W[fitted], np.eye(12), [str(code) for code in codes[fitted]])
    gallery = metric.features(W[fitted])
    known = leads(metric.features(W[~fitted]) @ gallery.T, codes[fitted])
    assert np.mean(known < metric.limit) < 0.06
    strangers = rng.gamma(1.0, size=(200, 12))
    assert (
        np.mean(leads(metric.features(strangers) @ gallery.T, codes[fitted]) < metric.limit) > 0.3
    )


def test_without_two_pictures_of_a_label_everything_is_accepted():
    rng = np.random.default_rng(0)
    assert learn_metric(rng.random((4, 3)), np.eye(3), list("abcd")).limit == -1.0


def test_a_digit_that_was_never_learned_is_refused_and_those_that_were_are_not():
    data = load_digits()
    learned = data.target < 8
    first = np.random.default_rng(0).permutation(len(learned)) < 1000
    train = learned & first
    model = ImageParts(20, random_state=0).fit(data.images[train], data.target[train])
    known, strange = (model.identify(data.images[~first & which]) for which in (learned, ~learned))
    refused, of_strangers = (
        np.mean([one.label is None for one in told]) for told in (known, strange)
    )
    assert refused < 0.1
    assert of_strangers > 0.5
    assert {one.reason for one in strange} >= {"no label stands out", "the parts do not fit it"}
