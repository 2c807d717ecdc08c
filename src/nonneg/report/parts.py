"""Facts of pictures and their parts: galleries, sums step by step, repairs.

A picture is told as `pixel_facts`, every pixel in few bytes, for pages that draw it themselves; or
as small rows of numbers, of which figures have many.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.images import ImageParts
from nonneg.errors import InputError
from nonneg.io.pictures import Pictures, as_pictures
from nonneg.report.facts import Facts
from nonneg.report.images import averages

__all__ = [
    "build_up_facts",
    "gallery_facts",
    "part_facts",
    "pixel_facts",
    "repair_facts",
    "step_facts",
]

_MOST = 100
_SIDE = 48  # pixels a side, of which a gallery has many


def pixel_facts(image: NDArray[Any]) -> Facts:
    """A picture from 0 (black) to 1 as bytes.

    Returns
    -------
    dict
        `height`, `width`, `colour` (whether three bytes a pixel), and `bytes`: base64 of one byte
        for each value, row by row. What is missing is 0. Other channels than three are one: their
        mean.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if values.ndim == 3 and values.shape[-1] != 3:
        values = values.mean(axis=-1)
    shades = np.rint(255 * values.clip(0.0, 1.0)).astype(np.uint8)
    return {
        "height": shades.shape[0],
        "width": shades.shape[1],
        "colour": shades.ndim == 3,
        "bytes": b64encode(shades.tobytes()).decode("ascii"),
    }


def part_facts(
    model: ImageParts,
    *,
    most: int | None = None,
    draw: Callable[[NDArray[Any]], Any] = pixel_facts,
) -> list[Facts]:
    """The parts, largest energy first.

    Parameters
    ----------
    model : ImageParts
    most : int, optional
        Parts at most.
    draw : callable(image), default `pixel_facts`
        How a picture is told.

    Returns
    -------
    list of dict
        `number` from 1, `share` of the energy, `pixels`.
    """
    return [
        {"number": t + 1, "share": float(model.energy_[t]), "pixels": draw(image)}
        for t, image in enumerate(model.part_images_[:most])
    ]


def step_facts(
    model: ImageParts,
    picture: Pictures,
    *,
    most: int | None = None,
    draw: Callable[[NDArray[Any]], Any] = pixel_facts,
) -> Facts:
    """How one picture comes together from its parts.

    Parameters
    ----------
    model : ImageParts
    picture : Pictures
        One.
    most : int, optional
        Stages at most.
    draw : callable(image), default `pixel_facts`
        How a picture is told.

    Returns
    -------
    dict
        `name`, `pixels`, `error` (of the sum of all parts), and `stages`, the largest part first:
        `number` of the part from 1, `share` of the brightness, `error` and `pixels` so far.
    """
    peak = model.choices_.peak
    return {
        "name": picture.names[0],
        "pixels": draw(picture.pixels[0]),
        "error": float(model.errors(picture)[0]),
        "stages": [
            {
                "number": stage.part + 1,
                "share": stage.share,
                "error": stage.error,
                "pixels": draw(stage.image / peak),
            }
            for stage in model.stages(picture, most)
        ],
    }


def gallery_facts(model: ImageParts, *, most: int = _MOST) -> Facts:
    """The parts as small pictures for a figure, largest energy first.

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
    shown = part_facts(model, most=most, draw=_small)
    total = len(model.components_)
    return {
        "pictures": [part["pixels"] for part in shown],
        "names": [f"part {part['number']} {part['share']:.1%}" for part in shown],
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
    told = step_facts(model, given, draw=_small)
    stages = told["stages"]
    if not stages:
        raise InputError("the image holds none of the parts · there are no steps · give another")
    first = stages[:n]
    shown = first if len(first) == len(stages) else [*first, stages[-1]]
    said = [f"+ part {stage['number']}" for stage in first]
    said += [f"all {len(stages)} parts"] * (len(shown) - len(first))
    return {
        "pictures": [told["pixels"], *(stage["pixels"] for stage in shown)],
        "names": [
            told["name"],
            *(
                f"{word} error {stage['error']:.2f}"
                for word, stage in zip(said, shown, strict=True)
            ),
        ],
        "parts": [stage["number"] for stage in shown],
        "shares": [stage["share"] for stage in shown],
        "errors": [stage["error"] for stage in shown],
        "title": f"{told['name']}, part by part",
        "note": "the parts that its brightness comes from most are first",
    }


def repair_facts(model: ImageParts, picture: Pictures, hidden: Sequence[int]) -> Facts:
    """One picture with some pixels hidden, repaired from those that are left.

    Parameters
    ----------
    model : ImageParts
    picture : Pictures
        One.
    hidden : sequence of int
        Pixels from 0, row by row.

    Returns
    -------
    dict
        `hidden` (how many), `pixels` (repaired), and the root mean square of what is wrong at the
        hidden ones, as a share of white: `error`, and `error_of_mean` if the mean of what the
        parts were found in had been taken instead; None where nothing is hidden.

    Raises
    ------
    InputError
        There is no such pixel, or none is left.
    """
    height, width, _ = picture.shape
    places = np.unique(np.asarray(hidden, dtype=np.int64))
    if places.size and not 0 <= places[0] <= places[-1] < height * width:
        raise InputError(
            f"pixels {places[0]} to {places[-1]} are hidden · a picture of {height} × {width} has "
            f"0 to {height * width - 1} · leave the others out"
        )
    if places.size == height * width:
        raise InputError("every pixel is hidden · nothing is left to repair from · leave some")
    holes = np.zeros(height * width, dtype=bool)
    holes[places] = True
    peak = model.choices_.peak
    repaired = model.inpaint(picture, holes.reshape(1, height, width))[0] / peak
    mean = model.inverse_transform(model.coefficients_.mean(axis=0))[0] / peak
    true = picture.pixels[0].reshape(repaired.shape)
    return {
        "hidden": int(places.size),
        "pixels": pixel_facts(repaired),
        "error": _wrong(repaired, true, holes),
        "error_of_mean": _wrong(mean, true, holes),
    }


def _wrong(guess: NDArray[Any], true: NDArray[Any], holes: NDArray[np.bool_]) -> float | None:
    rest = (guess - true).reshape(holes.size, -1)[holes]
    known = rest[~np.isnan(rest)]
    return float(np.sqrt(np.mean(np.square(known)))) if known.size else None


def _small(image: NDArray[Any]) -> list[Any]:
    """A picture from 0 (black) to 1 as rows of whole numbers from 0 to 255, None where missing.

    It has at most 48 pixels a side.
    """
    height, width = image.shape[:2]
    colour = image.ndim == 3 and image.shape[2] == 3
    planes = np.moveaxis(image, 2, 0) if image.ndim == 3 else image[None]
    if not colour:
        planes = planes.mean(axis=0, keepdims=True)
    scale = min(1.0, _SIDE / max(height, width))
    rows, columns = max(1, round(scale * height)), max(1, round(scale * width))
    small = np.stack([averages(averages(plane, rows).T, columns).T for plane in planes], axis=-1)
    found = [[None if np.isnan(cell).any() else _shades(cell) for cell in row] for row in small]
    return found if colour else [[cell and cell[0] for cell in row] for row in found]


def _shades(cell: NDArray[np.float64]) -> list[int]:
    return [round(255 * min(max(value, 0.0), 1.0)) for value in cell.tolist()]
