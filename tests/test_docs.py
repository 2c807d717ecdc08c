"""What is written down is true: doctests, public names, commands, links."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import nonneg
from nonneg.errors import MissingLibraryError

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(nonneg.__path__, "nonneg.")
    if "_native" not in name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    if name == "nonneg.__main__":
        return  # importing it runs the command line
    try:
        module = importlib.import_module(name)
    except MissingLibraryError as error:  # tests/apps/test_adapters.py runs these examples
        pytest.skip(str(error))
    assert module.__doc__, f"{name} does not say what it hides"
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_public_names_are_the_reference(repository):
    text = (repository / "docs/reference/api.md").read_text()
    headings = re.findall(r"^### `(\w+)", text, flags=re.MULTILINE)
    assert headings == nonneg.__all__


@pytest.mark.parametrize("name", nonneg.__all__)
def test_public_names_are_documented(name):
    thing = getattr(nonneg, name)
    doc = inspect.getdoc(thing)
    assert doc
    assert len(doc) > 40
    if inspect.isclass(thing):
        for attribute, member in vars(thing).items():
            if not attribute.startswith("_") and callable(member):
                assert inspect.getdoc(getattr(thing, attribute)), f"{name}.{attribute}"
    if inspect.isfunction(thing):
        for parameter in inspect.signature(thing).parameters:
            assert parameter in doc, f"{name}: parameter {parameter} is not documented"


def test_every_loss_solver_init_and_status_is_in_the_docs(repository):
    from nonneg.core.init import INITS
    from nonneg.core.losses import LOSSES
    from nonneg.core.solvers import SOLVERS

    text = "".join(path.read_text() for path in (repository / "docs").rglob("*.md"))
    for word in [*LOSSES, *SOLVERS, *INITS, *(status.name for status in nonneg.Status)]:
        assert f"`{word}`" in text or f'"{word}"' in text, word


def test_links_between_pages_lead_somewhere(repository):
    pages = [repository / "README.md", repository / "CONTRIBUTING.md"]
    pages += (repository / "docs").rglob("*.md")
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_and_the_ci_run_the_same_commands(repository):
    commands = re.findall(
        r"^(pip install .+)$", (repository / "README.md").read_text(), flags=re.MULTILINE
    )
    script = (repository / ".ci/run").read_text().splitlines()
    assert commands == ["pip install . && nonneg demo", "pip install '.[test]' && pytest"]
    for command in commands:
        assert command in script
