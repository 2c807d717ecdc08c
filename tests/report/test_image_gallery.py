"""Pictures side by side as one."""

from __future__ import annotations

import numpy as np
import pytest

from nonneg.report.images import gallery


@pytest.mark.parametrize(
    ("n", "columns", "across"), [(3, 6, 3), (6, 6, 6), (7, 6, 6), (1, None, 1)]
)
def test_a_row_is_no_longer_than_there_are_pictures(n, columns, across):
    page = gallery([np.ones((20, 20))] * n, columns)
    # White pictures on grey: along the first row of pixels that has pictures.
    row = page[page.shape[0] // (2 * -(-n // across))]
    edges = np.flatnonzero(np.diff((row == 1).astype(int)) == 1)
    assert len(edges) == across


def test_holes_are_drawn_as_a_pattern():
    image = np.full((4, 4), np.nan)
    page = gallery([image])
    assert np.isfinite(page).all()
    assert len(np.unique(page)) == 3
