"""Facts about pictures and their parts, and galleries of them as one picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.image_evaluation import Recognition
from nonneg.apps.image_quality import Compression
from nonneg.apps.images import ImageParts
from nonneg.io.pictures import Pictures
from nonneg.report.facts import Facts

__all__ = [
    "averages",
    "compression_facts",
    "gallery",
    "image_facts",
    "new_image_facts",
    "recognition_facts",
    "sketch",
    "told_facts",
]

Array = NDArray[np.float64]

# Shades of a sketch, from black; rows and columns of characters it may take.
SHADES = 5
_SKETCH = (9, 18)
_SKETCHED = 8
_MISTAKES = 5
# Pixels that a gallery is about as wide as, and what stands between its pictures.
_WIDE, _BETWEEN = 640, 0.5


def image_facts(model: ImageParts) -> Facts:
    """The facts of parts and of the pictures that they were found in.

    Returns
    -------
    dict
        `n_images`, `height`, `width`, `channels`, `choices` (grey, scaling), `labels` (how many
        different ones, None without), `skipped` (name, reason), `rank`, `variant`, `overlap`,
        `asked_sparseness`, `smoothness`, `loss`, `seed`, `relative_error`, `limit` (None where
        none was measured), `status`, `advice`, `n_iter`, `sparseness` (lowest, mean, highest),
        `errors` (median, highest, and the name of the worst picture), and `components`: for each
        its `number` from 1, `share` of the energy, `sparseness`, the name of the picture that it
        is `strongest` in, and for the first eight a `sketch`, rows of shades from 0 to 4.
    """
    height, width, channels = model.shape_
    sparseness, energy = model.sparseness_, model.energy_
    seed = model.random_state
    worst = int(model.errors_.argmax())
    images = model.part_images_
    strongest = model.coefficients_.argmax(axis=0)
    return {
        "n_images": len(model.names_),
        "height": height,
        "width": width,
        "channels": channels,
        "choices": {"grey": model.choices_.grey, "scaling": model.choices_.scaling},
        "labels": None if model.labels_ is None else len(set(model.labels_)),
        "skipped": [asdict(one) for one in model.skipped_],
        "rank": len(model.components_),
        "variant": model.variant,
        "overlap": model.overlap if model.variant == "local" else None,
        "asked_sparseness": model.sparseness,
        "smoothness": model.smoothness,
        "loss": model.loss if isinstance(model.loss, str) else model.loss.name,
        "seed": seed if isinstance(seed, int) else None,
        "relative_error": model.relative_error_,
        "limit": None if math.isinf(model.limit_) else model.limit_,
        "status": model.status_.name.lower(),
        "advice": model.status_.value,
        "n_iter": model.n_iter_,
        "sparseness": {
            "lowest": float(sparseness.min()),
            "mean": float(sparseness.mean()),
            "highest": float(sparseness.max()),
        },
        "errors": {
            "median": float(np.median(model.errors_)),
            "highest": float(model.errors_[worst]),
            "worst": model.names_[worst],
        },
        "components": [
            {
                "number": t + 1,
                "share": float(energy[t]),
                "sparseness": float(sparseness[t]),
                "strongest": model.names_[strongest[t]],
                "sketch": sketch(images[t]) if t < _SKETCHED else None,
            }
            for t in range(len(images))
        ],
    }


def new_image_facts(model: ImageParts, pictures: Pictures, *, n: int = 3) -> list[Facts]:
    """What a model says of each of some pictures.

    Returns
    -------
    list of dict
        `name`, `missing` (share of its pixels), `error`, `known` (whether the error is within the
        limit), `label` and `reason` (where labels were fitted, else None; the label is None where
        it is unknown), `lead` (of the label over the next ones, None without labels), `nearest`
        (name, similarity) and the `parts` that most of its brightness
        comes from (number, share).
    """
    W = model.transform(pictures)
    errors = model.errors(pictures)
    told = model.identify(pictures) if model.labels_ is not None else [None] * len(pictures)
    brightness = W.astype(np.float64) * model.components_.sum(axis=1, dtype=np.float64)
    found = []
    for i, name in enumerate(pictures.names):
        one = Pictures(pictures.pixels[i : i + 1], (name,), None, pictures.choices)
        shares = brightness[i] / (float(brightness[i].sum()) or 1.0)
        order = np.argsort(-shares, kind="stable")[:n]
        identity = told[i]
        found.append(
            {
                "name": name,
                "missing": float(np.isnan(pictures.pixels[i]).mean()),
                "error": float(errors[i]),
                "known": bool(errors[i] <= model.limit_),
                "label": None if identity is None else identity.label,
                "reason": None if identity is None else identity.reason,
                "lead": None if identity is None else identity.lead,
                "nearest": [
                    {"name": near.name, "similarity": near.similarity}
                    for near in model.nearest(one, n)
                ],
                "parts": [
                    {"number": int(t) + 1, "share": float(shares[t])} for t in order if shares[t]
                ],
            }
        )
    return found


def told_facts(images: Sequence[Facts], labels: Sequence[str] | None) -> Facts | None:
    """How often new pictures that have labels were given them; None where there is no label.

    Parameters
    ----------
    images : list of dict
        What `new_image_facts` returned.
    labels : sequence of str, optional
        Those of the new pictures.

    Returns
    -------
    dict
        `n`, how many of them are `right`, `wrong` and `unknown`, and `reasons`: how many are
        unknown for each.
    """
    if labels is None or images[0]["reason"] is None:
        return None
    right = sum(one["label"] == label for one, label in zip(images, labels, strict=True))
    unknown = sum(one["label"] is None for one in images)
    return {
        "n": len(images),
        "right": right,
        "wrong": len(images) - right - unknown,
        "unknown": unknown,
        "reasons": dict(Counter(one["reason"] for one in images if one["reason"])),
    }


def recognition_facts(found: Recognition) -> Facts:
    """How well labels were told, and the pairs that were taken for one another most often.

    Returns
    -------
    dict
        `n_train`, `n_test`, the shares `nearest`, `logistic`, `pca` and `refused`, `labels`,
        `confusion` (rows are the true labels) and `mistakes` (true, told, count).
    """
    wrong = found.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MISTAKES]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return {
        "n_train": found.n_train,
        "n_test": found.n_test,
        "nearest": found.nearest,
        "logistic": found.logistic,
        "pca": found.pca,
        "refused": found.refused,
        "labels": found.labels,
        "confusion": found.confusion.tolist(),
        "mistakes": [
            {"true": found.labels[i], "told": found.labels[j], "count": int(wrong[i, j])}
            for i, j in pairs
            if wrong[i, j]
        ],
    }


def compression_facts(found: Sequence[Compression]) -> list[Facts]:
    """Bytes and quality against rank; `ssim` is None for pictures below 11 × 11 pixels."""
    rows = []
    for one in found:
        row: dict[str, Any] = asdict(one)
        row["ssim"] = None if math.isnan(one.ssim) else one.ssim
        rows.append(row)
    return rows


def gallery(images: Sequence[NDArray[Any]] | NDArray[Any], columns: int | None = None) -> Array:
    """Put pictures of one size side by side, as one picture from 0 to 1.

    Parameters
    ----------
    images : sequence of array (height, width) or (height, width, channels)
        NaN is drawn as a check pattern. Other channels than three are drawn as their mean.
    columns : int, optional
        At most. Default: about as many as rows.

    Returns
    -------
    ndarray (height, width) or (height, width, 3)
        Enlarged by a whole number to about 640 pixels.
    """
    shown = np.stack([_checked(_drawable(image)) for image in images])
    n, height, width = shown.shape[:3]
    across = min(n, columns or max(1, math.ceil(math.sqrt(n * height / width))))
    down = math.ceil(n / across)
    scale = max(1, round(_WIDE / (across * width)))
    large = shown.repeat(scale, axis=1).repeat(scale, axis=2)
    gap = max(1, scale * min(height, width) // 16)
    tall, wide = height * scale + gap, width * scale + gap
    page = np.full((down * tall + gap, across * wide + gap, *shown.shape[3:]), _BETWEEN)
    for i, image in enumerate(large):
        top, left = gap + i // across * tall, gap + i % across * wide
        page[top : top + tall - gap, left : left + wide - gap] = image
    return page


def sketch(image: NDArray[Any]) -> list[list[int]]:
    """A picture as few rows of shades, each twice as high as wide, as characters are."""
    plane = np.asarray(image, dtype=np.float64)
    if plane.ndim == 3:
        plane = plane.mean(axis=-1)
    height, width = plane.shape
    scale = min(_SKETCH[0] / height * 2, _SKETCH[1] / width)
    rows, columns = (
        max(1, min(limit, round(side)))
        for limit, side in zip(_SKETCH, (height * scale / 2, width * scale), strict=True)
    )
    small = averages(averages(plane, rows).T, columns).T
    shades = np.floor(small / (small.max() or 1.0) * SHADES).clip(0, SHADES - 1)
    told: list[list[int]] = shades.astype(int).tolist()
    return told


def averages(plane: Array, n: int) -> Array:
    """Rows averaged to n, or repeated."""
    edges = np.linspace(0, len(plane), n + 1)
    first, last = np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)
    return np.stack([plane[a:b].mean(axis=0) for a, b in zip(first, last, strict=True)])


def _drawable(image: NDArray[Any]) -> Array:
    values = np.asarray(image, dtype=np.float64)
    return values if values.ndim == 2 or values.shape[-1] == 3 else values.mean(axis=-1)


def _checked(image: Array) -> Array:
    pattern = np.indices(image.shape[:2]).sum(axis=0) % 2 * 0.35 + 0.3
    if image.ndim == 3:
        pattern = pattern[:, :, None]
    return np.where(np.isnan(image), pattern, image.clip(0, 1))
