"""`nonneg demo` is the talk, number for number, and `nonneg doctor` looks at this machine."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nonneg.core import self_test
from nonneg.report import doctor as doctor_module
from nonneg.report import machine

from .conftest import Run

# As the talk prints them.
W = [
    [0.971, 1.929],
    [1.699, 1.626],
    [1.872, 0],
    [0, 1.317],
    [0.77, 0],
    [2.219, 0.232],
    [0.452, 0.543],
]
H = [[0, 2.53, 1.898, 1.09, 2.217], [2.853, 0.312, 0, 1.314, 0.045]]
SIMILARITY = """
1     .942  .45   .893  .45   .54   .974
.942  1     .722  .691  .722  .79   .994
.45   .722  1     0     1     .995  .64
.893  .691  0     1     0     .104  .769
.45   .722  1     0     1     .995  .64
.54   .79   .995  .104  .995  1     .716
.974  .994  .64   .769  .64   .716  1
"""


def test_the_numbers_of_the_talk(run: Run) -> None:
    facts = run("demo", "--json").json
    assert facts["ratings"][0] == [4.8, 4.7, None, 4.6, None, None, 2.1]
    np.testing.assert_array_equal(np.round(facts["W"], 3), W)
    np.testing.assert_array_equal(np.round(facts["H"], 3), H)
    assert round(facts["error"], 4) == 6.3505
    printed = [[float(word) for word in line.split()] for line in SIMILARITY.strip().split("\n")]
    np.testing.assert_array_equal(np.round(facts["similarity"], 3), printed)
    naive = facts["naive"]
    assert (naive["user"], naive["show"]) == ("Jai", "Black Mirror")
    assert [near["item"] for near in naive["neighbors"]] == ["Sacred Games", "GoT", "TBBT"]
    weights = [near["weight"] for near in naive["neighbors"]]
    np.testing.assert_allclose(weights, [5 / 12, 4 / 12, 3 / 12], rtol=1e-12)
    assert [near["rating"] for near in naive["neighbors"]] == [0, 0, 4.7]
    assert naive["estimate"] == pytest.approx(1.175, abs=1e-12)
    assert naive["recommended"] is False


def test_the_right_way(run: Run) -> None:
    right = run("demo", "--json").json["right"]
    assert right["verdict"] == "recommend"
    assert sum(part["contribution"] for part in right["parts"]) == pytest.approx(right["estimate"])
    assert {near["item"] for near in right["neighbors"]} <= {
        "FRIENDS",
        "TBBT",
        "Modern Family",
        "Quantico",
    }


def test_the_page(run: Run) -> None:
    lines = [" ".join(line.split()) for line in run("demo").out.splitlines()]
    assert lines[0] == "Would Jai like Black Mirror?"
    for line in (
        "Jai 4.8 4.7 · 4.6 · · 2.1",
        "Modern Family 0 1.317",
        "category 1 0 2.530 1.898 1.090 2.217",
        "GoT .54 .79 .995 .104 .995 1 .716",
        "Sacred Games 1.000 5/12 0 0.000",
        "GoT 0.995 4/12 0 0.000",
        "TBBT 0.722 3/12 4.7 1.175",
        "together 1 1.175",
        "1.175 of 5: Black Mirror is not recommended to Jai.",
        "verdict not recommended recommended",
    ):
        assert line in lines, line
    tries = [line for line in lines if line.startswith("nonneg ")]
    assert [re.match(r"nonneg \w+", line)[0] for line in tries] == [  # type: ignore[index]
        "nonneg recommend",
        "nonneg recommend",
        "nonneg fit",
        "nonneg doctor",
    ]


# --- doctor -------------------------------------------------------------------------------------


def test_the_doctor(run: Run) -> None:
    facts = run("doctor", "--json").json
    assert facts["healthy"] is True
    assert facts["threads"] >= 1
    assert facts["instruction_set"]
    assert facts["blas"]
    assert facts["libraries"]["numpy"] == np.__version__
    assert set(facts["optional"]) == {
        "anndata",
        "jinja2",
        "pandas",
        "pillow",
        "plotly",
        "polars",
        "pyarrow",
    }
    assert [check["passed"] for check in facts["self_test"]] == [True] * 3
    outcome = run("doctor")
    assert "Everything is in order." in outcome.out
    assert "error 6.3505, published 6.3505" in outcome.out


def test_the_doctor_measures_when_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = machine.BenchSize(gemm=16, stream=64, rows=50, columns=30, each=6, seconds=0.0)

    measure = machine.machine_facts

    def quick(progress: machine.Progress) -> dict[str, object]:
        return measure(tiny, n_threads=2, progress=progress)

    assert "bench" not in run("doctor", "--json").json
    monkeypatch.setattr(machine, "machine_facts", quick)
    bench = run("doctor", "--bench", "--json").json["bench"]
    assert [limit["unit"] for limit in bench["limits"]] == ["GFLOP/s", "GB/s"]
    told = run("doctor", "--bench").out
    assert "Everything is in order." in told
    assert "50 × 30 with 300 entries, 32 components, float32" in told
    for word in ("1 thread", "2 threads", "GFLOP/s", "GB/s", "of product", "of memory"):
        assert word in told
    for part in (*bench["limits"], *bench["kernels"]):
        assert part["name"] in told

    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "machine_facts", press)
    assert run("doctor", "--bench", code=130).out == ""


def test_the_doctor_finds_an_illness(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "_ERROR", 6.0)

    def broken() -> tuple[bool, str]:
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(self_test, "_same_bits", broken)
    monkeypatch.setattr(doctor_module, "_version", lambda name: None)
    outcome = run("doctor", code=1)
    assert "FAILED" in outcome.out
    assert "RuntimeError: illegal instruction" in outcome.out
    assert "numpy missing" in outcome.out
    facts = run("doctor", "--json", code=1).json
    assert [check["passed"] for check in facts["self_test"]] == [False, True, False]
