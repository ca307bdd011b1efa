from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.ltv import LtvInputError, cohort_ages, rfm_cells, rfm_summary

from .purchase_logs import random_log

AS_OF = date(1997, 3, 1)
LOG = pd.DataFrame(
    {
        "customer_id": [2, 1, 1, 1, 2, 3, 1],
        "date": pd.to_datetime(
            [
                "1997-01-10",
                "1997-01-01",
                "1997-01-08",
                "1997-01-08 23:59",
                "1997-01-10",
                "1997-03-01",
                "1997-01-22",
            ],
            format="ISO8601",
        ),
        "amount": [5.0, 10.0, 3.0, 4.0, 2.0, 8.0, 1.0],
    }
)


def by_hand(
    log: pd.DataFrame, as_of: date, unit: float, zero: str = "keep", returns: str = "refuse"
) -> pd.DataFrame:
    """The same summary, written for one customer and one day at a time."""
    rows = []
    for customer, own in log.groupby("customer_id"):
        if zero == "drop":
            own = own[own["amount"] != 0]
        if returns == "drop":
            own = own[own["amount"] >= 0]
        days = {}
        for day, amounts in own.groupby(own["date"].dt.date)["amount"]:
            if amounts.min() >= 0 or amounts.sum() > 0:
                days[day] = amounts.sum()
        if not days:
            continue
        first, last = min(days), max(days)
        later = [amount for day, amount in days.items() if day > first]
        rows.append(
            {
                "customer_id": customer,
                "x": len(later),
                "t_x": (last - first).days / unit,
                "T": (as_of - first).days / unit,
                "spend": np.mean(later) if later else 0.0,
                "first": pd.Timestamp(first),
                "total": own["amount"].sum(),
            }
        )
    return pd.DataFrame(rows)


def test_a_small_log_is_summarised_as_by_hand() -> None:
    summary = rfm_summary(LOG, AS_OF)
    assert summary.columns.tolist() == ["customer_id", "x", "t_x", "T", "spend", "first", "total"]
    assert summary["customer_id"].tolist() == [1, 2, 3]
    assert summary["x"].tolist() == [2, 0, 0]
    assert summary["t_x"].tolist() == [3.0, 0.0, 0.0]
    assert summary["T"].tolist() == [59 / 7, 50 / 7, 0.0]
    assert summary["spend"].tolist() == [4.0, 0.0, 0.0]
    assert summary["total"].tolist() == [18.0, 7.0, 8.0]
    assert summary["first"].dt.date.tolist() == [date(1997, 1, 1), date(1997, 1, 10), date(1997, 3, 1)]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 40), st.sampled_from([-20.0, -1.5, 0.0, 1.5, 20.0])),
        min_size=1,
    ),
    zero=st.sampled_from(["keep", "drop"]),
    returns=st.sampled_from(["refuse", "net", "drop"]),
)
def test_any_log_is_summarised_as_by_hand(rows, zero: str, returns: str) -> None:
    log = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    if returns == "refuse":
        log["amount"] = log["amount"].abs()
    log["date"] = pd.Timestamp("1997-01-01") + pd.to_timedelta(log["day"], unit="D")
    as_of = date(1997, 1, 1) + timedelta(days=45)
    expected = by_hand(log, as_of, 7.0, zero, returns)
    if expected.empty:
        with pytest.raises(LtvInputError, match="the rules for zero amounts and returns left nothing"):
            rfm_summary(log, as_of, zero=zero, returns=returns)
        return
    summary = rfm_summary(log, as_of, zero=zero, returns=returns)
    pd.testing.assert_frame_equal(summary, expected, check_dtype=False)
    rfm_cells(summary)  # every summary is one that the models take


@pytest.mark.parametrize(("unit", "days"), [("day", 1), ("week", 7), ("month", 30.4375), ("year", 365.25)])
def test_time_is_counted_in_the_unit_asked_for(unit, days: float) -> None:
    pd.testing.assert_frame_equal(
        rfm_summary(LOG, AS_OF, time_unit=unit), by_hand(LOG, AS_OF, days), check_dtype=False
    )


def test_names_of_columns_are_the_callers() -> None:
    renamed = LOG.rename(columns={"customer_id": "user", "date": "when", "amount": "sales"})
    summary = rfm_summary(renamed, AS_OF, entity="user", date="when", amount="sales")
    assert summary.columns[0] == "user"
    assert summary["x"].tolist() == [2, 0, 0]


def test_keys_may_be_text() -> None:
    summary = rfm_summary(LOG.assign(customer_id=LOG["customer_id"].map({1: "b", 2: "a", 3: "c"})), AS_OF)
    assert summary["customer_id"].tolist() == ["a", "b", "c"]
    assert summary["x"].tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    "log",
    [
        pa.Table.from_pandas(LOG),
        pa.Table.from_pandas(LOG.assign(date=LOG["date"].dt.date)),
        pa.Table.from_pandas(LOG).to_pandas(types_mapper=pd.ArrowDtype),
        pa.Table.from_pandas(LOG.assign(date=LOG["date"].dt.date)).to_pandas(types_mapper=pd.ArrowDtype),
        LOG.assign(date=LOG["date"].dt.date),
        LOG.assign(date=LOG["date"].dt.tz_localize("America/New_York")),
        LOG.assign(date=LOG["date"].astype("datetime64[s]")),
    ],
    ids=["arrow", "arrow dates", "arrow dtypes", "arrow date dtypes", "dates", "time zone", "seconds"],
)
def test_arrow_dates_and_time_zones_give_the_same_summary(log: object) -> None:
    expected = rfm_summary(LOG, AS_OF)
    given_ = rfm_summary(log, AS_OF)
    np.testing.assert_array_equal(
        given_.drop(columns="first").to_numpy(float), expected.drop(columns="first")
    )
    assert given_["first"].tolist() == expected["first"].tolist()


def test_zero_amounts_count_unless_they_are_dropped() -> None:
    free = pd.DataFrame(
        {"customer_id": [1, 9], "date": pd.to_datetime(["1997-02-01", "1997-02-01"]), "amount": 0.0}
    )
    log = pd.concat([LOG, free])
    kept, dropped = rfm_summary(log, AS_OF), rfm_summary(log, AS_OF, zero="drop")
    assert kept["customer_id"].tolist() == [1, 2, 3, 9]
    assert kept["x"].tolist() == [3, 0, 0, 0]
    pd.testing.assert_frame_equal(dropped, rfm_summary(LOG, AS_OF))


def test_a_return_comes_off_its_day_and_a_day_without_a_rest_is_no_purchase() -> None:
    days = pd.to_datetime(["1997-01-01", "1997-01-08", "1997-01-08", "1997-01-15", "1997-01-15"])
    log = pd.DataFrame({"customer_id": 1, "date": days, "amount": [10.0, 8.0, -3.0, 4.0, -6.0]})
    log = pd.concat([log, log[-2:].assign(customer_id=2, amount=[5.0, -5.0])], ignore_index=True)
    columns = ["customer_id", "x", "t_x", "spend", "total"]
    netted = rfm_summary(log, AS_OF, returns="net", recent=7)
    assert netted[columns].values.tolist() == [[1, 1, 1.0, 5.0, 13.0]]
    assert netted[["recent_transactions", "recent_value"]].values.tolist() == [[0, 0.0]]
    dropped = rfm_summary(log, AS_OF, returns="drop")
    assert dropped[columns].values.tolist() == [[1, 2, 2.0, 6.0, 22.0], [2, 0, 0.0, 0.0, 5.0]]
    with pytest.raises(LtvInputError, match=r"amount is negative in 3 rows of 7 \(2, 4, 6\)") as caught:
        rfm_summary(log, AS_OF)
    assert 'returns="net"' in caught.value.todo
    with pytest.raises(LtvInputError, match="returns is 'nett'"):
        rfm_summary(log, AS_OF, returns="nett")


def test_a_day_that_is_returned_in_full_is_none_although_cents_do_not_add_up_to_zero() -> None:
    bought = [-0.3, 0.1, 0.1, 0.1]
    assert sum(bought) > 0
    days = pd.to_datetime(["1997-01-01"] + ["1997-01-08"] * len(bought))
    log = pd.DataFrame({"customer_id": 1, "date": days, "amount": [10.0, *bought]})
    assert rfm_summary(log, AS_OF, returns="net")[["x", "total"]].values.tolist() == [[0, 10.0]]


def test_litt_is_the_sum_of_the_logarithms_of_the_gaps() -> None:
    log = random_log(400)
    summary = rfm_summary(log, date(2024, 6, 30), litt=True).set_index("customer_id")
    for customer, own in log.groupby("customer_id"):
        gaps = own["date"].drop_duplicates().sort_values().diff().dropna() / pd.Timedelta(weeks=1)
        assert summary["litt"][customer] == pytest.approx(float(np.log(gaps).sum()))


def test_recent_counts_the_last_time_units_up_to_as_of() -> None:
    log, as_of = random_log(400), date(2024, 6, 30)
    log = pd.concat([log, log[:2].assign(date=pd.to_datetime(["2024-03-31", "2024-04-01"]))])  # day 92 and 91
    summary = rfm_summary(log, as_of, recent=13).set_index("customer_id")
    late = log[log["date"] >= "2024-04-01"].groupby("customer_id")
    value = late["amount"].sum().reindex(summary.index, fill_value=0)
    transactions = late["date"].nunique().reindex(summary.index, fill_value=0)
    np.testing.assert_allclose(summary["recent_value"], value)
    np.testing.assert_array_equal(summary["recent_transactions"], transactions)
    for wrong in (0, -1, float("inf"), float("nan"), "13", True, timedelta(weeks=13)):
        with pytest.raises(LtvInputError, match="recent"):
            rfm_summary(log, as_of, recent=wrong)


def test_rows_after_as_of_are_a_leak() -> None:
    with pytest.raises(LtvInputError, match=r"date is after as_of 1997-02-28 in 1 row of 7 \(5\)") as caught:
        rfm_summary(LOG, date(1997, 2, 28))
    assert "cut the log" in caught.value.todo


def test_as_of_means_the_end_of_the_day() -> None:
    late = LOG.assign(date=LOG["date"] + pd.Timedelta(hours=12))
    assert rfm_summary(late, AS_OF)["T"].iloc[2] == 0
    assert rfm_summary(LOG, datetime(1997, 3, 1, 5))["T"].iloc[2] == 0


@pytest.mark.parametrize(
    ("spoil", "options", "what"),
    [
        (lambda d: d.iloc[:0], {}, "no rows"),
        (lambda d: d.drop(columns="amount"), {}, "no column 'amount'"),
        (lambda d: d, {"amount": "amounts"}, "no column 'amounts'"),
        (lambda d: d.assign(amount=-d["amount"]), {}, "amount is negative"),
        (lambda d: d.assign(amount=np.nan), {}, "amount is missing"),
        (lambda d: d.assign(amount=np.inf), {}, "amount is infinite"),
        (lambda d: d.assign(amount="5"), {}, "not numbers"),
        (lambda d: d.assign(amount=0.0), {"zero": "drop"}, "no rows"),
        (lambda d: d.assign(customer_id=[1, None, 1, 1, 2, 3, 1]), {}, "customer_id is missing in 1 row"),
        (lambda d: d.assign(date=pd.NaT), {}, "date is missing"),
        (lambda d: d.assign(date="1997-01-01"), {}, "not dates"),
        (lambda d: d.assign(date=19970101), {}, "not dates"),
        (lambda d: d, {"time_unit": "weeks"}, "no time unit 'weeks'"),
        (lambda d: d, {"zero": "ignore"}, "zero is 'ignore'"),
        (lambda d: d.to_numpy(), {}, "purchases is a ndarray"),
    ],
)
@pytest.mark.parametrize("summarise", [rfm_summary, cohort_ages])
def test_an_impossible_log_is_refused(summarise, spoil, options: dict[str, str], what: str) -> None:
    with pytest.raises(LtvInputError, match=what):
        summarise(spoil(LOG), AS_OF, **options)


def test_as_of_must_be_a_date() -> None:
    with pytest.raises(LtvInputError, match="as_of is a str"):
        rfm_summary(LOG, "1997-03-01")  # type: ignore[arg-type]
