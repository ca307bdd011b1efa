"""Grouping of millions of customers by small whole numbers: codes of counts and of times on a calendar.

Times of a log are whole days divided by the days of a unit, so a time is a small number of days in disguise. Found
and verified once a column, it makes grouping a matter of counting; columns that hide no calendar are hashed. Rows are
worked on in blocks that stay in the processor's cache, since fresh memory costs more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.time_units import DAYS_PER

BLOCK = 1 << 15
"""Rows that are worked on at a time."""
MOST_CODES = 1 << 20
"""More codes than this are not tried as a calendar."""
SPARSE = 64
"""Combinations of codes a row above which hashing is faster than a table."""
LARGEST_TABLE = 1 << 26
"""Combinations of codes above which a table would take too much memory, whatever the number of rows."""
SAME_DAY = 1e-6
"""How far from a whole day, in days, a time may be by rounding."""


class Codes(Protocol):
    """A column as whole numbers that point into `values`, which are sorted."""

    @property
    def values(self) -> FloatArray: ...

    def of(self, rows: slice) -> NDArray[np.int32]:
        """The codes of these rows."""
        ...


@dataclass(frozen=True, slots=True)
class Calendar:
    """Times that are whole days in disguise, or counts where `days` is 1: codes are computed when they are asked for."""

    column: NDArray[np.float64] | NDArray[np.integer]
    days: float
    width: int

    @property
    def values(self) -> FloatArray:
        return np.arange(self.width) / self.days

    def of(self, rows: slice) -> NDArray[np.int32]:
        block = self.column[rows]
        if block.dtype.kind == "f":  # a hair below a whole day is that day
            block = np.rint(block if self.days == 1 else block * self.days)
        return block.astype(np.int32)


@dataclass(frozen=True, slots=True)
class Hashed:
    """The distinct values of any column, and which one each row has."""

    values: FloatArray
    of_row: NDArray[np.int32]

    def of(self, rows: slice) -> NDArray[np.int32]:
        return self.of_row[rows]


def codes_of(column: NDArray[np.float64] | NDArray[np.integer], whole: bool = False) -> Codes:
    """Codes of a column of numbers that are finite and not negative; `whole` ones are their own."""
    largest = float(column.max(initial=0))
    for days in (1.0,) if whole else DAYS_PER.values():
        if largest * days < MOST_CODES and (whole or _is_calendar(column, days)):
            return Calendar(column, days, round(largest * days) + 1)
    of_row, values = _sorted_codes(column)
    return Hashed(np.asarray(values, dtype=np.float64), of_row)


def group(columns: Sequence[Codes], rows: int) -> tuple[NDArray[np.int32], list[IntArray]]:
    """The group of every row, and for every group, in the order of the codes, its code in each column."""
    widths = [max(len(c.values), 1) for c in columns]
    combinations = float(np.prod([float(w) for w in widths]))
    if combinations >= 2**62:  # one number cannot hold them: the first columns become one
        first, distinct = group(columns[:-1], rows)
        both = Hashed(np.arange(len(distinct[0]), dtype=np.float64), first)
        of_row, (of_first, of_last) = group([both, columns[-1]], rows)
        return of_row, [*(d[of_first] for d in distinct), of_last]
    if combinations > min(SPARSE * max(rows, 1), LARGEST_TABLE):
        key = np.empty(rows, dtype=np.int64)
        for block in _blocks(rows):
            _pack(columns, widths, block, key)
        of_row, present = _sorted_codes(key)
        return of_row, _split(present, widths)
    of_row, taken = np.empty(rows, dtype=np.int32), np.zeros(int(combinations), dtype=np.bool_)
    for block in _blocks(rows):
        _pack(columns, widths, block, of_row)
        taken[of_row[block]] = True
    present = np.flatnonzero(taken)
    rank = np.empty(len(taken), dtype=np.int32)
    rank[present] = np.arange(len(present), dtype=np.int32)
    for block in _blocks(rows):
        of_row[block] = rank[of_row[block]]
    return of_row, _split(present, widths)


def group_sums(of_row: NDArray[np.int32], weight: FloatArray | None, groups: int) -> FloatArray:
    """The weights of the rows of each group, added up; None: every row weighs 1."""
    sums = np.zeros(groups)
    size = max(BLOCK, 8 * groups)  # `bincount` copies what it counts as larger numbers: not all rows at once
    for start in range(0, len(of_row), size):
        rows = slice(start, start + size)
        sums += np.bincount(of_row[rows], None if weight is None else weight[rows], minlength=groups)
    return sums


def _sorted_codes(column: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Which of the sorted distinct values each row has."""
    of_row, distinct = pd.factorize(column)
    order = np.argsort(distinct)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[of_row], np.asarray(distinct)[order]


def _pack(columns: Sequence[Codes], widths: Sequence[int], rows: slice, key: NDArray[Any]) -> None:
    """Write one number for each combination of codes into these rows of `key`."""
    block = key[rows]
    block[:] = columns[0].of(rows)
    for column, width in zip(columns[1:], widths[1:], strict=True):
        block *= width
        block += column.of(rows)


def _split(keys: IntArray, widths: Sequence[int]) -> list[IntArray]:
    parts = []
    for width in reversed(widths[1:]):
        parts.append(keys % width)
        keys = keys // width
    return [keys, *reversed(parts)]


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(i, i + BLOCK) for i in range(0, rows, BLOCK))


def _is_calendar(column: NDArray[np.float64] | NDArray[np.integer], days: float) -> bool:
    """True if all these times are whole days, but for rounding; the first block refutes most other units.

    Rounding makes no time zero: tiny ones are short times, not day 0.
    """
    for rows in _blocks(len(column)):
        exact = column[rows] * days
        whole = np.rint(exact)
        exact -= whole
        if not max(exact.max(), -exact.min()) < SAME_DAY:
            return False
        if np.count_nonzero(whole) != np.count_nonzero(column[rows]):
            return False
    return True
