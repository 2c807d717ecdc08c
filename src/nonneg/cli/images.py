"""`nonneg images` and `nonneg images-of`: parts of pictures, and what new ones hold of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nonneg.cli.console import Work, answer, check_output, note, wrote
from nonneg.cli.options import AsJson, Force, ModelPath, Report, Seed, Threads
from nonneg.cli.report import check_report
from nonneg.cli.report import write as write_report
from nonneg.errors import InputError

if TYPE_CHECKING:
    from nonneg.apps.images import ImageParts
    from nonneg.io.pictures import Pictures

__all__ = ["images", "images_of"]

_SOURCE = "A folder of pictures (PNG, JPEG, TIFF, PGM, …), one picture, or .npy, .npz."
# Written files beyond which their folder is named instead.
_NAMED = 5
Missing = Annotated[
    Path | None,
    typer.Option(
        metavar="MASK",
        help="A picture, bright where pixels are missing, or a folder of one for each; an array.",
    ),
]


def images(
    source: Annotated[Path, typer.Argument(metavar="PICTURES", help=_SOURCE)],
    rank: Annotated[
        int, typer.Option("-k", "--components", metavar="K", help="How many parts to find.")
    ] = 49,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="MODEL", help="Save the model here.")
    ] = None,
    parts: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw all parts into this picture.")
    ] = None,
    labels: Annotated[
        bool,
        typer.Option("--labels", help="Test how well labels (sub-folders, or y) are recognised."),
    ] = False,
    compression: Annotated[
        bool, typer.Option("--compression", help="Bytes and quality against rank, beside SVD.")
    ] = False,
    variant: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="plain, local (parts hardly overlap) or orthogonal (a pixel is in one part).",
        ),
    ] = "plain",
    sparseness: Annotated[
        float | None,
        typer.Option(metavar="S", help="Of every part: .5 is broad, .9 a few pixels."),
    ] = None,
    smoothness: Annotated[float, typer.Option(metavar="M", help="Smooth parts: 1 is much.")] = 0.0,
    loss: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="frobenius, kullback-leibler, huber, l1 (hidden spots) or l21."
        ),
    ] = "frobenius",
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Resize pictures to this, as in 46x56.")
    ] = None,
    colour: Annotated[bool, typer.Option("--colour", help="Keep colours.")] = False,
    scaling: Annotated[
        str,
        typer.Option(
            metavar="range|image", help="White is 1 (range), or each picture's brightest pixel is."
        ),
    ] = "range",
    bands: Annotated[
        bool,
        typer.Option("--bands", help="The array is a cube whose last axis are bands: images."),
    ] = False,
    missing: Missing = None,
    n_init: Annotated[
        int | None,
        typer.Option(metavar="N", help="Starts; the best is kept.", show_default="5 for local"),
    ] = None,
    max_iter: Annotated[int, typer.Option(metavar="N", help="Most iterations of a run.")] = 500,
    tol: Annotated[
        float, typer.Option(metavar="TOL", help="Smaller fits longer and closer.")
    ] = 1e-4,
    seed: Seed = 0,
    threads: Threads = None,
    report: Report = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find K parts of pictures, draw them, and save the model.

    Example: nonneg images faces/ -k 49 --parts parts.png -o faces.nonneg
    """
    _check_png(parts)
    readable = [] if source.is_dir() else [source]
    for path in (output, parts):
        check_output(path, force, *readable)
    check_report(report, force, *readable)
    with Work(max_iter) as work:
        work.phase("reading pictures")
        from nonneg.apps.images import ImageParts
        from nonneg.cli import draw_images
        from nonneg.io.pictures import Choices, as_pictures, write_png
        from nonneg.models import save
        from nonneg.report.images import gallery, image_facts

        choices = Choices(not colour, _size(size), scaling)
        pictures = as_pictures(str(source), missing=missing, bands=bands, choices=choices)

        def make() -> ImageParts:
            return ImageParts(
                rank,
                variant=variant,
                sparseness=sparseness,
                smoothness=smoothness,
                loss=loss,
                grey=not colour,
                size=choices.size,
                scaling=scaling,
                n_init=n_init,
                max_iter=max_iter,
                tol=tol,
                random_state=seed,
                n_threads=threads,
                callback=work.step,
            )

        # First what pictures may not be fit for, so that no work is lost.
        recognition = _recognition(work, pictures, make, seed) if labels else None
        compressed = _compression(work, pictures, rank, threads) if compression else None
        work.phase("starting")
        model = make().fit(pictures)
        facts: dict[str, Any] = {"source": str(source), **image_facts(model)}
        facts |= {"recognition": recognition, "compression": compressed}
        facts["saved"] = None if output is None else str(save(model, output, force=force))
        if parts is not None:
            write_png(parts, gallery(model.part_images_), force=force)
        facts["parts"] = None if parts is None else str(parts)
    answer(facts, as_json, lambda: draw_images.parts(facts))
    # One that holds some of the parts: a black picture would have no steps to show.
    telling = pictures.at(int(model.coefficients_.any(axis=1).argmax()))
    write_report(model, report, force, as_json, image=telling)
    for path in (parts, output):
        if path is not None:
            wrote(path, as_json)
    if output is None:
        note("nothing was saved · add -o MODEL to keep the model")


def images_of(
    model: ModelPath,
    new: Annotated[Path, typer.Argument(metavar="NEW", help=_SOURCE)],
    repair: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each picture there, missing pixels filled."),
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw how the first picture adds up from parts."),
    ] = None,
    missing: Missing = None,
    n: Annotated[
        int, typer.Option("-n", metavar="N", help="Nearest pictures and parts to name.", min=1)
    ] = 3,
    threads: Threads = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Say what new pictures hold of the parts, whose they are, and repair them.

    Example: nonneg images-of faces.nonneg new.png --missing hole.png --repair out
    """
    _check_png(stages)
    check_output(stages, force, model, *([] if new.is_dir() else [new]))
    with Work() as work:
        work.phase("loading")
        import numpy as np

        from nonneg.cli import draw_images
        from nonneg.io.pictures import as_pictures, write_png
        from nonneg.report.images import gallery, new_image_facts, told_facts

        loaded = _load(model)
        loaded.n_threads = threads
        choices = loaded.choices_
        pictures = as_pictures(str(new), missing=missing, choices=choices, shape=loaded.shape_)
        out = None if repair is None else _targets(repair, pictures.names, force)
        work.phase("transforming")
        facts: dict[str, Any] = {
            "model": str(model),
            "source": str(new),
            "rank": len(loaded.components_),
            "least_lead": loaded.metric_.limit if loaded.labels_ else None,
            "skipped": [vars(one) for one in pictures.skipped],
            "images": new_image_facts(loaded, pictures, n=n),
        }
        facts["told"] = told_facts(facts["images"], pictures.labels)
        written = []
        if out is not None:
            repaired = loaded.inpaint(pictures)
            peak = choices.peak
            for path, image in zip(out, repaired, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                written.append(write_png(path, image / peak, force=force))
        if stages is not None:
            first = pictures.first()
            given = pictures.pixels[0] if pictures.shape[-1] > 1 else pictures.pixels[0, :, :, 0]
            shown = [stage.image / choices.peak for stage in loaded.stages(first, 10)]
            if np.isnan(given).any():
                shown.append(loaded.inpaint(first)[0] / choices.peak)
            written.append(write_png(stages, gallery([given, *shown], columns=6), force=force))
        facts["written"] = [str(path) for path in written]
    answer(facts, as_json, lambda: draw_images.new_images(facts))
    if repair is not None and len(written) > _NAMED:
        written = [repair, *written[len(pictures) :]]
    for path in written:
        wrote(path, as_json)


def _recognition(work: Work, pictures: Pictures, make: Any, seed: int) -> dict[str, Any]:
    from nonneg.apps.image_evaluation import evaluate_recognition
    from nonneg.report.images import recognition_facts

    work.phase("testing recognition")
    return recognition_facts(evaluate_recognition(pictures, make, random_state=seed))


def _compression(
    work: Work, pictures: Pictures, rank: int, threads: int | None
) -> list[dict[str, Any]]:
    from nonneg.apps.image_quality import compression
    from nonneg.report.images import compression_facts

    work.phase("compressing")
    ranks = sorted({max(1, rank // 4), max(1, rank // 2), rank})
    return compression_facts(compression(pictures.pixels, ranks, n_threads=threads))


def _load(path: Path) -> ImageParts:
    from nonneg.apps.images import ImageParts
    from nonneg.models import load

    loaded = load(path)
    if not isinstance(loaded, ImageParts):
        raise InputError(
            f"'{path}' is a saved {type(loaded).__name__} · pictures need a model that nonneg "
            "images -o saved · name one"
        )
    return loaded


def _targets(folder: Path, names: tuple[str, ...], force: bool) -> list[Path]:
    """Where repaired pictures go; raises before the work if one is there already."""
    paths = [folder / Path(name).with_suffix(".png") for name in names]
    if len(set(paths)) < len(paths):
        raise InputError(
            f"two pictures would both be written to '{folder}' under one name · their names differ "
            "in the suffix alone · rename one"
        )
    for path in paths:
        if path.parent.is_dir():
            check_output(path, force)
    return paths


def _check_png(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".png":
        raise InputError(f"cannot write '{path}' · galleries are PNG files · call it .png")


def _size(word: str | None) -> tuple[int, int] | None:
    """Height and width from WxH."""
    if word is None:
        return None
    width, _, height = word.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size {word!r} is no size · the form is WxH · as in 46x56")
    return int(height), int(width)
