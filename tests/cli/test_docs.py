"""Every command and every option is in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from nonneg.cli.app import app

from .conftest import Run

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def reference(repository: Path) -> str:
    return (repository / "docs/reference/cli.md").read_text(encoding="utf-8")


def test_the_commands_in_their_order(reference: str) -> None:
    assert re.findall(r"^## `nonneg ([\w-]+)`", reference, flags=re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(reference: str, name: str) -> None:
    section = reference.split(f"## `nonneg {name}`", 1)[1].split("\n## ", 1)[0]
    assert f"```console\n$ nonneg {name}" in section
    for parameter in COMMANDS[name].params:
        assert "help" in parameter.opts[0] or parameter.help, parameter.name
        for word in parameter.opts:
            if word.startswith("-") and "help" not in word and word != "-h":
                assert f"`{word}" in section, word


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_the_reference_exists(reference: str, name: str) -> None:
    section = reference.split(f"## `nonneg {name}`", 1)[1].split("\n## ", 1)[0]
    known = {word for parameter in COMMANDS[name].params for word in parameter.opts}
    rows = [line for line in section.splitlines() if line.startswith("| `-")]
    told = {word for row in rows for word in re.findall(r"`(--?[a-z-]+)", row.split("| ")[1])}
    assert told <= known


def test_the_demo_of_the_reference(reference: str, run: Run) -> None:
    told = reference.split("$ nonneg demo\n", 1)[1].split("\n```", 1)[0]
    # Digits, and so widths, may differ between machines; test_demo.py has the exact ones.
    words, printed = (
        re.sub(r"[\d.]+", "0", " ".join(text.split())) for text in (told, run("demo").out)
    )
    assert words == printed
