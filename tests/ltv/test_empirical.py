"""Chain ladder, Markov chain and the naive baselines."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from nbdataops.ltv import (
    ChainLadder,
    CohortDecay,
    LastPeriod,
    LtvInputError,
    MarkovChain,
    PastRate,
    cohort_ages,
    recency_transitions,
    rfm_summary,
)

AS_OF = date(2024, 12, 29)


def shop_log(customers: int = 1500, seed: int = 0, fading: float = 30.0) -> pd.DataFrame:
    """Purchases whose rate falls with age, the same for all: what cohort methods believe."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer, start in enumerate(rng.integers(0, 700, customers)):
        rows.append((customer, start, 20.0))
        for age in np.cumsum(rng.exponential(12.0, 60)):
            if start + age > 726:
                break
            if rng.random() < np.exp(-age / 7 / fading):
                rows.append((customer, start + math.ceil(age), rng.gamma(4, 5)))
    log = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    return log.assign(date=pd.Timestamp("2023-01-02") + pd.to_timedelta(log.day.astype(int), unit="D"))


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return shop_log()


THEN = date(2024, 9, 1)


def before(log: pd.DataFrame, day: date) -> pd.DataFrame:
    return log[log.date <= pd.Timestamp(day)]


def test_a_ladder_of_factors_finds_the_total_that_came(log: pd.DataFrame) -> None:
    early = before(log, THEN)
    young = early[early.groupby("customer_id").date.transform("min") > "2023-07-01"]
    model = ChainLadder(refits=40).fit(cohort_ages(early, THEN))
    ages = cohort_ages(young, THEN)
    expected = model.lifetime_value(ages, 13, interval=0.9)
    after = log[(log.date > pd.Timestamp(THEN)) & (log.date <= pd.Timestamp(THEN) + pd.Timedelta(weeks=13))]
    actual = after[after.customer_id.isin(ages.index)].amount.sum()
    assert expected.value.sum() == pytest.approx(actual, rel=0.12)
    assert (expected.lower <= expected.upper).all()
    bought = model.expected_transactions(ages, 13).sum()
    assert bought == pytest.approx(len(after[after.customer_id.isin(ages.index)]), rel=0.12)


def test_beyond_the_oldest_age_the_ladder_refuses(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    model = ChainLadder().fit(ages)
    with pytest.raises(LtvInputError, match="nobody was seen beyond age") as caught:
        model.lifetime_value(ages, 13)
    assert "CohortDecay" in caught.value.todo


def test_a_ladder_by_hand() -> None:
    """Two old customers earn 10, then 5 more; the young one stands at 4 and grows by half of it."""
    log = pd.DataFrame(
        {
            "customer_id": [1, 1, 1, 2, 2, 2, 3, 3],
            "date": pd.to_datetime(
                [
                    "2024-01-01",
                    "2024-01-08",
                    "2024-01-15",
                    "2024-01-01",
                    "2024-01-07",
                    "2024-01-14",
                    "2024-01-08",
                    "2024-01-15",
                ]
            ),
            "amount": [9.0, 6.0, 3.0, 9.0, 4.0, 2.0, 9.0, 4.0],
        }
    )
    ages = cohort_ages(log, date(2024, 1, 15))
    model = ChainLadder().fit(ages)
    np.testing.assert_allclose(model.ladder_.revenue, [0.0, 14 / 3, 7.0])
    young = cohort_ages(log[log.customer_id == 3], date(2024, 1, 15))
    assert model.lifetime_value(young, 1).iloc[0] == pytest.approx(4 * (15 / 10 - 1))
    assert model.lifetime_value(young, 0.5).iloc[0] == pytest.approx(4 * (15 / 10 - 1) / 2)
    assert model.lifetime_value(young, 1, discount_rate=0.21).iloc[0] == pytest.approx(2 / 1.1)


def test_cohort_decay_has_intervals_from_refits_and_discounts(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    model = CohortDecay(refits=30).fit(ages)
    answer = model.lifetime_value(ages, 26, interval=0.9)
    assert ((answer.lower <= answer.value) & (answer.value <= answer.upper)).mean() > 0.9
    assert (model.lifetime_value(ages, 26, discount_rate=0.01) < answer.value).all()
    with pytest.raises(LtvInputError, match="refits"):
        CohortDecay().fit(ages).lifetime_value(ages, 26, interval=0.9)
    with pytest.raises(LtvInputError, match="in weeks"):
        model.lifetime_value(rfm_summary(before(log, THEN), THEN, time_unit="day"), 26)


def test_a_chain_counts_transitions_and_finds_the_total_that_came(log: pd.DataFrame) -> None:
    early = before(log, THEN)
    seen = recency_transitions(early, THEN, states=12, time_unit="week")
    model = MarkovChain(refits=20).fit(seen)
    value = model.lifetime_value(seen, 13, interval=0.9)
    after = log[(log.date > pd.Timestamp(THEN)) & (log.date <= pd.Timestamp(THEN) + pd.Timedelta(weeks=13))]
    assert value.value.sum() == pytest.approx(after.amount.sum(), rel=0.2)
    assert (
        model.transitions_.probability.is_monotonic_decreasing
        or model.transitions_.probability.iloc[0] > model.transitions_.probability.iloc[-1]
    )
    assert (value.lower <= value.upper).all()


def test_a_known_chain_by_matrix_powers() -> None:
    """V = sum of (P / (1 + d))^t R over the periods, as Pfeifer and Carraway write it."""
    p, v, d = np.array([0.3, 0.2, 0.05]), np.array([40.0, 30.0, 20.0]), 0.2
    move = np.array([[0.3, 0.7, 0.0], [0.2, 0.0, 0.8], [0.05, 0.0, 0.95]])
    reward = p * v
    by_hand = sum(np.linalg.matrix_power(move, t) @ reward / (1 + d) ** (t + 1) for t in range(7))
    log = pd.DataFrame(
        {
            "customer_id": [1, 1, 2],
            "date": pd.to_datetime(["2024-01-01", "2024-01-10", "2024-01-05"]),
            "amount": 1.0,
        }
    )
    seen = recency_transitions(log, date(2024, 1, 31), states=3, time_unit="week")
    model = MarkovChain().fit(seen)
    model.transitions_["probability"], model.transitions_["value"] = p, v
    assert model.lifetime_value(seen, 7, discount_rate=d).tolist() == pytest.approx(by_hand[seen.state - 1])
    forever = model.lifetime_value(seen, math.inf, discount_rate=d)
    assert forever.tolist() == pytest.approx(
        np.linalg.solve(np.eye(3) - move / (1 + d), reward / (1 + d))[seen.state - 1]
    )
    between = [model.lifetime_value(seen, h).iloc[0] for h in (7, 7.25, 8)]
    assert between[1] == pytest.approx(0.75 * between[0] + 0.25 * between[2])
    with pytest.raises(LtvInputError, match="infinite horizon"):
        model.lifetime_value(seen, math.inf)


def test_a_state_that_nobody_was_in_borrows_or_refuses() -> None:
    log = pd.DataFrame(
        {"customer_id": [1, 1], "date": pd.to_datetime(["2024-01-01", "2024-01-15"]), "amount": 10.0}
    )
    seen = recency_transitions(log, date(2024, 1, 15), states=6, time_unit="week")
    model = MarkovChain().fit(seen)
    assert model.transitions_.probability.loc[6] == pytest.approx(0.5)  # the overall rate: 1 of 2 periods
    assert model.transitions_.value.loc[6] == pytest.approx(10.0)
    with pytest.raises(LtvInputError, match="nobody was ever in state 3, 4, 5, 6"):
        MarkovChain(smoothing=0).fit(seen)
    other = recency_transitions(log, date(2024, 1, 15), states=5, time_unit="week")
    with pytest.raises(LtvInputError, match="6 states"):
        model.lifetime_value(other, 4)


def test_weights_count_customers_as_often(log: pd.DataFrame) -> None:
    early = before(log, THEN)
    seen, ages = recency_transitions(early, THEN, time_unit="week"), cohort_ages(early, THEN)
    w = np.random.default_rng(1).integers(0, 3, len(seen.index)).astype(float)
    numbered = [
        early[early.customer_id.isin(seen.index[w >= k])].assign(
            customer_id=lambda f, k=k: f.customer_id + 10_000 * k
        )
        for k in (1, 2)
    ]
    twice = pd.concat(numbered)
    np.testing.assert_allclose(
        MarkovChain().fit(seen, sample_weight=w).transitions_.probability,
        MarkovChain().fit(recency_transitions(twice, THEN, time_unit="week")).transitions_.probability,
    )
    np.testing.assert_allclose(
        ChainLadder().fit(ages, sample_weight=w).ladder_.revenue,
        ChainLadder().fit(cohort_ages(twice, THEN)).ladder_.revenue,
    )


def test_the_last_period_once_more(log: pd.DataFrame) -> None:
    rfm = rfm_summary(before(log, THEN), THEN, recent=13)
    model = LastPeriod(window=13).fit(rfm)
    np.testing.assert_allclose(model.lifetime_value(rfm, 39), 3 * rfm.recent_value)
    np.testing.assert_allclose(model.expected_transactions(rfm, 6.5), rfm.recent_transactions / 2)
    answer = model.lifetime_value(rfm, 39, interval=0.9)
    assert answer[["lower", "upper"]].isna().all(axis=None)
    with pytest.raises(LtvInputError, match="recent_transactions"):
        LastPeriod().fit(rfm.drop(columns="recent_transactions"))
    with pytest.raises(LtvInputError, match="reach back 13 time units, window is 4"):
        LastPeriod(window=4).fit(rfm)
    with pytest.raises(LtvInputError, match="reach back 4 time units, window is 13"):
        model.lifetime_value(rfm_summary(before(log, THEN), THEN, recent=4), 39)


def test_the_past_rate_goes_on_and_newcomers_share_the_rate_of_all(log: pd.DataFrame) -> None:
    rfm = rfm_summary(before(log, THEN), THEN)
    own = PastRate(prior=0).fit(rfm)
    np.testing.assert_allclose(
        own.expected_transactions(rfm, 10)[rfm["T"] > 0], (rfm.x / rfm["T"] * 10)[rfm["T"] > 0]
    )
    shared = PastRate(prior=4).fit(rfm)
    newcomer = pd.DataFrame({"x": [0], "T": [0.0], "spend": [0.0]})
    assert shared.expected_transactions(newcomer, 10).iloc[0] == pytest.approx(
        10 * rfm.x.sum() / rfm["T"].sum()
    )
    assert shared.lifetime_value(newcomer, 10).iloc[0] == pytest.approx(10 * shared.rate_ * shared.spend_)
    with pytest.raises(LtvInputError, match="infinite"):
        shared.lifetime_value(rfm, math.inf)


@pytest.mark.parametrize("wrong", [pd.DataFrame(), [1], None])
def test_other_data_are_refused_with_what_to_give(wrong: object) -> None:
    with pytest.raises(LtvInputError, match="cohort_ages"):
        ChainLadder().fit(wrong)
    with pytest.raises(LtvInputError, match="recency_transitions"):
        MarkovChain().fit(wrong)


def test_new_customers_are_those_of_age_zero(log: pd.DataFrame) -> None:
    early = before(log, THEN)
    ages = cohort_ages(early, THEN)
    decay = CohortDecay(refits=5).fit(ages)
    row = pd.DataFrame({"T": [0.0]})
    assert decay.lifetime_value_new(13) == decay.lifetime_value(row, 13).iloc[0]
    assert decay.expected_transactions_new(13) == decay.expected_transactions(row, 13).iloc[0]
    ladder = ChainLadder(refits=5).fit(ages)
    assert ladder.lifetime_value_new(13) == pytest.approx(ladder.ladder_.revenue[13])
    assert ladder.expected_transactions_new(4) == pytest.approx(ladder.ladder_.transactions[4])
    with pytest.raises(LtvInputError, match="nobody was seen beyond age"):
        ladder.lifetime_value_new(1000)
    seen = recency_transitions(early, THEN, time_unit="week")
    chain = MarkovChain(refits=5).fit(seen)
    just_bought = seen.index[seen.state == 1][0]
    value = chain.lifetime_value(seen, 13, discount_rate=0.01)[just_bought]
    assert chain.lifetime_value_new(13, discount_rate=0.01) == value
    for model in (decay, ladder, chain):
        answer = model.lifetime_value_new(13, interval=0.9)
        assert answer.columns.tolist() == ["value", "lower", "upper"]
        assert (answer.lower < answer.upper).all()


def test_the_past_rate_is_as_uncertain_as_the_population_it_borrows_from(log: pd.DataFrame) -> None:
    rfm = rfm_summary(before(log, THEN), THEN)
    newcomer = pd.DataFrame({"x": [0], "T": [0.0], "spend": [0.0]})
    answer = PastRate(refits=200).fit(rfm).expected_transactions(newcomer, 10, interval=0.9).iloc[0]
    # the ratio estimator's standard error, x against T
    rate = rfm.x.sum() / rfm["T"].sum()
    error = 10 * np.sqrt(((rfm.x - rate * rfm["T"]) ** 2).sum()) / rfm["T"].sum()
    assert (answer.upper - answer.lower) / 2 == pytest.approx(1.645 * error, rel=0.2)
    with pytest.raises(LtvInputError, match="refits=50"):
        PastRate().fit(rfm).lifetime_value(rfm, 10, interval=0.9)
    heavy = PastRate(refits=200).fit(rfm, sample_weight=np.full(len(rfm), 4.0))
    narrow = heavy.expected_transactions(newcomer, 10, interval=0.9).iloc[0]
    assert (narrow.upper - narrow.lower) == pytest.approx((answer.upper - answer.lower) / 2, rel=0.25)


def test_the_customers_of_the_fit_have_an_answer_but_the_oldest(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    model = ChainLadder().fit(ages)
    assert ages.T.max() > model.observed_ages_  # the last week of the oldest has only begun
    assert (model.lifetime_value(ages, 0) == 0).all()
    assert (model.expected_transactions(ages, 0) == 0).all()
    with pytest.raises(LtvInputError, match="beyond age") as caught:
        model.lifetime_value(ages, 13)
    too_old = int((model.observed_ages_ < ages.T + 13).sum())
    assert f"{too_old} of {len(ages.index)} customers" in str(caught.value)
    assert f"ages.select(ages.T + 13 <= {model.observed_ages_})" in caught.value.todo
    rest = ages.select(model.observed_ages_ >= ages.T + 13)
    assert len(rest.index) == len(ages.index) - too_old
    answer = model.lifetime_value(rest, 13)
    assert answer.index.equals(rest.index)
    assert (answer > 0).all()


def test_what_a_ladder_says_of_a_customer_does_not_depend_on_who_else_is_asked(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    model = ChainLadder(refits=4).fit(ages)
    young = ages.select(ages.T <= 40)
    everybody = model.lifetime_value(young, 13, interval=0.5)
    for customer in young.index[[0, 7, 100]]:
        alone = model.lifetime_value(young.select([customer]), 13, interval=0.5)
        pd.testing.assert_frame_equal(alone, everybody.loc[[customer]])


def test_a_cohort_that_was_not_there_gains_what_the_older_ones_gained(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    model = ChainLadder().fit(ages.select(np.abs(ages.T - 20) > 0.5))
    unseen = ages.select(ages.T == 20)
    assert len(unseen.index)
    ladder = model.ladder_.revenue
    np.testing.assert_allclose(model.lifetime_value(unseen, 5), ladder[25] - ladder[20])


def test_ages_are_selected_by_label_and_by_mask(log: pd.DataFrame) -> None:
    ages = cohort_ages(before(log, THEN), THEN)
    rows = [3, 11]
    few = ages.select(ages.index[[11, 3]].tolist())
    assert few.index.equals(ages.index[rows])
    np.testing.assert_array_equal(few.T, ages.T[rows])
    np.testing.assert_array_equal(few.revenue.toarray(), ages.revenue.toarray()[rows])
    np.testing.assert_array_equal(few.transactions.toarray(), ages.transactions.toarray()[rows])
    mask = pd.Series(ages.index.isin(few.index), index=ages.index)
    assert ages.select(mask).index.equals(few.index)
    assert len(ages.select([]).index) == 0
    with pytest.raises(LtvInputError, match="no such customer in 1 row of 2"):
        ages.select([few.index[0], -1])
    with pytest.raises(LtvInputError, match="a mask of 2"):
        ages.select(np.array([True, False]))
    with pytest.raises(LtvInputError, match="another index"):
        ages.select(mask.rename(lambda label: label + 1))


def test_a_known_chain_is_checked() -> None:
    known = MarkovChain.with_probabilities
    for wrong in ([0.3, 1.2], [-0.1], [math.nan, 0.2], []):
        with pytest.raises(LtvInputError, match="no probabilities"):
            known(wrong, values=1.0, discount_rate=0.1)
    with pytest.raises(LtvInputError, match="numbers"):
        known(["a"], values=1.0, discount_rate=0.1)
    for values in (math.nan, math.inf, [1.0, 2.0, 3.0]):
        with pytest.raises(LtvInputError, match="values is"):
            known([0.3, 0.2], values=values, discount_rate=0.1)
    for horizon in (-1, "ten", math.nan):
        with pytest.raises(LtvInputError, match="horizon is"):
            known([0.3, 0.2], values=1.0, discount_rate=0.1, horizon=horizon)
    with pytest.raises(LtvInputError, match="infinite horizon"):
        known([0.3, 0.2], values=1.0, discount_rate=0.0)
    assert known([0.5], values=4.0, discount_rate=0.0, horizon=3) == pytest.approx([6.0])
    assert known([0.5, 0.5], values=[4.0, 4.0], discount_rate=0.0, horizon=3) == pytest.approx([6.0, 6.0])


@pytest.mark.parametrize("wrong", ["4", None, math.nan, -1.0, True])
def test_what_smooths_a_rate_is_a_number(wrong: object, log: pd.DataFrame) -> None:
    early = before(log, THEN)
    with pytest.raises(LtvInputError, match="prior is"):
        PastRate(prior=wrong).fit(rfm_summary(early, THEN))
    with pytest.raises(LtvInputError, match="window is"):
        LastPeriod(window=wrong).fit(rfm_summary(early, THEN, recent=13))
    with pytest.raises(LtvInputError, match="smoothing is"):
        MarkovChain(smoothing=wrong).fit(recency_transitions(early, THEN, time_unit="week"))
