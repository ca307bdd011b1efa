"""The one verdict rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.validate.evidence import Verdict
from nbdataops.validate.judge import Band, band_for, ratio_band, verdict
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import State
from nbdataops.validate.pool import Pooled, pool
from tests.validate.made import made, reconciled

D = ratio_band(0.10)


def judged(estimate: float, se: float, band: Band = D) -> Verdict:
    return verdict(pool([made("holdout", estimate=estimate, se=se)]), band).verdict


def test_an_interval_inside_of_the_margin_passes() -> None:
    assert judged(0.02, 0.02) is Verdict.PASS


def test_an_interval_outside_of_the_margin_fails_on_either_side() -> None:
    assert judged(math.log(0.81), 0.02) is Verdict.FAIL
    assert judged(math.log(1.25), 0.02) is Verdict.FAIL


def test_an_interval_over_the_edge_warns_when_the_data_are_precise() -> None:
    assert judged(0.09, 0.02) is Verdict.WARN


def test_an_interval_over_the_edge_is_inconclusive_when_the_data_could_not_reveal_the_margin() -> None:
    assert judged(0.0, 0.08) is Verdict.INCONCLUSIVE


def test_a_wide_interval_around_zero_is_no_pass_though_nothing_is_significant() -> None:
    assert judged(0.0, 0.5) is not Verdict.PASS


def test_the_power_is_printed_whatever_the_verdict() -> None:
    for estimate, se in ((0.02, 0.02), (-0.2, 0.02), (0.09, 0.02), (0.0, 0.08)):
        pooled = pool([made("holdout", estimate=estimate, se=se)])
        assert pooled.mdd == pytest.approx(2.80 * se, rel=2e-3)
        assert "could reveal is" in verdict(pooled, D).why


def test_a_margin_is_symmetric_in_logarithms() -> None:
    assert D.low == pytest.approx(-math.log(1.1))
    assert judged(math.log(1 / 1.099), 1e-6) is Verdict.PASS
    assert judged(math.log(0.90), 1e-6) is Verdict.FAIL


def test_zero_rows_are_an_error() -> None:
    broken = made("holdout", estimate=None, se=None, state=State.ERROR, reason="evaluated zero rows")
    found = verdict(pool([broken]), D)
    assert found.verdict is Verdict.ERROR
    assert "zero rows" in found.why


@pytest.mark.parametrize("state", [State.SKIPPED, State.UNDEFINED])
def test_what_was_not_measured_is_inconclusive_with_its_reason(state: State) -> None:
    found = verdict(pool([made("holdout", estimate=None, se=None, state=state, reason="log of zero")]), D)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "log of zero" in found.why


def test_an_origin_without_a_figure_turns_a_pass_into_a_doubt_and_leaves_a_failure() -> None:
    gap = made("holdout", estimate=None, se=None, state=State.UNDEFINED, reason="no events")
    earlier = made("holdout", as_of=gap.as_of.replace(year=1996))
    assert verdict(pool([earlier, gap]), D).verdict is Verdict.INCONCLUSIVE
    bad = replace(earlier, estimate=-0.3, lower=-0.31, upper=-0.29)
    assert verdict(pool([bad, gap]), D).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("kind", "statistic", "estimate", "se", "expected"),
    [
        ("triangulation", "ccc", 0.97, 0.01, Verdict.PASS),
        ("triangulation", "ccc", 0.80, 0.01, Verdict.FAIL),
        ("triangulation", "ccc", 0.90, 0.01, Verdict.WARN),
        ("triangulation", "ccc", 0.90, 0.10, Verdict.INCONCLUSIVE),
        ("triangulation", "spearman", 0.70, 0.01, Verdict.PASS),
        ("triangulation", "spearman", 0.61, 0.02, Verdict.WARN),
        ("triangulation", "spearman", 0.50, 0.02, Verdict.FAIL),
        ("discrimination", "gini_gain", 0.04, 0.01, Verdict.PASS),
        ("discrimination", "gini_gain", 0.00, 0.01, Verdict.WARN),
        ("discrimination", "gini_gain", -0.04, 0.01, Verdict.FAIL),
        ("calibration", "slope", 1.00, 0.05, Verdict.PASS),
        ("calibration", "slope", 1.50, 0.05, Verdict.FAIL),
        ("calibration", "slope", 0.80, 0.05, Verdict.WARN),
        ("calibration", "slope", 1.00, 0.30, Verdict.INCONCLUSIVE),
        ("invariant", "violations", 0.0, 0.0, Verdict.PASS),
        ("invariant", "violations", 1.0, 0.0, Verdict.FAIL),
    ],
)
def test_every_statistic_is_judged_by_its_interval(
    kind: str, statistic: str, estimate: float, se: float, expected: Verdict
) -> None:
    pooled = pool([made(kind, estimate=estimate, se=se, statistic=statistic)])
    assert verdict(pooled, band_for(pooled, Margins(), False)).verdict is expected


def test_methods_of_one_family_must_agree_more_closely() -> None:
    pooled = pool([made("triangulation", estimate=0.14, se=0.005)])
    assert verdict(pooled, band_for(pooled, Margins(), False)).verdict is Verdict.PASS
    assert verdict(pooled, band_for(pooled, Margins(), True)).verdict is Verdict.FAIL


def test_a_reconciliation_is_held_against_the_margin_of_its_notebook() -> None:
    for estimate, expected in ((0.01, Verdict.PASS), (-0.03, Verdict.FAIL)):
        pooled = pool([reconciled(estimate)])
        assert verdict(pooled, band_for(pooled, Margins(), False)).verdict is expected


estimates = st.floats(-1, 1)
errors = st.floats(1e-6, 1)
margins = st.floats(0.01, 2)


@given(estimates, errors, margins, margins)
def test_a_wider_margin_never_worsens_a_verdict(estimate: float, se: float, a: float, b: float) -> None:
    narrow, wide = sorted((a, b))
    assert (
        judged(estimate, se, ratio_band(wide)).severity <= judged(estimate, se, ratio_band(narrow)).severity
    )


@given(estimates, errors, margins)
def test_a_pass_has_its_whole_interval_inside(estimate: float, se: float, d: float) -> None:
    pooled = pool([made("holdout", estimate=estimate, se=se)])
    assert pooled.lower is not None
    assert pooled.upper is not None
    inside = -math.log1p(d) <= pooled.lower and pooled.upper <= math.log1p(d)
    assert (verdict(pooled, ratio_band(d)).verdict is Verdict.PASS) == inside


broken_floats = st.sampled_from([None, math.nan, math.inf, -math.inf, 0.0])


@given(broken_floats, broken_floats, broken_floats, broken_floats, st.sampled_from(list(State)))
def test_what_is_no_number_never_passes(
    estimate: float | None, lower: float | None, upper: float | None, mdd: float | None, state: State
) -> None:
    pooled = Pooled(made("holdout"), state, estimate, 0.0, lower, upper, mdd)
    found = verdict(pooled, D).verdict
    if state is not State.MEASURED or (estimate, lower, upper) != (0.0, 0.0, 0.0):
        assert found is not Verdict.PASS


@given(broken_floats, broken_floats)
def test_a_measurement_that_claims_a_figure_and_has_none_never_passes(
    estimate: float | None, se: float | None
) -> None:
    m = replace(made("holdout"), estimate=estimate, se=se)
    if (estimate, se) != (0.0, 0.0):
        assert verdict(pool([m]), D).verdict is not Verdict.PASS
