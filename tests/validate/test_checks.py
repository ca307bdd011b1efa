"""What the checks find in a market whose behaviour is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdataops.session.evidence import CheckResult
from nbdataops.validate.checks import CHECKS
from nbdataops.validate.evidence import Verdict
from nbdataops.validate.inputs import CheckInputs, EstimateData
from nbdataops.validate.judge import band_for, verdict
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import Measurement, State
from nbdataops.validate.pool import pool
from nbdataops.validate.resample import critical_value, intervals
from tests.validate.synthetic import Terms, estimate, inputs_at, market, refits

ORIGIN = date(1997, 9, 30)


def inputs(n: int = 4000, factor: float = 1.0, refit: bool = True, **more: object) -> CheckInputs:
    m = market(n)
    return inputs_at(
        m, estimate(m, "methods/a", "x", ORIGIN, 39, factor=factor, refit=refit), ORIGIN, 39, **more
    )  # type: ignore[arg-type]


def one(kind: str, given: CheckInputs, **wanted: str) -> Measurement:
    """The measurement with these fields: of value in total unless told otherwise."""
    fields = {"component": "value", "level": "total", "group": ""} | wanted
    found = [m for m in CHECKS[kind].measure(given) if all(getattr(m, k) == v for k, v in fields.items())]
    assert len(found) == 1
    return found[0]


def judged(m: Measurement) -> Verdict:
    pooled = pool([m])
    return verdict(pooled, band_for(pooled, Margins(), False)).verdict


# ---------------------------------------------------------------- holdout


def test_a_method_that_misses_by_19_percent_fails() -> None:
    m = one("holdout", inputs(23_570, 0.81))
    assert m.estimate == pytest.approx(math.log(0.81), abs=0.01)
    assert judged(m) is Verdict.FAIL


def test_an_unbiased_method_on_many_people_passes() -> None:
    assert judged(one("holdout", inputs(23_570))) is Verdict.PASS
    assert judged(one("holdout", inputs(23_570), component="transactions")) is Verdict.PASS


def test_an_unbiased_method_on_few_people_is_inconclusive() -> None:
    m = one("holdout", inputs(300))
    assert judged(m) is Verdict.INCONCLUSIVE
    assert "more than the margin" in verdict(pool([m]), band_for(pool([m]), Margins(), False)).why


def test_a_refit_is_wider_than_resampling_people_alone() -> None:
    with_refit, without = one("holdout", inputs()), one("holdout", inputs(refit=False))
    assert (with_refit.resampling, without.resampling) == ("refit", "entity")
    assert with_refit.estimate == pytest.approx(without.estimate)
    assert (with_refit.se or 0) > 0


def test_the_interval_covers_the_truth_in_about_nine_of_ten_draws() -> None:
    people = pd.DataFrame({"cohort": "a"}, index=pd.RangeIndex(400, name="customer_id"))
    hits = 0
    for draw in range(200):
        rng = np.random.default_rng(draw)
        mean = rng.gamma(1.0, 2.0, 400)
        frame = pd.DataFrame({"value": 1.2 * mean}, index=people.index)
        outcome = pd.DataFrame({"value": rng.poisson(mean)}, index=people.index)
        given = CheckInputs(
            EstimateData("m", "x", frame),
            people,
            Terms().dict(),
            ORIGIN,
            ORIGIN,
            39,
            50,
            draw,
            outcome=outcome,
        )
        m = one("holdout", given)
        assert m.lower is not None
        assert m.upper is not None
        hits += m.lower <= math.log(1.2) <= m.upper
    assert 168 <= hits <= 192


def test_cohort_intervals_hold_for_all_cohorts_at_once() -> None:
    found = [m for m in CHECKS["holdout"].measure(inputs()) if m.level == "cohort" and m.component == "value"]
    assert [m.group for m in found] == ["1997-01", "1997-02", "1997-03"]
    assert {m.simultaneous for m in found} == {3}
    assert found[0].critical > 1.645
    assert sum(m.n for m in found) == 4000


def test_the_simultaneous_quantile_is_near_that_of_independent_normals() -> None:
    t = np.random.default_rng(0).normal(size=(20_000, 10))
    assert critical_value(t) == pytest.approx(2.56, abs=0.04)  # .9 ** .1 of |z|


def test_who_is_missing_from_the_outcome_did_nothing() -> None:
    given = inputs()
    assert given.outcome is not None
    full = given.outcome.reindex(given.entities).fillna(0.0)
    assert one("holdout", given) == one("holdout", replace(given, outcome=full))


def test_order_of_rows_has_no_effect() -> None:
    given = inputs()
    shuffled = replace(
        given, subject=replace(given.subject, frame=given.subject.frame.sample(frac=1, random_state=1))
    )
    assert one("holdout", given) == one("holdout", shuffled)


def test_when_nothing_happened_the_ratio_is_undefined_and_no_pass() -> None:
    given = inputs()
    assert given.outcome is not None
    m = one("holdout", replace(given, outcome=given.outcome.iloc[:0]))
    assert m.state is State.UNDEFINED
    assert "happened is zero" in m.reason
    assert judged(m) is Verdict.INCONCLUSIVE


def test_a_missing_component_or_value_that_is_no_number_is_an_error() -> None:
    given = inputs()
    assert given.outcome is not None
    assert one("holdout", replace(given, outcome=given.outcome.drop(columns="value"))).state is State.ERROR
    holes = given.subject.frame.assign(value=np.nan)
    m = one("holdout", replace(given, subject=replace(given.subject, frame=holes)))
    assert m.state is State.ERROR
    assert "no finite value for 4,000 of 4,000" in m.reason


@pytest.mark.parametrize(
    "kind", ["number", "invariant", "holdout", "calibration", "discrimination", "triangulation"]
)
def test_an_empty_population_is_an_error_and_never_a_pass(kind: str) -> None:
    given = inputs(other=inputs().subject)
    nobody = replace(
        given,
        population=given.population.iloc[:0],
        subject=replace(given.subject, frame=given.subject.frame.iloc[:0], replicates=None),
    )
    found = CHECKS[kind].measure(nobody)
    assert found
    assert all(m.state is not State.MEASURED for m in found)


@pytest.mark.parametrize("kind", ["number", "holdout", "calibration", "discrimination", "triangulation"])
@pytest.mark.parametrize("broken", ["twice", "no value", "strangers"])
def test_an_estimate_that_cannot_be_read_by_entity_is_an_error_and_no_crash(kind: str, broken: str) -> None:
    given = inputs(n=400, refit=False)
    frame = given.subject.frame
    wrong = {
        "twice": pd.concat([frame, frame.iloc[:1]]),
        "no value": frame.drop(columns="value"),
        "strangers": frame.set_index(frame.index + 10_000),
    }[broken]
    found = CHECKS[kind].measure(
        replace(given, subject=replace(given.subject, frame=wrong), other=given.subject)
    )
    assert {m.state for m in found if m.component == "value"} == {State.ERROR}


# ---------------------------------------------------------------- calibration


def test_calibration_gives_ten_deciles_that_add_up_and_a_slope() -> None:
    given = inputs(23_570)
    found = CHECKS["calibration"].measure(given)
    deciles = [m for m in found if m.component == "value" and m.statistic == "log_ratio"]
    assert [m.group for m in deciles] == [str(d) for d in range(1, 11)]
    assert sum(m.detail["predicted"] for m in deciles) == pytest.approx(given.subject.frame["value"].sum())
    assert {m.resampling for m in deciles} == {"refit"}
    assert judged(one("calibration", given, level="decile", statistic="slope")) is Verdict.PASS


def test_a_method_that_spreads_people_too_far_apart_has_a_slope_below_one() -> None:
    given = inputs(23_570, refit=False)
    value = given.subject.frame["value"]
    stretched = given.subject.frame.assign(value=value**1.5 * value.sum() / (value**1.5).sum())
    m = one(
        "calibration",
        replace(given, subject=replace(given.subject, frame=stretched)),
        level="decile",
        statistic="slope",
    )
    assert m.estimate is not None
    assert m.estimate < 0.8


def test_a_decile_in_which_nobody_is_predicted_anything_is_undefined() -> None:
    given = inputs(refit=False)
    frame = given.subject.frame.assign(
        value=np.where(np.arange(4000) < 800, 0.0, given.subject.frame["value"])
    )
    found = CHECKS["calibration"].measure(replace(given, subject=replace(given.subject, frame=frame)))
    lowest = next(m for m in found if m.group == "1" and m.component == "value")
    assert lowest.state is State.UNDEFINED
    assert lowest.detail["predicted"] == 0


# ---------------------------------------------------------------- discrimination


def test_a_good_ranking_gains_on_a_noisy_one_and_not_the_other_way_round() -> None:
    m = market(4000)
    good = estimate(m, "methods/good", "x", ORIGIN, 39)
    noisy = estimate(m, "methods/noisy", "y", ORIGIN, 39, rough=3.0)
    gain = one(
        "discrimination", inputs_at(m, good, ORIGIN, 39, other=noisy), level="customer", statistic="gini_gain"
    )
    loss = one(
        "discrimination", inputs_at(m, noisy, ORIGIN, 39, other=good), level="customer", statistic="gini_gain"
    )
    assert (judged(gain), judged(loss)) == (Verdict.PASS, Verdict.FAIL)
    assert gain.detail["gini"] > gain.detail["naive_gini"]
    assert (gain.against, loss.against) == ("methods/noisy", "methods/good")


def test_the_naive_ranking_may_be_a_column_of_the_population() -> None:
    m = one("discrimination", inputs(), level="customer", statistic="gini_gain")
    assert m.against == "naive"
    assert m.state is State.MEASURED


def test_without_a_naive_ranking_discrimination_is_an_error() -> None:
    given = inputs()
    m = one("discrimination", replace(given, population=given.population[["cohort"]]), level="customer")
    assert m.state is State.ERROR
    assert "past_total" in m.reason


# ---------------------------------------------------------------- triangulation


def test_two_methods_that_differ_by_a_factor_differ_by_its_logarithm() -> None:
    m = market(4000)
    a, b = (estimate(m, f"methods/{s}", s, ORIGIN, 39, factor=f) for s, f in (("a", 1.0), ("b", 1.25)))
    given = inputs_at(m, a, ORIGIN, 39, other=b, truth=False)
    assert one("triangulation", given).estimate == pytest.approx(-math.log(1.25))
    assert one("triangulation", given, level="customer", statistic="spearman").estimate == pytest.approx(1)
    ccc = one("triangulation", given, level="cohort", statistic="ccc")
    assert ccc.detail["limits_of_agreement"]["bias"] < 0
    assert len(ccc.detail["groups"]) == 3


def test_a_method_agrees_with_itself_exactly() -> None:
    given = inputs(truth=False)
    twin = replace(given.subject, stage="methods/twin")
    m = one("triangulation", replace(given, other=twin))
    assert (m.estimate, m.se, judged(m)) == (0.0, 0.0, Verdict.PASS)


def test_a_pair_is_resampled_as_weakly_as_its_weaker_side() -> None:
    m = market(4000)
    a = estimate(m, "methods/a", "x", ORIGIN, 39)
    b = estimate(m, "methods/b", "y", ORIGIN, 39, refit=False)
    found = one("triangulation", inputs_at(m, a, ORIGIN, 39, other=b, truth=False))
    assert found.resampling == "entity"
    assert found.detail["resampled"] == "refit/entity"
    assert found.families == ("x", "y")


def test_paired_replicates_make_the_difference_of_siblings_far_more_precise_than_their_totals() -> None:
    m = market(4000)
    a, b = (estimate(m, f"methods/{s}", "x", ORIGIN, 39, factor=f) for s, f in (("a", 1.0), ("b", 1.03)))
    difference = one("triangulation", inputs_at(m, a, ORIGIN, 39, other=b, truth=False))
    against_truth = one("holdout", inputs_at(m, a, ORIGIN, 39))
    assert difference.se is not None
    assert against_truth.se is not None
    assert difference.se < against_truth.se / 3


# ---------------------------------------------------------------- invariants


def violations(frame: pd.DataFrame, **more: object) -> dict[str, float]:
    given = inputs(n=400, refit=False)
    changed = replace(given, subject=replace(given.subject, frame=frame), **more)  # type: ignore[arg-type]
    return {m.against: m.estimate or 0.0 for m in CHECKS["invariant"].measure(changed) if m.estimate}


def test_a_sound_estimate_violates_nothing() -> None:
    found = CHECKS["invariant"].measure(inputs(400))
    assert {m.against for m in found} == {
        "one row per entity",
        "finite",
        "not negative",
        "probability",
        "additive",
    }
    assert all(judged(m) is Verdict.PASS for m in found)


def test_every_invariant_counts_its_violations() -> None:
    frame = inputs(n=400, refit=False).subject.frame
    assert violations(frame) == {}
    assert violations(frame.iloc[3:]) == {"one row per entity": 3}
    assert violations(pd.concat([frame, frame.iloc[:2]])) == {"one row per entity": 2}
    assert violations(frame.assign(value=np.where(frame.index <= 2, np.inf, frame["value"]))) == {"finite": 2}
    assert violations(frame.assign(transactions=np.where(frame.index <= 5, -1.0, frame["transactions"]))) == {
        "not negative": 5
    }
    assert violations(frame.drop(columns="value")) == {"finite": 400}
    assert violations(frame.assign(alive=1.5)) == {"probability": 400}
    crossed = frame.assign(lower=frame["value"] * 0.9, upper=frame["value"] * 1.1)
    assert violations(crossed) == {}
    assert violations(crossed.assign(upper=crossed["value"] * 0.5 - 1)) == {"interval": 400}


def test_a_value_that_shrinks_with_the_horizon_is_a_violation() -> None:
    given = inputs(n=400, refit=False)
    frame = given.subject.frame
    longer = replace(given.subject, frame=frame * 0.9, horizon=52)
    bad = violations(frame, other=longer)["non-decreasing in the horizon"]
    assert bad == (frame["value"] > 0).sum()


def test_sums_of_refits_that_do_not_add_up_are_violations() -> None:
    given = inputs(400)
    assert given.subject.replicates is not None
    broken = given.subject.replicates.copy()
    broken.loc[(broken["level"] == "cohort") & (broken["replicate"] == 3), "sum"] *= 1.1
    found = one(
        "invariant", replace(given, subject=replace(given.subject, replicates=broken)), against="additive"
    )
    assert found.estimate == 3  # components of that replicate


# ---------------------------------------------------------------- number and reconciliation


def test_the_number_is_the_total_with_an_interval_around_it() -> None:
    given = inputs(truth=False)
    m = one("number", given)
    total = given.subject.frame["value"].sum()
    assert m.estimate == pytest.approx(total)
    assert m.detail["per_entity"] == pytest.approx(total / 4000)
    assert m.lower is not None
    assert m.upper is not None
    assert 0 < m.lower < total < m.upper


def records(**given: Any) -> tuple[Measurement, ...]:
    """Measurements of one record, made by the class that notebooks' records are made by."""
    inputs_ = inputs(n=400, refit=False)
    subject = EstimateData("checks/finance", "", inputs_.subject.frame.iloc[:0])
    record = CheckResult("revenue", required=True, **given).to_dict()
    return CHECKS["reconciliation"].measure(replace(inputs_, subject=subject, records=(record,)))


def test_a_count_of_violations_is_judged_by_its_share() -> None:
    def counts(bad: int, of: int, margin: float) -> Verdict:
        return judged(records(kind="counts", n=of, of=of, bad=bad, margin=margin)[0])

    assert counts(0, 10, 0.0) is Verdict.PASS
    assert counts(1, 10, 0.0) is Verdict.FAIL
    assert counts(1, 10, 0.1) is Verdict.PASS
    assert counts(0, 0, 0.0) is Verdict.ERROR


def test_two_series_are_judged_by_their_totals_and_by_every_element() -> None:
    def series(
        off: int, log_ratio: float | None, relative: float | None, n: int = 18
    ) -> tuple[Measurement, ...]:
        worst = {"label": "1997-03", "ours": 1.0, "theirs": 1.0, "log_ratio": None, "relative": relative}
        return records(kind="series", n=n, margin=0.02, off=off, log_ratio=log_ratio, worst=worst)

    assert [judged(m) for m in series(0, 0.001, 0.01)] == [Verdict.PASS, Verdict.PASS]
    one_month_off = series(1, 0.001, 0.3)
    assert [judged(m) for m in one_month_off] == [Verdict.PASS, Verdict.FAIL]
    assert "the worst: 1997-03 (+30 %)" in one_month_off[1].reason
    assert [judged(m) for m in series(18, None, None)] == [Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert {judged(m) for m in series(0, None, None, n=0)} == {Verdict.ERROR}


# ---------------------------------------------------------------- what all have in common


def test_measurements_hold_aggregates_only() -> None:
    given = inputs(other=inputs(refit=False).subject)
    for check in CHECKS.values():
        for m in check.measure(given):
            text = json.dumps(m.to_dict(), allow_nan=False)
            assert len(text) < 4000


def test_cohorts_are_named_as_the_session_names_them() -> None:
    given = inputs(n=400)
    days = given.population.assign(cohort=pd.Timestamp("1997-01-01"))
    found = CHECKS["holdout"].measure(replace(given, population=days))
    assert {m.group for m in found if m.level == "cohort"} == {"1997-01-01"}


def test_refits_without_sums_for_a_level_are_resampled_by_entity_there() -> None:
    given = inputs(n=400)
    assert given.subject.replicates is not None
    fewer = given.subject.replicates[given.subject.replicates["level"] == "total"]
    found = CHECKS["holdout"].measure(replace(given, subject=replace(given.subject, replicates=fewer)))
    assert {m.level: m.resampling for m in found} == {"total": "refit", "cohort": "entity"}


def test_one_replicate_gives_no_interval() -> None:
    given = inputs(n=400, refit=False, replicates=1)
    m = one("holdout", given)
    assert m.state is State.UNDEFINED
    assert "is 1 replicate" in m.reason


def test_a_replicate_in_which_nothing_happened_gives_no_interval() -> None:
    (found,) = intervals(np.array([0.1]), np.array([[0.1], [np.inf], [0.2]]))
    assert found.estimate == 0.1
    assert "1 of 3 replicates" in found.undefined


def test_refits_that_failed_are_left_out_of_both_sides() -> None:
    given = inputs(n=400)
    assert given.subject.replicates is not None
    some = given.subject.replicates[given.subject.replicates["replicate"] % 2 == 0]
    m = one("holdout", replace(given, subject=replace(given.subject, replicates=some)))
    assert (m.replicates, m.state, m.resampling) == (25, State.MEASURED, "refit")


def test_refits_by_hand_are_what_a_session_deposits() -> None:
    people = inputs(n=400).population
    frame = inputs(n=400, refit=False).subject.frame
    table = refits(frame, people, np.ones(3), 0)
    assert list(table.columns) == ["replicate", "level", "group", "component", "sum"]
    total = table[(table["level"] == "total") & (table["component"] == "value")]["sum"]
    assert total.mean() == pytest.approx(frame["value"].sum(), rel=0.2)
