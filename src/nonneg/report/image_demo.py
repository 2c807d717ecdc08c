"""The facts of `nonneg demo images`: parts of handwritten digits, and a digit repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nonneg.apps.image_evaluation import evaluate_recognition
from nonneg.apps.images import ImageParts
from nonneg.io.pictures import as_pictures, write_png
from nonneg.report.facts import Facts
from nonneg.report.images import gallery, image_facts, recognition_facts, sketch

__all__ = ["image_demo_facts"]

N_PARTS, DIGIT, HIDDEN = 25, 1700, slice(2, 5)


def image_demo_facts(folder: Path) -> Facts:
    """Find parts of scikit-learn's digits, repair one, and write both as PNG files.

    Returns
    -------
    dict
        `source`, the facts of the parts (`image_facts`), `recognition`, `repair` (`digit`,
        `hidden_rows`, `error` in shades of 16, `nearest` labels, sketches `before`, `repaired`,
        `true`) and `written`, the paths of the two pictures.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images / 16.0, digits.target
    pictures = as_pictures(images, labels)
    recognition = evaluate_recognition(pictures, lambda: ImageParts(N_PARTS, random_state=0))
    learned = np.arange(len(images)) != DIGIT
    model = ImageParts(N_PARTS, random_state=0).fit(images[learned], labels[learned])
    true, hidden = images[DIGIT], images[DIGIT].copy()
    hidden[HIDDEN] = np.nan
    repaired = model.inpaint(hidden)
    gone = np.isnan(hidden)
    stages = [stage.image for stage in model.stages(hidden, 6)]
    parts = write_png(folder / "digits-parts.png", gallery(model.part_images_), force=True)
    shown = gallery([hidden, *stages, repaired, true], columns=len(stages) + 3)
    repair = write_png(folder / "digit-repaired.png", shown, force=True)
    told = model.identify(hidden)[0]
    return {
        "source": "1,797 handwritten digits of scikit-learn",
        **image_facts(model),
        "recognition": recognition_facts(recognition),
        "repair": {
            "digit": int(labels[DIGIT]),
            "told": told.label,
            "hidden_rows": [HIDDEN.start + 1, HIDDEN.stop],
            "error": float(np.sqrt(np.mean(np.square(16 * (repaired - true)[gone])))),
            "usual": float(np.sqrt(np.mean(np.square(16 * (images.mean(axis=0) - true)[gone])))),
            "before": sketch(np.nan_to_num(hidden)),
            "repaired": sketch(repaired),
            "true": sketch(true),
        },
        "written": [str(parts), str(repair)],
    }
