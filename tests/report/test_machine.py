"""The facts of `nonneg doctor --bench`: their units, their counts, and what they are told to do.

How fast this machine is does not matter here.
"""

from __future__ import annotations

import json

import pytest

from nonneg.report import machine
from nonneg.report.machine import BenchSize, machine_facts

TINY = BenchSize(gemm=16, stream=64, rows=50, columns=30, each=6, seconds=0.0)
KERNELS = [
    "sparse product X F",
    "half-step, Gram form",
    "half-step, KL",
    "half-step, masked",
]


def test_limits_and_kernels() -> None:
    facts = machine_facts(TINY, n_threads=2)
    assert facts["dtype"] == "float32"
    assert facts["threads"] == 2
    assert facts["data"] == {"rows": 50, "columns": 30, "stored": 300}
    assert facts["seconds"] > 0
    limits = facts["limits"]
    assert [(limit["name"], limit["unit"]) for limit in limits] == [
        ("matrix product", "GFLOP/s"),
        ("memory", "GB/s"),
    ]
    for limit in limits:
        assert limit["one_thread"] > 0
        assert limit["speed_up"] == pytest.approx(limit["all_threads"] / limit["one_thread"])
    assert [kernel["name"] for kernel in facts["kernels"]] == KERNELS
    for kernel in facts["kernels"]:
        one, every = kernel["one_thread"], kernel["all_threads"]
        assert kernel["speed_up"] == pytest.approx(one["seconds"] / every["seconds"])
        for key, timed in (("one_thread", one), ("all_threads", every)):
            assert timed["repetitions"] >= 3
            assert timed["gflop_per_s"] == pytest.approx(kernel["flop"] / timed["seconds"] / 1e9)
            assert timed["gb_per_s"] == pytest.approx(kernel["bytes"] / timed["seconds"] / 1e9)
            assert timed["of_gemm"] == pytest.approx(timed["gflop_per_s"] / limits[0][key])
            assert timed["of_stream"] == pytest.approx(timed["gb_per_s"] / limits[1][key])
    json.dumps(facts, allow_nan=False)


def test_the_documented_counts() -> None:
    m, n, z, k = 50, 30, 300, 32
    assert k == machine_facts(TINY, n_threads=1)["rank"]
    found = {kernel["name"]: kernel for kernel in machine_facts(TINY, n_threads=1)["kernels"]}
    assert [found[name]["flop"] for name in KERNELS] == [
        2 * z * k,
        2 * z * k + 2 * 2 * m * k**2 + m * k**2,
        (2 + 7) * z * k,
        (2 + 6) * z * k,
    ]
    fixed = 8 * z + 8 * (m + 1) + 4 * n * k
    assert [found[name]["bytes"] - fixed for name in KERNELS] == [4 * m * k] + 3 * [8 * m * k]


def test_one_thread_is_measured_once() -> None:
    told: list[str] = []
    facts = machine_facts(TINY, n_threads=1, progress=lambda text, share: told.append(text))
    assert len(told) == 1 + 6
    for kernel in facts["kernels"]:
        assert kernel["speed_up"] == 1
        assert kernel["one_thread"] == kernel["all_threads"]


def test_progress_names_what_is_measured() -> None:
    told: list[tuple[str, float]] = []
    machine_facts(TINY, n_threads=2, progress=lambda text, share: told.append((text, share)))
    assert told[0] == ("generating data", 0.0)
    assert told[1] == ("measuring matrix product (1 of 2 threads)", 0.0)
    assert told[-1][0] == "measuring half-step, masked (2 of 2 threads)"
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_kernels_start_from_the_same_factor_each_time() -> None:
    work = machine._Work(TINY)
    seen = []

    def step(it: machine._Work, n_threads: int) -> None:
        seen.append(it.W.copy())
        it.gram_step(n_threads)

    work.timed(step, 1)
    assert len(seen) >= 4  # one to warm up
    assert all((W == work.start).all() for W in seen)
    assert not (work.W == work.start).all()
