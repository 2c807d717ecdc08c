"""A person with a browser: open, load, fit, slide, rate, read the reason, save the picture.

Screenshots of every page go to the folder that NONNEG_SCREENSHOTS names.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright for chromium is missing")

CHROMIUM = shutil.which("chromium")
PATIENCE = 60_000  # milliseconds; the machine may be busy
sync_api.expect.set_options(timeout=20_000)
SIGHTS = [(360, "dark"), (1600, "light")]
if "NONNEG_SCREENSHOTS" in os.environ:
    SIGHTS += [(360, "light"), (1600, "dark")]


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
    home = link.split("/enter")[0]

    def open_window(width: int = 1280, scheme: str = "light", height: int = 900) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()

        def heard(message: Any) -> None:
            if message.type == "error":
                troubles.append(f"{message.text} at {message.location}")

        def asked(request: Any) -> None:
            if not request.url.startswith((home, "data:", "blob:")):
                troubles.append(f"asked {request.url}")

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
        sync_api.expect(figure).to_have_attribute("data-drawn", "")
        assert figure.get_attribute("data-failed") is None, figure.inner_text()
        assert figure.locator(".canvas svg, .canvas canvas").count()


def shot(page: Any, name: str) -> None:
    folder = os.environ.get("NONNEG_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def fits(page: Any) -> None:
    """Nothing sticks out to the right; what is clicked by a finger is no smaller than a finger."""
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0, page.url


def start_example(page: Any, name: str) -> None:
    page.locator(f"form[action='/examples/{name}'] button").click()


def paste(page: Any, text: str, holds: str = "auto") -> None:
    """Open a table that is pasted, from the start page."""
    box = page.locator("form[action='/paste']")
    box.locator("textarea").fill(text)
    box.locator("select").select_option(holds)
    box.get_by_role("button", name="Open").click()


def lines(X: Any) -> str:
    return "\n".join(",".join(map(str, row)) for row in X)


def test_the_talk_within_three_clicks(visit: Callable[..., Any]) -> None:
    page = visit()
    start_example(page, "talk")
    page.get_by_role("heading", name="Factors").wait_for()
    assert page.get_by_text("1.872").count()
    page.get_by_role("link", name="Geometry").click()
    drawn(page)
    page.get_by_role("link", name="Why", exact=True).click()
    said = page.get_by_role("heading", name="The talk's answer")
    said.wait_for()
    assert "not recommended" in said.inner_text()
    assert page.locator("tfoot").first.inner_text().split() == ["Estimate", "1.175"]


@pytest.fixture(scope="module")
def everything(browser: Any, link: str) -> dict[str, str]:
    """A page of each kind, by its name, opened by the forms of the pages before it."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(link)
    page.wait_for_url("**/")
    home, found = page.url, {"start": page.url}

    def note_pages(prefix: str = "") -> None:
        page.wait_for_url("**/open/*/*")
        for at in page.get_by_role("navigation").get_by_role("link").all():
            path = at.get_attribute("href")
            found.setdefault(prefix + path.rsplit("/", 1)[1], home + path[1:])

    start_example(page, "talk")
    note_pages()
    rng = np.random.default_rng(3)
    X = rng.poisson(np.kron(np.eye(3), np.full((5, 6), 40.0)) + 5)
    for form, prefix in (("", ""), ("factors", "table-"), ("classes", ""), ("rank", "")):
        if form:
            page.goto(found["data"])
            page.locator(f"form[action$='/fit/{form}'] button").click()
        else:
            page.goto(home)
            paste(page, lines(X))
        note_pages(prefix)
    page.goto(home)
    start_example(page, "images")
    note_pages()
    words = [["goal", "team", "match", "win"], ["vote", "law", "party", "court"]]
    texts = [" ".join(rng.choice(words[i % 2], 12)) for i in range(30)]
    page.goto(home)
    paste(page, "text\n" + "\n".join(texts), "texts")
    note_pages("texts-")
    page.locator("form[action$='/fit/topics'] input[name=rank]").fill("2")
    page.locator("form[action$='/fit/topics'] button").click()
    page.wait_for_url("**/topics")
    note_pages()
    found["error"] = f"{home}open/999/factors"
    page.close()
    return found


@pytest.mark.parametrize(("width", "scheme"), SIGHTS)
def test_every_page_at_every_width_and_light(
    visit: Callable[..., Any], everything: dict[str, str], width: int, scheme: str
) -> None:
    page = visit(width, scheme)
    words = "data factors geometry recommend why topics parts classes rank"
    assert set(words.split()) <= set(everything)
    for name, address in everything.items():
        if name == "error":
            continue
        page.goto(address)
        drawn(page)
        fits(page)
        shot(page, f"{name}-{width}-{scheme}")
        unnamed = "[...document.querySelectorAll('input, select, textarea')].filter(e => "
        unnamed += "!e.labels.length && !e.ariaLabel).map(e => e.outerHTML)"
        assert page.evaluate(unnamed) == []


def test_a_pasted_table_by_the_keyboard_and_a_picture_of_it(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    page = visit()
    X = np.random.default_rng(0).gamma(1.0, size=(30, 8)).round(3)
    page.get_by_label("From a spreadsheet").fill(lines(X))
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Find components").wait_for()
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
    page.locator("form[action='/open']").get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Find components").wait_for()
    page.locator("form[action$='/fit/factors'] input[name=rank]").fill("200")
    page.get_by_role("button", name="Fit").click()
    page.locator("#curve").wait_for(state="visible")
    visit().get_by_role("heading", name="Look at your table").wait_for()  # pages answer meanwhile
    shot(page, "fit-1280-light")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("nothing was kept").wait_for()
    shot(page, "cancelled-1280-light")


def test_ratings_of_ones_own_and_the_reasons(visit: Callable[..., Any]) -> None:
    page = visit()
    start_example(page, "talk")
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
    shot(page, "rated-1280-light")
    page.get_by_role("button", name="Forget my ratings").click()
    page.get_by_text("Nothing is rated yet").wait_for()


@pytest.mark.shared_data
def test_a_list_for_five_own_ratings_of_films(
    visit: Callable[..., Any], shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "ml-100k"
    page = visit()
    page.get_by_label("File", exact=True).set_input_files(folder / "u.data.gz")
    page.locator("summary").first.click()
    page.get_by_label("A file with columns id").set_input_files(folder / "u.item.gz")
    page.locator("form[action='/open']").get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Learn").click()
    page.locator("#rate li").first.wait_for()
    for i in range(5):
        page.locator("#rate li").nth(i).locator(f"input[value='{1 + i}'] + span").click()
    page.get_by_text("From 5 ratings of yours").wait_for()
    sync_api.expect(page.locator("#answers li")).to_have_count(10)
    assert "because of your" in page.locator("#answers li .because").first.inner_text()
    page.get_by_label("Find an item").fill("Brazil (1985)")
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#rate li").first).to_contain_text("Brazil")
    page.locator("#answers button").first.click()
    page.get_by_role("heading", name="Why ").wait_for()
    fits(page)
    shot(page, "films-1280-light")


def test_a_folder_of_pictures_and_a_file_that_is_too_large(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("PIL", reason="Pillow is missing")
    from nonneg.io.pictures import write_png

    rng = np.random.default_rng(0)
    for word in ("dark", "light"):
        (tmp_path / "many" / word).mkdir(parents=True)
        for i in range(6):
            write_png(tmp_path / "many" / word / f"{i}.png", rng.random((9, 7)))
    page = visit()
    page.get_by_label("Folder", exact=True).set_input_files(tmp_path / "many")
    page.locator("form[action='/open-folder']").get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="many").wait_for()
    assert page.get_by_text("12 pictures of 7 × 9 pixels, with 2 labels").count()
    sync_api.expect(page.locator("#gallery canvas").nth(11)).to_have_attribute("width", "7")
    fits(page)
    shot(page, "folder-1280-light")
    page.get_by_label("How many").fill("3")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("heading", name="A picture, part by part").wait_for()
    assert page.get_by_text("dark/0.png").count()
    large = tmp_path / "large.csv"
    with large.open("wb") as stream:
        stream.truncate(300 * 2**20)
    page.goto(page.url.split("/open")[0])
    box = page.get_by_label("File", exact=True)
    box.set_input_files(large)
    assert "300 MB" in box.evaluate("input => input.validationMessage")
    page.locator("form[action='/open']").get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Look at your table").wait_for()  # it was not sent


def test_the_slider_cuts_the_tree(visit: Callable[..., Any], everything: dict[str, str]) -> None:
    page = visit()
    page.goto(everything["classes"])
    drawn(page)
    sync_api.expect(page.locator("#groups li")).to_have_count(3)
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    sync_api.expect(page.locator("#groups li")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    sync_api.expect(page.locator("#groups li")).to_have_count(4)


def test_parts_add_up_and_hidden_pixels_are_repaired(
    visit: Callable[..., Any], everything: dict[str, str]
) -> None:
    page = visit()
    page.goto(everything["parts"])
    told = page.locator("#told")
    sync_api.expect(told).to_contain_text("parts:")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    sync_api.expect(told).to_have_text("no part yet")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    sync_api.expect(told).to_contain_text("2 of ")
    page.locator("#hide").scroll_into_view_if_needed()
    box = page.locator("#hide").bounding_box()
    size = box["width"] / 8
    page.mouse.move(box["x"] + 1.5 * size, box["y"] + 3.5 * size)
    page.mouse.down()
    page.mouse.move(box["x"] + 6.5 * size, box["y"] + 3.5 * size, steps=12)
    page.mouse.up()
    sync_api.expect(page.locator("#hidden")).to_have_text("6 of 64 pixels are hidden.")
    page.get_by_text("Repaired: off by").wait_for()
    page.get_by_role("button", name="Show everything").click()
    sync_api.expect(page.locator("#hidden")).to_have_text("Nothing is hidden.")
    page.locator("#hide").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    sync_api.expect(page.locator("#hidden")).to_have_text("1 of 64 pixels are hidden.")
    page.get_by_role("button", name="Hide the middle").click()
    sync_api.expect(page.locator("#hidden")).to_have_text("24 of 64 pixels are hidden.")
    page.get_by_text("Repaired: off by").wait_for()
    page.wait_for_timeout(300)
    shot(page, "repaired-1280-light")


def test_markup_in_names_stays_text(visit: Callable[..., Any]) -> None:
    page = visit()
    evil = "<img src=x onerror=document.title='owned'>"
    paste(page, f"name,{evil},b,c\n{evil},1,2,\ny,3,1,4\nz,2,2,1\nw,5,1,2\n")
    data = page.url
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("heading", name="Factors").wait_for()
    drawn(page)
    page.goto(data)
    page.get_by_role("button", name="Learn").click()
    page.locator("#rate fieldset").first.wait_for()
    page.locator("#rate fieldset input").first.check(force=True)
    page.locator("#answers button").first.click()
    page.get_by_role("heading", name="Why ").wait_for()
    page.get_by_role("link", name="Why", exact=True).click()
    drawn(page)
    assert page.locator("img").count() == 0
    assert page.title() != "owned"


def test_what_does_not_exist_is_said(everything: dict[str, str], browser: Any, link: str) -> None:
    page = browser.new_page()  # browsers complain of a 404 in the console
    assert page.goto(everything["start"]).status == 403
    page.goto(link)
    page.wait_for_url("**/")
    assert page.goto(everything["error"]).status == 404
    page.get_by_role("alert").wait_for()
    shot(page, "error-1280-light")
    page.get_by_role("link", name=re.compile("start page")).click()
    page.get_by_role("heading", name="Look at your table").wait_for()
    page.close()
