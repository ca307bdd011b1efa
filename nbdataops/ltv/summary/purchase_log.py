"""A log of purchases: what its columns and rows mean, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import FloatArray, IntArray, LtvInputError

ZeroRule: TypeAlias = Literal["keep", "drop"]
ReturnsRule: TypeAlias = Literal["refuse", "net", "drop"]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LogRules:
    """The last day that counts, the columns of a log, and what amounts of 0 and below are: see `rfm_summary`."""

    as_of: date
    entity: str
    date: str
    amount: str
    zero: ZeroRule = "keep"
    returns: ReturnsRule = "refuse"

    def __post_init__(self) -> None:
        day_number(self.as_of)
        for name, rule, known in (
            ("zero", self.zero, ("keep", "drop")),
            ("returns", self.returns, ("refuse", "net", "drop")),
        ):
            if rule not in known:
                raise LtvInputError(f"{name} is {rule!r}", todo=did_you_mean(str(rule), known))

    @property
    def columns(self) -> list[str]:
        return [self.entity, self.date, self.amount]

    @property
    def last_day(self) -> int:
        """`as_of` in days since 1970-01-01."""
        return day_number(self.as_of)

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
    """Rows of a log that count, sorted by customer and day; all rows of a customer's day.

    customers: index, sorted. of_row: position in it, by row. day: days since 1970-01-01. value: amount.
    """

    customers: pd.Index
    of_row: IntArray
    day: IntArray
    value: FloatArray


def problems(
    no_customer: BoolArray, no_day: BoolArray, day: IntArray, value: FloatArray, rules: LogRules
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
        (day > rules.last_day) & ~no_day,
        f"{rules.date} is after as_of {rules.as_of}",
        "cut the log at as_of first: what came later must not reach a forecast",
    )


def no_dates(name: str, type_: object, todo: str) -> LtvInputError:
    """The error for a column of dates that holds something else."""
    return LtvInputError(f"{name} holds {type_}, not dates", todo=todo)


def no_keys(name: str, type_: object) -> LtvInputError:
    """The error for a column of customers that cannot be told apart, or not be sorted."""
    return LtvInputError(
        f"{name} holds {type_}, no keys of one kind",
        todo=f"a customer is a number or a text: convert all of {name} to one of them",
    )


def day_number(as_of: date) -> int:
    """Days since 1970-01-01."""
    if not isinstance(as_of, date) or pd.isna(as_of):  # NaT is a date to isinstance
        raise LtvInputError(
            f"as_of is a {type(as_of).__name__}, not a date", todo="give datetime.date(1997, 9, 30)"
        )
    day = as_of.date() if isinstance(as_of, datetime) else as_of
    return int(np.datetime64(day, "D").astype(np.int64))
