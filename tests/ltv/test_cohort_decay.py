from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import CohortDecay, Decay, LtvInputError, cohort_ages

START = date(1997, 1, 1)


def purchases(n: int = 4000, seed: int = 1, speed: float = 0.7) -> tuple[pd.DataFrame, date]:
    """A cohort acquired over 12 weeks and seen to week 39, whose repeat rate falls as a power of age."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 84, n)
    rows = [np.column_stack([np.arange(n), first])]
    for age in range(39):
        rate = 0.2 * ((1 + age + 1) ** (1 - speed) - (1 + age) ** (1 - speed)) / (1 - speed)
        who = np.flatnonzero(rng.random(n) < rate)
        rows.append(np.column_stack([who, first[who] + 7 * age + rng.integers(1, 8, len(who))]))
    log = pd.DataFrame(np.concatenate(rows), columns=["customer_id", "day"])
    log = log[log["day"] < 39 * 7]
    log["amount"] = rng.gamma(4, 9, len(log))
    log["date"] = pd.Timestamp(START) + pd.to_timedelta(log["day"], unit="D")
    return log, START + timedelta(days=39 * 7 - 1)


@pytest.fixture(scope="module")
def cohort() -> tuple[pd.DataFrame, date]:
    return purchases()


def test_ages_count_repeat_days_since_the_own_first_purchase() -> None:
    log = pd.DataFrame(
        {
            "customer_id": [1, 1, 1, 1, 2],
            "date": pd.to_datetime(["1997-01-01", "1997-01-08", "1997-01-09", "1997-01-09", "1997-01-13"]),
            "amount": [50.0, 1.0, 2.0, 3.0, 9.0],
        }
    )
    curve = cohort_ages(log, date(1997, 1, 16)).curve()
    # customer 1 is seen for 15 days, customer 2 for 3
    np.testing.assert_allclose(curve["exposure"], [1 + 3 / 7, 1, 1 / 7])
    assert curve["transactions"].tolist() == [1, 1, 0]  # day 7 is the last of the first week
    assert curve["revenue"].tolist() == [1, 5, 0]


def test_a_power_law_is_recovered_and_chosen(cohort: tuple[pd.DataFrame, date]) -> None:
    model = CohortDecay().fit(cohort_ages(*cohort))
    assert model.transactions_.shape == "power"
    assert model.transactions_.speed == pytest.approx(0.7, abs=0.07)
    assert model.transactions_.level == pytest.approx(0.2, rel=0.1)
    assert model.observed_ages_ == 39


def test_the_fitted_curve_has_the_observed_total(cohort: tuple[pd.DataFrame, date]) -> None:
    ages = cohort_ages(*cohort)
    for shape in ("power", "exponential"):
        curve = CohortDecay(shape=shape).fit(ages).curve_
        for component in ("transactions", "revenue"):
            observed = (curve["exposure"] * curve[component]).sum()
            assert (curve["exposure"] * curve[f"{component}_fitted"]).sum() == pytest.approx(
                observed, rel=1e-9
            )


def test_the_better_shape_is_the_one_of_lower_deviance(cohort: tuple[pd.DataFrame, date]) -> None:
    ages = cohort_ages(*cohort)
    deviances = {s: CohortDecay(shape=s).fit(ages).revenue_.deviance for s in ("power", "exponential")}
    best = CohortDecay().fit(ages).revenue_
    assert best.deviance == min(deviances.values())
    assert deviances[best.shape] == best.deviance


def test_customers_seen_for_a_short_time_do_not_bend_the_curve(cohort: tuple[pd.DataFrame, date]) -> None:
    log, as_of = cohort
    oldest = log.groupby("customer_id")["day"].transform("min") < 14
    everybody, early = (
        CohortDecay(shape="power").fit(cohort_ages(part, as_of)) for part in (log, log[oldest])
    )
    assert everybody.transactions_.speed == pytest.approx(early.transactions_.speed, abs=0.15)


def test_whole_weights_do_what_repeating_customers_does(cohort: tuple[pd.DataFrame, date]) -> None:
    log, as_of = cohort
    ages = cohort_ages(log, as_of)
    weights = pd.Series(np.random.default_rng(0).poisson(1, len(ages.index)), index=ages.index)
    copies = [
        log[log["customer_id"].isin(weights.index[weights > k])].assign(
            customer_id=lambda d, k=k: d["customer_id"] + 10**6 * k
        )
        for k in range(weights.max())
    ]
    weighted = CohortDecay().fit(ages, sample_weight=weights)
    repeated = CohortDecay().fit(cohort_ages(pd.concat(copies), as_of))
    pd.testing.assert_frame_equal(weighted.curve_, repeated.curve_, rtol=1e-6)


def test_everybody_of_one_age_gets_the_same(cohort: tuple[pd.DataFrame, date]) -> None:
    ages = cohort_ages(*cohort)
    model = CohortDecay().fit(ages)
    rfm = pd.DataFrame({"T": [10.0, 30.0, 10.0], "x": [0, 1, 40]}, index=["a", "b", "c"])
    value = model.lifetime_value(rfm, 39)
    assert value.index.tolist() == ["a", "b", "c"]
    assert value["a"] == value["c"] > value["b"] > 0
    own = model.lifetime_value(ages, 39)
    assert own.index.equals(ages.index)
    pd.testing.assert_series_equal(
        own, model.lifetime_value(pd.DataFrame({"T": ages.T}, index=ages.index), 39)
    )


def test_a_shorter_history_forecasts_the_held_out_weeks(cohort: tuple[pd.DataFrame, date]) -> None:
    log, _ = cohort
    cut = START + timedelta(days=26 * 7 - 1)
    seen = log[log["date"].dt.date <= cut]
    ages = cohort_ages(seen, cut)
    expected = CohortDecay().fit(ages).expected_transactions(ages, 13).sum()
    later = log[log["date"].dt.date > cut].drop_duplicates(["customer_id", "day"])
    assert expected == pytest.approx(len(later), rel=0.1)


decays = st.builds(
    Decay,
    shape=st.sampled_from(["power", "exponential"]),
    level=st.sampled_from([0.0, 0.01, 3.0]),
    speed=st.sampled_from([0.0, 0.3, 1.0, 1.0 + 1e-9, 5.0, 19.0]),
    deviance=st.just(0.0),
)


@settings(max_examples=60, deadline=None)
@given(decay=decays, start=st.floats(0, 500), middle=st.floats(0, 100), end=st.floats(0, 100))
def test_amounts_of_adjoining_spans_add_up_and_never_fall(decay: Decay, start, middle, end) -> None:
    a, b, c = (np.array([v]) for v in (start, start + middle, start + middle + end))
    whole = decay.between(a, c)
    np.testing.assert_allclose(decay.between(a, b) + decay.between(b, c), whole, rtol=1e-7, atol=1e-300)
    assert np.isfinite(whole).all()
    assert (whole * (1 + 1e-9) >= decay.between(a, b)).all()


def test_another_time_unit_gives_the_same_forecast_where_the_shape_has_no_scale(
    cohort: tuple[pd.DataFrame, date],
) -> None:
    weeks = CohortDecay(shape="exponential").fit(cohort_ages(*cohort))
    days = CohortDecay(shape="exponential").fit(cohort_ages(*cohort, time_unit="day"))
    at = pd.DataFrame({"T": [20.0]})
    assert days.lifetime_value(at * 7, 91).iloc[0] == pytest.approx(
        weeks.lifetime_value(at, 13).iloc[0], rel=0.01
    )


def test_a_rising_curve_is_fitted_by_a_flat_one() -> None:
    days = [0, *range(30, 60, 5), *range(60, 90)]
    log = pd.DataFrame(
        {"customer_id": 1, "date": pd.Timestamp(START) + pd.to_timedelta(days, unit="D"), "amount": 1.0}
    )
    model = CohortDecay().fit(cohort_ages(log, START + timedelta(days=91)))
    assert model.transactions_.speed == 0
    assert model.expected_transactions(pd.DataFrame({"T": [13.0]}), 13).iloc[0] == pytest.approx(
        len(days) - 1
    )


def test_a_cohort_that_never_came_back_is_worth_nothing() -> None:
    log = pd.DataFrame({"customer_id": [1, 2], "date": pd.Timestamp(START), "amount": 5.0})
    ages = cohort_ages(log, START + timedelta(days=70))
    assert (CohortDecay().fit(ages).lifetime_value(ages, 39) == 0).all()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda ages: CohortDecay(shape="linear").fit(ages), "no shape 'linear'"),
        (lambda ages: CohortDecay().fit(pd.DataFrame({"T": [1.0]})), "fitted to a DataFrame"),
        (
            lambda ages: CohortDecay().fit(ages, sample_weight=np.zeros(len(ages.index))),
            "all sample weights are zero",
        ),
        (lambda ages: CohortDecay().fit(ages, sample_weight=np.ones(3)), "3 values"),
        (
            lambda ages: CohortDecay().fit(ages).lifetime_value(pd.DataFrame({"t": [1.0]}), 39),
            "no column 'T'",
        ),
        (
            lambda ages: CohortDecay().fit(ages).lifetime_value(pd.DataFrame({"T": [-1.0]}), 39),
            "T is negative",
        ),
        (lambda ages: CohortDecay().fit(ages).lifetime_value(ages, -1), "horizon is -1"),
    ],
)
def test_impossible_calls_are_refused(call, what: str, cohort: tuple[pd.DataFrame, date]) -> None:
    with pytest.raises(LtvInputError, match=what):
        call(cohort_ages(*cohort))


def test_a_history_of_one_age_is_too_short() -> None:
    log = pd.DataFrame(
        {"customer_id": [1, 1], "date": pd.to_datetime(["1997-01-01", "1997-01-03"]), "amount": 5.0}
    )
    with pytest.raises(LtvInputError, match="fewer than two ages"):
        CohortDecay().fit(cohort_ages(log, date(1997, 1, 6)))
