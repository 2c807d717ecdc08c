"""The facts of `nonneg demo images`: parts of handwritten digits, and a digit repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nonneg.apps.image_evaluation import evaluate_recognition
from nonneg.apps.images import ImageParts
from nonneg.io.pictures import as_pictures, write_png
from nonneg.report.facts import Facts
from nonneg.report.images import gallery, image_facts, recognition_facts, sketch

__all__ = ["image_demo_facts"]

# Digits from the 1,501st on are not learned; the one shown is repaired about as well as most.
N_PARTS, SMOOTHNESS = 25, 0.1
LEARNED, DIGIT, HIDDEN = 1500, 201, slice(2, 5)


def image_demo_facts(folder: Path) -> Facts:
    """Find parts of scikit-learn's digits, repair one, and write both as PNG files.

    Returns
    -------
    dict
        `source`, the facts of the parts (`image_facts`), `recognition`, `repair` (`digit`,
        `n_repaired`, `hidden_rows`, `error` and `error_of_mean` in shades of 16, sketches
        `before`, `repaired`, `true`) and `written`, the paths of the two pictures.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images / 16.0, digits.target
    pictures = as_pictures(images, labels)
    recognition = evaluate_recognition(pictures, _model)
    model = _model().fit(images[:LEARNED], labels[:LEARNED])
    others = images[LEARNED:]
    holes = others.copy()
    holes[:, HIDDEN] = np.nan
    filled = model.inpaint(holes)
    mean = images[:LEARNED].mean(axis=0)
    true, hidden, repaired = others[DIGIT], holes[DIGIT], filled[DIGIT]
    stages = [stage.image for stage in model.stages(hidden, 6)]
    parts = write_png(folder / "digits-parts.png", gallery(model.part_images_), force=True)
    shown = gallery([hidden, *stages, repaired, true], columns=len(stages) + 3)
    repair = write_png(folder / "digit-repaired.png", shown, force=True)
    return {
        "source": "1,797 handwritten digits of scikit-learn",
        **image_facts(model),
        "recognition": recognition_facts(recognition),
        "repair": {
            "digit": int(labels[LEARNED + DIGIT]),
            "n_repaired": len(others),
            "hidden_rows": [HIDDEN.start + 1, HIDDEN.stop],
            "error": _wrong(filled, others),
            "error_of_mean": _wrong(mean, others),
            "before": sketch(np.nan_to_num(hidden)),
            "repaired": sketch(repaired),
            "true": sketch(true),
        },
        "written": [str(parts), str(repair)],
    }


def _model() -> ImageParts:
    return ImageParts(N_PARTS, smoothness=SMOOTHNESS, random_state=0)


def _wrong(guess: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Root mean squared error on the hidden rows, in shades of 16."""
    rest = 16 * (guess - true)[:, HIDDEN]
    return float(np.sqrt(np.mean(np.square(rest))))
