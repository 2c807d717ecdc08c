"""Reports of signatures: what the terminal says about a reference is on the page, too."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nonneg.apps.bio import Signatures
from nonneg.errors import InputError
from nonneg.io.catalogue import Catalogue
from nonneg.report.html import report_facts, report_html
from nonneg.report.signatures import match_facts, match_table, signature_facts

CHANNELS = tuple(f"{a}[{b}>{c}]{d}" for b, c in ("CA", "CT", "TG") for a in "ACGT" for d in "ACGT")
FILE = "/home/me/known <1>.txt"


@pytest.fixture(scope="module")
def truth():
    return np.random.default_rng(0).dirichlet(np.full(48, 0.15), 3)


@pytest.fixture(scope="module")
def model(truth):
    rng = np.random.default_rng(1)
    counts = rng.poisson(rng.gamma(0.5, 3000, (30, 3)) @ truth).astype(float)
    data = Catalogue(counts, tuple(f"T{i}" for i in range(30)), CHANNELS)
    return Signatures([2, 3], n_runs=5, random_state=0).fit(data)


@pytest.fixture(scope="module")
def match(model, truth):
    """The first is there, the second in two halves, the third not at all; and 60 others."""
    one, two, _ = truth
    front = np.arange(48) < 24
    others = np.random.default_rng(2).dirichlet(np.full(48, 0.15), 60)
    values = np.vstack([one, two * front, two * ~front, others])
    names = ("<b>One</b>", "Front", "Back", *(f"K{i}" for i in range(60)))
    return model.match(Catalogue(values, names, CHANNELS, FILE))


def test_a_match_says_where_it_is_from(match):
    assert match.source == FILE


def test_the_facts_are_those_of_the_terminal(model, match):
    facts = match_facts(model, match)
    assert facts["against"] == "63 known signatures of known <1>.txt"
    for one, other in zip(
        facts["signatures"], signature_facts(model, match)["signatures"], strict=True
    ):
        assert {**other, "told": one["told"]} == one
    assert sorted(one["told"] for one in facts["signatures"]) == sorted(
        name if known is None else f"{name} ({known})"
        for name, known in zip(model.names_, match.names, strict=True)
    )
    assert match.names.count("<b>One</b>") == 1
    # The whole table, the nearest to any first.
    best = [max(one["cosines"]) for one in facts["known"]]
    assert best == sorted(best, reverse=True)
    assert sorted(one["name"] for one in facts["known"]) == sorted(match.references)
    for one in facts["known"]:
        assert one["cosines"] == match.cosines[:, match.references.index(one["name"])].tolist()
    assert len(match_table(facts)["rows"]) == 63


def test_the_report_has_names_mixtures_and_every_cosine(model, match):
    facts = report_facts(model, match=match)
    sections = {section["id"]: section for section in facts["sections"]}
    assert list(sections) == ["profiles", "matches", "structure", "ranks", "components"]
    assert sections["matches"]["caption"] == "Cosines with 63 known signatures of known <1>.txt"
    assert [card["says"] for card in sections["matches"]["cards"]] == [
        one["verdict"] for one in signature_facts(model, match)["signatures"]
    ]
    profiles = [note["text"] for note in sections["profiles"]["figure"]["layout"]["annotations"]]
    assert sum("(&lt;b&gt;One&lt;/b&gt;)" in name for name in profiles) == 1
    assert sum("One" in trace["name"] for trace in sections["structure"]["figure"]["data"]) == 1
    assert sum("One" in card["name"] for card in sections["components"]["cards"]) == 1
    methods = " ".join(facts["methods"])
    assert "compared with 63 known signatures of known <1>.txt" in methods
    assert "/home/me" not in str(facts)

    page = report_html(model, match=match)
    section = page.split('<section id="matches"')[1].split("</section>")[0]
    told = re.findall(r"<td[^>]*>([\d.]+)</td>", section)
    order = [match.references.index(one["name"]) for one in match_facts(model, match)["known"]]
    assert told == [f"{value:.3f}" for value in match.cosines[:, order].T.ravel()]
    strong = re.findall(r'<td class="strong"[^>]*>([\d.]+)</td>', section)
    assert strong == [f"{value:.3f}" for value in match.cosines[match.cosines >= 0.9]]
    assert "<details>" in section
    assert "<b>One" not in section
    assert "<script" not in section
    for one in match_facts(model, match)["signatures"]:
        assert f"as a mixture: cosine {one['mixture']['cosine']:.3f}" in section


def test_each_of_the_three_verdicts_is_in_the_methods(model, match):
    told = report_facts(model, match=match)["methods"][1]
    assert re.search(r"SBS48[ABC] is <b>One</b> \(0\.9\d\d|1\.000\)", told)
    assert re.search(r"SBS48[ABC] is a mixture of (Front|Back) \d+%, (Front|Back) \d+%", told)
    assert "is neither one nor a mixture of few" in told


def test_without_a_reference_a_report_has_no_word_of_it(model):
    ids = [section["id"] for section in report_facts(model)["sections"]]
    assert "matches" not in ids
    assert "known" not in " ".join(report_facts(model)["methods"])
    assert "<details>" not in report_html(model)
    with pytest.raises(InputError, match="needs match"):
        model.figure("matches")


def test_one_is_one(truth):
    counts = np.random.default_rng(0).poisson(500 * truth)
    one = Signatures(1, n_runs=2, random_state=0).fit(
        Catalogue(counts + 0.0, ("a", "b", "c"), CHANNELS)
    )
    assert one.figure()["layout"]["meta"]["title"] == "1 signature over 48 channels"
    told = report_facts(one, match=one.match(Catalogue(truth[:1], ("K0",), CHANNELS)))
    assert "1 signature was taken" in told["methods"][0]
    assert "1 known signature of the table" in told["methods"][1]


def test_the_map_has_the_nearest(model, match):
    drawn = model.figure("matches", match=match, most=7)
    (trace,) = drawn["data"]
    facts = match_facts(model, match)["known"][:7]
    assert np.allclose(trace["customdata"], [one["cosines"] for one in facts], rtol=1e-3)
    assert len(drawn["layout"]["yaxis"]["ticktext"]) == 7
    assert drawn["layout"]["meta"]["note"] == "the 7 nearest are shown"
    whole = model.figure("matches", match=match, most=63)
    assert whole["layout"]["meta"]["note"] == ""


def test_a_match_of_others_is_refused(model, truth):
    other = Signatures(2, n_runs=2, random_state=0).fit(
        Catalogue(np.random.default_rng(0).poisson(9, (8, 48)) + 1.0, tuple("abcdefgh"), CHANNELS)
    )
    known = Catalogue(truth, ("K0", "K1", "K2"), CHANNELS)
    with pytest.raises(InputError, match=r"model\.match\(reference\)"):
        report_facts(model, match=other.match(known))
    with pytest.raises(InputError, match=r"model\.match\(reference\)"):
        model.figure("profiles", match="known.txt")
    with pytest.raises(InputError, match="match=None"):
        model.figure("matches", match=None)
