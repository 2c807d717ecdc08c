"""Pictures in, as arrays of one size with holes where pixels are missing; PNG files out.

A folder of PNG, JPEG, GIF, WebP, PGM, BMP and TIFF files (sub-folders are labels), one file, or
arrays in npy and npz. What cannot be read is named with its reason and left out, and the rest goes
on. Pillow, which comes with the extra `nonneg[images]`, is imported only where a picture file is
opened.
"""

from __future__ import annotations

import importlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nonneg.errors import FileFormatError, InputError, MissingLibraryError, UnknownNameError
from nonneg.io.files import PathLike, format_suffix, read_bytes, write_bytes
from nonneg.io.matrix_files import read_arrays

__all__ = [
    "SUFFIXES",
    "Choices",
    "Pictures",
    "Skipped",
    "as_pictures",
    "natural_order",
    "picture_sizes",
    "read_pictures",
    "write_png",
]

Pixels = NDArray[np.float32]

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".bmp", ".tif", ".tiff",
)  # fmt: skip
SCALINGS = ("range", "image")
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # of EXIF: how a telephone was held
_LABELS = ("y", "labels", "label", "target")
# Beyond this an image bomb would fill the memory before anybody looked at it.
_MOST_PIXELS = 100_000_000
_DEEPEST = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.bool_): 1.0}


@dataclass(frozen=True)
class Choices:
    """How pictures became numbers; kept with a model, so that new ones are treated alike.

    Attributes
    ----------
    grey : bool
        One channel: .299 red + .587 green + .114 blue. False: red, green and blue.
    size : (height, width), optional
        What pictures are resized to, by averages of areas. None: as they are.
    scaling : {"range", "image"}
        "range": 0 is black and 1 the brightest value that the file format has (of arrays of
        floats: 1, or the largest value where there are larger ones). "image": each picture is
        stretched from its darkest to its brightest pixel.
    peak : float
        What was divided by in arrays of floats.
    """

    grey: bool = True
    size: tuple[int, int] | None = None
    scaling: str = "range"
    peak: float = 1.0

    def check(self) -> None:
        """Raise `InputError` where the choices make no sense."""
        if self.scaling not in SCALINGS:
            raise InputError(
                f"scaling={self.scaling!r} is unknown · it is one of {', '.join(SCALINGS)}"
            )
        if self.size is not None and not all(1 <= side <= 10_000 for side in self.size):
            raise InputError(f"size={self.size!r} · height and width are from 1 to 10000 pixels")


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size.

    Attributes
    ----------
    pixels : ndarray of float32 (n, height, width, channels)
        From 0 (black) to 1; NaN where a pixel is missing.
    names : tuple of str
    labels : tuple of str, optional
    choices : Choices
    skipped : tuple of Skipped
    """

    pixels: Pixels
    names: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    choices: Choices = field(default_factory=Choices)
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    @property
    def matrix(self) -> Pixels:
        """One row a picture."""
        return self.pixels.reshape(len(self.pixels), -1)

    def index(self, name: str) -> int:
        """The place of the picture with this name.

        Raises
        ------
        UnknownNameError
        """
        if name not in self.names:
            raise UnknownNameError(
                f"picture {name!r} is not among the {len(self)} · they are called "
                f"{', '.join(self.names[:3])}, … · name one of them"
            )
        return self.names.index(name)

    def first(self) -> Pictures:
        """The first picture alone."""
        return self.at(0)

    def at(self, place: int) -> Pictures:
        """One picture alone."""
        one = slice(place, place + 1)
        return replace(self, pixels=self.pixels[one], names=self.names[one], labels=None)

    def without(self, missing: object) -> Pictures:
        """The same pictures with further pixels missing.

        Parameters
        ----------
        missing : array of bool (height, width) or (n, height, width), optionally with channels
            True where a pixel is missing; one for all, or one for each.
        """
        return replace(self, pixels=_with_holes(self.pixels, missing))


def as_pictures(
    images: object,
    labels: object = None,
    *,
    missing: object = None,
    bands: bool = False,
    choices: Choices | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Pictures:
    """Make pictures of an array, a path, or of pictures themselves.

    Parameters
    ----------
    images : Pictures, path, or array (n, height, width) or (n, height, width, channels)
        Values ≥ 0; NaN is missing. Also one image (height, width).
    labels : sequence, optional
        One for each image.
    missing : array of bool, optional
        As for `Pictures.without`. Also a path: of an array that is not 0 where a pixel is missing,
        of a picture that is bright there, or of a folder with such a picture for each picture,
        under the same name.
    bands : bool, default False
        The array is a cube (height, width, bands), and each band is an image.
    choices : Choices, optional
        Grey, size and scaling. Those of a model, for new images. An array of 3 dimensions is
        grey.
    shape : (height, width, channels), optional
        That of a model: of a folder, pictures of another one are left out. Default: what most have.

    Raises
    ------
    InputError
    """
    choices = choices or Choices()
    choices.check()
    if isinstance(images, Pictures):
        found = images
    elif isinstance(images, (str, Path)):
        found = read_pictures(images, choices=choices, bands=bands, shape=shape)
    else:
        found = _from_array(images, "images", bands, choices)
    if labels is not None:
        told = [str(label) for label in np.asarray(labels, dtype=object).ravel()]
        if len(told) != len(found):
            raise InputError(
                f"{len(told)} labels were given · there are {len(found)} images · give one for each"
            )
        found = replace(found, labels=tuple(told))
    if missing is None:
        return found
    if isinstance(missing, (str, Path)):
        missing = _masks(missing, found, choices.size)
    return found.without(missing)


def read_pictures(
    path: PathLike,
    *,
    choices: Choices | None = None,
    bands: bool = False,
    shape: tuple[int, int, int] | None = None,
) -> Pictures:
    """Read a folder of pictures, one picture, or an npy or npz file.

    Parameters
    ----------
    path : str or path
        Of a folder, all pictures in it and below it are read, in the order of their names; the
        first folder below it is the label. Of an npz file the array with the most entries is
        taken, and labels from `y`, `labels`, `label` or `target`.
    choices, bands, shape
        As in `as_pictures`.

    Raises
    ------
    InputError
        There is nothing there that can be read; the message names the first file and its reason.
    MissingLibraryError
        Pillow is not installed.
    """
    choices = choices or Choices()
    choices.check()
    source = Path(path)
    if source.is_dir():
        return _from_folder(source, choices, shape)
    if format_suffix(source) in (".npy", ".npz"):
        arrays = read_arrays(str(path))
        labels = next((arrays.pop(name) for name in _LABELS if name in arrays), None)
        name = max(arrays, key=lambda key: arrays[key].size)
        found = _from_array(arrays[name], str(path), bands, choices)
        return found if labels is None else as_pictures(found, labels)
    data = read_bytes(source, unpack=False)
    try:
        image = _decode(data, choices)
    except _UnusableError as error:
        raise FileFormatError(
            f"cannot read '{path}': {error} · pictures are {', '.join(SUFFIXES)}, arrays .npy and "
            ".npz · convert it"
        ) from None
    return Pictures(_scaled(image[None], choices), (source.name,), None, choices)


def picture_sizes(path: PathLike) -> Counter[tuple[int, int]]:
    """Count pictures by their size (height, width) as it is seen, without decoding them.

    Parameters
    ----------
    path : str or path
        As in `read_pictures`. Files that are no pictures are not counted.
    """
    source = Path(path)
    if format_suffix(source) in (".npy", ".npz"):
        array = max(read_arrays(str(path)).values(), key=lambda one: one.size)
        stack = array[None] if array.ndim == 2 else array
        return Counter({stack.shape[1:3]: len(stack)} if stack.ndim in (3, 4) else {})
    files = [file for file, _ in _files(source)] if source.is_dir() else [source]
    return Counter(size for file in files if (size := _seen_size(file)) is not None)


def _seen_size(file: Path) -> tuple[int, int] | None:
    pillow = _pillow()
    try:
        with warnings.catch_warnings(action="ignore"), pillow.open(file) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
            return (image.width, image.height) if turned else (image.height, image.width)
    except Exception:  # whatever the plug-ins of Pillow raise; reading it says why
        return None


def write_png(path: PathLike, image: NDArray[Any], *, force: bool = False) -> Path:
    """Write a picture (height, width) or (height, width, 3), values from 0 to 1, as PNG."""
    pillow = _pillow()
    values = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float64)), 0.0, 1.0)
    bytes_ = np.round(values * 255).astype(np.uint8)
    if bytes_.ndim == 3 and bytes_.shape[2] == 1:
        bytes_ = bytes_[:, :, 0]
    stream = io.BytesIO()
    pillow.fromarray(bytes_).save(stream, format="PNG", optimize=True)
    return write_bytes(path, stream.getvalue(), force=force)


# --- arrays ------------------------------------------------------------------------------------


def _from_array(images: object, source: str, bands: bool, choices: Choices) -> Pictures:
    try:
        values = np.asarray(images)
    except ValueError:
        raise InputError(
            f"{source}: the images have different sizes · parts need one size · resize them, or "
            "give a folder and a size"
        ) from None
    if values.dtype.kind not in "biuf":
        raise InputError(f"{source} holds {values.dtype}, not numbers · give an array of numbers")
    given = values.shape
    if values.ndim == 2:
        values = values[None]
    if bands:
        if values.ndim != 3:
            raise InputError(
                f"{source} has shape {values.shape} · a cube is height × width × bands · give three"
                " dimensions"
            )
        values = np.moveaxis(values, -1, 0)
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or 0 in values.shape:
        raise InputError(
            f"{source} has shape {given} · images are n × height × width, or with "
            "channels last · reshape them"
        )
    pixels, peak = _unit(values, source, choices)
    if choices.grey and pixels.shape[-1] in (3, 4) and not bands:
        pixels = _grey(pixels)
    if choices.size is not None and pixels.shape[1:3] != choices.size:
        pixels = np.stack([_resized(one, choices.size) for one in pixels])
    choices = replace(choices, peak=peak)
    names = tuple(f"{'band' if bands else 'image'} {i + 1}" for i in range(len(pixels)))
    return Pictures(_scaled(pixels, choices), names, None, choices)


def _unit(values: NDArray[Any], source: str, choices: Choices) -> tuple[Pixels, float]:
    """Values from 0 to 1, and what was divided by."""
    if np.isinf(values).any():
        raise InputError(f"{source} holds infinity · NaN says missing · correct it")
    low = np.nanmin(values) if not np.isnan(values).all() else 0
    if low < 0:
        raise InputError(
            f"{source} holds values below 0, down to {low:g} · brightness is not negative · shift "
            "or clip them"
        )
    peak = _DEEPEST.get(values.dtype)
    if peak is None:
        brightest = float(np.nanmax(values)) if not np.isnan(values).all() else 1.0
        # New images keep the unit of those that were fitted.
        peak = choices.peak if choices.peak != 1.0 else max(brightest, 1.0)
    return (values / np.float32(peak)).astype(np.float32), peak


def _grey(pixels: Pixels) -> Pixels:
    """One channel of three; a fourth is opacity, and what is more than half seen through lacks."""
    grey = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    if pixels.shape[-1] == 4:
        grey = np.where(pixels[..., 3] < 0.5, np.float32(np.nan), grey)
    return np.asarray(grey[..., None], dtype=np.float32)


def _scaled(pixels: Pixels, choices: Choices) -> Pixels:
    if choices.scaling == "image":
        flat: NDArray[Any] = pixels.reshape(len(pixels), -1)
        seen = ~np.isnan(flat)
        low = np.where(seen, flat, np.inf).min(axis=1)
        high = np.where(seen, flat, -np.inf).max(axis=1)
        span = np.where(high > low, high - low, 1.0)
        low = np.where(np.isfinite(low), low, 0.0)
        flat = (flat - low[:, None]) / span[:, None]
        pixels = flat.reshape(pixels.shape).astype(np.float32)
    return np.ascontiguousarray(pixels, dtype=np.float32)


def _with_holes(pixels: Pixels, missing: object) -> Pixels:
    holes = np.asarray(missing)
    if holes.dtype.kind not in "biuf":
        raise InputError(f"missing holds {holes.dtype} · it is True where a pixel is missing")
    given = holes.shape
    holes = holes != 0
    if holes.ndim == 2:
        holes = holes[None]
    if holes.ndim == 3:
        holes = holes[..., None]
    try:
        holes = np.broadcast_to(holes, pixels.shape)
    except ValueError:
        n, height, width, _ = pixels.shape
        raise InputError(
            f"missing has shape {given} · the images are {n} × {height} × {width} · "
            f"give {height} × {width} for all of them, or one for each"
        ) from None
    return np.where(holes, np.float32(np.nan), pixels)


# --- files -------------------------------------------------------------------------------------


class _UnusableError(Exception):
    """Why a file is left out."""


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise MissingLibraryError(
            "picture files need Pillow, which is not installed · install it with: pip install "
            "'nonneg[images]' · arrays (.npy, .npz) need nothing"
        ) from None


def _from_folder(folder: Path, choices: Choices, shape: tuple[int, int, int] | None) -> Pictures:
    _pillow()
    images: list[tuple[str, Pixels]] = []
    skipped: list[Skipped] = []
    for file, name in _files(folder):
        try:
            image = _decode(read_bytes(file, unpack=False), choices)
            images.append((name, image))
        except (_UnusableError, InputError) as error:
            skipped.append(Skipped(name, str(error)))
    if not images:
        why = f" · the first, {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise InputError(
            f"no picture in '{folder}' can be used{why} · pictures are {', '.join(SUFFIXES)} · "
            "name another folder"
        )
    sizes = Counter(image.shape for _, image in images)
    usual: tuple[int, ...] = sizes.most_common(1)[0][0]
    whose = "most have"
    if shape is not None and shape in sizes:
        usual, whose = shape, "those that were fitted have"
    for name, image in images:
        if image.shape != usual:
            (height, width), (tall, wide) = image.shape[:2], usual[:2]
            why = f"it has {width} × {height} pixels, {whose} {wide} × {tall}"
            skipped.append(Skipped(name, f"{why}: a size (width × height) makes them alike"))
    kept = [(name, image) for name, image in images if image.shape == usual]
    names = tuple(name for name, _ in kept)
    labels = tuple(name.partition("/")[0] for name in names) if _labelled(names) else None
    pixels = np.stack([image for _, image in kept])
    return Pictures(_scaled(pixels, choices), names, labels, choices, tuple(skipped))


def _labelled(names: tuple[str, ...]) -> bool:
    folders = {name.partition("/")[0] for name in names if "/" in name}
    return len(folders) > 1 and all("/" in name for name in names)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Picture files with their names below the folder, sorted; 2 comes before 10."""
    files = [
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    named = [(file, file.relative_to(folder).as_posix()) for file in files]
    yield from sorted(named, key=lambda pair: natural_order(pair[1]))


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return what names are sorted by so that 2 comes before 10."""
    parts: list[tuple[int, int, str]] = []
    word = ""
    for letter in [*name, ""]:
        if word and (not letter or letter.isdecimal() != word[-1].isdecimal()):
            number = word.isdecimal()
            parts.append((0, int(word), "") if number else (1, 0, word))
            word = ""
        word += letter
    return parts


def _decode(data: bytes, choices: Choices) -> Pixels:
    """One picture (height, width, channels), NaN where it is transparent."""
    pillow = _pillow()
    try:
        with warnings.catch_warnings(action="ignore"), pillow.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise _UnusableError(f"it has {image.width} × {image.height} pixels, too many")
            # Formats that hold one picture have no such attribute; MPO is a JPEG with
            # a preview behind it, as telephones write them.
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                raise _UnusableError(f"it is animated or has {image.n_frames} pages")
            pixels = _pixels(importlib.import_module("PIL.ImageOps").exif_transpose(image))
    except _UnusableError:
        raise
    except Exception as error:  # Pillow raises what its plug-ins raise
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if "cannot identify" in why:
            why = "it is no picture"
        raise _UnusableError(f"it is damaged: {why}" if "no picture" not in why else why) from None
    if choices.grey:
        pixels = _grey(pixels) if pixels.shape[-1] > 1 else pixels
    else:
        pixels = np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels
        if pixels.shape[-1] == 4:
            see_through = pixels[..., 3:] < 0.5
            pixels = np.where(see_through, np.float32(np.nan), pixels[..., :3])
    if choices.size is not None and pixels.shape[:2] != choices.size:
        pixels = _resized(pixels, choices.size)
    return pixels


def _pixels(image: Any) -> Pixels:
    """The pixels of an open picture from 0 to 1: one channel, three, or four with opacity."""
    transparent = "A" in image.getbands() or "transparency" in image.info
    if image.mode.startswith("I") and not transparent:
        values = np.asarray(image).astype(np.float64)
        if values.min() < 0 or values.max() > 65535:
            raise _UnusableError("its values are not those of 16 bits")
        return (values / 65535).astype(np.float32)[..., None]
    if image.mode == "F":
        floats = np.asarray(image).astype(np.float32)
        if not np.isfinite(floats).all() or floats.min() < 0:
            raise _UnusableError("its values are negative or not finite")
        return np.asarray(floats / max(float(floats.max()), 1.0), np.float32)[..., None]
    if transparent:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    levels: Pixels = np.asarray(image).astype(np.float32) / np.float32(255)
    return levels if levels.ndim == 3 else levels[..., None]


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize by averages of areas; what is at least half missing stays missing."""
    pillow = _pillow()
    height, width = size
    box = pillow.Resampling.BOX if height <= pixels.shape[0] else pillow.Resampling.BILINEAR

    def one(channel: NDArray[Any]) -> NDArray[Any]:
        plane = pillow.fromarray(np.ascontiguousarray(channel, dtype=np.float32))
        return np.asarray(plane.resize((width, height), box))

    seen = ~np.isnan(pixels)
    planes = []
    for c in range(pixels.shape[-1]):
        share = one(seen[..., c].astype(np.float32))
        total = one(np.where(seen[..., c], pixels[..., c], 0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            planes.append(np.where(share > 0.5, total / share, np.nan))
    resized: NDArray[Any] = np.clip(np.stack(planes, axis=-1), 0.0, None)
    return resized.astype(np.float32)


def _masks(path: PathLike, found: Pictures, size: tuple[int, int] | None) -> NDArray[np.bool_]:
    """What is missing by a file for all pictures, or by a folder with a file for each."""
    source = Path(path)
    if format_suffix(source) in (".npy", ".npz"):
        arrays = read_arrays(str(path))
        values = max(arrays.values(), key=lambda array: array.size)
        return np.asarray(values != 0)
    masks = read_pictures(source, choices=Choices(size=size))
    if masks.shape[:2] != found.shape[:2]:
        (height, width), (tall, wide) = masks.shape[:2], found.shape[:2]
        raise InputError(
            f"the mask '{path}' has {width} × {height} pixels · the pictures have {wide} × {tall} ·"
            " give one of their size"
        )
    holes = np.nan_to_num(masks.pixels[..., 0]) > 0.5
    if not source.is_dir():
        return holes
    place = {_stem(name): i for i, name in enumerate(masks.names)}
    without = next((name for name in found.names if _stem(name) not in place), None)
    if without is not None:
        raise InputError(
            f"'{path}' has no mask that can be read for '{without}' · a mask has the name of its "
            "picture · add it, or give one mask for all"
        )
    return holes[[place[_stem(name)] for name in found.names]]


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))
