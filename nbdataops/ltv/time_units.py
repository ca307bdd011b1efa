"""Time units of summaries, models and horizons: stated once, compared everywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias, cast

import numpy as np

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import LtvInputError, require_number

TimeUnit: TypeAlias = Literal["day", "week", "month", "year"]

DAYS_PER: dict[str, float] = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}
"""Days in a time unit; a month is a twelfth of a mean year, since a model's time has no calendar."""

ATTRIBUTE = "time_unit"
"""Where a summary carries its unit: `frame.attrs["time_unit"]`."""

RECENT = "recent"
"""Where a summary carries how many time units its columns `recent_...` reach back: `frame.attrs["recent"]`."""


def days_per(time_unit: str) -> float:
    """Days in a time unit; an unknown unit is an error."""
    return DAYS_PER[_known(time_unit)]


def unit_of(data: object, declared: str | None, what: str = "rfm") -> TimeUnit | None:
    """The unit of `data` (frame, cells, cohort ages): what it carries, else what was declared; an error if they differ.

    `declared` is the unit of the model (or of its constructor). None: neither says.
    """
    carried = getattr(data, "attrs", {}).get(ATTRIBUTE, getattr(data, ATTRIBUTE, None))
    if declared is not None:
        _known(declared)
    if carried is None:
        return cast("TimeUnit | None", declared)
    if declared is not None and carried != declared:
        raise LtvInputError(
            f"{what} is in {carried}s, the model in {declared}s",
            todo=f"make the summary with time_unit={declared!r}, or fit a model in {carried}s",
        )
    return cast("TimeUnit", _known(carried))


def to_horizon(horizon: object, time_unit: str | None) -> float:
    """A horizon in time units: a number as it is, a timedelta converted; finite or infinite, not negative.

    >>> from datetime import timedelta
    >>> to_horizon(timedelta(days=273), "week")
    39.0
    """
    if isinstance(horizon, timedelta | np.timedelta64):
        if time_unit is None:
            raise LtvInputError(
                "horizon is a length of time, but the model does not know its time unit",
                todo='fit on a summary of rfm_summary, or say time_unit="week" when you make the model',
            )
        value = (
            float(horizon / np.timedelta64(1, "D"))
            if isinstance(horizon, np.timedelta64)
            else horizon / timedelta(days=1)
        )
        value /= days_per(time_unit)
    elif isinstance(horizon, bool | np.bool_) or not isinstance(
        horizon, int | float | np.integer | np.floating
    ):
        raise LtvInputError(
            f"horizon is a {type(horizon).__name__}", todo="give a number of time units, or a timedelta"
        )
    else:
        value = float(horizon)
    if np.isnan(value) or value < 0:
        raise LtvInputError(f"horizon is {value:g}", todo="give a time ahead, zero or more")
    return value


def rate_per_unit(annual_rate: float, time_unit: str) -> float:
    """The discount rate per `time_unit` that compounds to `annual_rate` in a year.

    Raises LtvInputError for an unknown time unit, and for a rate that is no number above -1.

    >>> round(rate_per_unit(0.15, "week"), 6)
    0.002682
    """
    todo = "give the effective rate as a number, e.g. 0.15 for 15 percent a year"
    if require_number(annual_rate, "annual_rate", todo) <= -1:
        raise LtvInputError(f"annual_rate is {annual_rate}, a loss of everything or more", todo=todo)
    return float((1 + annual_rate) ** (days_per(time_unit) / days_per("year")) - 1)


def _known(time_unit: object) -> str:
    if time_unit not in DAYS_PER:
        raise LtvInputError(f"no time unit {time_unit!r}", todo=did_you_mean(str(time_unit), DAYS_PER))
    return str(time_unit)
