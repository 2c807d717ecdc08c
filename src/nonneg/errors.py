"""Every exception that `nonneg` raises on purpose.

Each message follows one pattern: what was asked, what is true, what to do. Catch
`NonnegError` to catch them all; each class also is the built-in exception that a caller who
does not know this library would expect (`ValueError`, `KeyError`, `MemoryError`, …).
"""

from __future__ import annotations

__all__ = [
    "FileFormatError",
    "InputError",
    "MissingLibraryError",
    "ModelFileError",
    "NonnegError",
    "OutputExistsError",
    "TooLargeError",
    "UnknownNameError",
]


class NonnegError(Exception):
    """Base class of all errors that this library raises on purpose."""


class InputError(NonnegError, ValueError):
    """An argument or the data cannot be used as asked."""


class MissingLibraryError(NonnegError, ImportError):
    """A module needs a library that is not installed."""


class UnknownNameError(InputError, KeyError):
    """A user, item, row or column was named that the data do not have."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; people should read the sentence itself.
        return str(self.args[0]) if self.args else ""


class FileFormatError(InputError):
    """A file cannot be read as what it was said to be."""


class ModelFileError(FileFormatError):
    """A model file is truncated, altered, of another version, or no model file at all."""


class OutputExistsError(NonnegError, FileExistsError):
    """The output exists already and `force` was not given."""


class TooLargeError(NonnegError, MemoryError):
    """The request would need more memory than this machine has."""
