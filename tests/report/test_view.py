from __future__ import annotations

import pytest

from nbdataops.report import selection
from nbdataops.report.about_run import safe_href
from nbdataops.report.from_study import answers, calibration, holdout, matrices, multiples
from tests.report import samples

STUDY = samples.study()


def test_the_primary_comes_first_and_families_stay_together() -> None:
    assert selection.methods(STUDY)[:2] == ["methods/bg_nbd", "methods/pareto_nbd"]


def test_a_comparison_seen_from_the_other_side_has_the_other_sign() -> None:
    there = selection.pairs(STUDY, "methods/bg_nbd", "value")
    back = [selection.turned(r, str(r["against"])) for r in there]
    for r, b in zip(there, back, strict=True):
        assert (b["subject"], b["against"]) == (r["against"], r["subject"])
        assert (b["estimate"], b["lower"], b["upper"]) == (-r["estimate"], -r["upper"], -r["lower"])


def test_the_matrix_compares_every_two_methods_once_and_marks_families() -> None:
    value = matrices(STUDY)[0]
    assert value.component == "value"
    for i, row in enumerate(value.cells):
        assert row[i] is None
        for j, cell in enumerate(row):
            other = value.cells[j][i]
            if cell is None or other is None:
                assert i == j
                continue
            assert cell.estimate == pytest.approx(-(other.estimate or 0.0))
            assert cell.same_family == (value.families[i] == value.families[j])


def test_the_contracts_horizon_comes_before_the_supporting_ones() -> None:
    headings = [r.heading for r in holdout(STUDY, "week")[0].rows if r.heading]
    assert headings == ["39 weeks ahead, from 1 past date", "13 weeks ahead, from 3 past dates (supporting)"]


def test_past_dates_that_overlap_are_told_to_count_as_fewer() -> None:
    origins = [{"as_of": d, "estimate": 0.1} for d in ("1997-07-01", "1997-08-01", "1997-09-30")]
    record = samples.ratio("E5", "holdout", "methods/a", 0.1, 0.05, 0.1, origins=origins, clusters=1)
    forest = holdout({**STUDY, "evidence": [record]}, "week")[0]
    assert forest.rows[0].heading == "39 weeks ahead, from 3 past dates that overlap and count as 1"
    assert forest.rows[0].dots == (0.1, 0.1, 0.1)


def test_deciles_come_in_their_own_order() -> None:
    series = multiples(STUDY, "calibration", "decile", "week")[0].series[0]
    assert [p.label for p in series.points] == [str(d) for d in range(1, 11)]


def test_calibration_shows_the_latest_date_of_the_contracts_horizon() -> None:
    older = [{**c, "as_of": "1997-04-01"} for c in samples.calibration()]
    shorter = [{**c, "horizon": 13} for c in samples.calibration()]
    made = calibration({**STUDY, "calibration": [*older, *samples.calibration(), *shorter]}, "week")
    assert [(c.component, c.horizon, c.as_of) for c in made] == [
        ("value", "39 weeks", "1997-09-30"),
        ("transactions", "39 weeks", "1997-09-30"),
    ]
    assert len(made[0].methods) == len(samples.METHODS)


def test_a_decile_wears_the_verdict_of_its_evidence() -> None:
    verdicts = [o.verdict for o in calibration(STUDY, "week")[0].methods[0][1]]
    expected = selection.by_group(STUDY, "calibration", "methods/bg_nbd", "value", "decile", 39)
    assert verdicts == [r["verdict"] for r in expected]


def test_where_they_disagree_names_each_pair_once_from_who_says_more() -> None:
    told = selection.gaps(STUDY)
    sizes = [g["estimate"] for g in told]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0
    assert len({frozenset((g["subject"], g["against"])) for g in told}) == len(told)


def test_a_method_that_is_far_from_everybody_does_not_fill_the_list_of_gaps() -> None:
    told = [name for g in selection.gaps(STUDY, most=100) for name in (g["subject"], g["against"])]
    assert {told.count(name) for name in told} == {2}


def test_comparisons_of_a_method_stand_family_by_family() -> None:
    family = selection.families(STUDY)
    shown = [family[r["against"]] for r in selection.pairs(STUDY, "methods/naive", "value")]
    assert shown == ["latent-attrition", "latent-attrition", "cohort", "supervised"]


def test_every_methods_answer_is_shown_the_released_one_first() -> None:
    rows = answers(STUDY)
    assert rows[0].primary
    assert {r.label for r in rows} == {m.rsplit("/", 1)[-1] for m in samples.METHODS}


def test_one_method_alone_is_compared_with_nothing() -> None:
    alone = {**STUDY, "methods": samples.methods()[:1], "evidence": []}
    assert answers(alone) == ()
    assert matrices(alone) == ()


@pytest.mark.parametrize(
    "href",
    [
        "",
        "/x",
        "//host/x",
        "https://x",
        "JavaScript:x",
        "java\nscript:x",
        "\\\\host\\x",
        "data:text/html,x",
        " x",
    ],
)
def test_a_link_out_of_the_folder_is_no_link(href: str) -> None:
    assert safe_href(href) == ""
