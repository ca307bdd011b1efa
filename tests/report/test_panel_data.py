from __future__ import annotations

import json

import pytest

from nbdataops.report.notebooks import clean
from nbdataops.report.panel_data import panel_data
from nbdataops.report.panel_html import panel_html, panel_text
from tests.report import samples
from tests.report.pages import Page

DATA = panel_data(samples.study(), "methods/bg_nbd")


def test_the_panel_is_plain_json_and_small() -> None:
    assert json.loads(json.dumps(DATA)) == DATA
    assert len(json.dumps(DATA)) < 20_000


def test_every_other_method_is_compared_and_the_own_family_is_marked() -> None:
    assert {o["name"]: o["same_family"] for o in DATA["others"]} == {
        "methods/pareto_nbd": True,
        "methods/cohort": False,
        "methods/gradient_boosting": False,
        "methods/naive": False,
    }


def test_figures_are_seen_from_the_method_at_hand() -> None:
    there = next(o for o in DATA["others"] if o["name"] == "methods/naive")
    back = next(
        o for o in panel_data(samples.study(), "methods/naive")["others"] if o["name"] == "methods/bg_nbd"
    )
    assert there["estimate"] == -back["estimate"] < 0


def test_a_chip_is_the_worst_of_what_is_required() -> None:
    bad, good = {"verdict": "fail", "required": False}, {"verdict": "pass", "required": True}
    study = {"evidence": [samples.record("E7", "discrimination", "methods/a", **v) for v in (bad, good)]}
    assert [c["verdict"] for c in panel_data(study, "methods/a")["chips"]] == ["pass"]


def test_a_sentence_names_its_horizon_and_the_worst_required_come_first() -> None:
    holdout = DATA["chips"][0]
    assert holdout["words"][0].startswith("✗ bg_nbd against what happened, transactions, 39 weeks: −16%")
    assert any("13 weeks" in sentence for sentence in holdout["words"])


def test_a_verdict_that_is_none_of_ours_is_an_error() -> None:
    study = {"evidence": [samples.record("E5", "holdout", "methods/a", verdict="great", required=True)]}
    assert panel_data(study, "methods/a")["chips"][0]["verdict"] == "error"


def test_without_a_matured_horizon_the_panel_says_so() -> None:
    some = [r for r in samples.evidence() if r["kind"] != "calibration"]
    data = panel_data({**samples.study(), "evidence": some}, "methods/bg_nbd")
    assert data["deciles"] == {}
    assert "No prediction" in data["decile_note"]


def test_a_supporting_horizon_is_shown_as_what_it_is() -> None:
    some = [{**r, "horizon": 13} for r in samples.evidence() if r["kind"] == "calibration"]
    note = panel_data({**samples.study(), "evidence": some}, "methods/bg_nbd")["decile_note"]
    assert "13 weeks ahead" in note
    assert "supporting" in note


@pytest.mark.parametrize("study", [{}, {"evidence": [], "families": {}}, samples.study()])
def test_a_method_that_the_study_does_not_know_gives_an_empty_panel(study: dict[str, object]) -> None:
    data = panel_data(study, "methods/unknown")
    assert (data["chips"], data["others"]) == ([], [])
    assert "unknown" in panel_html(data)
    assert panel_text(data).startswith("unknown: study unverified")


def test_the_static_panel_is_small_inert_and_passes_the_sanitizer_unchanged() -> None:
    html = panel_html(DATA)
    assert len(html) < 60_000
    assert Page(html).live() == []
    assert Page(clean(html)).elements == Page(html).elements
    assert Page(clean(html)).text == Page(html).text


def test_the_static_panel_says_every_verdict_in_words() -> None:
    text = Page(panel_html(DATA)).text
    for chip in DATA["chips"]:
        assert f"{chip['title']}: {chip['verdict']}" in text
    assert len(Page(panel_html(DATA)).values("alt")) == 2


def test_the_reasons_of_the_study_are_open_only_for_the_method_whose_number_it_is() -> None:
    assert "<details open" in panel_html(DATA)
    assert "<details open" not in panel_html(panel_data(samples.study(), "methods/naive"))


def test_text_from_a_study_stays_text_in_the_panel() -> None:
    study = json.loads(json.dumps(samples.study()).replace("methods/bg_nbd", "methods/<img src=x onerror=y>"))
    page = Page(panel_html(panel_data(study, "methods/<img src=x onerror=y>")))
    assert page.live() == []
