"""The one place of the command line that knows of terminals: printing, progress, errors.

Answers go to stdout, everything else to stderr. Text that comes from data is never taken for
markup, nothing is wider than the terminal (80 columns where there is none), and colours appear
only on terminals.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from nonneg.errors import InputError, NonnegError, OutputExistsError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from nonneg.core.alternate import Step

__all__ = ["Commands", "Work", "answer", "check_output", "check_place", "note", "wrote"]

_bar: Progress | None = None  # the progress bar on stderr, while there is one
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_PROGRESS_AFTER = 1.0  # seconds
_WIDEST = 100
# How Python says what an option of the commands does.
_AS_OPTIONS = {
    "columns=(user, item, rating)": "--columns user,item,rating",
    "text=COLUMN": "--text COLUMN",
    "label=COLUMN": "--label COLUMN",
    "time=COLUMN": "--time COLUMN",
    'label="folder"': "--label folder",
    "n_components=": "-k ",
    "n_runs=": "--runs ",
    "raise n_runs": "raise --runs",
    'use combine="best"': "use --combine best",
    'combine="median"': "--combine median",
    "set resample=False": "add --no-resample",
    'say it: orientation="genes-by-samples" or "samples-by-genes" (--orientation on the command '
    "line)": "say it: --orientation genes-by-samples or samples-by-genes",
    'say orientation="channels-by-samples" or "samples-by-channels" (--orientation on the command '
    "line)": "say --orientation channels-by-samples or samples-by-channels",
    "say orientation": "say --orientation",
    "orientation=": "--orientation ",
    "resample=": "--resample ",
    "smoothing=": "--smoothing ",
    "lower n_components": "lower -k",
    "n_topics=": "-k ",
    "n_parts=": "-k ",
    "lower n_topics": "lower -k",
    "min_df=": "--min-df ",
    "max_df=": "--max-df ",
    "lower min_df or raise max_df": "lower --min-df or raise --max-df",
}


class Commands(TyperGroup):
    """The group of commands; what a command raises becomes one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # a Context, whose module differs between versions
        """Run the command that was asked for."""
        try:
            with _warnings_as_notes():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("interrupted: nothing was written")
            raise typer.Exit(_INTERRUPTED) from None
        except NonnegError as error:
            _say(f"error: {error}")
        except MemoryError:
            _say("error: no memory is left · this machine cannot hold that much · ask for less")
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has seen enough
                raise
            where = f"'{error.filename}': " if error.filename else ""
            _say(f"error: {where}{error.strerror or error} · check the path and its rights")
        raise typer.Exit(2)


def answer(facts: dict[str, Any], as_json: bool, draw: Callable[[], Iterator[Any]]) -> None:
    """Print the facts as JSON, or what `draw` makes of them."""
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False))
        return
    console = _console()
    if console.is_terminal:
        for part in draw():
            console.print(part)
        return
    with console.capture() as captured:
        for part in draw():
            console.print(part)
    # Tables fill their lines with spaces, which a file need not keep.
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def note(text: str) -> None:
    """Say something on stderr that the answer does not depend on."""
    _say(f"note: {text}")


def wrote(path: Path, as_json: bool) -> None:
    """Name the file that a command wrote: its last line."""
    typer.echo(f"Wrote {path}", err=as_json)


def check_output(path: Path | None, force: bool, *inputs: Path) -> None:
    """Raise now, not after the work, if `path` will not be writable or is one of the inputs."""
    from nonneg.io.files import atomic_write

    if path is None:
        return
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise InputError(
                f"cannot write '{path}': the command reads it · its data would be lost, --force or "
                "not · choose another name"
            )
    try:
        with contextlib.suppress(_UntouchedError), atomic_write(path, force=force):
            raise _UntouchedError  # the file stays as it is, and the temporary one is removed
    except OutputExistsError:
        raise OutputExistsError(
            f"cannot write '{path}': it exists already · choose another name, or add --force to "
            "replace it"
        ) from None


def check_place(path: Path | None, force: bool, files: tuple[str, ...], *inputs: Path) -> bool:
    """Raise now if OUT, a file with one of these suffixes or else a folder, will not be writable.

    Returns
    -------
    bool
        Whether it is a file.
    """
    if path is None or path.suffix in files:
        check_output(path, force, *inputs)
        return path is not None
    from nonneg.io.rows import fresh_folder

    fresh_folder(path, force=force)
    return False


class _UntouchedError(Exception):
    pass


class Work:
    """A progress bar on stderr for what takes longer than about a second.

    Use as a context manager, name each phase, and pass `step` to `factorize` as its callback.
    Where stderr is no terminal nothing is ever shown.

    Parameters
    ----------
    max_iter : int
        Iterations that one run may take.
    max_seconds : float, optional
        Seconds that all runs may take.
    """

    def __init__(self, max_iter: int = 1, max_seconds: float | None = None) -> None:
        self._max_iter = max_iter
        self._max_seconds = max_seconds
        self._text, self._done, self._run, self._last = "", 0.0, 1, 0
        self._over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PROGRESS_AFTER, self._appear)
        self._timer.daemon = True

    def __enter__(self) -> Work:
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        global _bar
        self._timer.cancel()
        with self._lock:
            self._over = True
            if _bar is not None:
                _bar.stop()
                _bar = None

    def phase(self, text: str, share: float = 0.0) -> None:
        """Say what is being done now, and which share of all is done, if that is known."""
        self._text, self._done = text, share
        self._update()

    def step(self, step: Step) -> None:
        """Show an iteration; a callback of `factorize`."""
        if step.n_iter <= self._last:
            self._run += 1
        self._last = step.n_iter
        share = step.n_iter / self._max_iter
        if self._max_seconds:
            share = max(share, step.seconds / self._max_seconds)
        run = f"run {self._run}, " if self._run > 1 else ""
        self._text = f"{run}iteration {step.n_iter}, objective {step.objective:.6g}"
        self._done = min(share, 1.0)
        self._update()

    def _appear(self) -> None:
        global _bar
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            console=_console(stderr=True),
            transient=True,
        )
        with self._lock:
            if self._over:
                return
            bar.add_task(self._text, total=None)
            bar.start()
            _bar = bar
        self._update()

    def _update(self) -> None:
        bar = _bar
        if bar is not None:
            known = self._done > 0
            bar.update(
                bar.task_ids[0],
                description=self._text,
                total=1.0 if known else None,
                completed=self._done,
            )


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Show what the library warns of as short notes, without the place in the source."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        note(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _say(text: str) -> None:
    from rich.text import Text

    for python, option in _AS_OPTIONS.items():
        text = text.replace(python, option)
    # While a bar is shown, its console keeps it below what is said.
    console = _console(stderr=True) if _bar is None else _bar.console
    # A log gets one line a message; a person gets words that are not cut at the margin.
    console.print(Text(text), soft_wrap=not console.is_terminal)


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if console.width > _WIDEST:
        console.width = _WIDEST
    return console
