"""Facts as tables for a terminal of 80 columns.

Each function takes the dict that `--json` prints and yields what rich shows. Names come from
data: they are cut to fit, cleaned of control characters, and never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = [
    "clean",
    "count",
    "factorization",
    "grid",
    "heading",
    "number_table",
    "percent",
    "transformed",
]

Facts = dict[str, Any]
Drawing = Iterator[RenderableType]

_NAME_WIDTH = 28


def clean(name: object, width: int | None = _NAME_WIDTH) -> Text:
    """Return a name as text that fits `width` columns and cannot move the cursor."""
    text = Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(name)))
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text


def percent(share: float) -> str:
    """Return a share as a percentage, with two digits where it is small."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


class Flow:
    """Texts one after another with commas; a line ends between two of them, never within one."""

    def __init__(self, parts: Sequence[Text]) -> None:
        self._parts = [*(part + Text(",") for part in parts[:-1]), *parts[-1:]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Drawing:
        del console
        line = Text()
        for part in self._parts:
            if line and line.cell_len + 1 + part.cell_len > options.max_width:
                yield line
                line = Text()
            line += Text(" ") + part if line else part
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console
        widest = max((part.cell_len for part in self._parts), default=0)
        whole = sum(part.cell_len + 1 for part in self._parts)
        return Measurement(min(widest, options.max_width), min(whole, options.max_width))


def heading(text: str) -> RenderableType:
    """A line that opens a part of the answer."""
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def grid(rows: Sequence[tuple[str, RenderableType | str]], indent: int = 2) -> RenderableType:
    """Labels and what belongs to them."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, value in rows:
        table.add_row(label, value if not isinstance(value, str) else Text(value))
    return Padding(table, (0, 0, 0, indent))


def number_table(*headers: str) -> Table:
    """A table of columns of numbers, to be filled row by row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def factorization(facts: Facts) -> Drawing:
    """What a factorization found."""
    rows, columns = facts["shape"]
    rank = facts["rank"]
    yield clean(facts["source"], None)
    yield Text(
        f"{count(rows, 'row')} × {count(columns, 'column')} in {count(rank, 'component')}",
        style="bold",
    )
    seconds = facts["seconds"]
    took = f"{seconds:.1f} s" if seconds >= 0.05 else "under .1 s"
    status = facts["status"].replace("_", " ")
    yield grid(
        [
            ("relative error", f"{facts['relative_error']:.4f} (0 is exact)"),
            ("loss", _loss(facts)),
            ("observed", _observed(facts)),
            ("solver", f"{facts['solver']}, start {facts['init']}, {_seed(facts)}"),
            ("status", f"{status} after {count(facts['n_iter'], 'iteration')}, {took}"),
        ]
    )
    for component in facts["components"]:
        yield from _component(component)


def _loss(facts: Facts) -> str:
    loss, error = facts["loss"], facts["error"]
    name = loss if isinstance(loss, str) else f"β = {loss:g}"
    what = "‖X − WH‖" if loss == "frobenius" else "error"
    return f"{name}, {what} = {error:.6g}"


def _observed(facts: Facts) -> str:
    cells = facts["shape"][0] * facts["shape"][1]
    if facts["n_observed"] == cells:
        return f"all {cells:,} cells"
    return f"{facts['n_observed']:,} of {cells:,} cells ({percent(facts['n_observed'] / cells)})"


def _seed(facts: Facts) -> str:
    return "no seed" if facts["seed"] is None else f"seed {facts['seed']}"


def _component(component: Facts) -> Drawing:
    spread = component["sparseness"]
    title = Text()
    title.append(f"Component {component['number']}", style="bold cyan")
    title.append(f" · {percent(component['share'])} of WH")
    title.append(
        f" · sparseness of rows {spread['rows']:.2f}, columns {spread['columns']:.2f}",
        style="dim",
    )
    yield Padding(title, (1, 0, 0, 0))
    lists = [(side, component[side]) for side in ("columns", "rows") if component[side]]
    if lists:
        yield grid([(side, _names(entries)) for side, entries in lists])


def _names(entries: Sequence[Facts]) -> Flow:
    parts = [
        clean(entry["name"]).append(f" {percent(entry['share'])}", style="dim") for entry in entries
    ]
    return Flow(parts)


def transformed(facts: Facts) -> Drawing:
    """What the rows of a new table hold."""
    rows, rank = facts["shape"]
    yield clean(facts["source"], None)
    yield Text(f"{count(rows, 'row')} in {count(rank, 'component')}", style="bold")
    table = number_table("component", "of all weights", "largest in")
    for component in facts["components"]:
        table.add_row(
            str(component["number"]),
            percent(component["share"]),
            count(component["largest"], "row"),
        )
    yield Padding(table, (0, 0, 0, 2))
    if facts["zero_rows"]:
        holds = "holds" if facts["zero_rows"] == 1 else "hold"
        yield Text(
            f"{count(facts['zero_rows'], 'row')} {holds} none of the components: all weights 0."
        )


def doctor(facts: Facts) -> Drawing:
    """What `doctor` saw."""
    yield Text(f"nonneg {facts['nonneg']}", style="bold")
    blas = [Text(_blas(found)) for found in facts["blas"]] or [Text("not found")]
    yield grid(
        [
            ("Python", f"{facts['python']} on {facts['platform']}"),
            ("libraries", _versions(facts["libraries"])),
            ("optional", _versions(facts["optional"])),
            ("BLAS", Flow(blas)),
            ("kernels", f"{facts['instruction_set']}, {count(facts['threads'], 'thread')}"),
        ]
    )
    yield heading("Self-test")
    table = Table.grid(padding=(0, 2))
    for check in facts["self_test"]:
        mark = Text("ok", "green") if check["passed"] else Text("FAILED", "bold red")
        table.add_row(mark, check["name"], Text(check["detail"], "dim"))
    yield Padding(table, (0, 0, 1, 2))
    if facts["healthy"]:
        yield Text("Everything is in order.")
    else:
        yield Text(
            "A self-test failed: results on this machine cannot be trusted. Reinstall with "
            "pip install --force-reinstall --no-cache-dir nonneg; if that does not help, report "
            "it with the output of nonneg doctor --json."
        )
    if "bench" in facts:
        yield from _bench(facts["bench"])


def _bench(bench: Facts) -> Drawing:
    every = bench["threads"]
    yield heading("This machine")
    table = _figures("", "unit", "1 thread", count(every, "thread"), "speed-up")
    for limit in bench["limits"]:
        rates = (f"{limit[key]:.1f}" for key in ("one_thread", "all_threads"))
        table.add_row(limit["name"], limit["unit"], *rates, f"{limit['speed_up']:.2f}")
    yield Padding(table, (0, 0, 0, 2))
    yield heading("The kernels")
    data = bench["data"]
    yield Text(
        f"{data['rows']:,} × {data['columns']:,} with {data['stored']:,} entries, "
        f"{count(bench['rank'], 'component')}, {bench['dtype']}",
        "dim",
    )
    table = _figures("", "threads", "ms", "GFLOP/s", "of product", "GB/s", "of memory", "speed-up")
    for kernel in bench["kernels"]:
        for key, threads in (("one_thread", 1), ("all_threads", every)):
            if key == "all_threads" and every == 1:
                continue
            rates = kernel[key]
            table.add_row(
                kernel["name"] if key == "one_thread" else "",
                str(threads),
                f"{1e3 * rates['seconds']:.1f}",
                f"{rates['gflop_per_s']:.1f}",
                percent(rates["of_gemm"]),
                f"{rates['gb_per_s']:.1f}",
                percent(rates["of_stream"]),
                "" if key == "one_thread" else f"{kernel['speed_up']:.2f}",
            )
    yield Padding(table, (0, 0, 1, 2))
    yield Text(
        f"Medians; all in {bench['seconds']:.0f} s. Bytes count each array once, so what is "
        "read again from the caches does not show."
    )


def _figures(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if i else "left", no_wrap=True)
    return table


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 row, 2 rows."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _versions(libraries: dict[str, str | None]) -> Flow:
    return Flow([Text(f"{name} {version or 'missing'}") for name, version in libraries.items()])


def _blas(found: Facts) -> str:
    architecture = f" for {found['architecture']}" if found["architecture"] else ""
    threads = count(found["threads"], "thread")
    return f"{found['library']} {found['version']}{architecture} ({threads})"
