"""Pictures and their parts for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nonneg.cli.draw import Drawing, Facts, Flow, clean, count, grid, heading, percent

__all__ = ["demo", "new_images", "parts"]

# From black to white; a dot, so that one sees where the picture ends.
_SHADES = "·░▒▓█"
_ACROSS = 4
_SKIPPED = 5
_LISTED = 20


def parts(facts: Facts) -> Drawing:
    """What was found in pictures."""
    yield clean(facts["source"], None)
    channels = "" if facts["channels"] == 1 else f" in {facts['channels']} channels"
    yield Text(
        f"{count(facts['n_images'], 'picture')} of {facts['width']} × {facts['height']} pixels"
        f"{channels} in {count(facts['rank'], 'part')}",
        "bold",
    )
    spread, errors = facts["sparseness"], facts["errors"]
    status = facts["status"].replace("_", " ")
    rows: list[tuple[str, Text | str]] = [
        ("relative error", f"{facts['relative_error']:.4f} (0 is exact)"),
        ("variant", _variant(facts)),
        (
            "sparseness",
            f"{spread['mean']:.2f}, from {spread['lowest']:.2f} to {spread['highest']:.2f} "
            "(0 flat, 1 one pixel)",
        ),
        (
            "pictures",
            Text(f"median error {errors['median']:.3f}; worst {errors['highest']:.3f}, ").append(
                clean(errors["worst"])
            ),
        ),
        ("status", f"{status} after {count(facts['n_iter'], 'iteration')}"),
    ]
    if facts["limit"] is not None:
        rows.insert(4, ("unknown", f"beyond an error of {facts['limit']:.3f}"))
    if facts["labels"]:
        rows.append(("labels", count(facts["labels"], "label")))
    yield grid(rows)
    yield from _skipped(facts["skipped"])
    sketched = [part for part in facts["components"] if part["sketch"]]
    yield from _sketches(sketched)
    rest = facts["rank"] - len(sketched)
    if rest:
        yield Text(f"  and {count(rest, 'part')} more: --parts FILE.png draws all", "dim")
    if facts.get("recognition"):
        yield from _recognition(facts["recognition"])
    if facts.get("compression"):
        yield from _compression(facts["compression"])


def new_images(facts: Facts) -> Drawing:
    """What a model says of new pictures."""
    yield clean(facts["source"], None)
    images = facts["images"]
    yield Text(f"{count(len(images), 'picture')} in {count(facts['rank'], 'part')}", "bold")
    told = facts["told"]
    if told is not None:
        yield Text(
            f"  labels: {told['right']:,} of {told['n']:,} told as they are labelled, "
            f"{told['wrong']:,} others, {told['unknown']:,} unknown"
        )
        for reason, n in told["reasons"].items():
            yield Text(f"  unknown: {n:,} where {reason}")
    yield from _skipped(facts["skipped"])
    for image in images[:_LISTED]:
        title = clean(image["name"], 60)
        title.stylize("bold cyan")
        yield Padding(title, (1, 0, 0, 0))
        known = "" if image["known"] else ", unknown: the parts do not fit it"
        rows: list[tuple[str, Text | str | Flow]] = [("error", f"{image['error']:.3f}{known}")]
        if image["missing"]:
            rows.append(("missing", f"{percent(image['missing'])} of its pixels"))
        if image["reason"] is not None:
            rows.append(("label", _label(image, facts["least_lead"])))
        near = [
            clean(one["name"]).append(f" {one['similarity']:.2f}", "dim")
            for one in image["nearest"]
        ]
        held = [
            Text(f"{one['number']}").append(f" {percent(one['share'])}", "dim")
            for one in image["parts"]
        ]
        rows += [("nearest", Flow(near)), ("parts", Flow(held or [Text("none")]))]
        yield grid(rows)
    if len(images) > _LISTED:
        yield Text(f"  and {len(images) - _LISTED:,} more: --json tells all", "dim")


def demo(facts: Facts) -> Drawing:
    """The digits, for somebody who never saw parts."""
    yield Text("What are handwritten digits made of?", "bold")
    yield Text(
        f"{facts['n_images']:,} pictures of 8 × 8 pixels, written by 43 people. Each is to be a sum"
        f" of {facts['rank']} parts, and nothing is ever subtracted, so parts are strokes. The "
        "strongest eight:"
    )
    sketched = [part for part in facts["components"] if part["sketch"]]
    yield from _sketches(sketched)
    repair = facts["repair"]
    first, last = repair["hidden_rows"]
    yield heading("1. Repair what is hidden")
    yield Text(
        f"Rows {first} to {last} of a {repair['digit']} that was not learned are missing. Its known"
        " pixels, and how parts go together in other digits, say how much of each it holds; the "
        "parts say what was there:"
    )
    yield Text("")
    yield from _row(
        [repair["before"], repair["repaired"], repair["true"]],
        ["rows missing", "repaired", "as it was"],
    )
    yield Text(
        f"For all {repair['n_repaired']} digits that were not learned, the error in these rows is "
        f"{repair['error']:.1f} of 16 shades (root mean square); the mean of all digits is "
        f"{repair['error_of_mean']:.1f} off."
    )
    found = facts["recognition"]
    yield heading("2. Recognise")
    yield Text(
        f"From half of the pictures, the digits of the other half: {percent(found['nearest'])} "
        f"right by the nearest picture, {percent(found['logistic'])} by logistic regression on "
        f"the same features; PCA of the same rank {percent(found['pca'])}."
    )
    yield heading("Try next")
    yield grid(
        [
            ("nonneg images FOLDER -k 49 --parts parts.png", "the parts of your pictures"),
            ("nonneg images FOLDER -k 49 --sparseness .8", "smaller parts"),
            ("nonneg images-of MODEL new.png --repair out", "a new picture, repaired"),
        ]
    )
    yield Text("")
    for path in facts["written"]:
        yield Text(f"Wrote {path}", no_wrap=True, overflow="ignore")


def _label(image: Facts, least: float) -> Text:
    ahead = f", {image['lead']:.2f} ahead"
    if image["label"] is not None:
        return clean(image["label"]).append(f"{ahead} of the next", "dim")
    told = Text(f"unknown: {image['reason']}")
    return told.append(f"{ahead}, not {least:.2f}", "dim") if image["lead"] < least else told


def _variant(facts: Facts) -> str:
    words = [facts["variant"]]
    if facts["overlap"] is not None:
        words.append(f"overlap {facts['overlap']:g}")
    if facts["asked_sparseness"] is not None:
        words.append(f"sparseness {facts['asked_sparseness']:g}")
    if facts["smoothness"]:
        words.append(f"smoothness {facts['smoothness']:g}")
    seed = "no seed" if facts["seed"] is None else f"seed {facts['seed']}"
    return ", ".join([*words, f"loss {facts['loss']}", seed])


def _skipped(skipped: Sequence[Facts]) -> Drawing:
    if not skipped:
        return
    yield Text(f"{count(len(skipped), 'file')} left out:", "yellow")
    for one in skipped[:_SKIPPED]:
        yield Padding(
            clean(one["name"], 40) + Text(": ") + clean(one["reason"], None), (0, 0, 0, 2)
        )
    if len(skipped) > _SKIPPED:
        yield Text(f"  and {len(skipped) - _SKIPPED:,} more: --json tells all", "dim")


def _sketches(sketched: Sequence[Facts]) -> Drawing:
    """The parts that have a sketch, a few in a row."""
    for first in range(0, len(sketched), _ACROSS):
        block = sketched[first : first + _ACROSS]
        yield Text("")
        yield from _row([part["sketch"] for part in block], [_caption(part) for part in block])


def _caption(part: Facts) -> str:
    return f"{part['number']} · {percent(part['share'])}"


def _row(sketches: Sequence[list[list[int]]], captions: Sequence[str]) -> Drawing:
    """Sketches side by side, a caption below each."""
    table = Table.grid(padding=(0, 2))
    cells = [
        Text("\n".join("".join(_SHADES[shade] for shade in row) for row in one)) for one in sketches
    ]
    for one in sketches:
        table.add_column(no_wrap=True, min_width=len(one[0]))
    table.add_row(*cells)
    table.add_row(*(Text(caption, "dim") for caption in captions))
    yield Padding(table, (0, 0, 0, 2))


def _recognition(found: Facts) -> Drawing:
    yield heading("Recognition")
    yield Text(
        f"Learned from {found['n_train']:,} pictures, half of each label, and tested on the other "
        f"{found['n_test']:,}:"
    )
    yield grid(
        [
            ("nearest picture", f"{percent(found['nearest'])} right"),
            ("logistic regression", f"{percent(found['logistic'])} right, on the same features"),
            ("PCA, nearest picture", f"{percent(found['pca'])} right, as a yardstick"),
            ("refused as unknown", percent(found["refused"])),
        ]
    )
    for one in found["mistakes"]:
        what = Text(f"  {one['count']} × ").append(clean(one["true"], 24)).append(" taken for ")
        yield what.append(clean(one["told"], 24))


def _compression(rows: Sequence[Facts]) -> Drawing:
    yield heading("Compression")
    ours = [row for row in rows if row["method"] == "nonneg"]
    theirs = {row["rank"]: row for row in rows if row["method"] == "svd"}
    # Pictures below 11 × 11 pixels have none.
    similar = ours[0]["ssim"] is not None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("rank", "bytes", "of 1 a pixel", "PSNR", "PSNR of SVD"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("SSIM", "SSIM of SVD") if similar else ():
        table.add_column(name, justify="right", no_wrap=True)
    for row in ours:
        svd = theirs[row["rank"]]
        cells = [str(row["rank"]), f"{row['bytes']:,}", f"1/{row['ratio']:.1f}"]
        cells += [f"{row['psnr']:.1f} dB", f"{svd['psnr']:.1f} dB"]
        cells += [f"{row['ssim']:.3f}", f"{svd['ssim']:.3f}"] if similar else []
        table.add_row(*cells)
    yield Padding(table, (0, 0, 0, 2))
