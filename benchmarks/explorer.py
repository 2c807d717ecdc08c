"""How quick the explorer is: its start page, a list for ratings of one's own, a hundred readers.

    python benchmarks/explorer.py [--data FOLDER] [--output FILE]

start    `nonneg explore` until it prints its link, and from the link until the start page of a
         new Chromium window is interactive (all scripts of the page have run).
films    MovieLens 100k (in --data): from the click that opens the file to the list of ten with
         reasons for five ratings, with the clicks in between as fast as they can be.
readers  A hundred connections that ask for the same facts again and again, each as soon as it has
         its answer: the seconds of each answer. The readers share the machine with the server.

Chromium is driven by playwright; where it is not installed those parts are named as missing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, today, versions, write

RESULTS = Path(__file__).parent / "results" / "explorer.json"
SERVERS = ("fastapi", "starlette", "uvicorn", "playwright")
STARTS, READERS, ASKED = 5, 100, 30
FILMS = 5  # ratings of one's own


def main() -> None:
    """Measure everything and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    record: dict[str, Any] = {"date": today(), "machine": machine()}
    record["versions"] = versions() | {name: version(name) for name in SERVERS}
    with chromium() as browser:
        record["start"] = start(browser) if browser else "chromium is not installed"
        if browser and given.data:
            record["films"] = films(browser, given.data / "ml-100k")
    record["readers"] = readers()
    write(given.output, record)
    print(*(f"{name}: {record[name]}" for name in ("start", "films", "readers") if name in record))


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser, or None."""
    path = shutil.which("chromium")
    if path is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        opened = driver.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@contextlib.contextmanager
def explorer() -> Iterator[tuple[str, float]]:
    """The link of an explorer as a person starts it, and the seconds until it was printed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "nonneg", "explore", "--no-browser"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **quiet) as process:  # type: ignore[call-overload]
        link = process.stdout.readline().strip()
        yield link, time.perf_counter() - began
        process.terminate()


def start(browser: Any) -> dict[str, Any]:
    """Seconds to the link, and from it to the start page; each with a new server and window."""
    printed, interactive, rows = [], [], []
    for _ in range(STARTS):
        with explorer() as (link, seconds):
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(link)
            page.wait_for_url("**/", wait_until="load")
            page.locator("form[action='/examples/talk'] button").wait_for()
            interactive.append(time.perf_counter() - began)
            timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            rows.append(page.evaluate(timing) / 1000)
            printed.append(seconds)
            page.context.close()
    return {
        "runs": STARTS,
        "link_printed_s": spread(printed),
        "link_to_interactive_s": spread(interactive),
        "of_it_the_page_alone_s": spread(rows),
    }


def films(browser: Any, folder: Path) -> dict[str, Any]:
    """Seconds from opening MovieLens 100k to a list with reasons for ratings of one's own."""
    totals, steps = [], []
    for _ in range(3):
        with explorer() as (link, _):
            page = browser.new_context().new_page()
            page.goto(link)
            page.wait_for_url("**/")
            page.get_by_label("File", exact=True).set_input_files(folder / "u.data.gz")
            page.locator("summary").first.click()
            page.get_by_label("A file with columns id").set_input_files(folder / "u.item.gz")
            began = time.perf_counter()
            page.locator("form[action='/open']").get_by_role("button", name="Open").click()
            page.get_by_role("button", name="Learn").click()
            opened = time.perf_counter()
            page.locator("#rate fieldset").first.wait_for(timeout=120_000)
            learned = time.perf_counter()
            for i in range(FILMS):
                page.locator("#rate li").nth(i).locator(f"input[value='{1 + i}'] + span").click()
            page.get_by_text(f"From {FILMS} ratings of yours").wait_for()
            page.locator("#answers li .because").nth(9).wait_for()
            ended = time.perf_counter()
            totals.append(ended - began)
            steps.append((opened - began, learned - opened, ended - learned))
            page.context.close()
    read, learn, rate = (spread(column) for column in zip(*steps, strict=True))
    return {"runs": 3, "total_s": spread(totals), "read_s": read, "learn_s": learn, "rate_s": rate}


def readers() -> dict[str, Any]:
    """How long facts take that were computed before, when a hundred ask at the same time."""
    with explorer() as (link, _):
        return asyncio.run(_readers(link))


async def _readers(link: str) -> dict[str, Any]:
    home, _, entrance = link.removeprefix("http://").partition("/")
    host, port = home.split(":")
    common = f"host: {home}\r\norigin: http://{home}\r\n"
    entered = await one(host, int(port), f"GET /{entrance} HTTP/1.1\r\n{common}\r\n")
    said = [line for line in entered.split(b"\r\n") if line.lower().startswith(b"set-cookie:")]
    cookie = said[0].split(b":", 1)[1].split(b";")[0].decode().strip()
    common += f"cookie: {cookie}\r\n"
    await one(host, int(port), f"POST /examples/talk HTTP/1.1\r\n{common}content-length: 0\r\n\r\n")
    found: dict[str, Any] = {"readers": READERS, "requests_of_each": ASKED}
    for name in ("factors.json", "why.json", "pictures/cone.json"):
        request = f"GET /open/1/{name} HTTP/1.1\r\n{common}\r\n".encode()
        while b" 200 " not in await one(host, int(port), request.decode()):
            await asyncio.sleep(0.2)  # the example is being prepared
        began = time.perf_counter()
        seconds = await asyncio.gather(*(ask(host, int(port), request) for _ in range(READERS)))
        took = time.perf_counter() - began
        each = np.concatenate(seconds)
        found[name] = {
            "p50_ms": round(float(np.quantile(each, 0.5)) * 1000, 1),
            "p99_ms": round(float(np.quantile(each, 0.99)) * 1000, 1),
            "worst_ms": round(float(each.max()) * 1000, 1),
            "requests_per_s": round(len(each) / took),
        }
    return found


async def one(host: str, port: int, request: str) -> bytes:
    """The answer to one request, on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1).encode())
    answer = await reader.read()
    writer.close()
    return answer


async def ask(host: str, port: int, request: bytes) -> list[float]:
    """Ask again and again on one connection; the seconds of each answer."""
    reader, writer = await asyncio.open_connection(host, port)
    seconds = []
    for _ in range(ASKED):
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - began)
        assert head.startswith(b"HTTP/1.1 200"), head
    writer.close()
    return seconds


def spread(values: Any) -> dict[str, float]:
    """The median and the worst."""
    return {"median": round(float(np.median(values)), 3), "worst": round(float(max(values)), 3)}


if __name__ == "__main__":
    main()
