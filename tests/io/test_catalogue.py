"""Catalogues of mutations: sides by the names of channels, strands, and what is refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nonneg.errors import InputError
from nonneg.io.catalogue import as_counts, filled, read_catalogue, with_channels

SBS = [
    f"{left}[{old}>{new}]{right}"
    for old in "CT"
    for new in "ACGT"
    if new != old
    for left, right in product("ACGT", repeat=2)
]
PAIR = {"A": "T", "C": "G", "G": "C", "T": "A"}


def frame(n: int = 4) -> pd.DataFrame:
    counts = np.random.default_rng(0).poisson(5.0, (96, n))
    return pd.DataFrame(counts, index=SBS, columns=[f"T{i}" for i in range(n)])


def test_sides_go_by_the_names(tmp_path: Path) -> None:
    table = frame()
    table.to_csv(tmp_path / "a.csv")
    table.T.to_csv(tmp_path / "b.csv")
    found = [read_catalogue(tmp_path / "a.csv"), read_catalogue(tmp_path / "b.csv")]
    found += [read_catalogue(table), read_catalogue(table.T)]
    for one in found:
        assert one.samples == ("T0", "T1", "T2", "T3")
        assert one.channels == tuple(SBS)
        assert np.array_equal(one.values, table.to_numpy().T)


def test_the_other_strand_is_the_same_channel() -> None:
    table = frame()
    turned = [
        f"{PAIR[c[6]]}[{PAIR[c[2]]}>{PAIR[c[4]]}]{PAIR[c[0]]}" if i % 2 else c
        for i, c in enumerate(SBS)
    ]
    found = read_catalogue(table.set_axis(turned))
    assert found.channels == tuple(SBS)
    assert "48 channels were turned" in found.notes[-1]


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    table = frame()
    cases = {
        "below 0": table - 100,
        "missing": table.astype(float).replace(table.iloc[0, 0], np.nan),
        "more than once": pd.concat([table, table.iloc[:1]]),
    }
    for message, bad in cases.items():
        with pytest.raises(InputError, match=message):
            read_catalogue(bad)
    with pytest.raises(InputError, match="side they are on"):
        read_catalogue(table.set_axis([f"row {i}" for i in range(96)]))
    with pytest.raises(InputError, match="whole numbers"):
        as_counts(read_catalogue(table + 0.5))
    with pytest.raises(InputError, match="shares, not counts"):
        as_counts(read_catalogue(table / table.sum()))
    with pytest.raises(InputError, match="no mutations"):
        filled(read_catalogue(table * 0))
    with pytest.raises(InputError, match="lacks 1 of the 96"):
        with_channels(read_catalogue(table.iloc[1:]), tuple(SBS))
    with pytest.raises(InputError, match="is zero"):
        with_channels(read_catalogue(table * [1, 0, 1, 1]), tuple(SBS))


def test_empty_samples_are_left_out_and_said() -> None:
    found = as_counts(read_catalogue(frame() * [1, 0, 1, 1]))
    assert found.samples == ("T0", "T2", "T3")
    assert found.notes == ("1 sample without mutations was left out: T1",)


@pytest.mark.shared_data
def test_real_catalogues_and_references_fit_together(shared_data: Path) -> None:
    reference = read_catalogue(shared_data / "cosmic-signatures" / "COSMIC_v3.4_SBS_GRCh37.txt.gz")
    for name in ("breast21_wgs_sbs96.csv.gz", "tcga_luad_sbs96.tsv.gz"):
        catalogue = as_counts(read_catalogue(shared_data / "mutational-catalogues" / name))
        assert set(catalogue.channels) == set(SBS)
        known = with_channels(reference, catalogue.channels)
        assert np.allclose(known.values.sum(axis=1), 1)
