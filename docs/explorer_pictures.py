"""Take the pictures of the explorer for docs and README: python docs/explorer_pictures.py DATA.

Needs Chromium, and pip install '.[test]'. DATA is the folder that has ml-100k.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).parent / "howto" / "pictures"
WIDTH, SHADES = 1100, 48
MINE = (5, 4, 5, 2, 3)  # ratings of the first five films


def main() -> None:
    """Start an explorer, walk through it, and take a picture of each page."""
    command = [sys.executable, "-m", "nonneg", "explore", "--no-browser"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        sync_playwright() as driver,
    ):
        link = process.stdout.readline().strip()
        sandbox = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=sandbox)
        page = browser.new_page(viewport={"width": WIDTH, "height": 800})
        page.set_default_timeout(120_000)
        page.goto(link)
        page.wait_for_url("**/")
        walk(page, page.url, Path(sys.argv[1]) / "ml-100k")
        browser.close()
        process.terminate()


def walk(page: Any, home: str, films: Path) -> None:
    """Open the examples and a table, and go from page to page."""
    take(page, "start", 640)
    at = example(page, home, "talk")
    take(page, "factors", 820)
    for word, height in (("geometry", 560), ("why", 820)):
        page.goto(f"{at}/{word}")
        take(page, word, height)
    example(page, home, "images")
    page.locator("#band").click()
    page.get_by_text("Repaired: off").wait_for()
    page.locator("#stage").fill("4")
    take(page, "parts", 900)
    at = example(page, home, "topics")
    page.goto(f"{at}/topics?document=40")
    take(page, "topics", 900)
    example(page, home, "classes")
    take(page, "classes", 900)
    page.goto(home)
    page.get_by_label("File", exact=True).set_input_files(films / "u.data.gz")
    page.locator("summary").first.click()
    page.get_by_label("A file with columns id").set_input_files(films / "u.item.gz")
    page.locator("form[action='/open'] button").click()
    page.get_by_role("button", name="Learn").click()
    for i, rating in enumerate(MINE):
        row = page.locator("#rate li").nth(i)
        row.locator(f"input[value='{rating}'] + span").click()
    page.get_by_text(f"From {len(MINE)} ratings").wait_for()
    take(page, "recommend", 900)
    page.goto(home)
    rng = np.random.default_rng(3)
    X = rng.poisson(np.kron(np.eye(3), np.full((8, 6), 40.0)) + 5)
    page.locator("textarea").fill("\n".join(",".join(map(str, row)) for row in X))
    page.locator("form[action='/paste'] button").click()
    page.get_by_role("button", name="Compare").wait_for()
    take(page, "data", 820)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/rank")
    take(page, "rank", 860)


def example(page: Any, home: str, name: str) -> str:
    """Open an example; the address of its pages."""
    page.goto(home)
    page.locator(f"form[action='/examples/{name}'] button").click()
    page.wait_for_url("**/open/*/*")
    return page.url.rsplit("/", 1)[0]


def take(page: Any, name: str, height: int) -> None:
    """Take the top of a page once its pictures are drawn, in few colours, since it is for docs."""
    for figure in page.locator(".plot").all():
        figure.scroll_into_view_if_needed()
        expect(figure).to_have_attribute("data-drawn", "", timeout=60_000)
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(700)
    path = HERE / f"explore-{name}.png"
    page.screenshot(path=path)
    few = Image.open(path).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    main()
