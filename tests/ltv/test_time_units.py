"""Time units are stated once and compared everywhere."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import BGNBD, GammaGamma, LtvInputError, rate_per_unit, rfm_cells, rfm_summary

from .shops import pareto_shop


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 4000), unit="D")
    return pd.DataFrame({"customer_id": rng.integers(0, 900, 4000), "date": days, "amount": 5.0})


AS_OF = date(2024, 12, 31)


def test_a_summary_tells_its_unit_and_the_model_remembers(log: pd.DataFrame) -> None:
    assert BGNBD().fit(rfm_summary(log, AS_OF, time_unit="day")).time_unit_ == "day"
    assert BGNBD().fit(pareto_shop(300)).time_unit_ is None
    assert BGNBD(time_unit="month").fit(pareto_shop(300)).time_unit_ == "month"
    cells = rfm_cells(rfm_summary(log, AS_OF, time_unit="week"))
    assert BGNBD().fit(cells).time_unit_ == "week"


def test_another_unit_is_an_error_in_fit_and_in_prediction(log: pd.DataFrame) -> None:
    days, weeks = (rfm_summary(log, AS_OF, time_unit=unit) for unit in ("day", "week"))
    with pytest.raises(LtvInputError, match="rfm is in days, the model in weeks"):
        BGNBD(time_unit="week").fit(days)
    model = BGNBD().fit(weeks)
    for verb in (
        model.expected_transactions,
        lambda rfm, h: model.lifetime_value(rfm, h, spend=GammaGamma().fit(weeks)),
    ):
        with pytest.raises(LtvInputError, match="rfm is in days, the model in weeks"):
            verb(days, 10)
    with pytest.raises(LtvInputError, match="rfm is in days"):
        model.probability_alive(days)


def test_a_horizon_may_be_a_length_of_time(log: pd.DataFrame) -> None:
    weeks = rfm_summary(log, AS_OF, time_unit="week")
    model = BGNBD().fit(weeks)
    expected = model.expected_transactions(weeks, 2)
    for horizon in (timedelta(days=14), pd.Timedelta(days=14), np.timedelta64(14, "D")):
        pd.testing.assert_series_equal(model.expected_transactions(weeks, horizon), expected)
    unknown = BGNBD().fit(pareto_shop(300))
    with pytest.raises(LtvInputError, match="does not know its time unit"):
        unknown.expected_transactions(pareto_shop(300), timedelta(days=14))


def test_days_and_weeks_give_the_same_forecast(log: pd.DataFrame) -> None:
    days, weeks = (rfm_summary(log, AS_OF, time_unit=unit) for unit in ("day", "week"))
    np.testing.assert_allclose(
        BGNBD().fit(days).expected_transactions(days, 70),
        BGNBD().fit(weeks).expected_transactions(weeks, 10),
        rtol=1e-6,
    )


@pytest.mark.parametrize("horizon", [-1, float("nan"), float("inf"), True, "39", None, timedelta(days=-7)])
def test_a_horizon_that_is_none_is_refused(horizon: object, log: pd.DataFrame) -> None:
    weeks = rfm_summary(log, AS_OF, time_unit="week")
    with pytest.raises(LtvInputError, match="horizon"):
        BGNBD().fit(weeks).expected_transactions(weeks, horizon)


def test_an_unknown_unit_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(LtvInputError, match="weeks") as caught:
        BGNBD(time_unit="weeks").fit(pareto_shop(300))
    assert "week" in caught.value.todo
    with pytest.raises(LtvInputError, match="fortnight"):
        BGNBD.with_parameters(time_unit="fortnight", r=1, alpha=1, a=1, b=1)


def test_a_rate_per_unit_compounds_to_the_annual_one() -> None:
    assert (1 + rate_per_unit(0.15, "day")) ** 365.25 == pytest.approx(1.15)
    assert rate_per_unit(0.15, "year") == pytest.approx(0.15)


@pytest.mark.parametrize("rate", [-2, -1, "15%", float("nan"), float("inf"), None, True])
def test_an_annual_rate_is_a_number_above_a_total_loss(rate: object) -> None:
    with pytest.raises(LtvInputError, match="annual_rate"):
        rate_per_unit(rate, "week")


@pytest.mark.parametrize("spend", [None, 10.0, GammaGamma, BGNBD()])
def test_value_needs_a_fitted_spend_model(spend: object) -> None:
    model = BGNBD.with_parameters(r=0.2, alpha=4.0, a=0.8, b=2.4)
    rfm = pd.DataFrame({"x": [1], "t_x": [2.0], "T": [5.0], "spend": [3.0]})
    with pytest.raises(LtvInputError, match="spend is no fitted spend model"):
        model.lifetime_value(rfm, 10, spend=spend)
    with pytest.raises(LtvInputError, match="spend is no fitted spend model"):
        model.lifetime_value_new(10, spend=spend)
    if spend is not None:
        with pytest.raises(LtvInputError, match="spend is no fitted spend model"):
            model.sample(rfm, 10, spend=spend, draws=1, parameters="fitted")


@pytest.mark.parametrize("r", ["a", "0.2", None, True, [0.2]])
def test_a_given_parameter_is_a_number(r: object) -> None:
    with pytest.raises(LtvInputError, match="parameter r is"):
        BGNBD.with_parameters(r=r, alpha=4.0, a=0.8, b=2.4)


def test_a_frame_that_lost_its_unit_is_told_again(log: pd.DataFrame) -> None:
    weeks, days = (rfm_summary(log, AS_OF, time_unit=unit) for unit in ("week", "day"))
    model = BGNBD().fit(weeks)
    anew = days.groupby(["x", "t_x", "T"]).size().rename("n").reset_index()
    assert len(model.expected_transactions(anew, 10)) == len(anew)  # in days, and nothing says so
    anew.attrs["time_unit"] = "day"
    with pytest.raises(LtvInputError, match="rfm is in days, the model in weeks"):
        model.expected_transactions(anew, 10)
