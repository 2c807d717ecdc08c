"""20 newsgroups: all 18,846 messages without headers, footers and quotes, 20,000 words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.datasets._twenty_newsgroups import (
    strip_newsgroup_footer,
    strip_newsgroup_header,
    strip_newsgroup_quoting,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from sets.paths import source


@cache
def messages(folder: Path | None, split: str | None = None) -> list[str]:
    """Return the stripped messages, of the "train" or "test" part or of both."""
    frame = pd.read_parquet(source(folder, "20newsgroups", "20newsgroups.parquet"))
    chosen = frame.text if split is None else frame.text[frame.split == split]
    return [
        strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(text)))
        for text in chosen
    ]


@cache
def counts(folder: Path | None) -> sp.csr_array:
    """Return the counts as float32, empty rows dropped."""
    texts = messages(folder)
    vectorizer = CountVectorizer(max_df=0.95, min_df=2, max_features=20000, stop_words="english")
    X = sp.csr_array(vectorizer.fit_transform(texts).astype(np.float32))
    return X[np.asarray(X.sum(axis=1)).ravel() > 0]


def tfidf(folder: Path | None) -> sp.csr_array:
    """Return tf-idf of the same messages and words, as float32."""
    return sp.csr_array(TfidfTransformer().fit_transform(counts(folder)).astype(np.float32))
