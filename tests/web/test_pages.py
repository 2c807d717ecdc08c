"""Facts and pages: the talk's numbers, what is opened and fitted, limits, text that stays text."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

pytest.importorskip("fastapi")

import nonneg
from nonneg.apps import talk as the_talk
from nonneg.io.pictures import natural_order
from nonneg.web.pages import KINDS
from nonneg.web.tasks import EXAMPLES

from .conftest import ORIGIN, Visitor

EVIL = "<img src=x onerror=alert(1)>'\"&amp;"


def pages(visitor: Visitor, at: str) -> list[str]:
    """The addresses in the navigation of an entry."""
    text = visitor.client.get(at).text
    return re.findall(r'href="(/open/\d+/\w+)"', text.split("<nav", 1)[1].split("</nav>")[0])


def pictures(text: str) -> list[str]:
    return [html.unescape(url) for url in re.findall(r'data-figure="([^"]+)"', text)]


def test_the_talk_in_three_clicks(visitor: Visitor, talk: str) -> None:
    factors = visitor.get(f"{talk}/factors.json")  # the first click
    fit = the_talk.talk_factors()
    assert np.allclose(factors["rows"]["weights"], fit.W)
    assert np.allclose(np.transpose(factors["columns"]["weights"]), fit.H)
    cone = visitor.get(f"{talk}/geometry.json")  # the second
    assert cone["names"] == list(the_talk.USERS)
    assert cone["dimensions"] == 2
    why = visitor.get(f"{talk}/why.json")  # the third
    assert (why["user"], why["item"]) == ("Jai", "Black Mirror")
    assert why["talk"]["estimate"] == pytest.approx(1.175, abs=5e-4)
    assert not why["talk"]["recommended"]
    assert sum(part["contribution"] for part in why["parts"]) == pytest.approx(why["estimate"])
    assert "1.175" in visitor.client.get(f"{talk}/why").text


def test_every_page_of_an_example_has_a_twin_and_pictures_that_draw(
    visitor: Visitor, talk: str
) -> None:
    found = pages(visitor, f"{talk}/factors")
    assert [page.rsplit("/", 1)[1] for page in found] == list(KINDS["talk"][1])
    for page in found:
        answer = visitor.client.get(page)
        assert answer.status_code == 200
        visitor.get(f"{page}.json")
        for url in pictures(answer.text):
            figure = visitor.get(url)
            assert figure["data"]
            dark = visitor.get(f"{url}{'&' if '?' in url else '?'}theme=dark")
            assert dark["layout"]["template"] != figure["layout"]["template"]


def test_the_waterfall_is_the_explanation(visitor: Visitor, talk: str) -> None:
    why = visitor.get(f"{talk}/why.json?user=PB&item=Quantico")
    bars = visitor.get(f"{talk}/pictures/waterfall.json?user=PB&item=Quantico")["data"][0]
    assert sum(x for x in bars["x"] if x is not None) == pytest.approx(why["estimate"])


def test_ratings_of_ones_own(visitor: Visitor, talk: str) -> None:
    own = {"FRIENDS": 4.8, "Modern Family": 4.6}
    headers = {"origin": ORIGIN}
    listed = visitor.client.post(f"{talk}/recommend.json", json={"ratings": own}, headers=headers)
    items = listed.json()["items"]
    model = nonneg.Recommender(2, random_state=0).fit(the_talk.observed_ratings())
    assert [one["item"] for one in items] == [one.item for one in model.recommend_for(own, 10)]
    for one in items:
        assert not set(own) & {one["item"]}
        why = visitor.client.post(
            f"{talk}/why.json", json={"ratings": own, "item": one["item"]}, headers=headers
        ).json()
        assert why["estimate"] == pytest.approx(one["estimate"])
        parts = {part["name"]: part["contribution"] for part in why["parts"]}
        for because in one["because"]:
            assert parts[because["name"]] == pytest.approx(because["contribution"])


def test_a_pasted_table_is_fitted_and_saved(visitor: Visitor, tmp_path) -> None:
    rng = np.random.default_rng(0)
    X = rng.gamma(1.0, size=(12, 2)) @ rng.gamma(1.0, size=(2, 6))
    lines = [f"r{i}," + ",".join(f"{x:.6f}" for x in row) for i, row in enumerate(X)]
    text = "name,a,b,c,d,e,f\n" + "\n".join(lines)
    page = visitor.post("/paste", data={"text": text})
    facts = visitor.get(f"{page}.json")
    assert facts["shape"] == [12, 6]
    assert facts["row_names"][0] == "r0"
    at = page.rsplit("/", 1)[0]
    fitted = visitor.post(f"{at}/fit/factors", data={"rank": 2})
    found = visitor.get(f"{fitted}.json")
    fit = nonneg.factorize(np.round(X, 6), 2, random_state=0)
    assert found["objective"] == pytest.approx(fit.objective)
    assert found["columns"]["names"] == list("abcdef")
    assert len(found["history"]) == len(fit.history)
    for url in pictures(visitor.client.get(fitted).text):
        assert visitor.get(url)["data"]
    saved = visitor.client.get(f"{fitted.rsplit('/', 1)[0]}/model")
    path = tmp_path / "model.nonneg"
    path.write_bytes(saved.content)
    assert np.array_equal(nonneg.load(path).W, fit.W)
    again = visitor.post("/open", files={"file": ("saved.nonneg", saved.content)})
    assert visitor.get(f"{again}.json")["components"] == found["components"]


def test_ratings_with_titles_and_a_table_of_ratings(visitor: Visitor) -> None:
    rng = np.random.default_rng(1)
    rows = [
        f"u{u},{i},{1 + (u + i) % 5}" for u in range(20) for i in range(15) if rng.random() < 0.6
    ]
    ratings = ("user,item,rating\n" + "\n".join(rows)).encode()
    titles = ("id,title\n" + "\n".join(f"{i},Film {i}" for i in range(15))).encode()
    page = visitor.post("/open", files={"file": ("r.csv", ratings), "titles": ("t.csv", titles)})
    assert visitor.get(f"{page}.json")["n_ratings"] == len(rows)
    at = page.rsplit("/", 1)[0]
    page = visitor.post(f"{at}/fit/recommender", data={"rank": 2, "models": 2})
    facts = visitor.get(f"{page}.json?user=u3")
    assert all(one["title"].startswith("Film ") for one in facts["list"]["items"])
    at = page.rsplit("/", 1)[0]
    assert visitor.get(f"{at}/items.json?q=film 14")[0]["item"] == "14"
    why = visitor.get(f"{at}/why.json?user=u3&item=Film 7")
    assert why["item"] == 7
    told = " ".join(why["sentences"])
    assert told.startswith("u3 would rate Film 7 about")
    likes = why["neighbors"]
    assert all(f"{near['title']} ({near['rating']:g})" in told for near in likes)
    page = visitor.client.get(f"{at}/why?user=u3&item=Film 7").text
    bars = re.search(r"<tbody>(.*?)</tbody>", page[page.index("add up to") :], re.DOTALL)
    assert bars is not None
    added = [x.replace("−", "-") for x in re.findall(r'class="num">([+−][\d.]+)<', bars[1])]
    assert sum(map(float, added)) == pytest.approx(why["estimate"], abs=0.006 * len(added))
    table = "who,x,y,z\na,1,,5\nb,2,4,\nc,,4,5\nd,1,3,4\n"
    at = visitor.post("/paste", data={"text": table}).rsplit("/", 1)[0]
    page = visitor.post(f"{at}/fit/recommender", data={"rank": 1})
    assert visitor.get(f"{page}.json?user=a")["list"]["items"][0]["item"] == "y"


def test_texts_become_topics(visitor: Visitor) -> None:
    words = [["goal", "team", "match", "win"], ["vote", "law", "party", "court"]]
    rng = np.random.default_rng(2)
    lines = [" ".join(rng.choice(words[i % 2], 6)) for i in range(24)]
    text = "text\n" + "\n".join(lines)
    page = visitor.post("/paste", data={"text": text, "holds": "texts"})
    at = page.rsplit("/", 1)[0]
    page = visitor.post(f"{at}/fit/topics", data={"rank": 2})
    facts = visitor.get(f"{page}.json?document=2")
    assert "".join(piece["text"] for piece in facts["document"]["pieces"]) == lines[1]
    carried = {piece["topic"] for piece in facts["document"]["pieces"] if piece["topic"]}
    assert carried == {1 + int(np.argmax(facts["document"]["shares"]))}
    assert visitor.client.get(f"{page}?document=2").status_code == 200
    assert visitor.client.get(f"{page}.json?document=99").status_code == 404


def test_a_table_of_pictures_becomes_parts_and_hidden_pixels_are_repaired(
    visitor: Visitor,
) -> None:
    digits = load_digits().images[:120]
    text = "\n".join(",".join(map(str, image.ravel())) for image in digits)
    at = visitor.post("/paste", data={"text": text}).rsplit("/", 1)[0]
    assert "whole lines" in visitor.post(f"{at}/fit/parts", data={"width": 7})["message"]
    page = visitor.post(f"{at}/fit/parts", data={"width": 8, "rank": 9})
    facts = visitor.get(f"{page}.json?document=3")
    model = nonneg.ImageParts(9, random_state=0).fit(digits)
    assert facts["relative_error"] == pytest.approx(model.relative_error_)
    assert facts["pictures"] == 120
    assert [part["share"] for part in facts["parts"]] == pytest.approx(model.energy_)
    stages = model.stages(digits[2])
    assert [stage["number"] - 1 for stage in facts["picture"]["stages"]] == [
        stage.part for stage in stages
    ]
    assert np.allclose(pixels(facts["picture"]["pixels"]), digits[2] / 16, atol=0.5 / 255)
    mend = f"{page.rsplit('/', 1)[0]}/repair.json"
    hidden = [20, 21, 28, 29]
    asked = {"picture": 3, "hidden": hidden}
    told = visitor.client.post(mend, json=asked, headers={"origin": ORIGIN}).json()
    holes = digits[2].copy()
    holes.ravel()[hidden] = np.nan
    repaired = model.inpaint(holes) / 16
    assert np.allclose(pixels(told["pixels"]), repaired, atol=0.51 / 255)
    wrong = (repaired - digits[2] / 16).ravel()[hidden]
    assert told["error"] == pytest.approx(np.sqrt(np.mean(wrong**2)), abs=1e-6)
    for bad in ([64], list(range(64))):
        asked = {"picture": 3, "hidden": bad}
        refused = visitor.client.post(mend, json=asked, headers={"origin": ORIGIN})
        assert refused.status_code == 400
        assert " · " in refused.json()["error"]
    assert visitor.client.get(f"{page}.json?document=121").status_code == 404
    saved = visitor.client.get(f"{page.rsplit('/', 1)[0]}/model").content
    again = visitor.post("/open", files={"file": ("saved.nonneg", saved)})
    assert visitor.get(f"{again}.json")["picture"] is None
    assert visitor.client.get(again).status_code == 200


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.round(255 * image / image.max()).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def sent(files: dict[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name, data)) for name, data in files.items()]


def test_a_folder_of_pictures_with_labels_becomes_parts(visitor: Visitor) -> None:
    digits = load_digits()
    parity = ["odd" if y % 2 else "even" for y in digits.target[:40]]
    folder = {
        f"digits/{word}/{i}.png": png(image)
        for i, (image, word) in enumerate(zip(digits.images[:40], parity, strict=True))
    }
    folder |= {"digits/odd/.DS_Store": b"x", "digits/odd/broken.png": b"no picture"}
    page = visitor.post("/open-folder", files=sent(folder))
    facts = visitor.get(f"{page}.json")
    assert (facts["n_pictures"], facts["width"], facts["height"]) == (40, 8, 8)
    assert {one["name"]: one["n_pictures"] for one in facts["labels"]} == dict(Counter(parity))
    assert [one["name"] for one in facts["skipped"]] == ["odd/broken.png"]
    # In the order of the names, 2 before 10.
    names = sorted((name.removeprefix("digits/") for name in folder), key=natural_order)
    assert [one["name"] for one in facts["shown"]] == [n for n in names if n[-5].isdigit()][:24]
    assert not facts["notes"]
    told = visitor.client.get(page).text
    assert "2 labels" in told
    assert "odd/broken.png" in told
    fitted = visitor.post(f"{page.rsplit('/', 1)[0]}/fit/parts", data={"rank": 4})
    found = visitor.get(f"{fitted}.json?document=2")
    assert (found["pictures"], len(found["parts"])) == (40, 4)
    assert found["picture"]["name"] == facts["shown"][1]["name"]


def test_pictures_of_many_sizes_are_brought_to_one(visitor: Visitor) -> None:
    rng = np.random.default_rng(0)
    folder = {f"{i}.png": png(rng.random((300, 400) if i else (400, 300))) for i in range(3)}
    facts = visitor.get(f"{visitor.post('/open-folder', files=sent(folder))}.json")
    assert (facts["n_pictures"], facts["width"], facts["height"]) == (3, 128, 96)
    assert "128 × 96" in facts["notes"][0]
    assert facts["notes"][1].startswith("1 of them")


def test_stacks_of_pictures_and_single_ones(visitor: Visitor) -> None:
    stream = io.BytesIO()
    np.savez(stream, X=load_digits().images[:30], y=load_digits().target[:30])
    page = visitor.post("/open", files={"file": ("digits.npz", stream.getvalue())})
    facts = visitor.get(f"{page}.json")
    assert (facts["holds"], facts["n_pictures"], len(facts["labels"])) == ("pictures", 30, 10)
    packed = visitor.post("/open", files={"file": ("cats.zip", b"PK")})
    assert "'cats.zip' is an archive" in packed["message"]
    alone = visitor.post("/open", files={"file": ("cat.png", png(np.eye(9)))})
    assert "'cat.png' is one picture" in alone["message"]


def test_a_folder_of_texts_and_folders_of_nothing(visitor: Visitor) -> None:
    texts = {f"mail/{i}.txt": b"cats purr and dogs bark" for i in range(4)}
    facts = visitor.get(f"{visitor.post('/open-folder', files=sent(texts))}.json")
    assert [one["name"] for one in facts["texts"]] == [f"{i}.txt" for i in range(4)]
    for nothing in ({"a/.hidden": b"x"}, {"a/empty.png": b""}):
        refused = visitor.post("/open-folder", files=sent(nothing))
        assert refused.status_code == 400
        assert "no folder was chosen" in refused.text
    broken = visitor.post("/open-folder", files=sent({f"a/{i}.png": b"x" for i in range(2)}))
    assert "a/0.png" in broken["message"] or "0.png" in broken["message"]
    assert str(visitor.explorer.folder) not in broken["message"]


def pixels(told: dict) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(told["bytes"]), dtype=np.uint8)
    return values.reshape(told["height"], told["width"]) / 255


def test_classes_are_cut_where_the_slider_is_and_ranks_compared(visitor: Visitor) -> None:
    rng = np.random.default_rng(3)
    means = np.kron(np.eye(2), np.full(8, 40.0)) + 5
    X = rng.poisson(means[[0] * 6 + [1] * 6])
    text = "\n".join(",".join(map(str, row)) for row in X)
    at = visitor.post("/paste", data={"text": text}).rsplit("/", 1)[0]
    page = visitor.post(f"{at}/fit/classes", data={"rank": 2, "runs": 4})
    for cut in (1, 2, 12):
        consensus = visitor.get(f"{page}.json?cut={cut}")["consensus"]
        assert len(set(consensus["labels"])) <= cut
        assert sorted(consensus["samples"]) == sorted(f"row {i + 1}" for i in range(12))
        assert visitor.get(f"{page.rsplit('/', 1)[0]}/pictures/consensus.json?cut={cut}")["data"]
    told = visitor.get(f"{page}.json")
    of_metagene = {one["name"]: one["class"] for one in told["samples"]}
    groups = visitor.get(f"{page}.json?cut=2")["consensus"]["groups"]
    assert [group["number"] for group in groups] == [1, 2]
    for group in groups:  # one numbering on the whole page
        assert {of_metagene[name] for name in group["samples"]} == {group["number"]}
    assert visitor.client.get(f"{page}.json?cut=13").status_code == 400
    assert visitor.client.get(page).status_code == 200
    page = visitor.post(f"{at}/fit/rank", data={"first": 1, "last": 3, "runs": 2})
    assert [row["rank"] for row in visitor.get(f"{page}.json")["rows"]] == [1, 2, 3]
    assert visitor.client.get(page).status_code == 200


def test_names_with_markup_are_shown_as_they_are(visitor: Visitor) -> None:
    quoted = '"' + EVIL.replace('"', '""') + '"'
    text = f"name,{quoted},b,c\n{quoted},1,2,\ny,3,1,4\nz,2,2,1\nw,5,1,2\n"
    at = visitor.post("/paste", data={"text": text}).rsplit("/", 1)[0]
    seen = [f"{at}/data"]
    for what in ("factors", "recommender", "classes"):
        page = visitor.post(f"{at}/fit/{what}", data={"rank": 2, "runs": 2})
        seen += pages(visitor, page)
    texts = visitor.post(
        "/paste", data={"text": "text\n" + f"cats purr {quoted}\ndogs bark at cats\n" * 4}
    )
    seen += [texts, visitor.post(f"{texts.rsplit('/', 1)[0]}/fit/topics", data={"rank": 2})]
    named = visitor.post(
        "/open", files={"file": (f"{EVIL.replace('/', '')}.csv", b"a,b\n1,2\n3,4\n")}
    )
    assert len(seen) > 7
    shown = 0
    for page in [*seen, named, "/"]:
        answer = visitor.client.get(page)
        assert answer.status_code == 200
        assert "<img" not in answer.text
        shown += "&lt;img" in answer.text
        assert (
            visitor.client.get(f"{page}.json" if page != "/" else "/index.json")
            .headers["content-type"]
            .startswith("application/json")
        )
    assert shown > 5


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/open/999/factors", 404),
        ("/open/999/factors.json", 404),
        ("/jobs/999", 404),
        ("/open/0/x.json", 404),
        ("/open/x/factors", 422),
        ("/open/1/factors.json?top=0", 422),
        ("/nothing.json", 404),
        ("/static/../app.py", 404),
    ],
)
def test_errors_are_said(visitor: Visitor, talk: str, path: str, status: int) -> None:
    answer = visitor.client.get(path)
    assert answer.status_code == status
    told = answer.json()["error"] if path.split("?")[0].endswith(".json") else answer.text
    assert " · " in told


def test_what_cannot_be_read_is_said_without_the_servers_paths(visitor: Visitor) -> None:
    job = visitor.post("/open", files={"file": ("bad.npz", b"not a zip")})
    assert job["state"] == "failed"
    assert "bad.npz" in job["message"]
    assert str(visitor.explorer.folder) not in job["message"]
    empty = visitor.post("/open", files={"file": ("empty.csv", b"")})
    assert empty.status_code == 400
    below = visitor.post("/paste", data={"text": "a,b\n-1,2\n3,4\n"}).rsplit("/", 1)[0]
    assert "Negative" in visitor.post(f"{below}/fit/factors", data={"rank": 1})["message"]


def test_limits(small) -> None:
    someone = small(cells=20, rows=10, entries=2, file_bytes=2000, pasted_chars=400)
    wide = "\n".join("1,2,3,4,5" for _ in range(6))
    assert "25 cells" in someone.post("/paste", data={"text": wide})["message"]
    long = "\n".join("7" for _ in range(12))
    assert "12 rows" in someone.post("/paste", data={"text": long})["message"]
    assert "400" in someone.post("/paste", data={"text": "1,2\n" * 200}).text
    bomb = io.BytesIO()
    np.savez_compressed(bomb, X=np.zeros((50, 50)))
    told = someone.post("/open", files={"file": ("bomb.npz", bomb.getvalue())})["message"]
    assert "more than" in told
    import gzip

    packed = gzip.compress(b"1,2\n" * 5000)
    told = someone.post("/open", files={"file": ("bomb.csv.gz", packed)})["message"]
    assert "more than" in told
    first = someone.post("/paste", data={"text": "1,2\n3,4\n"})
    someone.post("/paste", data={"text": "1,2\n3,4\n"})
    full = someone.post("/paste", data={"text": "1,2\n3,4\n"})
    assert full.status_code == 400
    assert "close one" in full.text
    assert someone.post(f"{first.rsplit('/', 1)[0]}/close") == "/"
    assert someone.client.get(first).status_code == 404


def test_no_path_of_the_client_is_opened(visitor: Visitor, tmp_path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n3,4\n")
    for name in (str(secret), f"../../..{secret}", "..\\x.csv"):
        page = visitor.post("/open", files={"file": (name, b"5,6\n7,8\n9,1\n")})
        assert visitor.get(f"{page}.json")["shape"] == [3, 2]
    for name in (f"../../..{secret}.txt", "a/../../x.txt", "..\\..\\x/y.txt"):
        page = visitor.post("/open-folder", files=sent({name: b"cats purr and dogs bark"}))
        assert visitor.get(f"{page}.json")["n_documents"] == 1
    kept = [path for path in visitor.explorer.folder.rglob("*") if path.is_file()]
    assert all(path.resolve().is_relative_to(visitor.explorer.folder.resolve()) for path in kept)
    assert not {"secret", "x", "y"} & {path.stem for path in kept}


def test_the_start_page_names_every_example(visitor: Visitor) -> None:
    told = visitor.get("/index.json")
    assert [one["name"] for one in told["examples"]] == list(EXAMPLES)
    text = visitor.client.get("/").text
    assert all(f"/examples/{name}" in text for name in EXAMPLES)
    assert visitor.post("/examples/none").status_code == 404


def test_facts_are_computed_once(visitor: Visitor, talk: str) -> None:
    entry = visitor.explorer.store.get(int(talk.rsplit("/", 1)[1]))
    computed: list[int] = []

    def compute() -> dict[str, int]:
        computed.append(1)
        return {"n": len(computed)}

    answers = {entry.answer("a question of a test", compute) for _ in range(5)}
    assert [json.loads(answer) for answer in answers] == [{"n": 1}]
