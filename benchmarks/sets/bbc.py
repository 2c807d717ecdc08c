"""BBC news as OCTIS prepared it: 2,225 items, lemmatised, 2,949 words, five classes."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np

from sets.paths import source


@cache
def texts(folder: Path | None) -> tuple[list[str], np.ndarray]:
    """Return the texts, words separated by blanks, and the class of each."""
    with gzip.open(source(folder, "bbc-octis", "corpus.tsv.gz"), "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [row[0] for row in rows], np.array([row[2] for row in rows])
