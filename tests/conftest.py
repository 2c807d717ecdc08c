"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("nonneg", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("nonneg")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the checkout, for tests of what is not installed (docs, README)."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real data that may not be redistributed; tests that need them skip without.

    The folder that NONNEG_DATA names, or else `shared/data` beside the checkout.
    """
    named = os.environ.get("NONNEG_DATA")
    folder = Path(named) if named else repository.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not on this machine (see docs/reference/data.md)")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what skips for want of what NONNEG_REQUIRE (words and commas) says is there."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        words = os.environ.get("NONNEG_REQUIRE", "").casefold().split(",")
        if any(word and word in reason.casefold() for word in words):
            report.outcome = "failed"
            report.longrepr = f"{reason}, and NONNEG_REQUIRE says that it is there"
    return report
