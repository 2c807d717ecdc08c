"""From texts to a document-term matrix: words, which of them count, and how much.

The counting is scikit-learn's `CountVectorizer`; ours are the pattern, which works in every script
that puts spaces between words, the limits, which adapt to the corpus, and the weights.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

import narwhals.stable.v1 as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from nonneg.errors import InputError

__all__ = [
    "COMPANY_WORDS",
    "Limits",
    "Order",
    "WordCounter",
    "WordRanks",
    "as_texts",
    "inverse_frequencies",
    "limits",
    "resolve_stop_words",
    "tokens",
    "weigh",
    "word_ranks",
]

StopWords = Literal["auto", "english"] | Iterable[str] | None

# What is left of don't and we've once they are cut at the apostrophe; "won" is a word of its own.
_FRAGMENTS = [
    "ain",
    "aren",
    "couldn",
    "didn",
    "doesn",
    "don",
    "hadn",
    "hasn",
    "haven",
    "isn",
    "ll",
    "mustn",
    "re",
    "shouldn",
    "ve",
    "wasn",
    "weren",
    "wouldn",
]
_ENGLISH = frozenset(ENGLISH_STOP_WORDS) | frozenset(_FRAGMENTS)
# Of the most frequent words of a corpus, in English about nine in ten are stop words.
_FREQUENT, _TELLING, _SAMPLE = 10, 5, 1000
# Below this many documents a word in one of them, or in most, may be all there is.
_FEW = 20
_MOST_DF = 0.5
_MIN_DF, _PER_STEP, _LARGEST_MIN_DF = 2, 2000, 10

# By lift, words below this part of the weight of the topic's hundredth word have no say: the most
# exclusive words are those that occur once.
_LIFT_FLOOR, _HUNDREDTH = 0.1, 100

# Beyond are variation selectors, which no word needs.
_LAST_MARK = 0x1F000

Counts = Any  # scipy sparse CSR (n_documents, n_words)
# Of so many relevant words, those come first that keep company; what company counts beside
# relevance. Measured on Medlars, 20 newsgroups and BBC: docs/adr/0013.
COMPANY_WORDS, _COMPANY_WEIGHT = 20, 4.0

Order = Literal["company", "relevance", "weight", "lift"]


@dataclass(frozen=True)
class Limits:
    """In how many documents a word has to be, and may be at most."""

    min_df: int
    max_df: int


def limits(n_documents: int, min_df: float | str, max_df: float | str) -> Limits:
    """Return the limits for a corpus; shares and "auto" become numbers of documents.

    "auto" for min_df is 1 below 20 documents, 2 at 20, and one more for each 2,000 documents up to
    10; for max_df it is half of the documents, or all below 20.

    Raises
    ------
    InputError
        A limit is no share or number of documents, or they leave nothing between them.

    Examples
    --------
    >>> limits(4000, "auto", "auto")
    Limits(min_df=4, max_df=2000)
    """
    few = n_documents < _FEW
    low = min(_LARGEST_MIN_DF, _MIN_DF + n_documents // _PER_STEP) if not few else 1
    high = n_documents if few else int(_MOST_DF * n_documents)
    found = Limits(
        low if min_df == "auto" else _documents("min_df", min_df, n_documents),
        high if max_df == "auto" else _documents("max_df", max_df, n_documents),
    )
    if found.min_df > found.max_df:
        raise InputError(
            f"min_df={min_df!r} is {found.min_df} documents, max_df={max_df!r} is {found.max_df} · "
            "no word can be in that many and in so few · lower min_df or raise max_df"
        )
    return found


def _documents(name: str, value: float | str, n_documents: int) -> int:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0:
        return int(value)
    if isinstance(value, (float, np.floating)) and 0 <= value <= 1:
        # As in scikit-learn: at least the share from below, at most from above.
        share = float(value) * n_documents
        return int(np.ceil(share)) if name == "min_df" else int(share)
    raise InputError(
        f'{name}={value!r} · it is "auto", a number of documents (int) or a share of them (float '
        "from 0 to 1) · change it"
    )


def resolve_stop_words(stop_words: StopWords, texts: Sequence[str]) -> frozenset[str]:
    """Return the words to leave out: those given, or what "auto" finds fit for these texts."""
    if stop_words is None:
        return frozenset()
    if isinstance(stop_words, str):
        if stop_words == "english":
            return _ENGLISH
        if stop_words == "auto":
            return _ENGLISH if _looks_english(texts) else frozenset()
        raise InputError(
            f'stop_words={stop_words!r} · it is "auto", "english", None or a list of words · give '
            "one of these"
        )
    given = list(stop_words)
    if not all(isinstance(word, str) for word in given):
        raise InputError("stop_words holds others than words · they are texts · give a list of str")
    # As the texts are cut, so that "can't" leaves out what is left of it.
    return frozenset(token for word in given for token in tokens(word)) | frozenset(given)


def _looks_english(texts: Sequence[str]) -> bool:
    step = max(1, len(texts) // _SAMPLE)
    frequent = Counter(word for text in texts[::step] for word in set(tokens(text)))
    # Ties in the order of the alphabet, so that the order of the documents makes no difference.
    ranked = sorted(frequent, key=lambda word: (-frequent[word], word))[:_FREQUENT]
    return sum(word in _ENGLISH for word in ranked) >= _TELLING


def tokens(text: str) -> list[str]:
    """Return the words of a text in order, in lower case.

    Two characters or more, a letter among them; vowel signs and accents that are characters of
    their own belong to the word, which the usual pattern cuts (in Hindi at nearly each syllable).

    Examples
    --------
    >>> tokens("L'été à Köln: mp3, 2024, हिन्दी")
    ['été', 'köln', 'mp3', 'हिन्दी']
    """
    pattern = _PLAIN if text.isascii() else _marked()
    found = pattern.findall(text.lower())
    return [word for word in found if word.isalpha() or any(map(str.isalpha, word))]


# Marks are many spans, which the pattern tries at each blank: a third of the time without them.
_PLAIN = re.compile(r"\w{2,}")


@cache
def _marked() -> re.Pattern[str]:
    """Return the pattern of words that also has marks: vowel signs and accents."""
    marks = [c for c in range(_LAST_MARK) if unicodedata.category(chr(c))[0] == "M"]
    spans: list[list[int]] = []
    for c in marks:
        if spans and spans[-1][1] == c - 1:
            spans[-1][1] = c
        else:
            spans.append([c, c])
    listed = "".join(f"{chr(a)}-{chr(b)}" for a, b in spans)
    return re.compile(rf"[\w{listed}]{{2,}}")


class WordCounter:
    """Counts the words of a vocabulary in texts.

    Parameters
    ----------
    vocabulary : sequence of str
    stop_words : frozenset of str
        Needed only with bigrams, which are pairs of what is left without them.
    bigrams : bool
    """

    def __init__(
        self, vocabulary: Sequence[str], stop_words: frozenset[str], *, bigrams: bool
    ) -> None:
        self.vocabulary = np.array(vocabulary, dtype=object)
        self.stop_words = stop_words
        self.bigrams = bigrams
        self._counter = _vectorizer(
            stop_words, bigrams, vocabulary={word: j for j, word in enumerate(vocabulary)}
        )

    @classmethod
    def learn(
        cls,
        texts: Sequence[str],
        *,
        stop_words: StopWords,
        bigrams: bool,
        min_df: float | str,
        max_df: float | str,
        max_words: int | None,
    ) -> tuple[WordCounter, Counts]:
        """Choose the vocabulary of texts, in the order of the alphabet, and count it.

        Raises
        ------
        InputError
            The settings are wrong, or no word is left.
        """
        left_out = resolve_stop_words(stop_words, texts)
        n_texts = sum(bool(text.strip()) for text in texts)
        between = limits(max(n_texts, 1), min_df, max_df)
        counter = _vectorizer(left_out, bigrams)
        try:
            counts = sp.csr_array(counter.fit_transform(texts))
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            raise InputError(
                f"no word is left of {len(texts)} document(s) · they hold nothing but stop words, "
                "numbers and single characters · pass other documents, or stop_words=None"
            ) from None
        names = counter.get_feature_names_out()
        df = np.bincount(counts.indices, minlength=len(names))
        kept = np.flatnonzero((df >= between.min_df) & (df <= between.max_df))
        if max_words is not None:
            total = counts.sum(axis=0)[kept]
            kept = np.sort(kept[np.argsort(-total, kind="stable")[:max_words]])
        if not kept.size:
            raise InputError(
                f"no word is in {between.min_df} to {between.max_df} documents · the corpus has "
                f"{len(names)} words in {len(texts)} document(s) · lower min_df or raise max_df"
            )
        words = cls(names[kept].tolist(), left_out, bigrams=bigrams)
        return words, sp.csr_array(counts[:, kept])

    def count(self, texts: Sequence[str]) -> Counts:
        """Return how often each word is in each text, (n_texts, n_words)."""
        return sp.csr_array(self._counter.transform(texts))


def _vectorizer(
    stop_words: frozenset[str], bigrams: bool, vocabulary: dict[str, int] | None = None
) -> CountVectorizer:
    return CountVectorizer(
        tokenizer=tokens,
        token_pattern=None,
        lowercase=False,
        stop_words=sorted(stop_words) or None,
        ngram_range=(1, 2) if bigrams else (1, 1),
        vocabulary=vocabulary,
        dtype=np.int64,
    )


def weigh(counts: Counts, idf: NDArray[np.float64] | None) -> Counts:
    """Return (1 + log count) · idf with rows of length 1, or the counts where there is no idf."""
    X: Counts = sp.csr_array(counts, dtype=np.float64, copy=True)
    if idf is None:
        return X
    X.data = (1.0 + np.log(X.data)) * idf[X.indices]
    lengths = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(X.indptr))
    return X


def inverse_frequencies(counts: Counts) -> NDArray[np.float64]:
    """Return 1 + log((1 + n)/(1 + df)) of each word, n counting the documents that hold any."""
    df = np.bincount(counts.indices, minlength=counts.shape[1])
    n = int((np.diff(counts.indptr) > 0).sum())
    return np.asarray(1.0 + np.log((1.0 + n) / (1.0 + df)), dtype=np.float64)


def as_texts(documents: Any) -> list[str]:
    """Return texts from a list, a series, an array, or a frame with one column of them.

    Missing ones (None, NaN) become empty.

    Raises
    ------
    InputError
        One text instead of several, several columns, or something that is no text.
    """
    if isinstance(documents, (str, bytes)):
        raise InputError(
            "one text was given · topics are found in many documents · pass a list of texts, one "
            "for each document (a folder or file: read_documents of nonneg.io.documents)"
        )
    if nw.dependencies.is_into_dataframe(documents):
        frame = nw.from_native(documents, eager_only=True)
        if len(frame.columns) != 1:
            raise InputError(
                f"the frame has {len(frame.columns)} columns: {', '.join(frame.columns[:5])} · "
                'documents are one of them · pass that column, as in frame["text"]'
            )
        documents = frame.get_column(frame.columns[0]).to_list()
    elif nw.dependencies.is_into_series(documents):
        documents = nw.from_native(documents, series_only=True).to_list()
    shape = documents.shape if isinstance(documents, np.ndarray) else (0,)
    if len(shape) != 1:
        raise InputError(
            f"the array has shape {shape} · documents are a list of texts · for a matrix "
            "of counts pass scipy sparse with its vocabulary="
        )
    if not isinstance(documents, Iterable):
        raise InputError(
            f"documents is a {type(documents).__name__} · it must be a list of texts · give one"
        )
    return [_text(j, document) for j, document in enumerate(documents)]


def _text(j: int, document: Any) -> str:
    if isinstance(document, str):
        return document
    if document is None or (isinstance(document, float) and np.isnan(document)):
        return ""
    raise InputError(
        f"document {j} is a {type(document).__name__} ({str(document)[:30]!r}) · topics are found "
        "in texts · pass the column that holds them, or text = str(value) of each"
    )


class WordRanks(NamedTuple):
    """The words of a topic in several orders: arrays over the vocabulary."""

    weight: NDArray[np.float64]
    relevance: NDArray[np.float64]
    lift: NDArray[np.float64]
    company: NDArray[np.float64]

    def best(self, by: Order, n: int) -> list[int]:
        """Return the n words that come first, of those that the topic holds; ties by place."""
        held = np.flatnonzero(self.weight)
        if by == "lift" and held.size > _HUNDREDTH:
            least = np.sort(self.weight[held])[-_HUNDREDTH]
            held = held[self.weight[held] >= _LIFT_FLOOR * least]
        scores = self.relevance if by == "company" else getattr(self, by)
        order = held[np.argsort(-scores[held], kind="stable")]
        if by == "company":
            first = order[:COMPANY_WORDS]
            together = self.relevance[first] + _COMPANY_WEIGHT * self.company[first]
            order[:COMPANY_WORDS] = first[np.argsort(-together, kind="stable")]
        return [int(w) for w in order[:n]]


def word_ranks(
    weight: NDArray[np.float64],
    corpus: NDArray[np.float64],
    relevance: float,
    company: NDArray[np.float64],
) -> WordRanks:
    """Return weight, relevance λ·log(weight) + (1 − λ)·log(lift), and lift of the words of a topic.

    Parameters
    ----------
    weight : ndarray (n_words,)
        Adding up to 1.
    corpus : ndarray (n_words,)
        How much of each word there is in the corpus, in any unit.
    relevance : float
        λ.
    company : ndarray (n_words,)
        As `topic_company.company_of` has it.
    """
    share = corpus / corpus.sum()
    lift = np.divide(weight, share, out=np.zeros_like(weight), where=share > 0)
    told = np.full(weight.shape, -np.inf)
    held = lift > 0
    told[held] = relevance * np.log(weight[held]) + (1 - relevance) * np.log(lift[held])
    return WordRanks(weight, told, lift, company)
