"""From the records to the page: `python benchmarks/report.py` rewrites what stands between the
markers of docs/explanation/speed.md, and the pictures beside it. No number is typed by hand.
"""  # noqa: D205

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from statistics import median

from pictures import draw, draw_growth

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- from the records: begin -->", "<!-- from the records: end -->"


def main() -> None:
    """Rewrite the page and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/explanation/speed.md")
    options = parser.parse_args()
    text = options.page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    body = "\n\n".join(sections(options.results, options.page.parent / "pictures"))
    options.page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
    print(f"wrote {options.page}")


def sections(results: Path, pictures: Path) -> list[str]:
    """Return the parts of the page that the records there are give."""
    parts = []
    for name, title, render in SECTIONS:
        path = results / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            if "group" in record:
                parts += [f"## {title}", provenance(record), record["about"], render(record)]
                parts += PICTURES.get(name, lambda *_: [])(record, pictures)
    return parts or ["No record has been made yet."]


def provenance(record: dict) -> str:
    """Say when and on what a record was made."""
    where = record["machine"]
    return (
        f"*{record['settings']} run of {record['date']}: {where['processor']}, {where['cores']} "
        f"cores, {where['instruction_set']}, {record['threads']} threads, "
        f"{len(record['seeds'])} seed(s) of ours; medians.*"
    )


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds(value: float) -> str:
    """Three digits are more than a clock is worth."""
    return f"{value:.3g} s" if value >= 0.01 else f"{1000 * value:.3g} ms"


def verdict(row: dict) -> str:
    """Say whether the target was met."""
    return {True: "yes", False: "**no**", None: ""}[row.get("target_met")]


def absent(row: dict) -> str | None:
    """Return why a row has no numbers."""
    if "missing" in row:
        return f"missing: {row['missing']}"
    return f"failed: {row['failed']}" if "failed" in row else None


def named(row: dict, key: str) -> str:
    """Return a solver with what differs from its defaults."""
    settings = ", ".join(f"{name} {value}" for name, value in row["settings"].items())
    return row[key] + (f" ({settings})" if settings else "")


def of_speed(record: dict) -> str:
    """Render the races."""
    lines = []
    for row in record["rows"]:
        goal = f"≥ {row['target']:g}×" if row["target"] else ""
        head = [row["data"], f"{row['loss']}, {row['n_components']}", named(row, "rival")]
        why = absent(row)
        if why:
            lines.append([*head, why, "", "", "", goal, ""])
            continue
        runs = len(row["ours"]["runs"])
        gap = f"{row['missed']} of {runs} ({100 * row['worst_above_goal']:+.4f} %)"
        theirs, ours = row["theirs"]["median_seconds"], row["ours"]["median_seconds"]
        lines.append(
            [*head, seconds(theirs), seconds(ours), f"{row['ratio']:.1f}×", gap, goal, verdict(row)]
        )
    heads = ["data", "loss, rank", "rival", "rival's time", "ours", "ratio"]
    return table([*heads, "goal missed (worst)", "target", "met"], lines)


def of_survey(record: dict) -> str:
    """Render the surveys, a line a solver."""
    lines = []
    for row in record["rows"]:
        why = absent(row)
        head = [row["data"], row.get("loss", ""), _with_settings(row)]
        if why:
            lines.append([*head, "", why, "", "", "", "", "", ""])
            continue
        mean = ", ".join(f"{rank['mean_objective']:.5g}" for rank in row["ranks"])
        stable = ", ".join(f"{rank['cophenetic']:.3f}" for rank in row["ranks"])
        ratio = f"{row['ratio']:.1f}×" if "ratio" in row else ""
        made = f"{row['runs_timed']} of {row['n_runs']}"
        goal = f"≥ {row['target']:g}×" if "target" in row else ""
        fair = row.get("ratio_at_its_quality")
        equal = "" if fair is None else f"{fair:.1f}×"
        times = [seconds(row["seconds"]), ratio, equal, goal, verdict(row)]
        lines.append([*head, made, *times, mean, stable])
    heads = ["data", "loss", "solver", "runs made a rank", "time of all", "ratio"]
    heads += ["ratio at its quality", "target", "met"]
    return table([*heads, "mean objective of each rank", "cophenetic"], lines)


def _with_settings(row: dict) -> str:
    name = row.get("solver", "")
    if name != "nonneg" or not row.get("settings"):
        return name
    settings = ", ".join(f"{key}={value:g}" for key, value in row["settings"].items())
    return f"{name}, {row['dtype']}, {settings}"


def of_masked(record: dict) -> str:
    """Render the recommenders."""
    lines = []
    for row in record["rows"]:
        why = absent(row)
        name = named(row, "solver") if "solver" in row else row["data"]
        if why:
            lines.append([name, why, "", "", "", ""])
            continue
        error = f"{row['rmse']:.4f}" if "rmse" in row else "–"
        ratio = f"{row['ratio']:.1f}×" if "ratio" in row else ""
        goal = f"≥ {row['target']:g}×, lower RMSE" if "target" in row else ""
        lines.append([name, seconds(row["seconds"]), error, ratio, goal, verdict(row)])
    return table(["solver", "fit", "RMSE", "ratio", "target", "met"], lines)


def of_ratings_growth(record: dict) -> str:
    """Render time and memory of the recommender by size, and their slopes."""
    sizes, slopes = [], []
    for row in record["rows"]:
        why = absent(row)
        if row["kind"] != "size":
            of = row["kind"].removeprefix("slope of ").removesuffix("_mb")
            slopes.append([of, f"{row['slope']:.2f}", f"≤ {row['target']:g}", verdict(row)])
        elif why:
            sizes.append([f"{row['ratings']:,}", why, "", "", ""])
        else:
            peak = f"{row['peak_mb']:,.0f} MB" if "peak_mb" in row else "not measured here"
            error = f"{row['rmse']:.3f}"
            sizes.append(
                [f"{row['ratings']:,}", seconds(row["seconds"]), peak, error, f"{row['deviation']}"]
            )
    heads = ["ratings", "fit", "added by the fit", "RMSE", "deviation"]
    return table(heads, sizes) + "\n\n" + table(["growth of", "slope", "target", "met"], slopes)


def of_memory(record: dict) -> str:
    """Render peak memory."""
    lines = []
    for row in record["rows"]:
        head = [row["data"], f"{row['loss']}, {row['n_components']}", row.get("solver", "")]
        why = absent(row)
        if why or "peak_mb" not in row:
            lines.append([*head, why or "not measured here", "", "", ""])
            continue
        mine = "target_met" in row
        goal = f"{row['target_mb']} MB" if mine else ""
        lines.append([*head, f"{row['peak_mb']} MB", f"{row['x_mb']} MB", goal, verdict(row)])
    return table(["data", "loss, rank", "solver", "added by the fit", "X", "target", "met"], lines)


def of_growth(record: dict) -> str:
    """Render slopes, threads and products a second; the points themselves are in the pictures."""
    slopes, threads = [], []
    for row in record["rows"]:
        why = absent(row)
        if row["kind"].startswith("slope"):
            value = why or f"{row['slope']:.2f}"
            goal = "" if why else f"≤ {row['target']:g}"
            with_what = row["kind"].removeprefix("slope of ")
            slopes.append([with_what, row["data"], row["loss"], value, goal, verdict(row)])
        elif row["kind"] == "threads" or why:
            head = [row["data"], f"{row['loss']}, {row['n_components']}"]
            if why:
                threads.append([*head, str(row.get("threads", "")), why, "", "", "", ""])
                continue
            speedup = f"{row['speedup']:.2f}×" if "speedup" in row else ""
            goal = f"≥ {row['target']:g}×" if "target" in row else ""
            gflops = f"{row['gflops']:.1f}" if "gflops" in row else ""
            head += [str(row["threads"]), seconds(row["iteration_seconds"]), gflops]
            threads.append([*head, speedup, goal, verdict(row)])
    where = record["machine"]
    limits = (
        f"This machine, two threads: {where['gemm_gflops']:.0f} GFLOP/s in a float32 matrix "
        f"product, {where['copy_gb_per_second']:.1f} GB/s in a copy."
    )
    heads = ["data", "loss, rank", "threads", "iteration", "GFLOP/s"]
    return "\n\n".join(
        [
            table(["grows with", "data", "loss", "slope", "target", "met"], slopes),
            table([*heads, "speed-up", "target", "met"], threads),
            limits,
        ]
    )


def of_startup(record: dict) -> str:
    """Render start-up times."""
    lines = []
    for row in record["rows"]:
        goal = f"≤ {row['target']:g} s" if row.get("target") else ""
        lines.append([row["what"], seconds(row["seconds"]), goal, verdict(row)])
    return table(["what", "time", "target", "met"], lines)


def of_plain(record: dict) -> str:
    """Render the comparison with the textbook algorithm, a line a set and loss."""
    cases: dict[tuple[str, str], list[dict]] = {}
    for row in record["rows"]:
        cases.setdefault((row["data"], f"{row['loss']}, {row['n_components']}"), []).append(row)
    lines = []
    for head, rows in cases.items():
        why = next((absent(row) for row in rows if absent(row)), None)
        if why:
            lines.append([*head, why, "", "", "", "", ""])
            continue
        fast, plain = (median(row[run]["seconds"] for row in rows) for run in ("fast", "plain"))
        above = [100 * row["above_plain"] for row in rows]
        cut = sum(row["plain_cut"] for row in rows)
        mark = f"{cut} of {len(rows)}" if cut else "none"
        missed = sum(row["target_met"] is False for row in rows)
        met = f"**no**, {missed} of {len(rows)}" if missed else "cut" if cut == len(rows) else "yes"
        gaps = [f"{median(above):+.3f} %", f"{max(above):+.3f} %"]
        lines.append([*head, seconds(fast), seconds(plain), *gaps, mark, met])
    heads = ["data", "loss, rank", "fast", "plain", "above plain", "worst", "plain cut by time"]
    return table([*heads, "met"], lines)


def of_curves(record: dict) -> str:
    """Name what has no curve; the pictures follow."""
    why = [f"{row['data']}: {absent(row)}" for row in record["rows"] if absent(row)]
    return "\n".join(why)


def curves_drawn(record: dict, pictures: Path) -> list[str]:
    """Draw the curves and return the links to them."""
    links = []
    for row in record["rows"]:
        if "curves" in row:
            name = re.sub(r"[^a-z0-9]+", "-", f"{row['data']} {row['loss']}".lower())
            draw(row, pictures / f"{name}.svg")
            label = f"Objective against time, {row['data']}, {row['loss']}"
            links.append(f"![{label}](pictures/{name}.svg)")
    return links


def growth_drawn(record: dict, pictures: Path) -> list[str]:
    """Draw how time grows with the entries and with the rank, and return the links."""
    links = []
    for kind, axis, label in (
        ("entries", "entries", "entries of X"),
        ("rank", "n_components", "rank"),
    ):
        lines: dict[str, list[tuple[float, float]]] = {}
        for row in record["rows"]:
            if row["kind"] == kind and not absent(row):
                set_name = "" if kind == "entries" else f"{row['data']}, "
                point = (row[axis], row["iteration_seconds"])
                lines.setdefault(set_name + row["loss"], []).append(point)
        if lines:
            draw_growth(lines, label, pictures / f"growth-{kind}.svg")
            links.append(f"![Seconds an iteration against {label}](pictures/growth-{kind}.svg)")
    return links


PICTURES = {"curves": curves_drawn, "growth": growth_drawn}
SECTIONS = (
    ("speed", "Time to a rival's objective", of_speed),
    ("curves", "Objective against time", of_curves),
    ("survey", "A survey of ranks", of_survey),
    ("masked", "Ratings", of_masked),
    ("ratings-growth", "Ratings, growing", of_ratings_growth),
    ("memory", "Memory", of_memory),
    ("growth", "Growth", of_growth),
    ("plain", "Beside the textbook algorithm", of_plain),
    ("startup", "Start-up", of_startup),
)

if __name__ == "__main__":
    main()
