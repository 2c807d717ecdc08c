"""Routes: every page, its twin in JSON, and what changes something.

A page is its facts drawn by a template; the twin sends the same facts. Facts that were asked for
before are sent as they were, so that many readers cost no more than one.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, ConfigDict
from pydantic import Field as Limit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile as StarletteFile

from nonneg.errors import InputError, UnknownNameError
from nonneg.io.pictures import natural_order
from nonneg.report.facts import Facts
from nonneg.web.jobs import Job, Jobs
from nonneg.web.pages import DATA, KINDS, PAGES, Query, facts_of, first_page, pages_of, picture_of
from nonneg.web.pictures import picture
from nonneg.web.reading import OpenFile
from nonneg.web.store import Entry, Limits, Store
from nonneg.web.tasks import (
    EXAMPLES,
    ChooseRank,
    Example,
    FitClasses,
    FitFactors,
    FitParts,
    FitRecommender,
    FitTopics,
    Task,
)

__all__ = ["UPLOADS", "Explorer", "page_error", "router"]

UPLOADS = ("/open", "/open-folder")
_SOON = 1.0  # seconds that a click waits for quick work, so that its page need not be shown
_TOLD = 10  # failures on the start page
_FOUND = 20  # items in a list of suggestions
_HERE = Path(__file__).parent
_SUFFIX = re.compile(r"\.\w{1,10}(\.gz)?$")
_SEE = 303  # look at another page with GET
_Number = Annotated[int, Limit(ge=0, le=2**31 - 1)]
_Rank = Annotated[int, Form(ge=1, le=1000)]
_Seed = Annotated[int, Form(ge=0, le=2**31 - 1)]

router = APIRouter()
_templates = Jinja2Templates(_HERE / "templates")


@dataclass(frozen=True)
class _Folder:
    """Where the files of a client's folder are, and what the client calls it and them."""

    path: Path
    name: str
    names: dict[str, str]


@dataclass
class Explorer:
    """One session."""

    store: Store
    jobs: Jobs
    limits: Limits
    _made: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Where files of clients are, made for the first of them."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="nonneg-")
        return Path(self._made.name)

    def close(self) -> None:
        """End its work and forget its files."""
        self.jobs.close()
        if self._made is not None:
            self._made.cleanup()

    def put_folder(self, files: Mapping[tuple[str, ...], BinaryIO]) -> _Folder:
        """Keep the files of a folder under names of our own choice, but in their order.

        Files that are hidden are left out. Only the first folder inside counts: it is the label.
        """
        seen = {path: file for path, file in files.items() if path and path[-1][0] != "."}
        if not seen:
            raise InputError(
                "no folder was chosen, or nothing is in it · choose one of pictures or of texts"
            )
        tops = {path[0] for path in seen if len(path) > 1}
        # Browsers send the name of the folder with each of its files.
        within = len(tops) == 1 and all(len(path) > 1 for path in seen)
        kept = self.folder / uuid.uuid4().hex
        names: dict[str, str] = {}
        labels: dict[str, str] = {}
        for n, path in enumerate(sorted(seen, key=lambda path: natural_order("/".join(path)))):
            inside = path[1:] if within else path
            suffix = _SUFFIX.search(path[-1].lower())
            name = f"{n:06d}{suffix[0] if suffix else ''}"
            if len(inside) > 1:
                name = f"{labels.setdefault(inside[0], str(len(labels)))}/{name}"
            target = kept / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                shutil.copyfileobj(seen[path], stream)
            names[name] = "/".join(inside)
        names |= {number: label for label, number in labels.items()}
        return _Folder(kept, tops.pop() if within else "a folder", names)

    def put(self, name: str, data: bytes | None = None) -> Path:
        """Return a path of our own choice for a file; only its suffix is the client's."""
        suffix = _SUFFIX.search(name.lower())
        path = self.folder / f"{uuid.uuid4().hex}{suffix[0] if suffix else '.csv'}"
        if data is not None:
            path.write_bytes(data)
        return path


def _explorer(request: Request) -> Explorer:
    explorer: Explorer = request.app.state.explorer
    return explorer


def _entry(number: _Number, request: Request) -> Entry:
    return _explorer(request).store.get(number)


def _query(
    user: Annotated[str, Limit(max_length=500)] = "",
    item: Annotated[str, Limit(max_length=500)] = "",
    document: _Number = 1,
    cut: _Number = 0,
    top: Annotated[int, Limit(ge=1, le=100)] = 10,
) -> Query:
    return Query(user, item, document, cut, top)


_Here = Annotated[Explorer, Depends(_explorer)]
_Open = Annotated[Entry, Depends(_entry)]
_Asked = Annotated[Query, Depends(_query)]


def page_error(request: Request, status: int, message: str) -> HTMLResponse:
    """Return a page that says what went wrong."""
    return _page(request, "error.html", {"message": message}, status)


def _page(request: Request, name: str, context: dict[str, Any], status: int = 200) -> HTMLResponse:
    return _templates.TemplateResponse(request, name, context, status_code=status)


def _noted(request: Request, entry: Entry, data: bytes) -> Response:
    """Facts as JSON, which the next one who asks the same gets at once; see `answers`."""
    entry.note(request.scope["path"], request.scope["query_string"], data)
    return Response(data, media_type="application/json")


# --- start ---------------------------------------------------------------------------------------


def _start_facts(explorer: Explorer) -> Facts:
    return {
        "open": [
            {
                "number": entry.number,
                "name": entry.name,
                "kind": KINDS[entry.kind][0],
                "page": first_page(entry),
            }
            for entry in explorer.store
        ],
        "running": [job.facts() for job in explorer.jobs.running()],
        "unopened": [job.facts() for job in explorer.jobs.unopened()[-_TOLD:]],
        "examples": [
            {"name": name, "title": made.title, "told": made.told}
            for name, made in EXAMPLES.items()
        ],
    }


@router.get("/", include_in_schema=False)
async def start(request: Request, explorer: _Here) -> HTMLResponse:
    """Return the start page."""
    return _page(request, "start.html", _start_facts(explorer) | {"limits": explorer.limits})


@router.get("/index.json")
async def start_twin(explorer: _Here) -> Facts:
    """What is open, what is under way, and which examples there are."""
    return _start_facts(explorer)


@router.post("/open")
def open_file(
    explorer: _Here,
    file: Annotated[UploadFile, File()],
    titles: Annotated[UploadFile | None, File()] = None,
    holds: Annotated[str, Form(pattern="^(auto|table|ratings|texts|pictures|model)$")] = "auto",
) -> RedirectResponse:
    """Open an uploaded file."""
    name = _called(file.filename)
    if not file.size:
        raise InputError("no file was chosen, or it is empty · choose one with something in it")
    path = _kept(explorer, file, name)
    beside = None
    if titles is not None and titles.size:
        beside = str(_kept(explorer, titles, _called(titles.filename)))
    return _begun(explorer, name, OpenFile(str(path), name, holds, beside))


def _kept(explorer: Explorer, file: UploadFile, name: str) -> Path:
    path = explorer.put(name)
    with path.open("wb") as target:
        shutil.copyfileobj(file.file, target)
    return path


@router.post(
    "/open-folder",
    response_class=RedirectResponse,
    status_code=_SEE,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {
                                "type": "array",
                                "items": {"type": "string", "format": "binary"},
                            }
                        },
                    }
                }
            },
        }
    },
)
async def open_folder(request: Request, explorer: _Here) -> RedirectResponse:
    """Open the files of a folder: pictures, or texts."""
    # By hand, since a form is read with a thousand files at most.
    async with request.form(max_files=explorer.limits.files) as form:
        sent = [file for file in form.getlist("files") if not isinstance(file, str)]
        return await run_in_threadpool(_open_sent, explorer, sent)


def _open_sent(explorer: Explorer, sent: list[StarletteFile]) -> RedirectResponse:
    folder = explorer.put_folder({_path(file.filename): file.file for file in sent if file.size})
    return _begun(
        explorer, folder.name, OpenFile(str(folder.path), folder.name, names=folder.names)
    )


def _path(filename: str | None) -> tuple[str, ...]:
    """The folders and the name that a browser sent, as texts."""
    parts = re.split(r"[\\/]", filename or "")
    return tuple(part[:120] for part in parts if part.strip("."))


def _called(filename: str | None) -> str:
    """The last part of a name that a browser sent, as text."""
    return re.split(r"[\\/]", filename or "")[-1][:120] or "a file"


@router.post("/paste")
def paste(
    explorer: _Here,
    text: Annotated[str, Form(min_length=1)],
    holds: Annotated[str, Form(pattern="^(auto|table|ratings|texts)$")] = "auto",
) -> RedirectResponse:
    """Open a table that was pasted."""
    if len(text) > explorer.limits.pasted_chars:
        raise InputError(
            f"{len(text):,} characters were pasted · the page takes "
            f"{explorer.limits.pasted_chars:,} · save them as a file and open that"
        )
    data = text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")
    path = explorer.put("pasted.csv", data)
    return _begun(explorer, "pasted table", OpenFile(str(path), "the pasted table", holds))


@router.post("/examples/{name}")
def example(name: str, explorer: _Here) -> RedirectResponse:
    """Open an example."""
    if name not in EXAMPLES:
        raise UnknownNameError(
            f"there is no example {name!r} · there are {', '.join(EXAMPLES)} · choose one"
        )
    return _begun(explorer, EXAMPLES[name].title, Example(name))


def _begun(
    explorer: Explorer, name: str, task: Task, parent: Entry | None = None
) -> RedirectResponse:
    """Begin work, and show its page, or what came of it where that was quick."""
    job = explorer.jobs.start(name, task, parent)
    job.ended.wait(_SOON)
    return RedirectResponse(_next_page(explorer, job), _SEE)


def _next_page(explorer: Explorer, job: Job) -> str:
    if job.entry is None:
        return f"/jobs/{job.number}"
    return first_page(explorer.store.get(job.entry))


# --- work under way ------------------------------------------------------------------------------


@router.get("/jobs/{number}.json")
async def job_twin(number: _Number, explorer: _Here, since: _Number = 0) -> Facts:
    """How work goes: its state, its phase, and its curve from a point on."""
    job = explorer.jobs.get(number)
    page = None if job.entry is None else _next_page(explorer, job)
    return job.facts(since) | {"page": page}


@router.get("/jobs/{number}", include_in_schema=False)
async def job_page(number: _Number, request: Request, explorer: _Here) -> Response:
    """Return the page of work under way."""
    job = explorer.jobs.get(number)
    if job.entry is not None:
        return RedirectResponse(_next_page(explorer, job), _SEE)
    return _page(request, "job.html", {"job": job.facts(), "parent": job.parent})


@router.post("/jobs/{number}/cancel")
def cancel(number: _Number, explorer: _Here) -> RedirectResponse:
    """End work at once."""
    job = explorer.jobs.get(number)
    job.cancel()
    return RedirectResponse(f"/jobs/{number}", _SEE)


# --- fits ----------------------------------------------------------------------------------------


def _data(entry: Entry, *kinds: str) -> Any:
    """The data of an entry, which must be of one of these kinds."""
    if entry.kind not in kinds:
        raise InputError(
            f"'{entry.name}' is {KINDS[entry.kind][0]} · this needs {' or '.join(kinds)} · open "
            "such a file"
        )
    return entry.opened.thing


@router.post("/open/{number}/fit/factors")
def fit_factors(
    explorer: _Here,
    entry: _Open,
    rank: _Rank = 2,
    loss: Annotated[
        str, Form(pattern="^(frobenius|kullback-leibler|itakura-saito|huber|l1|l21)$")
    ] = "frobenius",
    missing: Annotated[str, Form(pattern="^(nan|0)$")] = "nan",
    seed: _Seed = 0,
) -> RedirectResponse:
    """Find components of a table."""
    table = _data(entry, "table")
    name = f"{entry.name}: {rank} components"
    return _begun(explorer, name, FitFactors(table, rank, loss, missing, seed), entry)


@router.post("/open/{number}/fit/recommender")
def fit_recommender(
    explorer: _Here,
    entry: _Open,
    rank: _Rank = 20,
    models: Annotated[int, Form(ge=1, le=64)] = 16,
    implicit: Annotated[bool, Form()] = False,
    seed: _Seed = 0,
) -> RedirectResponse:
    """Learn taste from ratings, or from a table with people in rows."""
    data = _data(entry, "ratings", "table")
    about = {"titles": None, "labels": None} | entry.opened.about
    task = FitRecommender(data, about, rank, models, implicit, seed)
    return _begun(explorer, f"{entry.name}: taste", task, entry)


@router.post("/open/{number}/fit/topics")
def fit_topics(
    explorer: _Here,
    entry: _Open,
    rank: Annotated[int, Form(ge=0, le=1000)] = 0,
    seed: _Seed = 0,
) -> RedirectResponse:
    """Find topics of texts; 0: as many as the texts say."""
    documents = _data(entry, "texts")
    return _begun(explorer, f"{entry.name}: topics", FitTopics(documents, rank, seed), entry)


@router.post("/open/{number}/fit/parts")
def fit_parts(
    explorer: _Here,
    entry: _Open,
    width: Annotated[int | None, Form(ge=1, le=200_000)] = None,
    rank: _Rank = 25,
    smoothness: Annotated[float, Form(ge=0, le=1000, allow_inf_nan=False)] = 0.0,
    seed: _Seed = 0,
) -> RedirectResponse:
    """Find parts of pictures; those of a table are its rows, `width` pixels in a line."""
    data = _data(entry, "pictures", "table")
    task = FitParts(data, width, rank, smoothness, seed)
    return _begun(explorer, f"{entry.name}: {rank} parts", task, entry)


@router.post("/open/{number}/fit/classes")
def fit_classes(
    explorer: _Here,
    entry: _Open,
    rank: _Rank = 3,
    runs: Annotated[int, Form(ge=2, le=200)] = 20,
    turned: Annotated[bool, Form()] = False,
    seed: _Seed = 0,
) -> RedirectResponse:
    """Find classes of the rows of a table, or of its columns."""
    table = _data(entry, "table")
    task = FitClasses(table, rank, runs, turned, seed)
    return _begun(explorer, f"{entry.name}: classes", task, entry)


@router.post("/open/{number}/fit/rank")
def fit_rank(
    explorer: _Here,
    entry: _Open,
    first: _Rank = 2,
    last: _Rank = 6,
    runs: Annotated[int, Form(ge=2, le=100)] = 10,
    missing: Annotated[str, Form(pattern="^(nan|0)$")] = "nan",
    seed: _Seed = 0,
) -> RedirectResponse:
    """Say how many components a table has."""
    table = _data(entry, "table")
    if first >= last:
        raise InputError(f"ranks {first} to {last} · the last must be larger · change one of them")
    task = ChooseRank(table, first, last, runs, missing=missing, seed=seed)
    return _begun(explorer, f"{entry.name}: how many components", task, entry)


# --- what is open --------------------------------------------------------------------------------


@router.post("/open/{number}/close")
def close(entry: _Open, explorer: _Here) -> RedirectResponse:
    """Forget something."""
    explorer.store.remove(entry.number)
    return RedirectResponse("/", _SEE)


def _is_model(entry: Entry) -> bool:
    return entry.kind not in (*DATA, "rank")


@router.get("/open/{number}/model")
def download(entry: _Open, explorer: _Here) -> FileResponse:
    """Return the model file, as `nonneg.save` writes it."""
    from nonneg.models import save

    if not _is_model(entry):
        raise InputError(f"'{entry.name}' is no model · there is nothing to save · fit one first")
    path = save(entry.opened.thing, explorer.put("model.nonneg"))
    word = re.sub(r"\W+", "-", entry.name).strip("-").lower() or "model"
    return FileResponse(path, filename=f"{word}.nonneg", media_type="application/octet-stream")


@router.get("/open/{number}", include_in_schema=False)
async def opened(entry: _Open) -> RedirectResponse:
    """Go to the first page."""
    return RedirectResponse(first_page(entry), _SEE)


@router.get("/open/{number}/items.json")
def items(entry: _Open, q: Annotated[str, Limit(max_length=200)] = "") -> list[Facts]:
    """Items whose id or title has these letters, the most rated first."""
    import numpy as np

    model = _recommender(entry)
    titles = entry.opened.about.get("titles") or {}
    ratings = model.ratings_
    counts = np.bincount(ratings.items, minlength=ratings.n_items)
    ids, wanted, found = ratings.item_ids.tolist(), q.casefold(), []
    for code in np.argsort(-counts, kind="stable").tolist():
        title = titles.get(str(ids[code]))
        if wanted in f"{ids[code]} {title or ''}".casefold():
            found.append({"item": str(ids[code]), "title": title, "n_ratings": int(counts[code])})
            if len(found) == _FOUND:
                break
    return found


class Taste(BaseModel):
    """Ratings of somebody new, by id or title, and what is wanted of them."""

    model_config = ConfigDict(extra="forbid")
    ratings: Annotated[dict[str, float], Limit(max_length=1000)]
    item: Annotated[str, Limit(max_length=500)] = ""
    n: Annotated[int, Limit(ge=1, le=50)] = 10


@router.post("/open/{number}/recommend.json")
def recommend_for(entry: _Open, taste: Taste) -> Facts:
    """What somebody with these ratings may like, and because of what."""
    from nonneg.report.taste import reasoned_facts

    model, titles = _recommender(entry), entry.opened.about.get("titles")
    own = _own_ratings(entry, taste)
    labels = entry.opened.about.get("labels")
    return reasoned_facts(model, own, taste.n, titles=titles, labels=labels)


@router.post("/open/{number}/why.json")
def why_for(entry: _Open, taste: Taste) -> Facts:
    """Why an item is or is not for somebody with these ratings."""
    from nonneg.report.taste import explanation_facts, find_item

    model, titles = _recommender(entry), entry.opened.about.get("titles")
    why = model.explain_for(_own_ratings(entry, taste), find_item(model, taste.item, titles))
    return explanation_facts(why, model=model, titles=titles)


class Hidden(BaseModel):
    """Pixels of a picture that are to be repaired: places from 0, row by row."""

    model_config = ConfigDict(extra="forbid")
    picture: Annotated[int, Limit(ge=1, le=2**31 - 1)] = 1
    hidden: Annotated[list[Annotated[int, Limit(ge=0, le=2**31 - 1)]], Limit(max_length=200_000)]


@router.post("/open/{number}/repair.json")
def repair(entry: _Open, asked: Hidden) -> Facts:
    """A picture with pixels hidden, repaired by the parts that the rest shows."""
    from nonneg.report.parts import repair_facts

    model = _data(entry, "images")
    return repair_facts(model, picture_of(entry, asked.picture), asked.hidden)


def _own_ratings(entry: Entry, taste: Taste) -> dict[Any, float]:
    from nonneg.report.taste import find_item

    titles = entry.opened.about.get("titles")
    return {
        find_item(entry.opened.thing, name, titles): value for name, value in taste.ratings.items()
    }


def _recommender(entry: Entry) -> Any:
    return _data(entry, "recommender", "talk")


def _facts_of(entry: Entry, word: str, query: Query) -> tuple[str, Callable[[], Facts]]:
    if word not in KINDS[entry.kind][1]:
        raise UnknownNameError(
            f"'{entry.name}' is {KINDS[entry.kind][0]}, which has no page {word!r} · it has "
            f"{', '.join(KINDS[entry.kind][1])} · choose one"
        )
    return f"{word} {query.key}", partial(facts_of, entry, PAGES[word], query)


@router.get("/open/{number}/pictures/{name}.json")
async def figure_of(
    entry: _Open,
    name: str,
    query: _Asked,
    request: Request,
    theme: Annotated[str, Limit(pattern="^(light|dark)$")] = "light",
) -> Response:
    """A figure of a page, as Plotly's JSON has it."""
    key = f"picture {name} {theme} {query.key}"
    data = await _answer(entry, key, partial(picture, entry, name, query, theme))
    return _noted(request, entry, data)


async def _answer(entry: Entry, key: str, compute: Callable[[], Facts]) -> bytes:
    """What is known is sent at once, without waiting for a thread."""
    known = entry.known(key)
    return await run_in_threadpool(entry.answer, key, compute) if known is None else known


@router.get("/open/{number}/{page}.json")
async def twin(entry: _Open, page: str, query: _Asked, request: Request) -> Response:
    """The facts of a page: data, factors, geometry, recommend, why, topics, parts, classes."""
    return _noted(request, entry, await _answer(entry, *_facts_of(entry, page, query)))


@router.get("/open/{number}/{page}", include_in_schema=False)
async def page_of(request: Request, entry: _Open, page: str, query: _Asked) -> HTMLResponse:
    """Return a page."""
    facts = json.loads(await _answer(entry, *_facts_of(entry, page, query)))
    context = {
        "entry": entry,
        "kind": KINDS[entry.kind][0],
        "pages": pages_of(entry),
        "here": PAGES[page],
        "facts": facts,
        "savable": _is_model(entry),
        "query": query,
        "twin": f"/open/{entry.number}/{page}.json"
        + (f"?{request.url.query}" if request.url.query else ""),
    }
    return await run_in_threadpool(_page, request, f"{page}.html", context)
