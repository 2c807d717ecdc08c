"""Topics, their documents and labels as tables for a terminal of 80 columns."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, percent

__all__ = ["demo", "new_documents", "topics"]

_NAME = 34
_DOCUMENT = 26
_LABEL = 16
_LINE = 62  # columns for a document and how it begins
_WIDEST_CONFUSION = 6  # labels whose table fits 80 columns
_MOST_CONFUSIONS = 8
_MOST_TOPICS = 3  # of a label
_WORTH_SAYING = 0.05  # share of a topic in the documents of a label
_A_PART = 0.2  # of a topic's documents: smaller flows are no split
_BARS = "▁▂▃▄▅▆▇█"


def topics(facts: Facts) -> Drawing:
    """A topic model: how it was made, the table, and whatever else was asked for."""
    yield clean(facts["source"], None)
    yield Text(
        f"{count(facts['n_documents'], 'document')} in {count(facts['n_topics'], 'topic')}",
        style="bold",
    )
    yield grid(_about(facts))
    shares = [row["share"] for row in facts["topics"]]
    guided = shares != sorted(shares, reverse=True)
    yield heading(f"Topics, {'those looked for' if guided else 'largest'} first")
    yield _table(facts["topics"], facts["n_documents"])
    yield from _examples(facts["topics"])
    if facts["evidence"]:
        yield from _evidence(facts["evidence"], facts["preferences"])
    if facts.get("tree"):
        yield from _tree(facts["tree"])
    if facts.get("periods"):
        yield from _periods(facts["periods"], facts["topics"])
    if facts.get("labels"):
        yield from _labels(facts)
    if facts.get("classifier"):
        yield from _classifier(facts["classifier"], listed=not facts.get("labels"))


def _about(facts: Facts) -> list[tuple[str, RenderableType | str]]:
    weighting = {"tfidf": "tf-idf", "counts": "counts"}[facts["weighting"]]
    model = f"{facts['n_words']:,} words by {weighting}, {facts['loss']}, "
    measures = f"coherence {facts['coherence']:.3f} (NPMI), diversity {facts['diversity']:.2f}"
    if facts["stability"] is not None:
        measures += f", stability {facts['stability']:.3f}"
    rows = [("model", model + count(facts["runs"], "run")), ("measures", measures), _unclear(facts)]
    left_out = _left_out(facts["left_out"])
    return [("left out", left_out), *rows] if left_out else [*rows]


def _unclear(facts: Facts) -> tuple[str, str]:
    told = f"{count(facts['mixed'], 'document')} between two topics"
    if facts["unknown"]:
        told += f", {facts['unknown']:,} without a known word"
    return "unclear", told


def _left_out(reasons: Facts) -> str:
    return ", ".join(
        f"{number:,} {'documents' if number != 1 else 'document'} ({reason})"
        for reason, number in reasons.items()
        if number
    )


def _table(rows: list[Facts], n_documents: int) -> RenderableType:
    table = _columns(("", True), ("documents", True), ("coherence", True), ("words", False))
    stable = any(row["stability"] is not None and row["stability"] < 0.95 for row in rows)
    if stable:
        table = _columns(
            ("", True), ("documents", True), ("coherence", True), ("stable", True), ("words", False)
        )
    for row in rows:
        size = Text(f"{row['documents']:,}")
        size.append(f" {percent(row['documents'] / max(n_documents, 1)):>5}", "dim")
        cells: list[RenderableType] = [Text(str(row["number"]), "bold cyan"), size]
        cells.append(Text(f"{row['coherence']:.2f}"))
        if stable:
            cells.append(Text("" if row["stability"] is None else f"{row['stability']:.2f}"))
        words = [clean(word["word"]) for word in row["words"]]
        if row["name"] and row["name"] != ", ".join(word["word"] for word in row["words"][:3]):
            words = [clean(row["name"], _NAME) + Text(":"), *words]
        cells.append(_words(words))
        table.add_row(*cells)
    return Padding(table, (0, 0, 0, 2))


def _words(words: list[Text]) -> RenderableType:
    """Words with commas, but for a name before them, which ends in a colon."""
    if words and words[0].plain.endswith(":"):
        return Flow([words[0] + Text(" ") + words[1], *words[2:]]) if words[1:] else words[0]
    return Flow(words) if words else Text("no word of its own", "dim")


def _examples(rows: list[Facts]) -> Drawing:
    found = [(row, example) for row in rows for example in row["examples"] if example["text"]]
    if not found:
        return
    yield heading("Documents that are typical of them")
    table = _columns(("", True), ("document", False), ("share", True), ("begins", False))
    names = [clean(example["document"], _DOCUMENT) for _, example in found]
    room = _LINE - max([len("document"), *(name.cell_len for name in names)])
    for name, (row, example) in zip(names, found, strict=True):
        table.add_row(
            Text(str(row["number"]), "bold cyan"),
            name,
            percent(example["share"]),
            clean(example["text"], room),
        )
    yield Padding(table, (0, 0, 0, 2))


def _evidence(tried: list[Facts], preferences: str) -> Drawing:
    yield heading("How many topics: what was tried")
    table = _columns(("topics", True), ("stability", True), ("held out", True), ("", False))
    for entry in tried:
        numbers = (f"{entry[key]:.3f}" for key in ("stability", "held_out"))
        table.add_row(
            str(entry["n_topics"]), *numbers, Text("chosen", "bold") if entry["chosen"] else ""
        )
    yield Padding(table, (0, 0, 0, 2))
    yield Padding(Text(preferences), (0, 0, 0, 2))


def _tree(flows: list[Facts]) -> Drawing:
    yield heading("How topics split, step by step")
    table = _columns(("topics", True), ("from", False), ("to", False), ("documents", True))
    for step in sorted({flow["n_topics"] for flow in flows}):
        here = [flow for flow in flows if flow["n_topics"] == step]
        label = f"{step} to {here[0]['n_next']}"
        split, kept = [], 0
        for topic in sorted({flow["topic"] for flow in here}):
            mine = [flow for flow in here if flow["topic"] == topic]
            size = sum(flow["documents"] for flow in mine)
            parts = [flow for flow in mine if flow["documents"] >= _A_PART * size]
            split += parts if len(parts) > 1 else []
            kept += len(parts) == 1
        told = None
        for flow in split:
            name = clean(flow["name"], _DOCUMENT) if flow["topic"] != told else ""
            table.add_row(
                label, name, clean(flow["next_name"], _DOCUMENT), f"{flow['documents']:,}"
            )
            told, label = flow["topic"], ""
        if kept:
            rest = "1 topic stays as it is" if kept == 1 else f"{kept} topics stay as they are"
            table.add_row(label, Text(rest, "dim"), "", "")
    yield Padding(table, (0, 0, 0, 2))


def _periods(periods: list[Facts], rows: list[Facts]) -> Drawing:
    first, last = periods[0]["period"], periods[-1]["period"]
    yield heading(f"Through time, from {clean(first, 20)} to {clean(last, 20)}")
    table = _columns(("", True), ("name", False), ("share", False), ("most in", False), ("", True))
    for row in rows:
        shares = [period["shares"][row["number"] - 1] for period in periods]
        top = max(range(len(shares)), key=shares.__getitem__)
        table.add_row(
            Text(str(row["number"]), "bold cyan"),
            clean(row["name"], _NAME),
            _bars(shares),
            clean(periods[top]["period"], 20),
            percent(shares[top]),
        )
    yield Padding(table, (0, 0, 0, 2))


def _bars(values: list[float]) -> str:
    top = max(values) or 1.0
    return "".join(_BARS[min(int(value / top * 8), 7)] for value in values)


def _labels(facts: Facts) -> Drawing:
    """Labels beside topics, and how well the topics tell them."""
    found = facts.get("classifier") or {}
    f1 = dict(
        zip(found.get("names", ()), (found.get("evaluation") or {}).get("f1", ()), strict=False)
    )
    yield heading("Labels, and the topics of their documents")
    table = _columns(("label", False), ("documents", True), ("topics", False))
    if f1:
        table = _columns(("label", False), ("documents", True), ("F1", True), ("topics", False))
    for label in facts["labels"]:
        shares = sorted(enumerate(label["shares"], start=1), key=lambda pair: -pair[1])
        parts = [
            Text.assemble((str(number), "bold cyan"), f" {percent(share)}")
            for number, share in shares[:_MOST_TOPICS]
            if share >= _WORTH_SAYING
        ]
        cells: list[RenderableType] = [clean(label["label"]), f"{label['documents']:,}"]
        if f1:
            cells.append(f"{f1.get(label['label'], 0.0):.2f}")
        table.add_row(*cells, Flow(parts) if parts else Text("none above 5 %", "dim"))
    yield Padding(table, (0, 0, 0, 2))
    if facts["grouping"]:
        yield heading("Groups beside the labels, one group a label")
        columns = ("right", "purity", "NMI by max", "by mean", "ARI")
        table = _columns(("documents grouped by", False), *((name, True) for name in columns))
        for scores in facts["grouping"]:
            measures = [scores[key] for key in ("purity", "nmi_max", "nmi_arithmetic", "ari")]
            right = f"{100 * scores['matched_accuracy']:.1f} %"
            table.add_row(scores["by"], right, *(f"{measure:.3f}" for measure in measures))
        yield Padding(table, (0, 0, 0, 2))


def _classifier(facts: Facts, *, listed: bool) -> Drawing:
    evaluation = facts["evaluation"]
    if listed:
        yield heading("Labels, and the topics that speak for them most")
        yield grid(
            [
                (clean(name, _LABEL).plain, ", ".join(map(str, topics)) or "none")
                for name, topics in zip(facts["names"], facts["speaks_for"], strict=True)
            ]
        )
    if evaluation is None:
        return
    yield heading("Labels told from topics")
    yield _said(
        f"{count(evaluation['n_documents'], 'document')}, each predicted without having been "
        f"seen ({evaluation['n_folds']} parts)"
    )
    what = "all tags right" if facts["multilabel"] else "right"
    table = _columns(("", False), (what, True), ("± over parts", True), ("macro F1", True))
    for method in evaluation["methods"]:
        table.add_row(
            method["name"],
            f"{100 * method['accuracy']:.1f} %",
            f"{100 * method['spread']:.1f}",
            f"{method['macro_f1']:.3f}",
        )
    yield Padding(table, (0, 0, 0, 2))
    ours, words, _ = evaluation["methods"]
    if words["accuracy"] > ours["accuracy"] + max(ours["spread"], words["spread"]):
        yield _said(
            "All words tell the labels better: what the labels are about is finer than these "
            "topics. More topics (-k) come closer."
        )
    if evaluation["confusion"]:
        yield from _confusion(facts["names"], evaluation["confusion"])


def _confusion(names: list[str], table: list[list[int]]) -> Drawing:
    if len(names) <= _WIDEST_CONFUSION:
        yield heading("Confusion: a row for each true label, a column for each predicted")
        width = max(6, (70 - _LABEL) // len(names) - 2)
        drawn = _columns(("", False), *((clean(name, width).plain, True) for name in names))
        for i, (name, row) in enumerate(zip(names, table, strict=True)):
            cells = [Text(f"{n:,}", "bold" if i == j else "") for j, n in enumerate(row)]
            drawn.add_row(clean(name, _LABEL), *cells)
        yield Padding(drawn, (0, 0, 0, 2))
        return
    wrong = [
        (row[j], i, j) for i, row in enumerate(table) for j in range(len(row)) if i != j and row[j]
    ]
    if not wrong:
        return
    yield heading("Most often confused")
    drawn = _columns(("documents", True), ("are", False), ("taken for", False))
    for number, i, j in sorted(wrong, key=lambda found: (-found[0], found[1:]))[:_MOST_CONFUSIONS]:
        drawn.add_row(f"{number:,}", clean(names[i], _NAME), clean(names[j], _NAME))
    yield Padding(drawn, (0, 0, 0, 2))


def new_documents(facts: Facts) -> Drawing:
    """The topics of new documents."""
    yield clean(facts["source"], None)
    yield Text(
        f"{count(facts['n_documents'], 'document')} in {count(len(facts['topics']), 'topic')}",
        style="bold",
    )
    left_out = _left_out(facts["left_out"])
    yield grid([*([("left out", left_out)] if left_out else []), _unclear(facts)])
    labelled = any(row["label"] is not None for row in facts["documents"])
    shown = facts["documents"][: facts["shown"]]
    if shown:
        yield heading("Their topics")
        yield _assigned(shown, labelled)
    more = len(facts["documents"]) - len(shown)
    if more:
        yield _said(f"and {more:,} more: -n {len(facts['documents'])} shows all")
        yield heading("Topics of all")
        table = _columns(("", True), ("name", False), ("documents", True))
        for topic in facts["topics"]:
            table.add_row(
                Text(str(topic["number"]), "bold cyan"),
                clean(topic["name"], _NAME),
                f"{topic['documents']:,}",
            )
        yield Padding(table, (0, 0, 0, 2))


def _assigned(rows: list[Facts], labelled: bool) -> RenderableType:
    columns = [("document", False), ("", True), ("topic", False), ("share", True), ("", False)]
    if labelled:
        columns.insert(1, ("label", False))
    table = _columns(*columns)
    for row in rows:
        cells: list[RenderableType] = [clean(row["document"], 18 if labelled else _DOCUMENT)]
        if labelled:
            cells.append(_label(row))
        if row["topic"] is None:
            cells += ["", Text("no known word", "dim"), "", ""]
        else:
            cells += [
                Text(str(row["topic"]), "bold cyan"),
                clean(row["name"], 24 if labelled else _NAME),
                percent(row["share"]),
                Text(f"mixed with {row['second']}" if row["mixed"] else "", "dim"),
            ]
        table.add_row(*cells)
    return Padding(table, (0, 0, 0, 2))


def _label(row: Facts) -> Text:
    if row["label"] is None:
        return Text("")
    if isinstance(row["label"], list):
        return clean(", ".join(row["label"]) or "none", _LABEL)
    return clean(row["label"], _LABEL).append(f" {percent(row['probability'])}", "dim")


def demo(facts: Facts) -> Drawing:
    """The example on the texts of Python itself."""
    yield Text("What does Python's standard library talk about?", style="bold")
    yield Text(
        "The help texts of its functions and classes are documents that every machine has. A "
        "factorization of the table documents × words finds the topics; nobody names them.\n"
    )
    yield from topics(facts)
    yield heading("Try next")
    commands = [
        ("nonneg topics mail.csv -k 10", "topics of a column of texts"),
        ("nonneg topics mail.csv --label spam", "and a classifier, checked"),
        ("nonneg topics FOLDER -o my.nonneg", "keep the model"),
        ("nonneg topics-of my.nonneg new.txt", "topics of new documents"),
    ]
    table = Table.grid(padding=(0, 2))
    for command, meaning in commands:
        table.add_row(command, Text(meaning, "dim"))
    yield Padding(table, (0, 0, 0, 2))


def _said(text: str) -> RenderableType:
    """A remark on what stands above it."""
    return Padding(Text(text, "dim"), (0, 0, 0, 2))


def _columns(*headers: tuple[str, bool]) -> Table:
    """A table without lines; numbers stand at the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for header, right in headers:
        table.add_column(header, justify="right" if right else "left")
    return table
