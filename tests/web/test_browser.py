"""A person with a browser: open, load, fit, slide, rate, read the reason, save the picture.

Screenshots of every page go to the folder that NONNEG_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright for chromium is missing")

CHROMIUM = shutil.which("chromium")
TALK = "The talk: five people, seven shows"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as driver:
        # A container has no sandbox for root.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, link: str) -> Iterator[Callable[..., Any]]:
    """Open the explorer in a window; complaints and requests to other machines fail the test."""
    troubles: list[str] = []
    contexts = []

    def open_window(width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        home = link.split("/enter")[0]

        def heard(message: Any) -> None:
            if message.type == "error":
                troubles.append(message.text)

        def asked(request: Any) -> None:
            if not request.url.startswith((home, "data:", "blob:")):
                troubles.append(request.url)

        page.on("console", heard)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", asked)
        page.goto(link)
        page.wait_for_url("**/")
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert not troubles


def drawn(page: Any) -> None:
    """Scroll to every picture, and wait until all are there."""
    for figure in page.locator(".plot").all():
        figure.scroll_into_view_if_needed()
        sync_api.expect(figure).to_have_attribute("data-drawn", "", timeout=20_000)
        assert figure.get_attribute("data-failed") is None, figure.inner_text()
        assert figure.locator(".canvas svg, .canvas canvas").count()


def shot(page: Any, name: str) -> None:
    folder = os.environ.get("NONNEG_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def fits(page: Any) -> None:
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, page.url


def test_the_talk_within_three_clicks(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name=TALK).click()
    page.get_by_role("heading", name="Factors").wait_for()
    assert page.get_by_text("1.872").count()
    page.get_by_role("link", name="Geometry").click()
    drawn(page)
    page.get_by_role("link", name="Why", exact=True).click()
    page.get_by_text("1.175").wait_for()
    assert "not recommended" in page.get_by_role("heading", name="The talk's answer").inner_text()


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (360, "dark"), (1600, "light"), (1600, "dark")]
)
def test_every_page_at_every_width_and_light(
    visit: Callable[..., Any], width: int, scheme: str
) -> None:
    page = visit(width, scheme)
    fits(page)
    shot(page, f"start-{width}-{scheme}")
    page.get_by_role("button", name=TALK).click()
    for word in ("Factors", "Geometry", "Recommend", "Why"):
        page.get_by_role("navigation").get_by_role("link", name=word).click()
        page.wait_for_url(f"**/{word.lower()}")
        drawn(page)
        fits(page)
        shot(page, f"{word.lower()}-{width}-{scheme}")


def test_a_pasted_table_by_the_keyboard_and_a_picture_of_it(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit()
    X = np.random.default_rng(0).gamma(1.0, size=(30, 8)).round(3)
    text = "\n".join(",".join(map(str, row)) for row in X)
    page.get_by_label("From a spreadsheet").fill(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Find components").wait_for()
    fits(page)
    shot(page, "data")
    number = page.locator("form[action$='/fit/factors'] input[name=rank]")
    number.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Factors").wait_for()
    drawn(page)
    for kind in ("png", "svg"):
        with page.expect_download() as caught:
            page.locator(f"[data-save={kind}]").first.click()
        saved = tmp_path / f"picture.{kind}"
        caught.value.save_as(saved)
        start = saved.read_bytes()[:200]
        assert start.startswith(b"\x89PNG") if kind == "png" else b"<svg" in start


def test_a_long_fit_shows_its_curve_and_is_cancelled(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "large.npy"
    np.save(path, np.random.default_rng(0).gamma(1.0, size=(3000, 1500)))
    page = visit()
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Open").first.click()
    page.get_by_role("heading", name="Find components").wait_for(timeout=60_000)
    page.locator("form[action$='/fit/factors'] input[name=rank]").fill("200")
    page.get_by_role("button", name="Fit").click()
    page.locator("#curve").wait_for(state="visible", timeout=60_000)
    began = time.monotonic()
    other = visit()  # the page of somebody else is as quick as ever
    other.get_by_role("heading", name="Look at your table").wait_for()
    assert time.monotonic() > began
    shot(page, "fit")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("nothing was kept").wait_for()


def test_ratings_of_ones_own_and_the_reasons(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name=TALK).click()
    page.get_by_role("link", name="Recommend", exact=True).click()
    rows = page.locator("#rate li")
    rows.filter(has_text="FRIENDS").get_by_role("spinbutton").fill("4.8")
    rows.filter(has_text="Modern Family").get_by_role("spinbutton").fill("4.6")
    page.get_by_text("From 2 ratings of yours").wait_for()
    sync_api.expect(page.locator("#answers li")).to_have_count(5)
    page.locator("#answers button").first.click()
    page.get_by_role("heading", name="Why ").wait_for()
    total = float(page.locator("#because tfoot .num").inner_text())
    parts = page.locator("#because tbody .num").all_inner_texts()
    assert sum(float(part.replace("−", "-")) for part in parts) == pytest.approx(total, abs=0.05)
    shot(page, "rated")
    page.get_by_role("button", name="Forget my ratings").click()
    page.get_by_text("Nothing is rated yet").wait_for()


def test_the_slider_cuts_the_tree(visit: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    X = rng.poisson(np.kron(np.eye(3), np.full((5, 6), 40.0)) + 5)
    page = visit()
    page.get_by_label("From a spreadsheet").fill("\n".join(",".join(map(str, row)) for row in X))
    page.get_by_role("button", name="Open").nth(1).click()
    page.get_by_role("button", name="Find").click()
    page.get_by_role("heading", name="Classes").wait_for(timeout=60_000)
    drawn(page)
    sync_api.expect(page.locator("#groups li")).to_have_count(3)
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    sync_api.expect(page.locator("#groups li")).to_have_count(2)
    fits(page)
    shot(page, "classes")


def test_markup_in_names_stays_text(visit: Callable[..., Any]) -> None:
    page = visit()
    evil = "<img src=x onerror=document.title='owned'>"
    text = f"name,{evil},b,c\n{evil},1,2,\ny,3,1,4\nz,2,2,1\nw,5,1,2\n"
    page.get_by_label("From a spreadsheet").fill(text)
    page.get_by_role("button", name="Open").nth(1).click()
    at = page.url.rsplit("/", 1)[0]
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("heading", name="Factors").wait_for()
    drawn(page)
    page.goto(f"{at}/data")
    page.get_by_role("button", name="Learn").click()
    page.locator("#rate li").first.wait_for(timeout=60_000)
    for box in page.locator("#rate input[type=number]").all()[:1]:
        box.fill("2")
    page.locator("#rate fieldset input").first.check() if page.locator(
        "#rate fieldset"
    ).count() else None
    page.locator("#answers li").first.wait_for()
    page.locator("#answers button").first.click()
    page.get_by_role("heading", name="Why ").wait_for()
    page.get_by_role("link", name="Why", exact=True).click()
    drawn(page)
    assert page.locator("img").count() == 0
    assert page.title() != "owned"
