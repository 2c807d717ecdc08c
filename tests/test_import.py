"""What an import costs: the package and the help load nothing that they do not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

OPTIONAL = ["pandas", "polars", "pyarrow", "plotly", "matplotlib", "jinja2", "fastapi"]
OPTIONAL += ["sqlalchemy", "surprise", "lenskit", "anndata", "h5py", "PIL"]
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


def command(*arguments: str) -> str:
    """Return a statement that runs a command."""
    return (
        f"import contextlib; sys.argv = ['nonneg', *{arguments!r}]\n"
        "from nonneg.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["fit", "--help"], ["doctor", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert not loaded(command(*arguments)) & {*OPTIONAL, *HEAVY}


def test_the_doctor_asks_for_versions_without_loading() -> None:
    found = loaded(command("doctor"))
    assert {"numpy", "scipy", "threadpoolctl"} <= found
    assert not found & {*OPTIONAL, "sklearn", "narwhals", "safetensors"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["fit", "table.csv", "-k", "1", "-o", "model.nonneg"],
        ["recommend", "ratings.csv", "--user", "a"],
        ["doctor"],
    ],
)
def test_commands_work_without_the_optional_libraries(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "table.csv").write_text("name,a,b\nx,1,2\ny,3,\n")
    (tmp_path / "ratings.csv").write_text("user,item,rating\na,x,1\nb,y,2\n")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
        f"sys.argv = ['nonneg', *{arguments!r}]\n"
        "from nonneg.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_lazy() -> None:
    import nonneg

    assert list(nonneg._WHERE) == nonneg.__all__
    for name in nonneg.__all__:
        assert getattr(nonneg, name) is not None
        assert name in dir(nonneg)
    with pytest.raises(AttributeError, match="nothing"):
        nonneg.nothing  # noqa: B018
