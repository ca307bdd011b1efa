"""Labels of earlier origins, without a look ahead."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import LtvInputError, rfm_summary, training_set

from .purchase_logs import AS_OF, random_log

FEATURES = ["x", "t_x", "T", "spend", "total"]


def test_features_are_the_summary_of_then_and_labels_what_followed() -> None:
    log = random_log()
    past = training_set(log, AS_OF, 13, origins=2)
    assert past["origin"].is_monotonic_decreasing
    for origin in (AS_OF - timedelta(weeks=13), AS_OF - timedelta(weeks=26)):
        then = past[past.origin == pd.Timestamp(origin)].set_index("customer_id")
        known = rfm_summary(log[log.date <= pd.Timestamp(origin)], origin).set_index("customer_id")
        pd.testing.assert_frame_equal(then[FEATURES], known[FEATURES])
        end = pd.Timestamp(origin) + pd.Timedelta(weeks=13)
        after = log[(log.date > pd.Timestamp(origin)) & (log.date <= end)].groupby("customer_id")
        np.testing.assert_allclose(then.value, after.amount.sum().reindex(then.index, fill_value=0))
        np.testing.assert_array_equal(
            then.transactions, after.date.nunique().reindex(then.index, fill_value=0)
        )
    assert past.attrs["time_unit"] == "week"


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 40), st.sampled_from([-20.0, -1.5, 0.0, 1.5, 20.0])),
        min_size=1,
    ),
    horizon=st.integers(1, 39),
    zero=st.sampled_from(["keep", "drop"]),
    returns=st.sampled_from(["net", "drop"]),
)
def test_what_was_known_and_what_followed_add_up_to_what_is_known_today(
    rows, horizon: int, zero: str, returns: str
) -> None:
    """Whatever the rules: transactions and their value are counted once, before the origin or after it."""
    log = pd.DataFrame([*rows, (9, 0, 1.0)], columns=["customer_id", "day", "amount"])
    log["date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(log["day"], unit="D")
    as_of, rules = date(2024, 2, 10), {"zero": zero, "returns": returns}
    past = training_set(log, as_of, horizon, time_unit="day", **rules).set_index("customer_id")
    today = rfm_summary(log, as_of, time_unit="day", **rules).set_index("customer_id")
    origin = pd.Timestamp(as_of) - pd.Timedelta(days=horizon)
    assert past.index.tolist() == today.index[today["first"] <= origin].tolist()
    today = today.loc[past.index]
    np.testing.assert_array_equal(past["x"] + past["transactions"], today["x"])
    np.testing.assert_allclose(
        past["x"] * past["spend"] + past["value"], today["x"] * today["spend"], atol=1e-9
    )


def test_what_happened_after_an_origin_reaches_no_feature_of_it() -> None:
    log = random_log()
    origin = pd.Timestamp(AS_OF - timedelta(weeks=13))
    later = log.date > origin
    other = log.assign(amount=np.where(later, 7.0 * log.amount + 1, log.amount))
    other = other.drop(other.index[later][::3])
    one, two = (training_set(each, AS_OF, 13) for each in (log, other))
    pd.testing.assert_frame_equal(one[["customer_id", *FEATURES]], two[["customer_id", *FEATURES]])
    assert not one.value.equals(two.value)


def test_a_log_that_knows_the_future_is_refused() -> None:
    with pytest.raises(LtvInputError, match="after as_of"):
        training_set(random_log(), AS_OF - timedelta(days=60), 13)


def test_too_little_history_says_which_date_would_suffice() -> None:
    log = random_log()
    first = log.date.min().date()
    with pytest.raises(LtvInputError, match=r"the log begins on .*, after the earliest origin") as caught:
        training_set(log, AS_OF, 52, origins=2)
    enough = first + timedelta(weeks=104)
    assert str(enough) in caught.value.todo
    assert len(training_set(log, enough, 52, origins=2))
    with pytest.raises(LtvInputError, match="after the earliest origin"):
        training_set(log, enough - timedelta(days=1), 52, origins=2)


def test_a_horizon_may_be_a_length_of_time_and_must_be_whole_days() -> None:
    log = random_log()
    pd.testing.assert_frame_equal(
        training_set(log, AS_OF, timedelta(weeks=13)),
        training_set(log, AS_OF, 91, time_unit="day").assign(**training_set(log, AS_OF, 13)[["t_x", "T"]]),
    )
    for wrong in (0.3, 0, float("inf")):
        with pytest.raises(LtvInputError, match="horizon"):
            training_set(log, AS_OF, wrong)
    for wrong in (0, 1.5, True, float("nan"), "2"):
        with pytest.raises(LtvInputError, match="origins"):
            training_set(log, AS_OF, 13, origins=wrong)


def test_options_of_the_summary_go_through() -> None:
    past = training_set(random_log(returns=True), date(2024, 6, 30), 13, returns="net", litt=True, recent=13)
    assert {"litt", "recent_value"} <= set(past.columns)
