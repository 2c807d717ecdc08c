"""The talk's example as a page to read, for somebody who never saw a factorization."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, grid, heading
from nonneg.cli.draw_taste import VERDICT, neighbors, parts

__all__ = ["demo"]

_TRY = (
    ("nonneg recommend ratings.csv --user Ann", "what Ann may like"),
    ("nonneg recommend ratings.csv --user Ann --item Heat", "one item, and why"),
    ("nonneg fit table.csv -k 5 -o parts.nonneg", "the parts of any table"),
    ("nonneg doctor", "is all in order here?"),
)


def demo(facts: Facts) -> Drawing:
    """The page, section by section."""
    yield from _question(facts)
    yield from _factors(facts)
    yield from _similarity(facts)
    yield from _naive(facts)
    yield from _right(facts)
    yield from _next()


def _question(facts: Facts) -> Drawing:
    user, show = facts["naive"]["user"], facts["naive"]["show"]
    yield Text(f"Would {user} like {show}?", "bold")
    yield Text("Five people rated seven shows from 1 to 5. A dot says: not rated.")
    rows = [
        (user, ["·" if value is None else f"{value:.1f}" for value in row])
        for user, row in zip(facts["users"], facts["ratings"], strict=True)
    ]
    yield _table("", [show.replace(" ", "\n") for show in facts["shows"]], rows)


def _factors(facts: Facts) -> Drawing:
    yield heading("1. Find the kinds of shows")
    yield Text(
        "Nonnegative matrix factorization looks for a few categories that explain the "
        "table X: X ≈ W H. W says how much of each category is in a show, H how much of "
        "it a person likes. Nothing is negative, so parts only add up, and that is why "
        "people can read them. Two categories, found from the numbers alone:"
    )
    categories = ["category 1", "category 2"]
    W = [(show, _numbers(row)) for show, row in zip(facts["shows"], facts["W"], strict=True)]
    H = [(name, _numbers(row)) for name, row in zip(categories, facts["H"], strict=True)]
    yield _table("W", categories, W)
    yield _table("H", facts["users"], H)
    yield _block(
        Text(
            "Black Mirror, Sacred Games and GoT are category 1: thrillers. Modern Family is "
            "category 2: sitcoms. FRIENDS leans to sitcoms, TBBT has about as much of both. "
            "Jai likes sitcoms only; PB and Diya like thrillers."
        )
    )


def _similarity(facts: Facts) -> Drawing:
    yield heading("2. See which shows are alike")
    yield Text(
        "Two shows are alike if their rows of W point the same way. The cosine of the "
        "angle between them says how much: 1 is the same mixture, 0 nothing in common."
    )
    rows = [
        (show, [_cosine(value) for value in row])
        for show, row in zip(facts["shows"], facts["similarity"], strict=True)
    ]
    yield _table("", [show.replace(" ", "\n") for show in facts["shows"]], rows)


def _naive(facts: Facts) -> Drawing:
    naive = facts["naive"]
    user, show = naive["user"], naive["show"]
    yield heading("3. Ask the neighbours: the talk's way")
    yield Text(
        f"Take the three shows that are most like {show}, and the weighted mean of what "
        f"{user} gave them. The nearest one weighs most."
    )
    yield _block(neighbors(naive["neighbors"], naive["estimate"], digits=3))
    verdict = "recommended" if naive["recommended"] else "not recommended"
    yield _block(Text(f"{naive['estimate']:.3f} of 5: {show} is {verdict} to {user}.", "bold"))
    yield Text(
        f"But look at the two zeros. {user} does not dislike Sacred Games and GoT: he has "
        "not rated them. So far every empty cell was taken for a rating of 0. “Is this "
        "the best approach?”, asks the talk. “Definitely not!”"
    )


def _right(facts: Facts) -> Drawing:
    naive, right = facts["naive"], facts["right"]
    user, show = right["user"], right["item"]
    n_ratings = sum(value is not None for row in facts["ratings"] for value in row)
    yield heading("4. Leave the empty cells empty: the right way")
    yield Text(
        f"Now fit only the {n_ratings} ratings there are, and let the categories fill the "
        "holes (matrix completion). The estimate is a sum, so its parts are the reasons:"
    )
    yield _block(parts(right))
    yield _block(Text(f"And the neighbours are the nearest shows that {user} did rate:"))
    yield _block(neighbors(right["neighbors"], right["neighbor_estimate"]))
    yield _block(Text("Side by side:"))
    table = _plain_table()
    for name in ("", "empty is 0", "empty is empty"):
        table.add_column(name)
    table.add_row("estimate", f"{naive['estimate']:.3f}", f"{right['estimate']:.2f}")
    table.add_row("by neighbours", f"{naive['estimate']:.3f}", f"{right['neighbor_estimate']:.2f}")
    answers = ("recommend" if naive["recommended"] else "don't recommend", right["verdict"])
    table.add_row("verdict", *(VERDICT[answer] for answer in answers))
    yield _block(Padding(table, (0, 0, 0, 2)))
    yield _block(
        Text(
            f"{user} usually gives {right['usual']:.1f}, and all who saw {show} liked it. From so "
            f"few ratings this is a hint, not a promise: a usual error is "
            f"{right['held_out_error']:.1f}. Your own data will have more to say."
        )
    )


def _next() -> Drawing:
    yield heading("Try next")
    yield grid([(command, what) for command, what in _TRY])


def _block(content: RenderableType) -> Padding:
    """With an empty line before it."""
    return Padding(content, (1, 0, 0, 0))


def _table(corner: str, columns: Sequence[str], rows: Sequence[tuple[str, list[str]]]) -> Padding:
    table = _plain_table()
    table.add_column(corner, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for name, cells in rows:
        table.add_row(name, *cells)
    return Padding(table, (1, 0, 0, 2))


def _plain_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _numbers(row: Sequence[float]) -> list[str]:
    return [f"{value:.3f}" if value else "0" for value in row]


def _cosine(value: float) -> str:
    """As the talk prints it: .942, .45, 1, 0."""
    return f"{value:.3f}".rstrip("0").rstrip(".").lstrip("0") or "0"
