"""Dates moved by days, weeks, calendar months and years."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.errors import SpecError
from nbdataops.product.durations import TIME_UNITS, Duration, TimeUnit, parse_duration, shift

units = st.sampled_from(TIME_UNITS)
days = st.dates(date(1000, 1, 1), date(3000, 12, 31))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13 weeks", Duration(13, "week")),
        ("1 week", Duration(1, "week")),
        ("0 days", Duration(0, "day")),
        (" 2  months ", Duration(2, "month")),
        ("1 year", Duration(1, "year")),
    ],
)
def test_durations_are_read_as_they_are_written(text: str, expected: Duration) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "13", "weeks", "13weeks", "-1 day", "1.5 days", "3 quarters", "1 day 2 weeks"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration(text)


@given(st.integers(0, 999_999), units)
def test_a_duration_reads_back_from_its_text(count: int, unit: TimeUnit) -> None:
    assert parse_duration(str(Duration(count, unit))) == Duration(count, unit)


@pytest.mark.parametrize(
    ("day", "count", "unit", "expected"),
    [
        (date(1997, 9, 30), 39, "week", date(1998, 6, 30)),
        (date(2024, 1, 31), 1, "month", date(2024, 2, 29)),
        (date(2023, 1, 31), 1, "month", date(2023, 2, 28)),
        (date(2024, 1, 31), 2, "month", date(2024, 3, 31)),
        (date(2024, 3, 31), -1, "month", date(2024, 2, 29)),
        (date(2024, 2, 29), 1, "year", date(2025, 2, 28)),
        (date(2024, 2, 29), 4, "year", date(2028, 2, 29)),
        (date(2024, 2, 29), -1, "year", date(2023, 2, 28)),
        (date(2100, 1, 29), 1, "month", date(2100, 2, 28)),
        (date(2023, 12, 31), 2, "month", date(2024, 2, 29)),
        (date(2024, 1, 15), -13, "month", date(2022, 12, 15)),
        (date(2024, 2, 29), 366, "day", date(2025, 3, 1)),
    ],
)
def test_months_and_years_are_those_of_the_calendar(
    day: date, count: int, unit: TimeUnit, expected: date
) -> None:
    assert shift(day, count, unit) == expected


@given(days, st.integers(-2000, 2000))
def test_days_and_weeks_are_exact(day: date, count: int) -> None:
    assert (shift(day, count, "day") - day).days == count
    assert (shift(day, count, "week") - day).days == 7 * count


@given(days, st.integers(0, 500), units)
def test_there_and_back_never_lands_later(day: date, count: int, unit: TimeUnit) -> None:
    duration = Duration(count, unit)

    assert duration.after(duration.before(day)) <= day
    assert duration.before(day, 2) <= duration.before(day) <= day <= duration.after(day)


@pytest.mark.parametrize(
    ("count", "unit"), [(10**6, "day"), (-(10**9), "week"), (10**5, "month"), (-3000, "year")]
)
def test_a_date_that_does_not_exist_is_an_error(count: int, unit: TimeUnit) -> None:
    with pytest.raises(SpecError, match="leaves the years 1 to 9999") as caught:
        shift(date(2020, 1, 1), count * 5, unit)

    assert caught.value.todo
