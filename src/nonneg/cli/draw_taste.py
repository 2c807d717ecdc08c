"""Recommendations and their reasons as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, percent

__all__ = [
    "evaluation",
    "explanation",
    "fraction",
    "neighbors",
    "parts",
    "recommendations",
    "recommender",
    "tastes",
    "who",
]

_TITLE_WIDTH = 44
_LABELS_WIDTH = 18
# Parts of an estimate below this share are told together.
_WORTH_A_LINE = 0.01
_MOST_TASTES = 5
_MOST_RATINGS = 5
_MOST_EXAMPLES = 60  # columns for the items that a taste is called by

VERDICT = {
    "recommend": Text("recommended", "bold green"),
    "don't recommend": Text("not recommended", "bold red"),
    "not sure": Text("not sure", "bold yellow"),
}


def recommender(facts: Facts) -> Drawing:
    """What the recommender learned from."""
    yield clean(facts["source"], None)
    low, high = facts["scale"]
    word = "count" if _counted(facts) else "rating"
    yield Text(
        f"{count(facts['n_ratings'], word)} by {count(facts['n_users'], 'user')} of "
        f"{count(facts['n_items'], 'item')}",
        style="bold",
    )
    scale = f"{low:g} to {high:g}, {facts['mean']:.2f} on average"
    if _counted(facts):
        scale = f"preference, {low:g} to {high:g}"
    yield grid(
        [
            ("scale", scale),
            (
                "model",
                f"{count(facts['rank'], 'component')}, {count(facts['models'], 'run')}, "
                f"{_seed(facts)}",
            ),
            ("error", _error(facts)),
        ]
    )


def tastes(facts: Facts) -> Drawing:
    """The recommender, and the items that tell most about each of its components."""
    yield from recommender(facts)
    rows = [
        (
            f"{component['number']}",
            Flow(
                [
                    clean(title or item)
                    for item, title in zip(component["items"], component["titles"], strict=True)
                ]
            ),
        )
        for component in facts["components"]
        if component["items"]
    ]
    if rows:
        yield heading("Components, by the items that tell most about them")
        yield grid(rows)


def recommendations(facts: Facts) -> Drawing:
    """A list, best first."""
    yield from recommender(facts)
    if not facts["items"]:
        yield heading("Nothing is left to recommend")
        yield Text(
            f"  {who(facts['user'])} has {'used' if _counted(facts) else 'rated'} every item; add "
            "--rated to see them all the same."
        )
        return
    mean = "" if facts["mean_rating"] is None else f", {facts['mean_rating']:.1f} on average"
    yield heading(f"For {who(facts['user'])}")
    done = f"gave {count(facts['n_rated'], 'rating')}{mean}"
    if _counted(facts):
        done = f"used {count(facts['n_rated'], 'item')}"
    yield Text(f"  who {done}", style="dim")
    titled, labelled = (any(found[key] for found in facts["items"]) for key in ("title", "labels"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", justify="right", style="dim")
    table.add_column("item", no_wrap=True, overflow="ellipsis")
    if titled:
        table.add_column("title", no_wrap=True, overflow="ellipsis")
    if labelled:
        table.add_column("labels", no_wrap=True, overflow="ellipsis", style="dim")
    columns = ("preference", "users") if _counted(facts) else ("estimate", "ratings")
    table.add_column(columns[0], justify="right")
    table.add_column(columns[1], justify="right", style="dim")
    for place, found in enumerate(facts["items"], start=1):
        cells = [clean(found["item"], 20 if titled else _TITLE_WIDTH)]
        if titled:
            cells.append(clean(found["title"] or "", _TITLE_WIDTH - (18 if labelled else 10)))
        if labelled:
            cells.append(clean(", ".join(found["labels"]), _LABELS_WIDTH))
        table.add_row(str(place), *cells, f"{found['estimate']:.2f}", f"{found['n_ratings']:,}")
    yield Padding(table, (0, 0, 0, 2))


def explanation(facts: Facts) -> Drawing:
    """One estimate with its reasons."""
    yield from recommender(facts)
    user, item = who(facts["user"]), name_of(facts, 36)
    yield heading(f"Would {user} like {item}?")
    if _counted(facts):
        yield from _use(facts, user, item)
        return
    low, high = facts["scale"]
    rows = [
        ("estimate", Text(f"{facts['estimate']:.2f} on the scale {low:g} to {high:g}")),
        ("range", Text("{:.1f} to {:.1f} holds four in five ratings".format(*facts["interval"]))),
        ("usual", Text(f"{facts['usual']:.2f} is what {user} usually gives")),
        ("verdict", VERDICT[facts["verdict"]].copy()),
    ]
    if facts["verdict"] == "not sure":
        rows[-1][1].append(
            f", since this is close to what {user} usually gives", "not bold default"
        )
    if facts["rated"] is not None:
        rows.insert(0, ("rated", Text(f"{facts['rated']:g} is what {user} gave already")))
    yield grid(rows)
    yield heading("Where the estimate comes from")
    yield parts(facts)
    changes = [
        change
        for change in facts["counterfactuals"]
        if round(change["estimate"], 2) != round(facts["estimate"], 2)
    ]
    for change in changes:
        named = name_of(change, 36)
        yield Text(
            f"  Without the {change['rating']:g} for {named}: {change['estimate']:.2f}", "dim"
        )
    if facts["neighbors"]:
        yield heading(f"Most like it, of what {user} rated")
        yield neighbors(facts["neighbors"], facts["neighbor_estimate"])
    yield Text()
    error = facts["held_out_error"]
    yield Text(
        f"This rests on {count(facts['n_rated'], 'rating')} by {user} and "
        f"{count(facts['n_item_ratings'], 'rating')} of {item}. A usual error is "
        + ("unknown." if error is None else f"{error:.2f}.")
    )


def _use(facts: Facts, user: str, item: str) -> Drawing:
    """The reasons for a score of implicit feedback."""
    rows = [
        ("preference", Text(f"{facts['estimate']:.3f}, from 0 to 1")),
        ("place", Text(f"{facts['place']:,} of {count(facts['n_ranked'], 'item')}, the unused")),
        ("verdict", VERDICT[facts["verdict"]].copy()),
    ]
    if facts["rated"] is not None:
        rows.insert(0, ("used", Text(f"{count(int(facts['rated']), 'time')} by {user} already")))
    yield grid(rows)
    yield heading("Where the preference comes from")
    yield parts(facts)
    for change in facts["counterfactuals"]:
        if round(change["estimate"], 3) != round(facts["estimate"], 3):
            named = name_of(change, 36)
            yield Text(f"  Without {named}: {change['estimate']:.3f}", "dim")
    yield Text()
    people = "1 person" if facts["n_item_ratings"] == 1 else f"{facts['n_item_ratings']:,} people"
    yield Text(
        f"This rests on {count(facts['n_rated'], 'item')} that {user} used and {people} who used "
        f"{item}."
    )


def evaluation(facts: Facts) -> Drawing:
    """Measures of the recommender and its yardsticks, with intervals."""
    yield clean(facts["source"], None)
    yield Text(
        f"{facts['protocol']}: {count(facts['n_test'], 'rating')} held out of "
        f"{count(facts['n_ratings'], 'rating')}",
        style="bold",
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    for method in facts["methods"]:
        table.add_column(method["name"], justify="right")
    for measure in facts["methods"][0]["measures"]:
        cells = []
        for method in facts["methods"]:
            found = method["measures"][measure]
            cell = Text(f"{found['value']:.4f}")
            if found["interval"] is not None:
                low, high = found["interval"]
                cell.append(f"\n{low:.3f} to {high:.3f}", "dim")
            cells.append(cell)
        table.add_row(measure, *cells)
    yield Padding(table, (1, 0, 0, 2))


def parts(facts: Facts) -> Padding:
    """The parts of an estimate and their sum."""
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column()
    digits, used = (3, "use of") if _counted(facts) else (2, "the rating of")
    tastes = [part for part in facts["parts"] if part["component"] is not None]
    told = [part for part in tastes if part["share"] >= _WORTH_A_LINE][:_MOST_TASTES]
    lead = [part for part in facts["parts"] if part["name"] in _LEAD and part["contribution"]]
    for part in lead:
        name = _LEAD[part["name"]]
        if _counted(facts):
            name = "how popular it is"
        table.add_row(*_amount(part["contribution"], part["share"], digits), Text(name))
    for part in told:
        taste = Text("a taste for ") + clean(part["name"], _MOST_EXAMPLES - 12)
        table.add_row(*_amount(part["contribution"], part["share"], digits), taste)
    _together(table, facts, [part for part in tastes if part not in told], "taste", bool(told))
    for kind, what in (
        ("item", "used item" if _counted(facts) else "rating"),
        ("user", "similar user"),
    ):
        own = [part for part in facts["parts"] if part[kind] is not None]
        first, rest = own[:_MOST_RATINGS], own[_MOST_RATINGS:]
        for part in first:
            prefix = f"{used} " if kind == "item" else "the rating by "
            source = Text(prefix) + clean(part["name"], _MOST_EXAMPLES - 20)
            table.add_row(*_amount(part["contribution"], part["share"], digits), source)
        _together(table, facts, rest, what, bool(first))
    for part in facts["parts"]:
        if part["name"] not in _LEAD and all(part[key] is None for key in _SOURCES):
            amount = _amount(part["contribution"], part["share"], digits)
            table.add_row(*amount, Text(part["name"]))
    whole = "preference" if _counted(facts) else "estimate"
    table.add_row(Text(f"{facts['estimate']:.{digits}f}", "bold"), "", Text(whole, "bold"))
    return Padding(table, (0, 0, 0, 2))


def _together(table: Table, facts: Facts, parts: Sequence[Facts], what: str, told: bool) -> None:
    """One line for parts that are too many or too small for lines of their own."""
    rest = [part["contribution"] for part in parts if part["contribution"]]
    if rest:
        others = count(len(rest), f"other {what}" if told else what)
        amount = _amount(
            sum(rest), sum(rest) / (facts["estimate"] or 1.0), 3 if _counted(facts) else 2
        )
        table.add_row(*amount, others)


_LEAD = {
    "start of the scale": "start of the scale",
    "averages": "averages of all ratings, this user, this item",
}
_SOURCES = ("component", "item", "user")


def neighbors(entries: Sequence[Facts], estimate: float | None, digits: int = 2) -> Padding:
    """Neighbours with weights, and the weighted mean of their ratings."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("item", no_wrap=True, overflow="ellipsis")
    for name in ("similarity", "weight", "rating", "adds"):
        table.add_column(name, justify="right")
    for entry in entries:
        table.add_row(
            clean(name_of(entry, 34), 34),
            f"{entry['similarity']:.3f}",
            fraction(entry["rank"], len(entries)),
            f"{entry['rating']:g}",
            f"{entry['contribution']:.{digits}f}",
        )
    if estimate is not None:
        table.add_row(Text("together", "bold"), "", "1", "", Text(f"{estimate:.{digits}f}", "bold"))
    return Padding(table, (0, 0, 0, 2))


def fraction(rank: int, k: int) -> str:
    """Return the weight of a rank among k as the talk writes it: 5/12, 4/12, 3/12."""
    total = k * (k + 1) // 2
    return "1" if k == 1 else f"{total - rank}/{total * (k - 1)}"


def name_of(facts: Facts, width: int) -> str:
    """The title of an item if it has one, else its id."""
    if facts["title"]:
        return clean(facts["title"], width).plain
    return _worded("item", facts["item"], width)


def who(user: object) -> str:
    """The id of a user as a word."""
    return _worded("user", user, 28)


def _worded(noun: str, name: object, width: int) -> str:
    """A name as it is; a number with its noun."""
    known = clean(name, width).plain
    return f"{noun} {known}" if known.isdecimal() else known


def _counted(facts: Facts) -> bool:
    """Whether the numbers are counts of use; facts of the talk say nothing of it."""
    return facts.get("feedback") == "implicit"


def _amount(contribution: float, share: float, digits: int = 2) -> tuple[Text, Text]:
    return Text(f"{contribution:.{digits}f}"), Text(percent(share) if share > 0 else "", "dim")


def _error(facts: Facts) -> str:
    if facts["held_out_error"] is not None and _counted(facts):
        return f"{facts['held_out_error']:.3f}, mean percentile rank of uses held out (chance: .5)"
    if facts["held_out_error"] is not None:
        return f"{facts['held_out_error']:.3f} on ratings held out (root mean square)"
    low, high = facts["scale"]
    same = low == high and facts["n_ratings"] > 1
    return f"unknown: {'all ratings are the same' if same else 'too few ratings to hold any out'}"


def _seed(facts: Facts) -> str:
    return "no seed" if facts["seed"] is None else f"seed {facts['seed']}"
