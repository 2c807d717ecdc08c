"""Texts that every machine has: what the standard library says about itself.

The docstrings of its functions and classes are parsed, never imported, so that nothing is run. For
one version of Python they are the same on every machine.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from nonneg.errors import InputError
from nonneg.io.documents import Documents

__all__ = ["library_documents"]

# Modules and packages of many subjects that are part of every installation.
_MODULES = [
    "argparse",
    "asyncio",
    "calendar",
    "cmd",
    "concurrent",
    "configparser",
    "csv",
    "datetime",
    "difflib",
    "email",
    "fractions",
    "ftplib",
    "gzip",
    "html",
    "http",
    "imaplib",
    "inspect",
    "ipaddress",
    "json",
    "logging",
    "mailbox",
    "multiprocessing",
    "nntplib",
    "optparse",
    "pathlib",
    "pdb",
    "poplib",
    "queue",
    "random",
    "selectors",
    "shelve",
    "shutil",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "statistics",
    "subprocess",
    "tarfile",
    "tempfile",
    "threading",
    "traceback",
    "unittest",
    "urllib",
    "uuid",
    "wsgiref",
    "xml",
    "xmlrpc",
    "zipfile",
    "zoneinfo",
]
_FEWEST_WORDS = 12  # a docstring like "Return the name." has no topic
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def library_documents(progress: Callable[[str, float], None] | None = None) -> Documents:
    """Return the docstrings of Python's standard library that have twelve words or more.

    Parameters
    ----------
    progress : callable, optional
        Called with what is being done and the share that is.

    Returns
    -------
    Documents
        Named as in Python, such as json.JSONEncoder.encode; the labels are the modules.

    Raises
    ------
    InputError
        The standard library is not there as source files.

    Examples
    --------
    >>> from nonneg.apps.docstrings import library_documents
    >>> documents = library_documents()
    >>> "csv.Sniffer.has_header" in documents.names or len(documents) > 1000
    True
    """
    root = Path(sysconfig.get_path("stdlib"))
    texts, names, labels = [], [], []
    left_out = 0
    for place, module in enumerate(_MODULES):
        if progress is not None:
            progress(f"reading what Python says of {module}", place / len(_MODULES))
        for path in _sources(root, module):
            for name, text in _docstrings(path, ".".join(path.relative_to(root).parts)):
                if len(text.split()) < _FEWEST_WORDS:
                    left_out += 1
                    continue
                texts.append(text)
                names.append(name)
                labels.append(module)
    if not texts:
        raise InputError(
            f"no docstrings under '{root}' · this Python comes without its source files · run the "
            "demo with another one, or name a folder of texts: nonneg topics FOLDER"
        )
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    return Documents(
        tuple(texts),
        tuple(names),
        tuple(labels),
        source=f"the standard library of Python {version}",
        left_out={f"fewer than {_FEWEST_WORDS} words": left_out},
    )


def _sources(root: Path, module: str) -> list[Path]:
    single = root / f"{module}.py"
    found = [single] if single.is_file() else sorted((root / module).rglob("*.py"))
    return [path for path in found if "test" not in path.parent.name]


def _docstrings(path: Path, dotted: str) -> Iterator[tuple[str, str]]:
    """Names and docstrings of the functions and classes of a file."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError):  # templates of other tools
        return
    module = dotted.removesuffix(".py").removesuffix(".__init__")
    yield from _documented(tree, module)


def _documented(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _DOCUMENTED):
            inner = f"{name}.{child.name}"
            text = ast.get_docstring(child)
            if text:
                yield inner, text
            yield from _documented(child, inner)
