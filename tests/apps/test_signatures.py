"""Signatures: planted ones are found in their number, refits find what was mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nonneg
from nonneg.apps.bio import Signatures, refit_signatures
from nonneg.apps.signature_refit import cosine_table, mixture
from nonneg.errors import InputError
from nonneg.io.catalogue import Catalogue, read_catalogue

CHANNELS = tuple(f"{a}[{b}>{c}]{d}" for b, c in ("CA", "CT", "TG") for a in "ACGT" for d in "ACGT")


def known(k: int = 4, seed: int = 0) -> Catalogue:
    values = np.random.default_rng(seed).dirichlet(np.full(48, 0.15), k)
    return Catalogue(values, tuple(f"K{t}" for t in range(k)), CHANNELS, "known")


def mixed(seed: int = 1, m: int = 40) -> tuple[Catalogue, np.ndarray]:
    rng = np.random.default_rng(seed)
    W = rng.gamma(0.5, 800, (m, 4))
    names = tuple(f"T{i}" for i in range(m))
    return Catalogue(rng.poisson(W @ known().values).astype(float), names, CHANNELS), W


@pytest.fixture(scope="module")
def model() -> Signatures:
    return Signatures(range(2, 7), n_runs=10, random_state=0).fit(mixed()[0])


def test_planted_signatures_in_their_number(model: Signatures) -> None:
    assert model.n_components_ == 4
    assert "largest number that is stable" in model.reason_
    found = model.match(known())
    assert found.cosines.shape == (4, 4)
    assert sorted(found.nearest) == ["K0", "K1", "K2", "K3"]
    assert found.names == found.nearest
    assert repr(found).startswith("Match(against 4 known signatures: SBS48A: K")
    assert repr(model.solution(4)).startswith("Solution(4 signatures of 40 samples, stability ")
    assert found.cosines.max(axis=1).min() > 0.97
    assert np.allclose(model.components_.sum(axis=1), 1)
    # Under Kullback–Leibler exposures add up to the mutations.
    assert np.allclose(model.exposures_.sum(axis=1), mixed()[0].values.sum(axis=1), rtol=1e-4)
    assert [len(found.components) for found in model.solutions_] == [2, 3, 4, 5, 6]
    assert model.names_[0].startswith("SBS48A")
    assert model.solution(3).n_components == 3
    with pytest.raises(InputError, match="not fitted"):
        model.solution(9)


def test_the_same_seed_gives_the_same_bits() -> None:
    fits = [Signatures(3, n_runs=4, random_state=5, n_threads=n).fit(mixed()[0]) for n in (1, 2)]
    assert np.array_equal(fits[0].components_, fits[1].components_)
    assert fits[0].reason_ == "as asked"


def test_refit_finds_what_was_mixed() -> None:
    reference = known(12)
    rng = np.random.default_rng(0)
    W = np.zeros((10, 12))
    for row in W:
        row[rng.choice(12, 3, replace=False)] = rng.uniform(500, 3000, 3)
    data = Catalogue(rng.poisson(W @ reference.values).astype(float), tuple("abcdefghij"), CHANNELS)
    found = refit_signatures(data, reference, n_bootstrap=50)
    assert ((found.values > 0) == (W > 0)).mean() > 0.97
    assert np.abs(found.values - W).sum() < 0.05 * W.sum()
    assert (found.low <= found.values + 1e-9).all()
    assert (found.values <= found.high + 1e-9).all()
    assert found.cosines.min() > 0.98
    inside = (found.low <= W) & (found.high >= W)
    assert inside[W > 0].mean() > 0.8
    again = refit_signatures(data, reference, n_bootstrap=50)
    assert np.array_equal(again.low, found.low)
    bare = refit_signatures(data, reference, n_bootstrap=0)
    assert np.array_equal(bare.low, bare.values)


def test_mixtures_add_up() -> None:
    reference = known(8)
    target = 0.6 * reference.values[2] + 0.4 * reference.values[5]
    found = mixture(target, reference)
    assert found.names == ("K2", "K5")
    assert found.shares == pytest.approx((0.6, 0.4))
    assert found.cosine == pytest.approx(1)
    assert cosine_table(reference.values, reference.values).diagonal() == pytest.approx(1)


def test_exposures_of_new_samples(model: Signatures) -> None:
    data, _ = mixed(seed=9, m=6)
    found = model.exposures(data, n_bootstrap=20)
    assert found.signatures == model.names_
    assert repr(found).startswith("Exposures(6 samples by 4 signatures, 4 used, cosines from 0.9")
    assert found.cosines.min() > 0.9


def test_a_model_comes_back(model: Signatures, tmp_path: Path) -> None:
    nonneg.save(model, tmp_path / "s.nonneg")
    again = nonneg.load(tmp_path / "s.nonneg")
    assert isinstance(again, Signatures)
    assert np.array_equal(again.components_, model.components_)
    assert again.n_components_ == model.n_components_
    assert again.reason_ == model.reason_
    assert again.names_ == model.names_
    meta, arrays = model.to_record()
    for name in ("components.0", "exposures.0", "stability.0"):
        with pytest.raises((ValueError, KeyError)):
            Signatures.from_record(meta, {**arrays, name: arrays[name][:1]})
        with pytest.raises((ValueError, KeyError)):
            Signatures.from_record(meta, {**arrays, name: arrays[name] * np.nan})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"n_components": []}, "n_components"),
        ({"n_components": 41}, "at most 40"),
        ({"n_runs": 1}, "n_runs"),
    ],
)
def test_bad_parameters_say_what_to_do(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Signatures(**{"n_components": 2, "n_runs": 3, **options}).fit(mixed()[0])


def test_bad_catalogues_say_what_to_do() -> None:
    data = mixed()[0]
    shares = Catalogue(data.values / data.values.sum(axis=1, keepdims=True), data.samples, CHANNELS)
    with pytest.raises(InputError, match="shares, not counts"):
        Signatures(2, n_runs=2).fit(shares)
    halves = Catalogue(data.values + 0.5, data.samples, CHANNELS)
    with pytest.raises(InputError, match="resample=False"):
        Signatures(2, n_runs=2).fit(halves)
    fitted = Signatures(2, n_runs=2, resample=False, random_state=0).fit(halves)
    assert fitted.n_components_ == 2
    with pytest.raises(InputError, match="seen no catalogue"):
        Signatures(2).match(known())
    with pytest.raises(InputError, match="n_bootstrap"):
        refit_signatures(data, known(), n_bootstrap=-1)


@pytest.mark.shared_data
def test_breast_cancers_have_the_signature_of_brca(shared_data: Path) -> None:
    reference = read_catalogue(shared_data / "cosmic-signatures" / "COSMIC_v3.4_SBS_GRCh37.txt.gz")
    catalogue = shared_data / "mutational-catalogues" / "breast21_wgs_sbs96.csv.gz"
    found = Signatures(4, n_runs=10, random_state=0).fit(catalogue).match(reference)
    assert found.cosines[:, found.references.index("SBS3")].max() >= 0.9
    apobec = found.mixtures[found.nearest.index("SBS2")]
    assert set(apobec.names) == {"SBS2", "SBS13"}
    assert apobec.cosine > 0.99
