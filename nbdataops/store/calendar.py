"""The day on which a row happened: what partitions and cuts are made of.

A day is a day in the snapshot's time zone for timestamps that carry one; timestamps without a zone and plain dates
are taken as they are.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nbdataops.errors import StoreError

_FIRST = (date(1, 1, 1) - date(1970, 1, 1)).days
_LAST = (date(9999, 12, 31) - date(1970, 1, 1)).days


def event_days(column: pa.ChunkedArray, name: str, time_zone: str) -> npt.NDArray[np.int32]:
    """Days since 1970-01-01 of an event-time column. StoreError when it is no date, has nulls, or the zone is unknown."""
    kind = column.type
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise StoreError(
            f"event time column {name!r} has type {kind}; it must be a date or a timestamp",
            todo=f"cast {name!r} before it is written, or declare its type in the data contract",
            code="table",
        )
    if column.null_count:
        raise StoreError(
            f"event time column {name!r} is null in {column.null_count} of {len(column)} rows",
            todo="a row without event time cannot be cut by date: drop such rows, or give them a date",
            code="table",
        )
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        try:
            column = pc.local_timestamp(column.cast(pa.timestamp(kind.unit, tz=time_zone)))
        except pa.ArrowInvalid as error:
            raise StoreError(
                f"time zone {time_zone!r} is not known on this machine",
                todo="use an IANA name such as 'Europe/Berlin'; the system's time zone database must be installed",
                detail=str(error),
                code="table",
            ) from error
    days = pc.cast(column, pa.date32(), safe=False).cast(pa.int32())
    found = np.asarray(days.to_numpy(), dtype=np.int32)
    if len(found) and not (int(found.min()) >= _FIRST and int(found.max()) <= _LAST):
        raise StoreError(
            f"event time column {name!r} holds dates outside of the years 1 to 9999",
            todo="look for placeholder dates and wrong units (seconds read as milliseconds)",
            code="table",
        )
    return found


def as_day(days: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + int(days))


def as_days(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def months(days: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Months since 1970-01 of every day."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_name(month: int) -> str:
    """
    >>> month_name(-1)
    '1969-12'
    """
    year, index = divmod(month + 1970 * 12, 12)
    return f"{year:04d}-{index + 1:02d}"
