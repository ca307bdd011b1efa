"""Spans of calendar time such as "13 weeks", and dates moved by them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias, cast, get_args

from nbdataops.errors import SpecError

TimeUnit: TypeAlias = Literal["day", "week", "month", "year"]
TIME_UNITS: tuple[TimeUnit, ...] = get_args(TimeUnit)

_TEXT = re.compile(r"\s*(\d{1,6})\s+(day|week|month|year)s?\s*")


@dataclass(frozen=True, slots=True)
class Duration:
    """A count of days, weeks, calendar months or calendar years."""

    count: int
    unit: TimeUnit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def days(self) -> int | None:
        """The number of days, when it does not depend on the calendar.

        >>> Duration(2, "week").days, Duration(1, "month").days, Duration(0, "month").days
        (14, None, 0)
        """
        if self.count == 0:
            return 0
        return {"day": self.count, "week": 7 * self.count}.get(self.unit)

    def after(self, day: date, times: int = 1) -> date:
        """The date that lies `times` durations later."""
        return shift(day, self.count * times, self.unit)

    def before(self, day: date, times: int = 1) -> date:
        """The date that lies `times` durations earlier."""
        return shift(day, -self.count * times, self.unit)


def parse_duration(text: str) -> Duration:
    """Read "13 weeks", "1 month", "0 days"; ValueError for anything else.

    >>> parse_duration("13 weeks")
    Duration(count=13, unit='week')
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no duration")
    return Duration(int(found[1]), cast(TimeUnit, found[2]))


def shift(day: date, count: int, unit: TimeUnit) -> date:
    """A date moved by days, weeks, calendar months or years; what a shorter month lacks becomes its last day.

    SpecError when the result lies outside of the years 1 to 9999.

    >>> shift(date(2024, 1, 31), 1, "month"), shift(date(2024, 2, 29), 1, "year")
    (datetime.date(2024, 2, 29), datetime.date(2025, 2, 28))
    """
    try:
        if unit in ("day", "week"):
            return day + timedelta(days=count * (7 if unit == "week" else 1))
        months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            raise OverflowError
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    except OverflowError:
        raise SpecError(
            f"{day} moved by {Duration(abs(count), unit)} leaves the years 1 to 9999",
            todo="choose a shorter horizon, or fewer origins",
        ) from None
