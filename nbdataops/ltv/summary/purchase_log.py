"""A log of purchases as rows sorted by customer and day, checked: what every summary is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    refuse,
    require_columns,
    require_rows,
    to_floats,
)

ZeroRule: TypeAlias = Literal["keep", "drop"]
ReturnsRule: TypeAlias = Literal["refuse", "net", "drop"]
BoolArray: TypeAlias = NDArray[np.bool_]

ROWS_IN_MEMORY = 2_000_000
"""A frame or table with more rows than this is sorted by DuckDB, like a log in files."""


@dataclass(frozen=True, slots=True)
class LogRules:
    """The columns of a log, what a row of amount 0 is, what a negative amount is: see `rfm_summary`."""

    entity: str
    date: str
    amount: str
    zero: ZeroRule = "keep"
    returns: ReturnsRule = "refuse"

    def __post_init__(self) -> None:
        for name, rule, known in (
            ("zero", self.zero, ("keep", "drop")),
            ("returns", self.returns, ("refuse", "net", "drop")),
        ):
            if rule not in known:
                raise LtvInputError(f"{name} is {rule!r}", todo=did_you_mean(str(rule), known))

    @property
    def columns(self) -> list[str]:
        return [self.entity, self.date, self.amount]

    def kept(self, value: FloatArray) -> BoolArray:
        """Rows that count, by their amounts."""
        keep = np.ones(len(value), dtype=bool)
        if self.zero == "drop":
            keep &= value != 0
        if self.returns == "drop":
            keep &= value >= 0
        return keep


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Rows of a log, sorted by customer and day, of whole customers.

    customers: index, sorted. of_row: position in it, by row. day: days since 1970-01-01. value: amount.
    """

    customers: pd.Index
    of_row: IntArray
    day: IntArray
    value: FloatArray


def sorted_rows(purchases: object, as_of: date, rules: LogRules, memory_limit: str) -> Iterator[SortedRows]:
    """The log in parts of whole customers, in the order of customers; one part if it fits into memory.

    Raises LtvInputError for a missing column, key, date or amount, an infinite amount, a negative one unless the rules
    say what it is, and for rows after `as_of`: a summary never sees the future.
    """
    last = day_number(as_of)
    frame = _in_memory(purchases, rules)
    if frame is not None:
        yield _sorted_frame(frame, last, as_of, rules)
        return
    from nbdataops.ltv.summary.log_stream import sorted_stream  # late: DuckDB and Arrow

    yield from sorted_stream(_arrow(purchases, rules), last, as_of, rules, memory_limit)


def problems(
    no_customer: BoolArray,
    no_day: BoolArray,
    day: IntArray,
    value: FloatArray,
    last: int,
    as_of: date,
    rules: LogRules,
) -> Iterator[tuple[BoolArray, str, str]]:
    """What can be wrong with rows: which rows have it, what it is, and what to do."""
    yield no_customer, f"{rules.entity} is missing", "every purchase needs its customer"
    yield no_day, f"{rules.date} is missing", "every purchase needs its date"
    yield np.isnan(value), f"{rules.amount} is missing", "drop these rows or fill them before the fit"
    yield np.isinf(value), f"{rules.amount} is infinite", "look for a division by zero upstream"
    if rules.returns == "refuse":
        yield (
            value < 0,
            f"{rules.amount} is negative",
            'say what a return is: returns="net" (off the day\'s amount) or "drop"',
        )
    yield (
        (day > last) & ~no_day,
        f"{rules.date} is after as_of {as_of}",
        "cut the log at as_of first: what came later must not reach a forecast",
    )


def day_number(as_of: date) -> int:
    """Days since 1970-01-01."""
    if not isinstance(as_of, date) or pd.isna(as_of):  # NaT is a date to isinstance
        raise LtvInputError(
            f"as_of is a {type(as_of).__name__}, not a date", todo="give datetime.date(1997, 9, 30)"
        )
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    return int(np.datetime64(day, "D").astype(np.int64))


def _in_memory(purchases: object, rules: LogRules) -> pd.DataFrame | None:
    """A frame with the columns of the log; None for what is to be streamed."""
    if hasattr(purchases, "to_pandas") and hasattr(purchases, "column_names"):  # an Arrow table
        table: Any = purchases
        require_columns(pd.DataFrame(columns=list(table.column_names)), rules.columns, "purchases")
        if table.num_rows > ROWS_IN_MEMORY:
            return None
        purchases = _without_decimals(table.select(rules.columns)).to_pandas(date_as_object=False)
    if not isinstance(purchases, pd.DataFrame):
        return None
    require_columns(purchases, rules.columns, "purchases")
    require_rows(purchases.index, "purchases")
    return purchases if len(purchases) <= ROWS_IN_MEMORY else None


def _without_decimals(table: Any) -> Any:
    """Decimals as doubles: pandas would hold them as Python objects."""
    import pyarrow as pa

    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
    return table


def _arrow(purchases: object, rules: LogRules) -> object:
    """A large frame as an Arrow table, mostly without a copy; anything else as it is."""
    if not isinstance(purchases, pd.DataFrame):
        return purchases
    import pyarrow as pa

    return pa.Table.from_pandas(purchases[rules.columns], preserve_index=False)


def _sorted_frame(frame: pd.DataFrame, last: int, as_of: date, rules: LogRules) -> SortedRows:
    key = frame[rules.entity]
    day, no_day = _days(frame[rules.date], rules.date)
    value = to_floats(frame[rules.amount], rules.amount)
    no_customer = key.isna().to_numpy(bool)
    for bad, what, todo in problems(no_customer, no_day, day, value, last, as_of, rules):
        refuse(bad, frame.index, what, todo)
    keep = rules.kept(value)
    if not keep.all():
        key, day, value = key[keep], day[keep], value[keep]
    code, customers = pd.factorize(key, sort=True)
    of_row = code.astype(np.int64)
    if len(day):
        start = int(day.min())
        both = of_row * (last - start + 1) + (day - start)
        if (both[1:] < both[:-1]).any():
            order = np.argsort(both)
            of_row, day, value = of_row[order], day[order], value[order]
    return SortedRows(pd.Index(customers, name=rules.entity), of_row, day, value)


def _days(column: pd.Series, name: str) -> tuple[IntArray, BoolArray]:
    """Days since 1970-01-01, and where there is none. A time zone is dropped after the day was read on its own clock."""
    is_date = pd.api.types.is_datetime64_any_dtype(column.dtype) or "date" in str(column.dtype)
    if pd.api.types.is_object_dtype(column.dtype):
        is_date = all(isinstance(value, date) for value in column.dropna().unique())
    if not is_date and not str(column.dtype).startswith("timestamp"):  # the dtype's name in Arrow
        raise LtvInputError(
            f"{name} holds {column.dtype}, not dates",
            todo=f"convert it first: pd.to_datetime(frame[{name!r}])",
        )
    moments = pd.to_datetime(column)
    if getattr(moments.dt, "tz", None) is not None:
        moments = moments.dt.tz_localize(None)
    return moments.to_numpy().astype("datetime64[D]").astype(np.int64), moments.isna().to_numpy(bool)
