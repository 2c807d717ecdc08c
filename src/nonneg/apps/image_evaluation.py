"""How well pictures are recognised by their parts, on half of each label's pictures held out.

Beside it stands PCA of the same rank with the same cosine, the usual yardstick (Turk & Pentland
1991), and a logistic regression on the same features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.image_recognition import confusion
from nonneg.apps.images import ImageParts
from nonneg.errors import InputError
from nonneg.io.pictures import Pictures

__all__ = ["Recognition", "evaluate_recognition"]


@dataclass(frozen=True, eq=False)
class Recognition:
    """What came out.

    Attributes
    ----------
    n_train, n_test : int
    nearest, logistic, pca : float
        Shares of the test pictures whose label was told: nearest picture by cosine, logistic
        regression on the same features, and nearest by cosine in a PCA of the same rank.
    refused : float
        Share of the test pictures that `identify` calls unknown.
    labels : list of str
    confusion : ndarray of int (labels, labels)
        How often each label (row) was taken for each (column), by the nearest picture.
    """

    n_train: int
    n_test: int
    nearest: float
    logistic: float
    pca: float
    refused: float
    labels: list[str]
    confusion: NDArray[np.intp]


def evaluate_recognition(
    pictures: Pictures, make: Callable[[], ImageParts], *, random_state: int = 0
) -> Recognition:
    """Learn from half of each label's pictures, and test on the others.

    Parameters
    ----------
    pictures : Pictures
        With labels; a label with one picture is left out.
    make : callable() -> ImageParts
        Makes an unfitted model.

    Raises
    ------
    InputError
        There are no labels, or fewer than two with two pictures each.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    train, test = _halves(pictures, random_state)
    labels = np.array(pictures.labels)
    model = make().fit(_part(pictures, train))
    train_labels, test_labels = labels[train], labels[test]
    W = model.transform(_part(pictures, test))
    A, B = model.metric_.features(model.coefficients_), model.metric_.features(W)
    told = train_labels[(B @ A.T).argmax(axis=1)]
    classifier = LogisticRegression(C=10.0, max_iter=2000).fit(A, train_labels)
    X = pictures.matrix
    X = np.where(np.isnan(X), np.nanmean(X), X)
    pca = PCA(min(len(model.components_), len(train) - 1), random_state=0).fit(X[train])
    P, Q = pca.transform(X[train]), pca.transform(X[test])
    P /= np.maximum(np.linalg.norm(P, axis=1, keepdims=True), 1e-12)
    by_pca = train_labels[(Q @ P.T).argmax(axis=1)]
    unknown = [one.label is None for one in model.identify(_part(pictures, test))]
    names, table = confusion(list(test_labels), list(told))
    return Recognition(
        n_train=len(train),
        n_test=len(test),
        nearest=float(np.mean(told == test_labels)),
        logistic=float(classifier.score(B, test_labels)),
        pca=float(np.mean(by_pca == test_labels)),
        refused=float(np.mean(unknown)),
        labels=names,
        confusion=table,
    )


def _halves(pictures: Pictures, random_state: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if pictures.labels is None:
        raise InputError(
            "the pictures have no labels · put those of each label into a folder of its own, or "
            "an array y beside the images into the npz file"
        )
    counts = Counter(pictures.labels)
    usable = sorted(label for label, n in counts.items() if n > 1)
    if len(usable) < 2:
        raise InputError(
            f"{len(usable)} labels have two pictures or more · to test recognition, two labels "
            "with two pictures each are the least · add pictures"
        )
    rng = np.random.default_rng(random_state)
    labels = np.array(pictures.labels)
    train, test = [], []
    for label in usable:
        places = rng.permutation(np.flatnonzero(labels == label))
        half = (len(places) + 1) // 2
        train.append(places[:half])
        test.append(places[half:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


def _part(pictures: Pictures, places: NDArray[np.intp]) -> Pictures:
    names = tuple(pictures.names[i] for i in places)
    labels = None if pictures.labels is None else tuple(pictures.labels[i] for i in places)
    return replace(pictures, pixels=pictures.pixels[places], names=names, labels=labels)
