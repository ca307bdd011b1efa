"""The arithmetic of the metric contract."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.product.durations import TIME_UNITS, TimeUnit
from nbdataops.product.metric import MetricContract, Population
from nbdataops.product.spec import load_spec
from tests.product.written import PRODUCT, write_product


def contract(unit: TimeUnit = "week", **changes: object) -> MetricContract:
    plain: dict[str, object] = {
        "name": "ltv",
        "entity": "customer_id",
        "population": Population(table="rfm"),
        "value": "revenue",
        "unit": "USD",
        "time_unit": unit,
        "horizon": 39,
        "primary": "methods/naive",
    }
    return MetricContract.model_validate(plain | changes)


@pytest.mark.parametrize(
    ("unit", "horizon", "until"),
    [
        ("day", 7, date(2024, 2, 7)),
        ("week", 39, date(2024, 10, 30)),
        ("month", 1, date(2024, 2, 29)),
        ("month", 12, date(2025, 1, 31)),
        ("year", 1, date(2025, 1, 31)),
    ],
)
def test_until_is_the_last_day_of_the_outcome_window(unit: TimeUnit, horizon: int, until: date) -> None:
    assert contract(unit).until(date(2024, 1, 31), horizon) == until


def test_back_steps_whole_horizons_from_the_same_day() -> None:
    monthly = contract("month")

    assert [monthly.back(date(2024, 3, 31), 1, k) for k in (1, 2, 3)] == [
        date(2024, 2, 29),
        date(2024, 1, 31),
        date(2023, 12, 31),
    ]
    assert contract().back(date(1998, 6, 30), 39) == date(1997, 9, 30)


@given(
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(1, 60),
    st.integers(1, 5),
    st.sampled_from(TIME_UNITS),
)
def test_the_outcome_of_an_earlier_origin_never_reaches_beyond_as_of(
    as_of: date, horizon: int, times: int, unit: TimeUnit
) -> None:
    metric = contract(unit)
    origin = metric.back(as_of, horizon, times)

    assert origin < as_of
    assert metric.until(origin, horizon) <= as_of


@pytest.mark.parametrize(("text", "days"), [("0 days", 0), ("30 days", 30), ("2 weeks", 14)])
def test_returns_settle_after_days_or_weeks(text: str, days: int) -> None:
    assert contract(settles_after=text).settle_days == days


def test_a_contract_is_frozen_and_survives_pickling() -> None:
    metric = contract(components={"transactions": "distinct days"})

    assert pickle.loads(pickle.dumps(metric)) == metric
    with pytest.raises(ValueError, match="frozen"):
        metric.horizon = 3


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("primary: methods/naive", "primary: methods/other", True),
        ("count of distinct days", "number of days with a purchase", True),
        ("horizon: 39", "horizon: 26", False),
        ("unit: USD", "unit: EUR", False),
        ("value: revenue", "value: margin", False),
        ("transactions: count", "orders: count", False),
        ("entity: customer_id", "entity: user_id", False),
        ("cohort: cohort", "cohort: month", False),
        ("horizon: 39", "horizon: 39\n  settles_after: 30 days", False),
        ("horizon: 39", "horizon: 39\n  settles_after: 0 weeks", True),
    ],
)
def test_the_digest_covers_what_makes_numbers_comparable(
    tmp_path: Path, old: str, new: str, same: bool
) -> None:
    assert old in PRODUCT
    before = load_spec(write_product(tmp_path)).metric.digest
    after = load_spec(write_product(tmp_path, base=PRODUCT.replace(old, new))).metric.digest

    assert (before == after) is same
