"""What missing pixels were: the parts' estimate, and what is left over beside them.

Parts say what the whole picture tells about a hole. What they leave over at pixels next to it says
the rest: the leftovers are averaged with weights that fall with distance (normalised convolution,
Knutsson & Westin 1993), and count for less the farther away they are. How wide to look is chosen on
known pixels that were held out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["REACHES", "leftovers"]

Pixels = NDArray[np.floating]

# Widths of the weights, in pixels.
REACHES = (0.5, 0.7, 1.0)
# Weight of "nothing is left over" beside the known neighbours'.
_DOUBT = 0.01


def leftovers(rest: Pixels, reach: float) -> NDArray[np.float64]:
    """Return what images (n, height, width, channels) leave over, NaN filled from known pixels."""
    known = ~np.isnan(rest)
    width = (0, reach, reach, 0)
    # Zero beyond the border: no pixel is known there.
    total = gaussian_filter(np.where(known, rest, 0.0), width, mode="constant", truncate=6.0)
    weight = gaussian_filter(known.astype(np.float64), width, mode="constant", truncate=6.0)
    return np.asarray(total / (np.maximum(weight, 0.0) + _DOUBT))
