"""A leak is planted: what nobody could know at the origin. No feature may show it, no method may profit from it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_predict

from nbdataops.ltv import RFMCell, TwoPartBoosting, ZeroInflatedLognormal, rfm_summary, training_set

AS_OF = date(2024, 12, 29)
WEEKS = 13
ORIGIN = AS_OF - timedelta(weeks=WEEKS)
JACKPOT = 5_000.0
METHODS = {
    "RFMCell": RFMCell(train_horizon=WEEKS, shrinkage=1.0),
    "TwoPartBoosting": TwoPartBoosting(train_horizon=WEEKS, leaf_size=10),
    "ZeroInflatedLognormal": ZeroInflatedLognormal(train_horizon=WEEKS),
}


def shop_with_a_jackpot(n: int = 1200, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A log in which a coin decides who spends a fortune, twice, right after the origin; and who that was."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01")
    weeks = (pd.Timestamp(ORIGIN) - start).days // 7
    customers = np.repeat(np.arange(n), 4)
    days = rng.integers(0, 7 * weeks, len(customers))
    log = pd.DataFrame({"customer_id": customers, "date": start + pd.to_timedelta(days, unit="D")})
    log["amount"] = rng.gamma(3.0, 5.0, len(log))
    wins = rng.random(n) < 0.5
    planted = [
        pd.DataFrame(
            {"customer_id": np.flatnonzero(wins), "date": pd.Timestamp(ORIGIN + timedelta(days=d))}
        ).assign(amount=JACKPOT * rng.uniform(0.5, 1.5, wins.sum()))
        for d in (1, 8)
    ]
    return pd.concat([log, *planted], ignore_index=True), wins


def predicted(method: Any, features: pd.DataFrame, value: pd.Series) -> np.ndarray:
    """Predictions of customers whom the fit has not seen."""
    return np.asarray(cross_val_predict(method, features, value, cv=3, method="predict"))


@pytest.mark.parametrize("name", METHODS)
def test_no_method_profits_from_what_was_planted_after_the_origin(name: str) -> None:
    """Unless it is handed summaries of today as if they were of then: that is what a leak would look like."""
    log, wins = shop_with_a_jackpot()
    past = training_set(log, AS_OF, WEEKS).set_index("customer_id")
    assert past.value[wins].min() >= JACKPOT
    assert past.value[~wins].max() == 0
    honest = predicted(METHODS[name], past, past["value"])
    leaky = predicted(METHODS[name], rfm_summary(log, AS_OF).set_index("customer_id"), past["value"])
    gap = {what: p[wins].mean() / p[~wins].mean() for what, p in (("honest", honest), ("leaky", leaky))}
    assert 0.93 < gap["honest"] < 1.07
    assert gap["leaky"] > 2


def test_no_feature_of_an_origin_changes_with_what_comes_later() -> None:
    """Later rows are multiplied, moved, taken away; the summary of then stays what it was, to the bit."""
    log, _ = shop_with_a_jackpot()
    later = log.date > pd.Timestamp(ORIGIN)
    ways = {
        "amounts": log.assign(amount=log.amount.where(~later, log.amount * 1e3 + 7)),
        "dates": log.assign(date=log.date.where(~later, pd.Timestamp(AS_OF))),
        "none": log[~later],
        "more": pd.concat([log, log[later].assign(date=pd.Timestamp(AS_OF))]),
        "others": log.assign(customer_id=log.customer_id.where(~later, log.customer_id + 100_000)),
    }
    recorded = {"litt": True, "recent": 13.0}
    plain = training_set(log, AS_OF, WEEKS, **recorded)
    features = [c for c in plain.columns if c not in ("transactions", "value")]
    assert {"x", "t_x", "T", "spend", "litt", "recent_transactions", "recent_value"} <= set(features)
    for way, other in ways.items():
        changed = training_set(other, AS_OF, WEEKS, **recorded)
        pd.testing.assert_frame_equal(changed[features], plain[features], check_exact=True)
        assert changed["value"].sum() != plain["value"].sum() or way == "dates"


def test_labels_of_every_origin_had_come_true_before_the_next_summary_was_taken() -> None:
    """With several origins, a row of the older one is not told what the younger one knows."""
    log, _ = shop_with_a_jackpot()
    past = training_set(log, AS_OF, WEEKS, origins=2)
    older = past[past.origin == past.origin.min()]
    cut = pd.Timestamp(ORIGIN) - pd.Timedelta(weeks=WEEKS)
    alone = training_set(log[log.date <= pd.Timestamp(ORIGIN)], ORIGIN, WEEKS)
    pd.testing.assert_frame_equal(older.reset_index(drop=True), alone.reset_index(drop=True))
    assert (older.origin == cut).all()
