"""The one place that reads bytes and text and the one atomic writer.

Everything that reads a text file gets the same treatment: plain or gzip by content, UTF-8 with
the place of the first bad byte, one rule for delimiters, one for quotes. Everything that writes
a file goes through `atomic_write`, so that a reader sees the old file or the new one, never half
of one.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import importlib
import io
import os
import re
import secrets
import stat
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal

from nonneg.errors import FileFormatError, InputError, OutputExistsError, TooLargeError

__all__ = [
    "DELIMITERS",
    "PathLike",
    "atomic_write",
    "column_blocks",
    "format_suffix",
    "numbered_rows",
    "ragged",
    "read_any_text",
    "read_bytes",
    "read_parquet",
    "read_text",
    "sniff_delimiter",
    "write_bytes",
]

PathLike = str | os.PathLike[str]

#: In the order that decides a tie. The comma comes last: where another delimiter also cuts every
#: line into equally many cells, the commas are decimal commas or part of the names.
DELIMITERS = ("::", "\t", ";", "|", ",")

_SNIFF_LINES = 50
# Rows a block: at 4,096 a million lines take .6 s, at 65,536 they fall out of cache: 1.05 s.
_BLOCK_ROWS = 4_096
_BINARY_HEAD = 65_536  # bytes in which a file that is no text shows a zero
_UNIT = "\x1f"  # stands in for "::", since csv wants a single character
_QUOTED = re.compile(r'(?<![^\r\n,;\t|: ])"(?:[^"]|"")*(?:"|\Z)')


def format_suffix(path: PathLike) -> str:
    """Return the suffix that names the format, without `.gz`: that of `x.CSV.gz` is `.csv`."""
    return Path(Path(path).name.lower().removesuffix(".gz")).suffix


def read_bytes(path: PathLike, *, unpack: bool = True) -> bytes:
    """Read all bytes of a file, decompressed if it is gzip (known by content, required of `.gz`).

    Parameters
    ----------
    path : str or path
    unpack : bool, default=True
        False gives the bytes as they are, for formats that may begin like gzip by chance.

    Raises
    ------
    InputError
        There is no such file, it is a directory, or it may not be read.
    FileFormatError
        The gzip stream is damaged.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"cannot read '{path}': there is no such file{_similar(path)}") from None
    except IsADirectoryError:
        raise InputError(f"cannot read '{path}': it is a directory; name a file in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read '{path}': {why}. Check the path and its rights.") from None
    except MemoryError:
        raise TooLargeError(
            f"cannot read '{path}': it does not fit into memory. Read a part of it."
        ) from None
    if not unpack:
        return data
    if data[:2] == b"\x1f\x8b":
        return _gunzip(data, path)
    if path.name.lower().endswith(".gz"):
        raise FileFormatError(
            f"cannot read '{path}': it is named .gz but is not gzip. "
            "Remove .gz from its name if it is plain text, or fetch it again."
        )
    return data


def _gunzip(data: bytes, path: Path) -> bytes:
    parts = []
    try:
        while data:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(data))
            if not member.eof:
                raise zlib.error("it ends too early")
            data = member.unused_data.lstrip(b"\0")  # some tools pad a member with zeros
    except zlib.error as error:
        raise FileFormatError(
            f"cannot read '{path}': the gzip data are damaged ({error}). Fetch or pack it again."
        ) from None
    except MemoryError:
        raise TooLargeError(
            f"cannot read '{path}': unpacked it does not fit into memory. Read a part of it."
        ) from None
    return b"".join(parts)


def _similar(path: Path) -> str:
    try:
        names = os.listdir(path.parent)
    except (OSError, ValueError):
        return f" and no folder '{path.parent}'; check the path."
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean '{path.parent / near[0]}'?" if near else "; check the path."


def read_text(path: PathLike, *, fallback: str | None = None) -> str:
    """Read the text of a UTF-8 file, plain or gzip, without its byte order mark.

    Parameters
    ----------
    path : str or path
    fallback : str, optional
        The encoding of one byte a character in which to read a file that is not UTF-8, for text
        where a wrong letter does no harm. Default: such a file is an error.

    Raises
    ------
    FileFormatError
        It is not UTF-8 (with line and byte of the first bad one), or it is empty.
    InputError
        As `read_bytes`.
    """
    data = read_bytes(path)
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise FileFormatError(
                f"cannot read '{path}': it is UTF-16, not UTF-8. Save it as UTF-8."
            ) from None
        if fallback is None:
            line = data.count(b"\n", 0, error.start) + 1
            byte = error.start - data.rfind(b"\n", 0, error.start)
            raise FileFormatError(
                f"cannot read '{path}': line {line}, byte {byte} (0x{data[error.start]:02x}) is "
                "not UTF-8. Save it as UTF-8, for instance with: iconv -f latin1 -t utf-8."
            ) from None
        text = data.decode(fallback)
    if not text.strip():
        raise FileFormatError(f"cannot read '{path}': it is empty. Check that it was saved.")
    return text


def read_any_text(path: PathLike) -> tuple[str, str]:
    """Read a text of whatever encoding, plain or gzip, for reading rather than for keys.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    text : str
        Maybe empty.
    encoding : str
        "UTF-8", "UTF-16" (with its mark), or "Latin-1", which fits any bytes: the letters may then
        be others than were meant.

    Raises
    ------
    FileFormatError
        It is no text: there are zero bytes in it.
    InputError
        As `read_bytes`.
    """
    data = read_bytes(path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-16"), "UTF-16"
    if b"\0" in data[:_BINARY_HEAD]:
        raise FileFormatError(
            f"cannot read '{path}': it is not text (it has zero bytes). Save it as UTF-8 text."
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff"), "UTF-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def sniff_delimiter(text: str) -> str:
    r"""Find the delimiter of a table: `,`, tab, `;`, `|` or `::`.

    For each candidate the first 50 lines are counted, quoted cells left out; the one that cuts
    the most lines into equally many cells wins, ties go by the order of `DELIMITERS`. A text of a
    single column has none: the answer is then `,`.

    Examples
    --------
    >>> sniff_delimiter("a;b\n1,5;2\n")
    ';'
    """
    head = "".join(islice(io.StringIO(text), _SNIFF_LINES))
    lines = [line for line in _QUOTED.sub("", head).splitlines() if line.strip()]
    best, most = ",", 0
    for delimiter in DELIMITERS:
        counts = Counter(n for n in (line.count(delimiter) for line in lines) if n)
        agreeing = max(counts.values(), default=0)
        if agreeing > most:
            best, most = delimiter, agreeing
    return best


def _reader(text: str, delimiter: str) -> Any:  # the csv reader's class has no public name
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL
    if delimiter == "::":  # the format of MovieLens knows no quotes
        text, delimiter, quoting = text.replace("::", _UNIT), _UNIT, csv.QUOTE_NONE
    # newline="" keeps line ends inside quoted cells as they are.
    source = io.StringIO(text, newline="")
    return csv.reader(
        source, delimiter=delimiter, quoting=quoting, skipinitialspace=True, strict=True
    )


def numbered_rows(text: str, delimiter: str, source: PathLike) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the line (from 1) that each starts on; blank lines are left out."""
    reader = _reader(text, delimiter)
    line, empty = 1, True
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0]):
                empty = False
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileFormatError(
            f"cannot read '{source}': line {line}: {error}. Check the quotes on this line."
        ) from None
    if empty:
        raise FileFormatError(f"cannot read '{source}': it has no cells. Check how it was saved.")


def column_blocks(
    text: str, delimiter: str, source: PathLike, *, skip: int = 0
) -> Iterator[list[tuple[str, ...]]]:
    """Yield the columns in blocks of rows, for long files, after `skip` leading rows.

    Raises
    ------
    FileFormatError
        A row has more or fewer cells than the first.
    """
    reader = _reader(text, delimiter)
    rows = (row for row in reader if len(row) > 1 or (row and row[0]))
    width = 0
    try:
        for row in islice(rows, skip):
            width = width or len(row)
        while block := list(islice(rows, _BLOCK_ROWS)):
            width = width or len(block[0])
            columns = list(zip(*block, strict=True))
            if len(columns) != width:
                raise ValueError
            yield columns
    except (ValueError, csv.Error):
        # zip and csv know no place: read again, slowly, for the message.
        first = None
        for line, row in numbered_rows(text, delimiter, source):
            first = first or (line, len(row))
            if len(row) != first[1]:
                raise ragged(source, line, len(row), *first) from None
        raise


def ragged(
    source: PathLike, line: int, cells: int, first_line: int, expected: int
) -> FileFormatError:
    """Build the error for a row of another length than the first."""
    return FileFormatError(
        f"cannot read '{source}': line {line} has {cells} cells, line {first_line} has "
        f"{expected}. Every line needs equally many; quote cells that contain the delimiter."
    )


def read_parquet(path: PathLike) -> Any:
    """Read a Parquet file as a pyarrow Table; pyarrow comes with the extra `nonneg[parquet]`."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        arrow = importlib.import_module("pyarrow")
    except ImportError:
        raise InputError(
            f"cannot read '{path}': Parquet needs pyarrow, which is not installed. "
            "Install it with: pip install 'nonneg[parquet]'."
        ) from None
    data = read_bytes(path)
    try:
        return parquet.read_table(arrow.BufferReader(data))
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise FileFormatError(
            f"cannot read '{path}' as Parquet: {str(error).splitlines()[0]}. Write it again."
        ) from None


@contextlib.contextmanager
def atomic_write(path: PathLike, *, force: bool = False) -> Iterator[BinaryIO]:
    """Open a binary stream that becomes the file at `path` once the block ends without error.

    The bytes go to a temporary file in the same folder, are forced to disk, and the file is then
    renamed; after an error the temporary file is removed and an older file at `path` is as it
    was. Links are followed; an older file keeps its mode.

    Raises
    ------
    OutputExistsError
        There is a file at `path` and `force` is false.
    InputError
        The folder is missing or not writable, or `path` is a directory or a device.
    """
    target = Path(os.path.realpath(path))
    mode = _check_target(target, force)
    temporary = target.parent / f".nonneg-{secrets.token_hex(8)}.tmp"
    try:
        # 0o666 lets the umask decide, as for any new file.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    except OSError as error:
        raise InputError(
            f"cannot write '{path}': folder '{target.parent}' is not writable "
            f"({error.strerror}). Choose another folder or change its rights."
        ) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        _check_target(target, force)  # somebody may have been quicker
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows only


def _check_target(target: Path, force: bool) -> int | None:
    """Raise unless `target` may be written; the mode of the file that it replaces, if any."""
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not target.parent.is_dir():
            raise InputError(
                f"cannot write '{target}': there is no folder '{target.parent}'. "
                "Create it or choose another one."
            ) from None
        return None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot write '{target}': {why}. Choose another path.") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a directory" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise InputError(f"cannot write '{target}': it is {kind}. Choose another file name.")
    if not force:
        raise OutputExistsError(
            f"cannot write '{target}': it exists already. Choose another name, or overwrite it "
            "with force."
        )
    return stat.S_IMODE(found.st_mode)


def write_bytes(path: PathLike, data: bytes | bytearray, *, force: bool = False) -> Path:
    """Write `data` to `path` by `atomic_write`; the path as a `Path`."""
    with atomic_write(path, force=force) as stream:
        stream.write(data)
    return Path(path)
