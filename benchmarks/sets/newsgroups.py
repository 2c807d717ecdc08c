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
def counts(folder: Path | None) -> sp.csr_array:
    """Return the counts as float32, empty rows dropped."""
    frame = pd.read_parquet(source(folder, "20newsgroups", "20newsgroups.parquet"))
    texts = [
        strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(text)))
        for text in frame.text
    ]
    vectorizer = CountVectorizer(max_df=0.95, min_df=2, max_features=20000, stop_words="english")
    X = sp.csr_array(vectorizer.fit_transform(texts).astype(np.float32))
    return X[np.asarray(X.sum(axis=1)).ravel() > 0]


def tfidf(folder: Path | None) -> sp.csr_array:
    """Return tf-idf of the same messages and words, as float32."""
    return sp.csr_array(TfidfTransformer().fit_transform(counts(folder)).astype(np.float32))
