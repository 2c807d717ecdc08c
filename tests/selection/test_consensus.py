"""Consensus: the measures of the R package NMF, classes that are there, and what must be said."""

import json
from pathlib import Path

import numpy as np
import pytest

from nonneg import Status, consensus, factorize, factorize_runs
from nonneg.core import intake
from nonneg.errors import InputError, TooLargeError
from nonneg.selection import measures
from nonneg.selection.consensus import consensus_of

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "data/reference/r_nmf_measures.json").read_text()
)


def blocks(k=3, size=6, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(np.eye(k), np.ones((size, 5))) + noise * rng.random((k * size, 5 * k))


@pytest.mark.parametrize("which", ["few", "many"])
def test_measures_equal_those_of_the_r_package(which):
    told = REFERENCE[which]
    C = measures.consensus_matrix(np.array(told["labels"]) - 1)
    tree, distances = measures.average_tree(C)
    classes = np.array(told["consensus_classes"]) - 1
    ours = {
        "cophenetic": measures.cophenetic_correlation(tree, distances),
        "dispersion": measures.dispersion(C),
        "silhouette_consensus": measures.distance_silhouettes(C, classes).mean(),
    }
    for name in ("coef", "basis"):
        rows = np.array(told[name])
        widths = measures.correlation_silhouettes(rows, rows.argmax(axis=1))
        ours[f"silhouette_{name}"] = widths.mean()
    assert ours == pytest.approx({name: told[name] for name in ours}, abs=1e-8)


def test_correlation_silhouettes_equal_scikit_learn():
    from sklearn.metrics import silhouette_samples

    rng = np.random.default_rng(0)
    rows, labels = rng.random((40, 6)), rng.integers(3, size=40)
    expected = silhouette_samples(rows, labels, metric="correlation")
    assert measures.correlation_silhouettes(rows, labels) == pytest.approx(expected, abs=1e-12)


def test_blocks_are_found_with_full_agreement():
    agreed = consensus(blocks(), 3, n_runs=12, loss="kullback-leibler", random_state=0)
    truth = np.repeat(np.arange(3), 6)
    assert len({tuple(pair) for pair in zip(agreed.labels, truth, strict=True)}) == 3
    assert agreed.cophenetic == 1.0
    assert agreed.dispersion == 1.0
    assert agreed.pac == 0.0
    assert agreed.silhouette_consensus == pytest.approx(1.0)
    # A class has the number of its component.
    assert np.array_equal(agreed.labels, agreed.run_labels[agreed.objectives.argmin()])
    ordered = agreed.matrix[agreed.order][:, agreed.order]
    assert np.array_equal(ordered, np.kron(np.eye(3), np.ones((6, 6))))
    assert agreed.warning is None


def test_too_many_classes_agree_less():
    X = blocks(noise=0.3)
    right, over = (consensus(X, k, n_runs=15, random_state=0) for k in (3, 5))
    assert over.dispersion < right.dispersion
    assert over.pac > right.pac
    assert over.silhouette_consensus < right.silhouette_consensus


def test_the_same_seed_is_the_same_consensus_and_each_run_can_be_made_again():
    X = blocks(noise=0.5)
    first, second = (consensus(X, 4, n_runs=6, random_state=3, n_threads=t) for t in (1, 2))
    assert np.array_equal(first.matrix, second.matrix)
    assert first.seeds == second.seeds
    again = factorize(X, 4, init="random", random_state=first.fit.seed)
    assert again.objective == pytest.approx(first.fit.objective)


def test_scale_of_components_does_not_matter():
    from dataclasses import replace

    fits = factorize_runs(blocks(noise=0.4), 4, n_runs=5, random_state=0)
    scale = np.array([1.0, 10.0, 0.1, 3.0])
    moved = [replace(fit, W=fit.W * scale, H=fit.H / scale[:, None]) for fit in fits]
    assert np.array_equal(consensus_of(fits).matrix, consensus_of(moved).matrix)


def test_identical_starts_are_said():
    X = blocks(noise=0.5)
    same = [factorize(X, 4, init="nndsvd", random_state=seed) for seed in range(4)]
    agreed = consensus_of(same)
    assert agreed.cophenetic == 1.0
    assert agreed.n_identical == 3
    assert "says nothing" in agreed.warning


def test_one_class_has_no_silhouette():
    agreed = consensus(blocks(), 1, n_runs=3, random_state=0)
    assert agreed.silhouette_consensus is None
    assert agreed.cophenetic == 1.0
    assert agreed.dispersion == 1.0


def test_more_classes_than_samples():
    with pytest.warns(UserWarning, match="smaller side"):
        agreed = consensus(np.eye(3) + 0.1, 5, n_runs=3, random_state=0)
    assert agreed.labels.shape == (3,)


def test_memory_is_asked_before_any_run(monkeypatch):
    monkeypatch.setattr(intake, "available_memory", lambda: 1e6)
    with pytest.raises(TooLargeError, match="consensus of 400 samples"):
        consensus(np.ones((400, 4)), 2)


def test_a_callback_that_stops_leaves_the_runs_that_were_finished():
    X = blocks(noise=0.5)
    done = factorize_runs(X, 3, n_runs=40, random_state=0)
    count = max(fit.n_iter for fit in done)
    agreed = consensus(
        X, 3, n_runs=400, random_state=0, callback=lambda run, step: run >= 100 and step.n_iter > 2
    )
    assert count > 0
    assert 2 <= agreed.n_runs < 400


def test_bad_input_says_what_to_do():
    X = blocks()
    with pytest.raises(InputError, match="rows of X are the samples"):
        consensus(X[:1], 2)
    with pytest.raises(InputError, match="raise n_runs"):
        consensus(X, 2, n_runs=1)
    fits = [factorize(X, k, random_state=0) for k in (2, 3)]
    with pytest.raises(InputError, match="of one rank"):
        consensus_of(fits)


def test_interrupt_before_two_runs(monkeypatch):
    from dataclasses import replace

    from nonneg.selection.consensus import finished

    fit = factorize(blocks(), 2, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        finished([replace(fit, status=Status.INTERRUPTED)])
