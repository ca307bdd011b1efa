"""What the calendar does to purchases: seasons, days of the week, shocks; and the clock that runs accordingly.

A customer's own process runs on a clock that is fast on busy days and slow on others, the same for everybody. A shop
draws purchases on the clock and reads the dates off it; expectations over a window are those of the process over what
the clock passes in it, exactly, since the factor is constant within a day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

import numpy as np

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.summary.purchase_log import day_number


@dataclass(frozen=True, slots=True)
class Calendar:
    """Factors on everybody's rate of purchases, by day; leaving at a time of one's own is not touched.

    `months`: factor by month (1 January, ...). `weekdays`: factor by day of the week (0 Monday, ..., 6 Sunday).
    `shocks`: factor from that date on, e.g. {date(2024, 3, 1): 0.6} for good; a second one of 1 / 0.6 ends it. All
    multiply; what is not named is 1, the rate of the process. A factor of 0 is a day without purchases.

    >>> from datetime import date
    >>> december = Calendar(months={12: 2.0}, shocks={date(2024, 12, 31): 0.5})
    >>> december.factors(date(2024, 11, 30), 3).tolist(), december.factors(date(2024, 12, 30), 3).tolist()
    ([1.0, 2.0, 2.0], [2.0, 1.0, 0.5])
    """

    months: Mapping[int, float] = field(default_factory=dict)
    weekdays: Mapping[int, float] = field(default_factory=dict)
    shocks: Mapping[date, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, factors, known in (
            ("months", self.months, range(1, 13)),
            ("weekdays", self.weekdays, range(7)),
        ):
            for key in factors:
                if key not in known:
                    raise LtvInputError(
                        f"{name} names {key!r}", todo=f"count {name} from {known[0]} to {known[-1]}"
                    )
        for day in self.shocks:
            day_number(day)
        for factor in (*self.months.values(), *self.weekdays.values(), *self.shocks.values()):
            if not 0 <= factor < np.inf:
                raise LtvInputError(
                    f"a factor of the calendar is {factor}", todo="give finite factors, 0 or more"
                )

    def factors(self, start: date, days: int) -> FloatArray:
        """The factor of each of so many days from `start` on."""
        day = np.datetime64(day_number(start), "D") + np.arange(days)
        month = day.astype("datetime64[M]").astype(np.int64) % 12 + 1
        weekday = (day.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
        factor = np.ones(days)
        for number, value in self.months.items():
            factor[month == number] *= value
        for number, value in self.weekdays.items():
            factor[weekday == number] *= value
        for begin, value in self.shocks.items():
            factor[day >= np.datetime64(day_number(begin), "D")] *= value
        return factor


class Clock:
    """The clock of a calendar: what it passes between two moments, counted in days from `start`."""

    def __init__(self, calendar: Calendar, start: date, days: int) -> None:
        self._factor = calendar.factors(start, days)
        self._total = np.concatenate([[0.0], np.cumsum(self._factor)])
        self._day = np.arange(days + 1, dtype=np.float64)

    def at(self, moment: FloatArray) -> FloatArray:
        """What the clock shows."""
        return np.asarray(np.interp(moment, self._day, self._total))

    def moment(self, shown: FloatArray) -> FloatArray:
        """When the clock shows this."""
        return np.asarray(np.interp(shown, self._total, self._day))

    def stretches(self, begin: float, end: float) -> list[tuple[float, float, float]]:
        """(from, to, factor) of the stretches in which the factor does not change, counted from `begin`."""
        first, last = int(begin), min(int(np.ceil(end)), len(self._factor))
        changes = np.flatnonzero(np.diff(self._factor[first:last])) + first + 1
        ends = [begin, *changes.tolist(), end]
        return [(a - begin, b - begin, float(self._factor[int(a)])) for a, b in pairwise(ends) if b > a]
