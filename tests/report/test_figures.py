"""Figures by their data: sums, orders, texts; every one is valid for Plotly."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import nonneg
from nonneg import ImageParts, Metagenes, Recommender, TopicModel, consensus, factorize, select_rank
from nonneg.apps import talk
from nonneg.apps.bio import Signatures
from nonneg.errors import InputError
from nonneg.report import figures
from nonneg.report.factors import factor_facts
from nonneg.report.figures.style import broken, colour, ink_on, plain, text
from nonneg.report.html import report_facts, report_html
from nonneg.report.parts import build_up_facts, gallery_facts
from nonneg.report.taste import explanation_facts, reason_steps

go = pytest.importorskip("plotly.graph_objects")

MARKUP = "<b>bold</b> & <script>alert(1)</script> $x^2$"
DOCUMENTS = ["cats purr", "cats and dogs", "dogs bark"] * 3 + ["rain falls", "rain and snow"] * 3
# Sums of three patterns, none of them black.
IMAGES = np.tensordot(
    np.random.default_rng(1).dirichlet(np.ones(3), 24),
    np.random.default_rng(0).random((3, 4, 4)),
    axes=1,
)


def _table():
    rng = np.random.default_rng(0)
    return rng.poisson(rng.gamma(0.3, 1, (24, 3)) @ rng.gamma(0.3, 1, (3, 10)) * 9 + 0.3) + 0.0


@pytest.fixture(scope="module")
def things():
    """One fitted object of each kind."""
    X = _table()
    taste = Recommender(2, random_state=0).fit(talk.observed_ratings())
    return {
        "Factorization": factorize(X, 3, random_state=0),
        "NMF": nonneg.NMF(2, random_state=0).fit(X),
        "Recommender": taste,
        "Explanation": taste.explain("Jai", "Black Mirror"),
        "TopicModel": TopicModel(2, random_state=0).fit(DOCUMENTS),
        "TopicClassifier": nonneg.TopicClassifier(TopicModel(2)).fit(
            DOCUMENTS, ["pets"] * 9 + ["weather"] * 6
        ),
        "ImageParts": ImageParts(3, random_state=0).fit(IMAGES),
        "Metagenes": Metagenes(3, ranks=(2, 3), n_runs=4, random_state=0).fit(X),
        "Signatures": Signatures([2, 3], n_runs=3, random_state=0).fit(X),
        "RankSelection": select_rank(X, [2, 3], n_runs=3, n_repeats=1, random_state=0),
        "Consensus": consensus(X, 3, n_runs=4, random_state=0),
    }


KINDS = [
    "Factorization",
    "NMF",
    "Recommender",
    "Explanation",
    "TopicModel",
    "TopicClassifier",
    "ImageParts",
    "Metagenes",
    "Signatures",
    "RankSelection",
    "Consensus",
]
OPTIONS = {
    "approximation": {"X": _table()},
    "recommendations": {"user": "Jai"},
    "waterfall": {"user": "Jai", "item": "Black Mirror"},
    "steps": {"image": IMAGES[:1]},
}


def _options(thing, kind):
    """What a figure needs."""
    if kind == "matches":
        return {"match": thing.match(np.eye(len(thing.channels_)))}
    return {} if type(thing).__name__ == "Explanation" else OPTIONS.get(kind, {})


@pytest.mark.parametrize("name", KINDS)
def test_every_figure_of_every_kind_is_valid(things, name):
    thing = things[name]
    assert thing.figure_kinds
    for kind in thing.figure_kinds:
        drawn = thing.figure(kind, **_options(thing, kind))
        json.dumps(drawn, allow_nan=False)
        go.Figure(drawn)  # refuses a key that Plotly does not know
        go.Figure(figures.bare(drawn))
        go.Figure(figures.themed(drawn, "dark"))
    assert thing.plot().data


@pytest.mark.parametrize("name", KINDS)
def test_notebooks_show_html_without_a_script(things, name):
    shown = things[name]._repr_html_()
    assert shown is None or ("<div" in shown and "<script" not in shown)
    assert things[name]._repr_mimebundle_()["text/plain"] == repr(things[name])


def test_before_a_fit_there_is_nothing_to_see():
    with pytest.raises(InputError, match="not fitted"):
        nonneg.NMF(2).plot()
    assert "NMF" in nonneg.NMF(2)._repr_html_()  # scikit-learn's
    assert Recommender(2)._repr_html_() is None


def test_what_does_not_exist_is_refused_with_what_does(things):
    fit = things["Factorization"]
    with pytest.raises(InputError, match="components, factors"):
        fit.plot("pie")
    with pytest.raises(InputError, match="it takes X, side, components, runs"):
        fit.plot("cone", colour="red")
    with pytest.raises(InputError, match="needs X"):
        fit.plot("approximation")
    assert "cone" not in factorize(np.ones((3, 3)), 1, random_state=0).figure_kinds


@pytest.mark.parametrize("most", [3, 10])
def test_the_waterfall_sums_to_the_estimate(things, most):
    facts = explanation_facts(things["Explanation"])
    facts["steps"] = reason_steps(facts["parts"], most)
    (bars,) = figures.waterfall(facts)["data"]
    assert bars["measure"][-1] == "total"
    assert set(bars["measure"][:-1]) == {"relative"}
    assert sum(bars["x"][:-1]) == pytest.approx(facts["estimate"], abs=1e-9)
    assert len(bars["x"]) <= most + 1


def test_small_parts_are_put_together_by_their_kind(things):
    facts = dict(explanation_facts(things["Explanation"]))
    plain_part = dict(facts["parts"][0])
    tastes = [
        {**plain_part, "component": t, "name": "x", "contribution": t / 64} for t in range(1, 31)
    ]
    ratings = [
        {**plain_part, "item": "i", "name": "y", "contribution": -t / 64} for t in range(1, 9)
    ]
    parts = [plain_part, *tastes, *ratings]
    facts |= {
        "steps": reason_steps(parts, 6),
        "estimate": sum(part["contribution"] for part in parts),
    }
    drawn = figures.waterfall(facts)
    (bars,) = drawn["data"]
    names = drawn["layout"]["yaxis"]["ticktext"]
    assert "27 further tastes" in names
    assert "8 further own ratings" in names
    at = names.index("8 further own ratings")
    assert bars["x"][at] == pytest.approx(-36 / 64)
    assert sum(bars["x"][:-1]) == pytest.approx(facts["estimate"])
    assert len(bars["x"]) == 7


def test_one_numbering_of_classes_in_all_figures_of_a_model(things):
    model = things["Metagenes"]
    band = model.figure("consensus")["data"][2]["z"]
    shown = [one for (one,) in band]
    assert shown == (model.classes_[model.consensus_.order] + 1).tolist()


def test_a_few_huge_cells_do_not_make_all_others_pale(planted_cells):
    fit, X = planted_cells
    drawn = fit.figure("approximation", X=X)
    assert drawn["data"][1]["colorbar"]["ticktext"][-1].startswith("≥ ")
    shades = np.array(drawn["data"][0]["z"])
    assert shades.max() == 1
    assert np.median(shades) > 0.1


@pytest.fixture
def planted_cells():
    X = np.random.default_rng(0).random((30, 20)) + 0.5
    X[0, 0] = 500.0
    return factorize(X, 2, random_state=0), X


def test_the_components_of_a_report_are_text_that_needs_no_script(things):
    page = report_html(things["TopicModel"])
    assert 'data-figure="components"' not in page
    section = page.split('id="components"')[1].split("</section>")[0]
    for name in things["TopicModel"].topic_names_:
        assert name in section
    assert "<script" not in section


def test_names_are_broken_between_words():
    assert broken("own rating of <Breakfast>", 14, 2) == "own rating of<br>&lt;Breakfast&gt;"
    assert broken("x" * 40, 10, 1) == "x" * 9 + "…"
    assert all(len(line) <= 10 for line in broken("y" * 40, 10, 2).split("<br>"))


def test_every_ink_can_be_read_on_its_colour():
    assert ink_on("#000000") == "#ffffff"
    assert ink_on("#ffffff") != "#ffffff"
    assert len({colour(t) for t in range(14)}) == 14


def test_heat_maps_are_in_the_order_of_the_facts():
    fit = talk.talk_factors()
    facts = factor_facts(fit.W, fit.H, fit.row_names, fit.column_names)
    drawn = figures.factors(facts)
    W, H = (trace["customdata"] for trace in drawn["data"])
    assert np.allclose(W, fit.W[facts["rows"]["order"]], rtol=1e-3)
    assert np.allclose(H, fit.H.T[facts["columns"]["order"]], rtol=1e-3)
    assert drawn["layout"]["yaxis"]["ticktext"] == facts["rows"]["names"]
    assert drawn["layout"]["yaxis"]["autorange"] == "reversed"
    assert np.max(drawn["data"][0]["z"]) == 1


@pytest.mark.parametrize(("n_columns", "numbers"), [(40, True), (41, False)])
def test_up_to_160_cells_have_their_number_in_them(n_columns, numbers):
    fit = factorize(np.random.default_rng(0).random((5, n_columns)), 4, random_state=0)
    W, H = fit.figure("factors")["data"]
    assert ("texttemplate" in H) is numbers
    assert "texttemplate" in W
    assert H["xgap"] == 1


def test_flows_keep_every_sample(things):
    model = things["Metagenes"]
    (flow,) = model.figure("flows")["data"]
    assert sum(flow["link"]["value"]) == 24  # one step, from rank 2 to 3
    assert max(flow["link"]["target"]) < len(flow["node"]["label"])


def test_names_do_not_stand_where_they_would_overlap():
    fit = factorize(np.random.default_rng(0).random((300, 90)), 2, random_state=0)
    layout = fit.figure("factors")["layout"]
    assert layout["yaxis"]["showticklabels"] is False
    assert "300 rows" in layout["meta"]["note"]


def test_text_from_data_is_text():
    assert text(MARKUP).count("<") == 0
    assert "&lt;b&gt;bold&lt;/b&gt; &amp;" in text(MARKUP)
    assert not re.search(r"^\$.*\$$", text("$x$"))
    assert "<" not in plain(MARKUP)
    assert text("a\x00b\u202ec\n") == "a b c "
    assert text("x" * 50, 10) == "x" * 9 + "…"


def _strings(part):
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in ("meta", "template"):
                yield from _strings(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _strings(value)
    elif isinstance(part, str):
        yield part


def test_markup_in_names_stays_text_everywhere():
    X = _table()
    fit = nonneg.NMF(3, random_state=0).fit(X).factorization_
    from dataclasses import replace

    names = tuple(f"{MARKUP} {i}" for i in range(24))
    fit = replace(fit, row_names=names, column_names=names[:10])
    for kind in fit.figure_kinds:
        drawn = fit.figure(kind, **({"X": X} if kind == "approximation" else {}))
        for string in _strings(drawn):
            assert "<script" not in string, kind
            assert "<b>bold" not in string, kind
    page = report_html(fit, title=MARKUP, X=X)
    ours = page.replace(_script(), "")
    assert "alert(1)</script>" not in ours
    assert "<b>bold" not in ours
    assert "&lt;b&gt;bold&lt;/b&gt;" in ours
    assert "<script" not in (fit._repr_html_() or "").replace("&lt;script", "")


def _script():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


@pytest.mark.parametrize("name", KINDS)
def test_a_report_asks_nobody_for_anything(things, name, tmp_path):
    written = things[name].write_report(tmp_path / "report.html")
    page = written.read_text(encoding="utf-8")
    ours = page.replace(_script(), "")
    assert len(page) - len(ours) == len(_script())  # once
    assert "default-src 'none'" in ours
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", ours)
    assert f"nonneg {nonneg.__version__}" in ours
    shown = json.loads(re.search(r'id="figures">(.*?)</script>', ours, re.DOTALL)[1])
    assert shown
    for place in shown:
        assert f'data-figure="{place}"' in ours


def test_a_report_says_seed_loss_and_error(things):
    told = " ".join(report_facts(things["Factorization"])["methods"])
    assert "seed 0" in told
    assert "rank 3" in told
    assert f"{things['Factorization'].relative_error:.4g}" in told


def test_a_report_draws_what_it_has_the_options_for(things):
    model = things["Recommender"]
    ids = {section["id"] for section in report_facts(model)["sections"]}
    assert not ids & {"waterfall", "recommendations"}
    given = report_facts(model, user="Jai", item="Black Mirror")
    assert {"waterfall", "recommendations"} <= {section["id"] for section in given["sections"]}
    with pytest.raises(InputError, match="colour"):
        report_facts(model, colour="red")


def test_a_report_does_not_replace_a_file(things, tmp_path):
    path = tmp_path / "there.html"
    path.write_text("mine")
    with pytest.raises(nonneg.NonnegError, match="exists"):
        things["Factorization"].write_report(path)
    assert path.read_text() == "mine"


def test_large_tables_give_small_figures():
    rng = np.random.default_rng(0)
    X = rng.random((3000, 400))
    fit = factorize(X, 3, max_iter=3, tol=0, random_state=0)
    for kind in fit.figure_kinds:
        drawn = fit.figure(kind, **({"X": X} if kind == "approximation" else {}))
        assert len(json.dumps(drawn)) < 1_500_000, kind


@pytest.mark.parametrize("cell", [7, [1, 2, 3]])
def test_pictures_stand_in_a_gallery(cell):
    picture = [[cell, None], [cell, cell], [cell, cell]]
    facts = {"pictures": [picture] * 7, "names": ["<b>", *"abcdef"], "title": "7", "note": ""}
    drawn = figures.parts(facts)
    go.Figure(drawn)
    assert drawn["layout"]["annotations"][0]["text"] == "&lt;b&gt;"
    (trace,) = drawn["data"]
    flat = [one for row in trace["z"] for one in row]
    known = [one for one in flat if one not in (None, [0, 0, 0, 0])]
    assert known == [cell if cell == 7 else [*cell, 255]] * 35


def test_steps_add_the_parts_until_the_picture_is_there(things):
    model = things["ImageParts"]
    facts = build_up_facts(model, IMAGES[:1], n=2)
    assert facts["parts"][:2] == [stage.part + 1 for stage in model.stages(IMAGES[:1], 2)]
    assert np.all(np.diff(facts["errors"]) < 0)
    assert facts["errors"][-1] == pytest.approx(model.errors_[0], rel=0.02)
    assert len(facts["pictures"]) == len(facts["names"]) == 4
    assert np.array_equal(facts["pictures"][0], np.round(255 * IMAGES[0]))
    assert len(gallery_facts(model, most=2)["pictures"]) == 2
    hidden = np.where(np.eye(4, dtype=bool)[None], np.nan, IMAGES[:1])
    assert build_up_facts(model, hidden)["pictures"][0][1][1] is None
    with pytest.raises(InputError, match="steps are those of one"):
        build_up_facts(model, IMAGES[:2])
    with pytest.raises(InputError, match="none of the parts"):
        build_up_facts(model, np.zeros((1, 4, 4)))
