"""The container of saved models: one safetensors file that is checked before it is used.

The header's metadata (text to text, as the format wants it) say `format`, `format_version`,
`kind`, the library's version, the time, `meta` as JSON, and `sha256`. The digest is taken over
the whole file with its own 64 digits as zeros, so that no byte can change unnoticed. Nothing is
unpickled, and nothing is allocated on the word of a header before its sizes are checked.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nonneg.errors import InputError, ModelFileError
from nonneg.io.files import PathLike, read_bytes, write_bytes

__all__ = ["FORMAT_VERSION", "ModelRecord", "read_record", "write_record"]

FORMAT_VERSION = 1

_FORMAT = "nonneg"
_MAX_HEADER = 100_000_000  # the limit of safetensors itself
_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_NO_DIGEST = b"0" * 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


@dataclass(frozen=True, eq=False)
class ModelRecord:
    """What a model file holds.

    Attributes
    ----------
    kind : str
        What the record describes: "nmf", "factorization", "recommender".
    meta : dict
        Everything that is no array: strings, finite numbers, booleans, None, lists and dicts with
        string keys. Tuples come back as lists.
    arrays : dict of str to ndarray
        Real numbers, integers or booleans, all finite.
    """

    kind: str
    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def write_record(record: ModelRecord, path: PathLike, *, force: bool = False) -> Path:
    """Write a record to one file, atomically.

    Parameters
    ----------
    record : ModelRecord
    path : str or path
    force : bool, default=False
        Replace an existing file.

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        There is a file already and `force` is false.
    InputError
        The record cannot be stored as it is, or the folder cannot be written.
    """
    if not _NAME.fullmatch(record.kind):
        raise InputError(f"cannot save kind {record.kind!r}: use letters, digits, _ and dots.")
    _check_json(record.meta, "meta")
    arrays = {name: _storable(name, values) for name, values in record.arrays.items()}
    metadata = {
        "format": _FORMAT,
        "format_version": str(FORMAT_VERSION),
        "kind": record.kind,
        "library_version": _library_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "meta": json.dumps(record.meta, allow_nan=False, separators=(",", ":")),
        "sha256": _NO_DIGEST.decode(),
    }
    data = bytearray(safetensors.numpy.save(arrays, metadata))
    header_size = int.from_bytes(data[:8], "little")
    if header_size > _MAX_HEADER:
        raise InputError(
            f"cannot save '{os.fspath(path)}': names and settings take {header_size} bytes, more "
            f"than {_MAX_HEADER}. Save fewer or shorter names."
        )
    found = _DIGEST.search(data, 8, 8 + header_size)
    if found is None:
        raise AssertionError("safetensors wrote a header without the digest's place")
    start, end = found.span(1)
    data[start:end] = hashlib.sha256(data).hexdigest().encode()
    return write_bytes(path, data, force=force)


def read_record(path: PathLike) -> ModelRecord:
    """Read and check a record; nothing is returned unless all of it is as it was written.

    Raises
    ------
    ModelFileError
        The file is no model file, is truncated or altered, or was written by a newer version.
    InputError
        There is no such file, or it may not be read.
    """
    source = os.fspath(path)
    data = read_bytes(path, unpack=False)
    header, size = _header(data, source)
    metadata = _metadata(header, source)
    _check_digest(data, size, metadata["sha256"], source)
    meta = _json(metadata["meta"], source, "its settings")
    if not isinstance(meta, dict):
        _fail(source, "its settings are not an object")
    if not _NAME.fullmatch(metadata["kind"]):
        _fail(source, "its kind is not a word")
    return ModelRecord(metadata["kind"], meta, _arrays(data, header, size, source))


def _fail(source: str, problem: str, advice: str = "") -> NoReturn:
    raise ModelFileError(
        f"cannot load '{source}': {problem}. "
        + (advice or "The file is damaged or was altered: save the model again.")
    )


# --- writing ---------------------------------------------------------------------------------


def _library_version() -> str:
    try:
        return importlib.metadata.version("nonneg")
    except importlib.metadata.PackageNotFoundError:  # run from a source tree
        return "unknown"


def _check_json(value: object, where: str) -> None:
    """Raise unless JSON gives `value` back as it is, tuples aside."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if type(key) is not str:
                raise InputError(f"cannot save {where}: key {key!r} is not a string.")
            _check_json(inner, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_json(inner, where)
    elif type(value) is float:
        if not math.isfinite(value):
            raise InputError(f"cannot save {where}: {value} is not finite. Use None.")
    elif value is not None and type(value) not in (str, int, bool):
        raise InputError(
            f"cannot save {where}: {type(value).__name__} is not JSON. "
            "Use str, int, float, bool, None, list or dict; put arrays into `arrays`."
        )


def _storable(name: str, values: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(values)
    if not _NAME.fullmatch(name):
        raise InputError(f"cannot save array {name!r}: name it with letters, digits, _ and dots.")
    if array.dtype.name not in _DTYPES.values():
        raise InputError(
            f"cannot save array {name!r}: its type is {array.dtype}. Use real numbers or booleans."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"cannot save array {name!r}: it is not finite. Fit the model again.")
    # The format is little-endian and row-major.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


# --- reading ---------------------------------------------------------------------------------


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not finite")
    return value


def _json(text: str, source: str, what: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except (ValueError, RecursionError) as error:
        _fail(source, f"{what} are not valid JSON ({error})")


def _header(data: bytes, source: str) -> tuple[dict[str, Any], int]:
    """Return the header and where the arrays begin; its length is checked before it is believed."""
    no_model = "Load a file that `save` wrote."
    if len(data) < 10:
        _fail(source, f"{len(data)} bytes are no model file", no_model)
    size = 8 + int.from_bytes(data[:8], "little")
    if size - 8 > _MAX_HEADER or data[8:9] != b"{":
        _fail(source, "it is no model file", no_model)
    if size > len(data):
        _fail(source, f"its header needs {size} bytes, the file has {len(data)}")
    try:
        text = data[8:size].decode("utf-8")
    except UnicodeDecodeError:
        _fail(source, "its header is not UTF-8")
    header: dict[str, Any] = _json(text, source, "its header's contents")  # it begins with {
    return header, size


def _metadata(header: dict[str, Any], source: str) -> dict[str, str]:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        _fail(
            source,
            "it is a safetensors file, but not a model of nonneg",
            "Load a file that `save` wrote.",
        )
    for key in ("format_version", "kind", "library_version", "created", "meta", "sha256"):
        if not isinstance(metadata.get(key), str):
            _fail(source, f"its header has no text under {key!r}")
    version = metadata["format_version"]
    if version != str(FORMAT_VERSION):
        if version.isascii() and version.isdecimal() and len(version) < 9 and int(version) > 1:
            _fail(
                source,
                f"it has format version {version}; this library reads {FORMAT_VERSION}",
                "Update nonneg to load it.",
            )
        _fail(source, f"its format version {version[:20]!r} is unknown")
    return metadata


def _check_digest(data: bytes, size: int, digest: str, source: str) -> None:
    places = list(_DIGEST.finditer(data, 8, size))
    if len(places) != 1 or places[0].group(1) != digest.encode("utf-8", "replace"):
        _fail(source, "its checksum is not where it should be")
    start, end = places[0].span(1)
    view = memoryview(data)
    found = hashlib.sha256(view[:start])
    found.update(_NO_DIGEST)
    found.update(view[end:])
    if found.hexdigest() != digest:
        _fail(source, "its checksum does not match its content")


def _arrays(
    data: bytes, header: Mapping[str, Any], size: int, source: str
) -> dict[str, NDArray[Any]]:
    total = 0
    for name, entry in header.items():
        if name != "__metadata__":
            total += _bytes_of(name, entry, source)
    if size + total != len(data):
        _fail(source, f"its arrays need {total} bytes, the file has {len(data) - size}")
    try:
        arrays = safetensors.numpy.load(data)  # checks offsets and overlaps
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        _fail(source, f"its arrays cannot be read ({error})")
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            _fail(source, f"its array {name!r} is not finite")
        if values.dtype.kind == "b" and (values.view(np.uint8) > 1).any():
            _fail(source, f"its array {name!r} is not made of booleans")
    # safetensors gives read-only views of its buffer.
    return {name: arrays[name].copy() for name in sorted(arrays)}


def _bytes_of(name: str, entry: object, source: str) -> int:
    """Return how many bytes one array's entry in the header claims, which must fit its shape."""
    if not _NAME.fullmatch(name) or not isinstance(entry, dict):
        _fail(source, f"its header has a strange entry {name[:40]!r}")
    dtype = entry.get("dtype")
    shape, offsets = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        _fail(source, f"its array {name!r} has an unknown type")
    if shape is None or len(shape) > 32 or offsets is None or len(offsets) != 2:
        _fail(source, f"its array {name!r} has no valid shape and place")
    claimed = offsets[1] - offsets[0]
    if claimed != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
        _fail(source, f"its array {name!r} has a size that does not fit its shape")
    return claimed


def _counts(values: object) -> list[int] | None:
    """Return a list of counts that fit 63 bits, or None."""
    if isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values):
        return values
    return None
