"""`nonneg report`, and what `--report` of the other commands does: one HTML file to send around."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from nonneg.cli.console import Work, answer, check_output, note, wrote
from nonneg.cli.options import AsJson, Force, ModelPath
from nonneg.errors import InputError, MissingLibraryError

__all__ = ["check_report", "report", "write"]


def check_report(path: Path | None, force: bool, *inputs: Path) -> None:
    """Raise now, not after the work, if a report cannot be written."""
    if path is None:
        return
    for library in ("plotly", "jinja2"):
        if importlib.util.find_spec(library) is None:
            raise MissingLibraryError(
                f"a report is made with plotly and jinja2 · {library} is not installed · pip "
                "install 'nonneg[report]'"
            )
    check_output(path, force, *inputs)


def write(shown: Any, path: Path | None, force: bool, as_json: bool, **given: Any) -> None:
    """Write the report of a command, if one was asked for, and name the file."""
    if path is not None:
        shown.write_report(path, force=force, **given)
        wrote(path, as_json)


def report(
    model: ModelPath,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="Where to: an HTML file."),
    ],
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE", help="The table that was factorized, to be shown beside the factors."
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(
            metavar="N", help="With --table: fit from N other starts, and draw them, too.", min=0
        ),
    ] = 0,
    user: Annotated[
        str | None, typer.Option("--user", "-u", metavar="U", help="Whom to recommend to.")
    ] = None,
    item: Annotated[
        str | None, typer.Option("--item", "-i", metavar="I", help="What to give reasons for.")
    ] = None,
    titles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What items are called: id, title.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Of parts of pictures: one to be put together from them."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of mutational signatures: known ones to compare with."),
    ] = None,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The heading.", show_default="its kind")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file with all figures of a saved model and the methods text.

    Example: nonneg report genes.nonneg -o genes.html
    """
    inputs = [path for path in (table, titles, image, reference) if path is not None]
    check_report(output, force, model, *inputs)
    with Work() as work:
        work.phase("loading")
        from nonneg.models import load

        loaded = load(model)
        given = _given(work, loaded, model, table, user, item, titles)
        if runs:
            given["runs"] = _other_runs(work, loaded, given.get("X"), runs)
        if image is not None:
            given["image"] = _image(loaded, image)
        if reference is not None:
            given["match"] = _match(loaded, reference)
        work.phase("drawing")
        loaded.write_report(output, title=title, force=force, **given)
        facts = {
            "source": str(model),
            "kind": type(loaded).__name__,
            "figures": list(loaded.figure_kinds),
            "saved": str(output),
        }
    answer(facts, as_json, lambda: iter([f"Figures: {', '.join(facts['figures'])}"]))
    wrote(output, as_json)


def _other_runs(work: Work, loaded: Any, X: Any, n: int) -> list[Any]:
    """The same fit from other starts: what changes is what the data do not settle."""
    if X is None or type(loaded).__name__ != "NMF":
        raise InputError(
            "--runs factorizes a table again · there is none · add --table, of a saved NMF"
        )
    from sklearn.base import clone

    fits = []
    for seed in range(1, n + 1):
        work.phase(f"run {seed} of {n}", seed / n)
        other = clone(loaded).set_params(init="random", n_init=1, random_state=seed)
        fits.append(other.fit(X).factorization_)
    return fits


def _image(loaded: Any, path: Path) -> str:
    if type(loaded).__name__ != "ImageParts":
        raise InputError(
            f"--image is for parts of pictures · this is a saved {type(loaded).__name__} · leave "
            "it out"
        )
    return str(path)


def _match(loaded: Any, path: Path) -> Any:
    if type(loaded).__name__ != "Signatures":
        raise InputError(
            f"--reference is for mutational signatures · this is a saved {type(loaded).__name__} · "
            "leave it out"
        )
    from nonneg.io.catalogue import read_catalogue, with_channels

    known = with_channels(read_catalogue(path), loaded.channels_)
    for text in known.notes:
        note(text)
    return loaded.match(known)


def _given(
    work: Work,
    loaded: Any,
    path: Path,
    table: Path | None,
    user: str | None,
    item: str | None,
    titles: Path | None,
) -> dict[str, Any]:
    """What the figures are to be drawn with."""
    kind = type(loaded).__name__
    if kind != "Recommender" and (user or item or titles):
        raise InputError(
            f"--user, --item and --titles are for recommenders · '{path}' is a saved {kind} · "
            "leave them out"
        )
    if item is not None and user is None:
        raise InputError("--item without --user · reasons are for one person · add --user U")
    given: dict[str, Any] = {}
    if table is not None:
        from nonneg.io.table import read_table

        if kind not in ("NMF", "Factorization"):
            raise InputError(
                f"--table is for factorizations of tables · '{path}' is a saved {kind} · leave it "
                "out"
            )
        work.phase(f"reading {table.name}")
        given["X"] = read_table(table).values
    if user is not None:
        given["user"] = user
    if titles is not None or item is not None:
        from nonneg.io.names import read_titles
        from nonneg.report.taste import find_item

        names = None if titles is None else read_titles(titles)
        given |= {} if names is None else {"titles": names}
        given |= {} if item is None else {"item": find_item(loaded, item, names)}
    return given
