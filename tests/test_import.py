"""What an import costs: the package and the help load nothing that they do not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

OPTIONAL = ["pandas", "polars", "pyarrow", "plotly", "matplotlib", "jinja2", "fastapi"]
FRONT = ["typer", "rich"]
HEAVY = ["sklearn", "scipy", "numpy", "narwhals", "safetensors", "threadpoolctl"]


def loaded(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after `statement`."""
    code = (
        f"import sys, json\n{statement}\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_is_lazy() -> None:
    assert not loaded("import nonneg") & {*OPTIONAL, *FRONT, *HEAVY}


def test_a_factorization_needs_numpy_and_scipy_only() -> None:
    found = loaded("import nonneg; nonneg.factorize([[1.0, 2.0], [2.0, 4.0]], 1)")
    assert {"numpy", "scipy"} <= found
    assert not found & {*OPTIONAL, *FRONT, "sklearn", "narwhals", "safetensors"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    statement = (
        f"import contextlib; sys.argv = ['nonneg', *{arguments!r}]\n"
        "from nonneg.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    assert not loaded(statement) & {*OPTIONAL, *HEAVY}


def test_every_command_works_without_the_optional_libraries() -> None:
    block = f"sys.modules.update(dict.fromkeys({OPTIONAL!r}))"
    statement = (
        f"{block}\nimport contextlib; sys.argv = ['nonneg', 'demo']\n"
        "from nonneg.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    loaded(statement)


def test_every_public_name_is_there_and_lazy() -> None:
    import nonneg

    assert list(nonneg._WHERE) == nonneg.__all__
    for name in nonneg.__all__:
        assert getattr(nonneg, name) is not None
        assert name in dir(nonneg)
    with pytest.raises(AttributeError, match="nothing"):
        nonneg.nothing  # noqa: B018
