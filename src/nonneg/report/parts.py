"""Facts for the galleries of `ImageParts`: its parts, and how one picture adds up from them.

Small pictures for figures; `image_steps` has every pixel, for pages that draw on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.images import ImageParts
from nonneg.errors import InputError
from nonneg.io.pictures import as_pictures
from nonneg.report.facts import Facts
from nonneg.report.images import averages

__all__ = ["build_up_facts", "gallery_facts"]

_MOST = 100
_SIDE = 48  # pixels a side, of which a gallery has many


def gallery_facts(model: ImageParts, *, most: int = _MOST) -> Facts:
    """The parts as pictures, largest energy first.

    Parameters
    ----------
    model : ImageParts
    most : int, default 100
        Parts at most.

    Returns
    -------
    dict
        `pictures` (each a list of rows of grey values, or of [r, g, b], from 0 to 255), `names`,
        `title` and `note`.
    """
    shown = model.part_images_[:most]
    total = len(model.components_)
    return {
        "pictures": [_small(image, 1.0) for image in shown],
        "names": [
            f"part {t + 1} {share:.1%}" for t, share in enumerate(model.energy_[:most].tolist())
        ],
        "title": f"{total} parts of {len(model.names_):,} images",
        "note": "with their shares of the energy"
        + (f"; the {most} largest" if total > most else ""),
    }


def build_up_facts(
    model: ImageParts, image: object, *, n: int = 10, missing: object = None
) -> Facts:
    """A picture and what it becomes while its parts are added, the largest first.

    Parameters
    ----------
    model : ImageParts
    image : one image, as in `fit`
    n : int, default 10
        Parts to add one by one; the last picture has all.
    missing : as in `fit`, optional

    Returns
    -------
    dict
        `pictures` and `names` as of `gallery_facts` (the picture itself is first; of a missing
        pixel the value is None), `parts` (numbers), `shares` (of the picture's brightness),
        `errors` (relative error after each), `title` and `note`.

    Raises
    ------
    InputError
        More or less than one image.
    """
    given = as_pictures(image, missing=missing, choices=model.choices_, shape=model.shape_)
    if len(given) != 1:
        raise InputError(f"{len(given)} images · steps are those of one · give one image")
    stages = model.stages(given)
    if not stages:
        raise InputError("the image holds none of the parts · there are no steps · give another")
    first = stages[:n]
    whole = [] if len(first) == len(stages) else [stages[-1]]
    peak = model.choices_.peak
    grown = [_small(stage.image, peak) for stage in (*first, *whole)]
    return {
        "pictures": [_small(given.pixels[0], 1.0), *grown],
        "names": [
            given.names[0],
            *(f"+ part {stage.part + 1} error {stage.error:.2f}" for stage in first),
            *(f"all {len(stages)} parts error {stage.error:.2f}" for stage in whole),
        ],
        "parts": [stage.part + 1 for stage in (*first, *whole)],
        "shares": [stage.share for stage in (*first, *whole)],
        "errors": [stage.error for stage in (*first, *whole)],
        "title": f"{given.names[0]}, part by part",
        "note": "the parts that its brightness comes from most are first",
    }


def _small(image: NDArray[Any], peak: float) -> list[Any]:
    """A picture of at most 48 pixels a side as whole numbers from 0 to 255, None where missing."""
    height, width = image.shape[:2]
    colour = image.ndim == 3 and image.shape[2] == 3
    planes = np.moveaxis(image, 2, 0) if image.ndim == 3 else image[None]
    if not colour:
        planes = planes.mean(axis=0, keepdims=True)
    scale = min(1.0, _SIDE / max(height, width))
    rows, columns = max(1, round(scale * height)), max(1, round(scale * width))
    small = np.stack([averages(averages(plane, rows).T, columns).T for plane in planes], axis=-1)
    found = [
        [None if np.isnan(cell).any() else _shades(cell, peak) for cell in row] for row in small
    ]
    return found if colour else [[cell and cell[0] for cell in row] for row in found]


def _shades(cell: NDArray[np.float64], peak: float) -> list[int]:
    return [round(255 * min(max(value / peak, 0.0), 1.0)) for value in cell.tolist()]
