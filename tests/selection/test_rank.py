"""How many components: planted ranks are found, and the answer says how sure it is."""

import numpy as np
import pytest
import scipy.sparse as sp

from nonneg import consensus, select_rank
from nonneg.apps.expression_steps import prepare
from nonneg.core.alternate import Rule
from nonneg.core.factorize import as_generator, draw_seed
from nonneg.core.intake import as_data
from nonneg.core.losses import make_loss
from nonneg.errors import InputError
from nonneg.report.demo_classes import find_leukemia
from nonneg.report.rank import rank_facts
from nonneg.selection.held_out import bi_cross_validation, held_out_errors
from nonneg.selection.rank import CRITERIA

KL = make_loss("kullback-leibler")


def planted(seed, k=5, m=300, n=200, mean=5.0):
    """Poisson counts around a product of rank k."""
    rng = np.random.default_rng(seed)
    model = rng.gamma(1.0, size=(m, k)) @ rng.gamma(1.0, size=(k, n))
    return rng.poisson(model * mean / model.mean()).astype(float)


def ignore(*_):
    """Nobody looks at the progress."""


@pytest.mark.parametrize("measure", [held_out_errors, bi_cross_validation])
def test_cells_not_seen_choose_the_planted_rank_in_nine_of_ten_seeds(measure):
    ranks, found = [4, 5, 6], []
    for seed in range(10):
        data = as_data(planted(seed))
        errors = measure(data, KL, ranks, [seed], Rule(500, 1e-4), ignore)
        found.append(ranks[int(errors.mean(axis=0).argmin())])
    assert found.count(5) >= 9


@pytest.fixture(scope="module")
def chosen():
    return select_rank(
        planted(1, m=150, n=100),
        [4, 5, 6],
        loss="kullback-leibler",
        n_runs=10,
        n_repeats=2,
        random_state=0,
    )


def test_all_criteria_agree_on_planted_data(chosen):
    assert chosen.preferred == dict.fromkeys(CRITERIA, 5)
    assert chosen.agreed == 5
    assert chosen.sentence.endswith("prefer 5 components: they all agree.")
    assert str(chosen) == chosen.sentence
    assert chosen.warnings == ()


def test_the_table_has_a_row_a_rank_and_nothing_is_nan(chosen):
    told = chosen.to_dict()
    assert [row["rank"] for row in told["rows"]] == [4, 5, 6]
    numbers = [v for row in told["rows"] for v in row.values() if v is not None]
    assert all(type(v) in (int, float) and np.isfinite(v) for v in numbers)
    explained = [row["explained"] for row in told["rows"]]
    assert explained == sorted(explained)
    assert all(row["explained"] > row["explained_baseline"] for row in told["rows"])
    assert set(chosen.consensuses) == set(chosen.stable) == {4, 5, 6}


def test_the_same_seed_is_the_same_answer_and_criteria_do_not_move_each_other(chosen):
    alone = select_rank(
        planted(1, m=150, n=100),
        [6, 5, 4],
        criteria="held-out",
        loss="kullback-leibler",
        n_repeats=2,
        random_state=0,
        n_threads=1,
    )
    assert [r.held_out for r in alone.rows] == [r.held_out for r in chosen.rows]
    assert alone.rows[0].cophenetic is None
    assert alone.sentence == "Held-out entries prefer 5 components."


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_sparse_is_dense(loss):
    X = planted(2, k=3, m=50, n=30, mean=1.0)
    criteria = ["held-out", "cross-validation"]
    dense, sparse = (
        select_rank(Y, [2, 3], criteria=criteria, loss=loss, n_repeats=1, random_state=0)
        for Y in (X, sp.csr_array(X))
    )
    for one, other in zip(dense.rows, sparse.rows, strict=True):
        assert one.held_out == pytest.approx(other.held_out, rel=1e-3)
        assert one.cross_validation == pytest.approx(other.cross_validation, rel=1e-3)


def test_missing_cells_are_no_cells():
    X = planted(3, k=3, m=60, n=40)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    chosen = select_rank(X, [2, 3, 4], criteria=["held-out"], loss="frobenius", random_state=0)
    assert chosen.preferred == {"held-out": 3}


def test_permuted_data_keep_their_columns():
    from nonneg.selection.rank import _permuted

    X = planted(4, m=30, n=20, mean=1.0)
    for Y in (X, sp.csr_array(X)):
        moved = _permuted(Y, np.random.default_rng(0))
        moved = moved.toarray() if sp.issparse(moved) else moved
        assert np.array_equal(np.sort(moved, axis=0), np.sort(X, axis=0))
        assert not np.array_equal(moved, X)


def test_what_lies_at_the_end_is_said():
    chosen = select_rank(
        planted(0), [2, 3], criteria=["held-out"], n_repeats=1, loss=1, random_state=0
    )
    assert "largest rank tried" in chosen.warnings[0]


def test_disagreement_is_said(chosen):
    from nonneg.selection.rank import _sentence

    told = _sentence({"held-out": 5, "consensus": 3, "stability": None}, [2, 3, 4, 5])
    assert "they do not agree, so look at the components of 3 to 5" in told
    assert "stability prefers none of 2 to 5" in told


def test_parts_of_the_samples_move_consensus_and_stability_alone(chosen):
    X = planted(1, m=150, n=100)
    criteria = ["stability", "consensus", "explained-variance"]
    options = {"loss": "kullback-leibler", "n_runs": 10, "n_repeats": 2, "random_state": 0}
    one, two = (
        select_rank(X, [4, 5, 6], criteria=criteria, resample=0.8, n_threads=n, **options)
        for n in (1, 2)
    )
    assert one.rows == two.rows
    assert one.resample == one.to_dict()["resample"] == 0.8
    assert chosen.resample is None
    for row, before in zip(one.rows, chosen.rows, strict=True):
        for name in ("explained", "explained_baseline", "gain", "gain_baseline"):
            assert getattr(row, name) == getattr(before, name)
        for name in ("dispersion", "cophenetic_baseline", "stability", "stability_baseline"):
            assert getattr(row, name) != getattr(before, name)
    assert one.sentence == (
        "Consensus, stability and explained variance prefer 5 components: they all agree."
    )
    # It is the consensus of the same name, with the first of the seeds drawn.
    seed = draw_seed(as_generator(0)[0])
    alone = consensus(X, 5, n_runs=10, loss="kullback-leibler", resample=0.8, random_state=seed)
    assert np.array_equal(one.consensuses[5].matrix, alone.matrix)
    assert one.consensuses[5].seeds == alone.seeds == chosen.consensuses[5].seeds
    assert rank_facts(one)["note"] == "consensus and stability: each run on 80 % of the samples"
    assert rank_facts(chosen)["note"] == ""


def test_parts_of_sparse_samples_are_those_of_dense_ones():
    blocks = np.kron(np.eye(3), np.full((12, 8), 6.0))
    X = np.random.default_rng(0).poisson(blocks).astype(float)
    options = {"criteria": "stability", "n_runs": 6, "resample": 0.8, "random_state": 0}
    for Y in (X, sp.csr_array(X)):
        found = select_rank(Y, [2, 3, 4], loss="kullback-leibler", **options)
        assert found.rows[1].stability > 0.9
        assert found.sentence == "Stability prefers 3 components."


def test_classes_that_hang_on_single_patients_are_less_sure():
    """Brunet et al. (2004): two and three classes are sure, though runs agree on four, too."""
    table = find_leukemia()
    assert table is not None
    X = prepare(table, ["variable=1000"]).values
    options = {"criteria": ["consensus", "stability"], "loss": "kullback-leibler"}
    starts, parts = (
        select_rank(X, [2, 3, 4], resample=share, random_state=0, **options)
        for share in (None, 0.8)
    )
    assert starts.rows[1].cophenetic > 0.999
    assert starts.rows[2].stability > parts.rows[2].stability + 0.1
    assert parts.preferred["stability"] == 3
    assert parts.preferred["consensus"] in (2, 3)


def test_progress_and_interrupt():
    told = []

    def stop(text, share):
        told.append((text, share))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        select_rank(planted(0, m=40, n=30), [2, 3, 4], n_runs=3, random_state=0, progress=stop)
    assert told[0][0] == "held-out entries"
    assert 0 < told[0][1] < told[2][1] <= 1


@pytest.mark.parametrize(
    ("ranks", "options", "words"),
    [
        ([3], {}, "two ranks or more"),
        ([2, 40], {}, "give ranks up to 15"),
        ("2..3", {}, "several whole numbers"),
        ([2, 3], {"criteria": ["luck"]}, "the criteria are held-out"),
        ([2, 3], {"n_runs": 1}, "give 2 or more"),
        ([2, 3], {"resample": 80}, "share of the samples"),
        ([2, 3], {"resample": 0.05}, "each run sees 2, too few for 3 .* ask for fewer components"),
        ([2, 3], {"resample": 0.8, "criteria": "held-out"}, "resample=0.8 .* leave it out"),
    ],
)
def test_bad_input_says_what_to_do(ranks, options, words):
    with pytest.raises(InputError, match=words):
        select_rank(planted(0, m=40, n=30), ranks, **options)


@pytest.mark.shared_data
def test_leukemia_has_two_and_three_classes(shared_data):
    import pandas as pd

    frame = pd.read_csv(shared_data / "all-aml" / "all_aml.csv.gz", index_col=0)
    classes = np.array(
        ["AML" if name.startswith("AML") else name.split("_")[-1] for name in frame.columns]
    )
    assert sorted(set(classes)) == ["AML", "B-cell", "T-cell"]
    kinds = {2: np.where(classes == "AML", "AML", "ALL"), 3: classes}
    errors = {}
    for k, truth in kinds.items():
        agreed = consensus(
            frame.to_numpy(float).T, k, n_runs=10, loss="kullback-leibler", random_state=0
        )
        assert agreed.cophenetic > 0.98
        largest = [
            np.unique(truth[agreed.labels == t], return_counts=True)[1].max() for t in range(k)
        ]
        errors[k] = len(truth) - sum(largest)
    assert errors[2] <= 1
    assert errors[3] <= 2
