"""What every fitted object can do to be looked at: `figure`, `plot`, `write_report`, notebooks.

Figures are drawn two floors above the objects they show, so this class knows the module that draws
them by its name alone and loads it when somebody asks (docs/adr/0017).
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Shown"]


class Shown:
    """A fitted object that shows itself. `figure_kinds` says which pictures it has."""

    @property
    def figure_kinds(self) -> tuple[str, ...]:
        """The kinds of figures that this object has; the first is what `plot()` shows."""
        return tuple(_views().kinds(self))

    def figure(self, kind: str | None = None, **options: Any) -> dict[str, Any]:
        """Return a figure as a plain dict of `data` and `layout`, as Plotly's JSON has it.

        Parameters
        ----------
        kind : str, optional
            One of `figure_kinds`. Default: the first.
        **options
            What this kind takes; an unknown one is refused with the list.

        Raises
        ------
        InputError
            There is no such kind or option, or the object is not fitted.
        """
        figure: dict[str, Any] = _views().figure(self, kind, options)
        return figure

    def plot(self, kind: str | None = None, **options: Any) -> Any:
        """Return the figure as a `plotly.graph_objects.Figure`, which shows itself in notebooks.

        Parameters
        ----------
        kind, **options
            As for `figure`.

        Raises
        ------
        MissingLibraryError
            Plotly is not installed.
        """
        return _views().plotly_figure(self.figure(kind, **options))

    def write_report(
        self,
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
        force: bool = False,
        **given: Any,
    ) -> Path:
        """Write one HTML file with all figures and the methods text. It needs no network.

        Parameters
        ----------
        path : str or path
        title : str, optional
            Default: what the object is.
        force : bool, default False
            Replace an existing file.
        **given
            What further figures need: X, say, or user and item.

        Raises
        ------
        MissingLibraryError
            Plotly or Jinja2 is not installed.
        OutputExistsError
            There is a file already and `force` is false.
        """
        html = import_module("nonneg.report.html")
        written: Path = html.write_report(self, path, title=title, force=force, **given)
        return written

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows: the object in words, and its components as a small table."""
        bundle = {"text/plain": repr(self)}
        shown = _views().notebook_html(self)
        return bundle if shown is None else {**bundle, "text/html": shown}

    def _repr_html_(self) -> str | None:
        """For what does not know `_repr_mimebundle_`."""
        shown: str | None = _views().notebook_html(self)
        return shown


def _views() -> Any:
    return import_module("nonneg.report.views")
