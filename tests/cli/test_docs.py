"""Every command and every option is in the reference."""

from __future__ import annotations

import re
import shlex
import shutil
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


def blocks(text: str) -> list[tuple[str, str]]:
    """The commands of the console blocks of a page, each with what it prints."""
    found = re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    commands = "".join(found).split("$ nonneg ")[1:]
    return [(command.split("\n", 1)[0], command.split("\n", 1)[1]) for command in commands]


@pytest.mark.parametrize("page", ["tutorial/topics.md", "reference/cli.md"])
def test_the_topics_of_the_pages(
    page: str, repository: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mail.csv", "new.txt"):
        shutil.copy(repository / "docs/tutorial" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    told = [
        pair for pair in blocks((repository / "docs" / page).read_text()) if "topics" in pair[0]
    ]
    assert len(told) > 1
    if page.startswith("reference"):  # which shows what the tutorial saved
        run("topics", "mail.csv", "-k", 4, "--label", "team", "-o", "teams.nonneg")
    for command, printed in told:
        # Digits may differ in the last places between machines.
        expected, found = (
            re.sub(r"[\d.]+", "0", " ".join(text.split()))
            for text in (printed, run(*shlex.split(command)).out)
        )
        assert expected == found, command
