"""Catalogues of mutations, samples × channels, and reference signatures in the same form.

A channel is a kind of mutation, such as A[C>T]G of the 96 of SBS-96; which side of a file has the
channels is seen by their names. Names are brought to the usual form: the mutated base is the
pyrimidine of its pair.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nonneg.errors import InputError, UnknownNameError
from nonneg.frames import as_named_matrix, is_frame
from nonneg.io.cells import check_choice, first_twice
from nonneg.io.expression_files import is_sparse
from nonneg.io.table import read_table

__all__ = [
    "Catalogue",
    "ChannelSide",
    "as_counts",
    "filled",
    "named",
    "read_catalogue",
    "with_channels",
]

ChannelSide = Literal["channels-by-samples", "samples-by-channels"]

_SBS = re.compile(r"([ACGT])\[([ACGT])>([ACGT])\]([ACGT])")
_CHANNEL = re.compile(
    r"[ACGT]\[[ACGT]>[ACGT]\][ACGT]|[ACGT]{2}>[ACGT]{2}|\d:(Del|Ins):.+|[NTUBQ]:.*\[[ACGT]>.*|"
    r"\d+:(LOH|het|homdel):.+"
)
_PAIR = str.maketrans("ACGT", "TGCA")
_MOSTLY = 0.9
_SHARES = 1.5  # no catalogue has so few mutations a sample


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Samples (or signatures) × channels.

    Attributes
    ----------
    values : ndarray of float64 (n_samples, n_channels)
        Counts of mutations, or whatever the file has; ≥ 0.
    samples, channels : tuple of str
        Each name once.
    source : str
    notes : tuple of str
        What was decided or repaired.
    """

    values: NDArray[np.float64]
    samples: tuple[str, ...]
    channels: tuple[str, ...]
    source: str = "the table"
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        m, n = self.values.shape
        return f"Catalogue({m} samples × {n} channels, {self.values.sum():.0f} mutations)"


def read_catalogue(source: object, *, orientation: ChannelSide | None = None) -> Catalogue:
    """Read a catalogue of mutations, or a file of reference signatures such as COSMIC's.

    Parameters
    ----------
    source : path, frame, array or Catalogue
        Any file of `read_table`. Arrays have samples in rows.
    orientation : {"channels-by-samples", "samples-by-channels"}, optional
        What the rows are. Default: what the names of channels say (SBS, DBS, ID, SV and CN as
        SigProfiler and COSMIC write them).

    Raises
    ------
    InputError
        Values below 0 or missing, names that repeat, or sides that cannot be told apart.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"T1": [5, 2], "T2": [0, 1]}, index=["A[C>T]G", "T[A>C]A"])
    >>> catalogue = read_catalogue(table)
    >>> catalogue.samples, catalogue.channels
    (('T1', 'T2'), ('A[C>T]G', 'T[T>G]A'))
    """
    if orientation is not None:
        check_choice("orientation", orientation, ChannelSide)
    if isinstance(source, Catalogue):
        return source
    notes: tuple[str, ...] = ()
    if isinstance(source, (str, os.PathLike)):
        table = read_table(source)
        values: Any = table.values
        rows, columns = table.row_names, table.column_names
        name, notes = table.source, table.notes
    else:
        named = as_named_matrix(source, "catalogue")
        values, rows, columns = named.values, named.row_names, named.column_names
        name = "the frame" if is_frame(source) else "the table"
        if rows is None and not _are_channels(columns):
            orientation = orientation or "samples-by-channels"
    if is_sparse(values):
        values = values.toarray()
    found = orientation
    if found is None and _are_channels(rows):
        found = "channels-by-samples"
    elif found is None and _are_channels(columns):
        found = "samples-by-channels"
    if found is None:
        raise InputError(
            f"neither rows nor columns of '{name}' are called like channels (A[C>T]G, AC>TT, "
            "1:Del:C:0) · which side they are on decides everything · say "
            'orientation="channels-by-samples" or "samples-by-channels" '
            "(--orientation on the command line)"
        )
    if found == "channels-by-samples":
        values, rows, columns = values.T, columns, rows
    return _checked(np.array(values, dtype=np.float64), rows, columns, name, notes)


def _are_channels(names: tuple[str, ...] | None) -> bool:
    if not names:
        return False
    like = sum(1 for name in names if _CHANNEL.fullmatch(name.strip()))
    return like >= _MOSTLY * len(names)


def _checked(
    values: NDArray[np.float64],
    samples: tuple[str, ...] | None,
    channels: tuple[str, ...] | None,
    source: str,
    notes: tuple[str, ...],
) -> Catalogue:
    m, n = values.shape
    if np.isnan(values).any() or np.isinf(values).any():
        raise InputError(
            f"'{source}' has values that are missing or infinite · a kind of mutation that was "
            "not seen has the count 0 · fill them in"
        )
    if values.min() < 0:
        raise InputError(
            f"'{source}' has values below 0, the lowest is {values.min():g} · counts of mutations "
            "are from 0 · correct them"
        )
    given = tuple(f"channel {j + 1}" for j in range(n)) if channels is None else channels
    usual = tuple(_usual(channel.strip()) for channel in given)
    turned = sum(1 for a, b in zip(given, usual, strict=True) if a.strip() != b)
    if turned:
        noun = "channel was" if turned == 1 else "channels were"
        notes = (*notes, f"{turned} {noun} turned to the pyrimidine of the pair")
    people = tuple(f"sample {i + 1}" for i in range(m)) if samples is None else samples
    for side, names in (("channel", usual), ("sample", people)):
        count, first = first_twice(names)
        if count:
            raise InputError(
                f"'{source}' has the {side} {first!r} more than once · {side}s are told apart by "
                "their names · add them up, or rename them"
            )
    return Catalogue(values, people, usual, source, notes)


def _usual(channel: str) -> str:
    """Return an SBS channel with the pyrimidine as the mutated base."""
    match = _SBS.fullmatch(channel)
    if match is None or match[2] in "CT":
        return channel
    left, old, new, right = (base.translate(_PAIR) for base in match.groups())
    return f"{right}[{old}>{new}]{left}"


def as_counts(catalogue: Catalogue) -> Catalogue:
    """Return a catalogue of whole numbers without samples that have no mutation.

    Raises
    ------
    InputError
        Values are no whole numbers, or there is no mutation at all.
    """
    values = catalogue.values
    if values.sum(axis=1).max() <= _SHARES:
        raise InputError(
            f"'{catalogue.source}' has shares, not counts: no sample adds up to more than "
            f"{values.sum(axis=1).max():.2g} · signatures are found in counts of mutations · give "
            "the counts"
        )
    if not np.array_equal(values, np.round(values)):
        i, j = np.argwhere(values != np.round(values))[0]
        raise InputError(
            f"'{catalogue.source}' has counts that are no whole numbers, the first is "
            f"{values[i, j]:g} in {catalogue.samples[i]} · resampling needs counts of mutations · "
            "give those, or set resample=False"
        )
    return filled(catalogue)


def filled(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue without samples that have no mutation."""
    some = catalogue.values.any(axis=1)
    if not some.any():
        raise InputError(f"'{catalogue.source}' has no mutations · there is nothing to find")
    if some.all():
        return catalogue
    gone = [catalogue.samples[i] for i in np.flatnonzero(~some)]
    were = "1 sample without mutations was"
    if len(gone) > 1:
        were = f"{len(gone)} samples without mutations were"
    return replace(
        catalogue,
        values=catalogue.values[some],
        samples=tuple(catalogue.samples[i] for i in np.flatnonzero(some)),
        notes=(*catalogue.notes, f"{were} left out: {', '.join(gone[:3])}"),
    )


def named(catalogue: Catalogue, names: Sequence[str]) -> Catalogue:
    """Return some of the samples, or of the signatures of a reference, in the order given.

    Raises
    ------
    UnknownNameError
        There is none of that name; the message has the nearest ones.
    """
    place = {name: i for i, name in enumerate(catalogue.samples)}
    for name in names:
        if name not in place:
            near = difflib.get_close_matches(name, catalogue.samples, n=3)
            told = (
                f"the nearest are {', '.join(near)}"
                if near
                else (f"its first is {catalogue.samples[0]}")
            )
            raise UnknownNameError(
                f"'{catalogue.source}' has no {name!r} · {told} · correct the name"
            )
    chosen = list(dict.fromkeys(names))
    return replace(
        catalogue,
        values=catalogue.values[[place[name] for name in chosen]],
        samples=tuple(chosen),
    )


def with_channels(reference: Catalogue, channels: tuple[str, ...]) -> Catalogue:
    """Return a reference with these channels only, in this order, each signature adding up to 1.

    A note says how many others it has.

    Raises
    ------
    InputError
        It lacks a channel, or a signature is all zeros.
    """
    place = {channel: j for j, channel in enumerate(reference.channels)}
    missing = [channel for channel in channels if channel not in place]
    if missing:
        raise InputError(
            f"'{reference.source}' lacks {len(missing)} of the {len(channels)} channels, "
            f"{missing[0]!r} first · signatures are compared channel by channel · give a "
            "reference with the same channels"
        )
    notes, more = reference.notes, len(place) - len(channels)
    if more:
        notes = (
            *notes,
            f"{more} of the {len(place)} channels of '{reference.source}' are not in the table: "
            f"what is compared are the other {len(channels)}",
        )
    values = reference.values[:, [place[channel] for channel in channels]]
    sums = values.sum(axis=1, keepdims=True)
    if not sums.all():
        empty = reference.samples[int(np.argmin(sums))]
        raise InputError(f"the signature {empty} of '{reference.source}' is zero · leave it out")
    return replace(reference, values=values / sums, channels=channels, notes=notes)
