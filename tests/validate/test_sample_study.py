"""The whole way from estimates to a study, on a small market that is like CDNOW."""

from __future__ import annotations

import json

import pytest

from nbdataops.validate.label import Label
from nbdataops.validate.study import Study
from tests.validate.sample_study import sample_study


@pytest.fixture(scope="module")
def study() -> Study:
    return sample_study(n=4000, replicates=20)


def test_the_study_of_methods_that_agree_and_miss_is_unverified_and_says_why(study: Study) -> None:
    assert study.label is Label.UNVERIFIED
    assert study.reasons[0].startswith("bg_nbd misses the 39-week holdout: value -")
    assert any("Agreement of bg_nbd and pareto_nbd counts once" in r for r in study.reasons)
    assert any(r.startswith("At 13 weeks (supporting only)") for r in study.reasons)


def test_origins_that_overlap_count_as_one_and_those_that_touch_do_not(study: Study) -> None:
    totals = {
        e.horizon: e
        for e in study.evidence
        if (e.kind, e.subject, e.component, e.level) == ("holdout", "methods/bg_nbd", "value", "total")
    }
    assert (totals[39].clusters, len(totals[39].origins)) == (1, 3)
    assert (totals[13].clusters, len(totals[13].origins)) == (4, 4)
    assert totals[13].supporting
    assert not totals[39].supporting


def test_a_skipped_origin_is_told_with_the_date_that_would_suffice(study: Study) -> None:
    record = next(
        e
        for e in study.evidence
        if (e.kind, e.subject, e.component, e.horizon)
        == ("holdout", "methods/gradient_boosting", "value", 39)
    )
    assert "1997-04-01 skipped: too little history" in record.why
    assert "would suffice" in record.why


def test_the_charts_hold_what_pictures_need(study: Study) -> None:
    data = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert data["methods"][0]["name"] == "bg_nbd"
    assert [m["name"] for m in data["methods"] if m["primary"]] == ["bg_nbd"]
    assert len([a for a in data["agreement"] if a["component"] == "value"]) == 10
    first = data["calibration"][0]
    assert [d["decile"] for d in first["deciles"]] == list(range(1, 11))
    assert set(first["deciles"][0]) == {"decile", "predicted", "actual", "lower", "upper", "n"}
    assert {c["cohort"] for c in data["cohorts"][0]["cohorts"]} == {"1997-01", "1997-02", "1997-03"}
    assert {h["as_of"] for h in data["holdout"] if h["horizon"] == 39} == {
        "1997-09-30",
        "1997-07-01",
        "1997-04-01",
    }
    assert all(len(json.dumps(e)) < 4000 for e in data["evidence"])
