"""Facts of pictures as pixels, for pages that draw them: parts, sums step by step, repairs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.images import ImageParts
from nonneg.errors import InputError
from nonneg.io.pictures import Pictures
from nonneg.report.facts import Facts

__all__ = ["part_pixels", "pixel_facts", "repair_facts", "step_pixels"]

_MOST_STAGES = 40


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


def part_pixels(model: ImageParts) -> list[Facts]:
    """The parts as pixels, each with its `number` from 1 and its `share` of the energy."""
    shares = model.energy_
    return [
        {"number": t + 1, "share": float(shares[t]), "pixels": pixel_facts(image)}
        for t, image in enumerate(model.part_images_)
    ]


def step_pixels(model: ImageParts, picture: Pictures) -> Facts:
    """How one picture comes together from its parts.

    Returns
    -------
    dict
        `name`, `pixels`, `error` (of the sum of all parts), and `stages`, the largest part first:
        `number` of the part from 1, `share` of the brightness, `error` and `pixels` so far.
    """
    stages = model.stages(picture, _MOST_STAGES)
    peak = model.choices_.peak
    return {
        "name": picture.names[0],
        "pixels": pixel_facts(picture.pixels[0]),
        "error": float(model.errors(picture)[0]),
        "stages": [
            {
                "number": stage.part + 1,
                "share": stage.share,
                "error": stage.error,
                "pixels": pixel_facts(stage.image / peak),
            }
            for stage in stages
        ],
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
