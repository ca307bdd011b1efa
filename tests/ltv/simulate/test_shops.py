"""A shop's truth is what happens on average, what the right model says, and what was asked for."""

from __future__ import annotations

from datetime import date, timedelta

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from scipy.special import digamma, polygamma
from scipy.stats import spearmanr

from nbdataops.ltv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGCNBD,
    MBGNBD,
    GammaGamma,
    LtvInputError,
    ParetoNBD,
    rfm_summary,
)
from nbdataops.ltv.simulate import Calendar, Cohorts, Shop, shop
from nbdataops.ltv.simulate.latent_process import LatentProcess
from nbdataops.ltv.simulate.own_expectation import purchases_ahead
from nbdataops.ltv.simulate.purchase_calendar import Clock

PROCESSES = [
    BGNBD.with_parameters(r=0.4, alpha=4.4, a=0.8, b=2.4),
    MBGNBD.with_parameters(r=0.5, alpha=6.2, a=0.9, b=1.6),
    ParetoNBD.with_parameters(r=0.55, alpha=10.6, s=0.6, beta=11.7),
    BGCNBD.with_parameters(k=2, r=0.9, alpha=3.0, a=0.7, b=3.0),
    MBGCNBD.with_parameters(k=3, r=0.9, alpha=2.0, a=0.7, b=3.0),
]
PLAIN = PROCESSES[0]
every = pytest.mark.parametrize("process", PROCESSES, ids=lambda process: type(process).__name__)
AS_OF = date(2023, 9, 10)
BUSY = Calendar(months={11: 1.8, 12: 2.5, 1: 0.5}, weekdays={6: 0.0, 5: 1.5}, shocks={date(2024, 2, 10): 0.4})


def z(error: pd.Series) -> float:
    """How many standard errors the mean is away from zero."""
    return float(abs(error.mean()) / (error.std() / np.sqrt(len(error))))


@every
@pytest.mark.parametrize("calendar", [Calendar(), BUSY], ids=["plain", "seasons and a shock"])
def test_what_happens_is_the_truth_on_average(process, calendar: Calendar) -> None:
    world = shop(process, customers=10_000, weeks=78, calendar=calendar, correlation=0.3, seed=2)
    truth = world.truth(AS_OF, 35)
    silent = (pd.Timestamp(AS_OF) - world.known(AS_OF).groupby("customer_id")["date"].max()).dt.days
    silent = silent.reindex(truth.customer_id).to_numpy()
    for group in (truth.transactions >= 0, truth.alive, silent < 7, truth.alive & (silent > 60)):
        assert z((truth.realised_transactions - truth.transactions)[group]) < 3.5
        assert z((truth.realised_value - truth.value)[group]) < 3.5
    assert (truth.transactions[~truth.alive] == 0).all()
    assert (truth.realised_value[~truth.alive] == 0).all()


@every
def test_the_right_model_says_the_mean_of_the_truth_of_those_who_look_alike(process) -> None:
    world = shop(process, customers=2000, weeks=60, seed=3)
    summary, truth = world.summary(AS_OF), world.truth(AS_OF, 26)
    expected, alive = process.expected_transactions(summary, 26), process.probability_alive(summary)
    late = summary["T"] - summary.t_x > 10
    for group in (summary.x == 0, summary.x.between(1, 2), (summary.x > 2) & late, (summary.x > 2) & ~late):
        assert z((truth.transactions - expected)[group]) < 3.5
        if alive[group].max() < 1:
            assert z((truth.alive - alive)[group]) < 3.5
    value = process.lifetime_value(summary, 26, spend=GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44))
    assert z(truth.value - value) < 3.5


@every
def test_a_fit_to_the_exact_summary_finds_the_process(process) -> None:
    world = shop(process, customers=3000, weeks=50, seed=4)
    fitted = type(process)().fit(world.summary(world.end))
    assert getattr(fitted, "k_", 1) == getattr(process, "k_", 1)
    for name in process.parameter_names:
        error = np.log(getattr(fitted, f"{name}_") / getattr(process, f"{name}_"))
        relative = fitted.fit_result_.standard_errors[name] / getattr(fitted, f"{name}_")
        assert abs(error) < 3.5 * relative


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("leaving", [0.0, 1e-9, 0.2, 1.0])
@pytest.mark.parametrize(("rate", "silence"), [(0.02, 0.0), (0.5, 3.0), (9.0, 1.0), (0.4, 4000.0)])
def test_the_expectation_of_one_customer_is_the_sum_over_its_ticks(
    k: int, leaving: float, rate: float, silence: float
) -> None:
    process = LatentProcess((1.0, 1.0), (1.0, 1.0), at_purchases=True, k=k)
    clock = Clock(Calendar(shocks={date(2023, 1, 20): 0.5}), date(2023, 1, 1), 100)
    one = [np.array([value]) for value in (rate, leaving, silence)]
    ours = purchases_ahead(process, *one, clock, 10.0, 40.0)[0]
    with mp.workdps(30):
        ticks = mp.mpf(rate) * (9 + mp.mpf(21) / 2)  # days 10 to 19 whole, 19 to 40 half
        weights = [(mp.mpf(rate) * mp.mpf(silence)) ** j / mp.factorial(j) for j in range(k)]
        exact = mp.mpf(0)
        for j, weight in enumerate(weights):
            for n in range(k - j, 600):
                m = (n + j) // k
                stayed = (1 - (1 - mp.mpf(leaving)) ** m) / mp.mpf(leaving) if leaving else mp.mpf(m)
                exact += weight / sum(weights) * mp.exp(-ticks) * ticks**n / mp.factorial(n) * stayed
    assert ours == pytest.approx(float(exact), rel=1e-9)


def test_leaving_at_a_time_of_ones_own_cuts_each_day_of_the_calendar_exactly() -> None:
    process = LatentProcess((1.0, 1.0), (1.0, 1.0), at_purchases=False)
    clock = Clock(BUSY, date(2023, 12, 1), 200)
    rate, leaving = np.array([0.3, 2.0, 0.3]), np.array([0.01, 0.4, 0.0])
    ours = purchases_ahead(process, rate, leaving, np.zeros(3), clock, 20.0, 100.4)
    factors = BUSY.factors(date(2023, 12, 1), 200)
    grid = np.linspace(20, 100.4, 804_001)
    middle = (grid[1:] + grid[:-1]) / 2
    density = factors[middle.astype(int)] * np.exp(-np.outer(leaving, middle - 20))
    np.testing.assert_allclose(ours, rate * density.sum(axis=1) * (grid[1] - grid[0]), rtol=1e-6)


def test_purchases_follow_the_seasons_the_days_of_the_week_and_the_shock() -> None:
    forever = ParetoNBD.with_parameters(r=2.0, alpha=4.0, s=1.0, beta=1e9)  # nobody leaves
    world = shop(forever, customers=8000, weeks=78, cohorts=Cohorts(weeks=1), calendar=BUSY, seed=5)
    again = world.log[world.log["date"] >= "2023-01-09"]
    by_day = again.groupby("date").size().reindex(pd.date_range("2023-01-09", world.end), fill_value=0)
    expected = 8000 * 0.5 / 7 * BUSY.factors(date(2023, 1, 9), len(by_day))
    assert (by_day[expected == 0] == 0).all()
    for month in ("2023-11", "2023-12", "2024-01", "2024-05"):
        of = by_day.index.strftime("%Y-%m") == month
        # the shop's mean rate is that of 8000 draws of Gamma(2, 4)
        assert by_day[of].sum() == pytest.approx(expected[of].sum(), rel=0.03)
    before, after = by_day["2024-02-01":"2024-02-09"], by_day["2024-02-10":"2024-02-28"]
    ratio = after[after > 0].mean() / before[before > 0].mean()
    assert ratio == pytest.approx(0.4, rel=0.06)


def test_another_calendar_changes_purchases_but_not_the_customers() -> None:
    quiet, busy = (
        shop(PLAIN, customers=3000, weeks=60, calendar=calendar, seed=6)
        for calendar in (Calendar(), Calendar(shocks={date(2023, 9, 11): 3.0}))
    )
    unseen = ["customer_id", "first", "rate", "leaving", "own_spend"]
    pd.testing.assert_frame_equal(quiet.customers[unseen], busy.customers[unseen])
    assert (busy.truth(AS_OF, 20).transactions.sum()) > 1.5 * quiet.truth(AS_OF, 20).transactions.sum()


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.5])
def test_frequency_and_value_are_correlated_as_asked_and_keep_their_distributions(
    correlation: float,
) -> None:
    spend = GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)
    world = shop(
        PLAIN, customers=20_000, weeks=52, spend=spend, correlation=correlation, covariates={"visits": 0.7}
    )
    who = world.customers
    ranks = 6 / np.pi * np.arcsin(correlation / 2)  # Spearman's of a Gaussian copula
    assert spearmanr(who.rate, who.own_spend)[0] == pytest.approx(ranks, abs=0.025)
    assert spearmanr(who.rate, who.leaving)[0] == pytest.approx(0, abs=0.025)
    assert spearmanr(who.rate, who.visits)[0] == pytest.approx(6 / np.pi * np.arcsin(0.35), abs=0.025)
    assert who.visits.std() == pytest.approx(1, abs=0.03)
    assert z(who.rate - 0.4 / 4.4) < 3.5
    assert z(who.leaving - 0.8 / 3.2) < 3.5
    log_value = np.log(who.own_spend / (6 * 15))
    assert z(log_value + digamma(4)) < 3.5
    assert log_value.var() == pytest.approx(polygamma(1, 4), rel=0.05)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_gaps_are_as_regular_as_asked(k: int) -> None:
    alike = BGCNBD.with_parameters(k=k, r=1e5, alpha=1e5 / k, a=1.0, b=1e8)  # 1 a week, nobody leaves
    world = shop(alike, customers=400, weeks=200, cohorts=Cohorts(weeks=1))
    gaps = pd.Series(np.diff(world.history.moment)[~world.history.is_first[1:]]) / 7
    assert gaps.mean() == pytest.approx(1, rel=0.02)
    assert gaps.var() == pytest.approx(1 / k, rel=0.04)
    assert gaps.autocorr() == pytest.approx(0, abs=0.02)


def test_later_cohorts_differ_as_asked() -> None:
    drift = Cohorts(weeks=40, rate=0.5, leaving=3.0, value=2.0)
    for process, odds in ((PLAIN, 0.8 / 2.4), (PROCESSES[2], 0.6 / 11.7)):
        who = shop(process, customers=40_000, weeks=40, cohorts=drift).customers
        week = (who["first"] - who["first"].min()).dt.days // 7
        assert who.cohort.nunique() == 40
        assert (who.cohort.dt.day_name() == "Monday").all()
        rate = process.r_ / process.alpha_
        for of, share in ((week < 4, 1.5 / 39), (week > 35, 37.5 / 39)):
            some = who[of]
            assert some.rate.mean() == pytest.approx(rate * 0.5**share, rel=0.12)
            assert some.own_spend.median() == pytest.approx(25.6 * 2**share, rel=0.12)
            mean = some.leaving.mean()
            leaving = mean / (1 - mean) if isinstance(process, BGNBD) else mean
            assert leaving == pytest.approx(odds * 3**share, rel=0.12)


def test_the_log_is_a_raw_one_from_which_summaries_are_made() -> None:
    heavy = BGNBD.with_parameters(r=2.0, alpha=0.4, a=0.5, b=5.0)
    world = shop(heavy, customers=500, weeks=30, seed=7)
    log = world.log
    assert log["date"].is_monotonic_increasing
    assert (log["date"] == log["date"].dt.normalize()).all()
    assert log.duplicated(["customer_id", "date"]).any()
    assert log["date"].max() <= pd.Timestamp(world.end)
    assert len(log) == world.truth(world.end, 0).shape[0] + world.summary(world.end).x.sum()
    as_of = date(2023, 5, 7)
    known = world.known(as_of)
    pd.testing.assert_frame_equal(known, log[log["date"] <= pd.Timestamp(as_of)])
    rfm, exact = rfm_summary(known, as_of, litt=True), world.summary(as_of)
    assert rfm.customer_id.tolist() == exact.customer_id.tolist()
    assert ((rfm["T"] - exact["T"]).between(-1 / 7, 0)).all()
    assert ((rfm.t_x - exact.t_x).abs() <= 1 / 7).all()
    assert (rfm.x <= exact.x).all()
    assert rfm.attrs == exact.attrs == {"time_unit": "week"}
    seldom = rfm.x == exact.x
    np.testing.assert_allclose(rfm.spend[seldom & (rfm.x > 0)], exact.spend[seldom & (rfm.x > 0)])
    who = world.customers.set_index("customer_id")
    assert (known.groupby("customer_id")["date"].min() == who["first"].loc[rfm.customer_id]).all()
    gone = who.left.notna()
    assert (log.groupby("customer_id")["date"].max()[gone] == who.left[gone]).all()


def test_times_are_in_the_unit_of_the_process() -> None:
    daily = BGNBD.with_parameters(r=0.4, alpha=4.4 * 7, a=0.8, b=2.4, time_unit="day")
    by_week, by_day = (shop(process, customers=200, weeks=30, seed=1) for process in (PLAIN, daily))
    pd.testing.assert_frame_equal(by_week.log, by_day.log)
    weeks, days = by_week.summary(by_week.end), by_day.summary(by_day.end)
    np.testing.assert_allclose(weeks.t_x * 7, days.t_x)
    np.testing.assert_allclose(weeks.litt + weeks.x * np.log(7), days.litt, atol=1e-9)
    assert days.attrs["time_unit"] == "day"
    pd.testing.assert_frame_equal(
        by_week.truth(AS_OF.replace(month=5), 4), by_day.truth(AS_OF.replace(month=5), 28)
    )
    pd.testing.assert_frame_equal(
        by_week.truth(AS_OF.replace(month=5), 4), by_day.truth(AS_OF.replace(month=5), timedelta(weeks=4))
    )


def test_what_the_log_does_not_reach_is_expected_but_not_realised() -> None:
    world = shop(PLAIN, customers=200, weeks=30)
    truth = world.truth(world.end, 520)
    assert truth.realised_value.isna().all()
    assert truth.realised_transactions.isna().all()
    assert (truth.transactions[truth.alive] > 0).all()
    with pytest.raises(LtvInputError, match="horizon") as caught:
        world.truth(world.end, np.inf)
    assert "30 years" in caught.value.todo


@every
def test_the_same_seed_gives_the_same_shop(process) -> None:
    one, again, other = (shop(process, customers=100, weeks=30, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.log, again.log)
    pd.testing.assert_frame_equal(one.customers, again.customers)
    assert not one.log.equals(other.log)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"customers": 0}, "customers is 0"),
        ({"weeks": 7.5}, "weeks is 7.5"),
        ({"weeks": 8}, "join over 12 weeks"),
        ({"correlation": 1.0}, "correlation is 1.0"),
        ({"covariates": {"rate": 0.5}}, "'rate' is named like"),
        ({"covariates": {"visits": 2}}, "has correlation 2"),
        ({"spend": PLAIN}, "spend is a BGNBD"),
        ({"process": BGBB.with_parameters(alpha=1, beta=1, gamma=1, delta=1)}, "BGBB is no process"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], what: str) -> None:
    options = {"process": PLAIN, "customers": 10, "weeks": 30, **wrong}
    with pytest.raises(LtvInputError, match=what) as caught:
        shop(**options)
    assert caught.value.todo


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Calendar(months={0: 1.0}), "months names 0"),
        (lambda: Calendar(weekdays={7: 1.0}), "weekdays names 7"),
        (lambda: Calendar(months={1: -1.0}), "factor of the calendar is -1"),
        (lambda: Calendar(shocks={"2024-01-01": 1.0}), "not a date"),
        (lambda: Cohorts(weeks=0), "weeks is 0"),
        (lambda: Cohorts(rate=0.0), "rate is 0"),
    ],
)
def test_options_that_cannot_be_are_refused(make, what: str) -> None:
    with pytest.raises(LtvInputError, match=what) as caught:
        make()
    assert caught.value.todo


@pytest.mark.parametrize("as_of", [date(2022, 12, 31), date(2023, 7, 31)])
def test_a_date_outside_of_the_log_is_refused(as_of: date) -> None:
    world: Shop = shop(PLAIN, customers=50, weeks=30)
    for ask in (world.known, world.summary, lambda day: world.truth(day, 1)):
        with pytest.raises(LtvInputError, match="not within the log") as caught:
            ask(as_of)
        assert "2023-07-30" in caught.value.todo
