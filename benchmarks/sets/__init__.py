"""The data sets, one module a source; `load` finds one by name.

Real data are never part of the project: they lie in a folder given by option, one folder a source
(their names are in README.md). What is generated needs no folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from task import Matrix

from sets import cbcl, leukemia, newsgroups, orl, pbmc3k, planted

# Name → how to get it from the folder of the data.
SETS: dict[str, Callable[[Path | None], Matrix]] = {
    "20 newsgroups counts": newsgroups.counts,
    "20 newsgroups tf-idf": newsgroups.tfidf,
    "pbmc3k counts": pbmc3k.counts,
    "ORL faces": orl.faces,
    "CBCL faces": cbcl.faces,
    "ALL-AML": leukemia.expression,
    "dense synthetic": lambda _: planted.dense(),
    "small dense": lambda _: planted.dense(120, 80, 5),
    "small sparse": lambda _: planted.sparse(20_000, n_columns=1000),
}


def load(name: str, folder: Path | None) -> Matrix:
    """Return a data set by name; FileNotFoundError where its files are not in the folder."""
    return SETS[name](folder)
