"""Grouping of millions of customers by small whole numbers: codes of counts and of times on a calendar.

Times of a log are whole days divided by the days of a unit, so a time is a small number of days in disguise. Found
and verified once a column, it makes grouping a matter of counting; columns that hide no calendar are hashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.time_units import DAYS_PER

BLOCK = 1 << 16
"""Rows that are worked on at a time, so that intermediate results stay in the processor's cache."""
MOST_CODES = 1 << 20
"""More codes than this are not tried as a calendar."""
DENSE = 1 << 24
"""Combinations of codes that are counted in a table, whatever the number of rows."""
SAME_DAY = 1e-6
"""How far from a whole day, in days, a time may be by rounding."""


@dataclass(frozen=True, slots=True)
class Codes:
    """A column as whole numbers: `of_row` points into `values`, which are sorted."""

    of_row: NDArray[np.int32]
    values: FloatArray


def codes_of(column: FloatArray, whole: bool = False) -> Codes:
    """Codes of a column of numbers that are finite and not negative; `whole` ones are their own."""
    if len(column) == 0:
        return Codes(np.zeros(0, dtype=np.int32), np.zeros(0))
    largest = float(column.max())
    for days in (1.0,) if whole else DAYS_PER.values():
        if largest * days < MOST_CODES and _is_calendar(column[:BLOCK], days):
            code = np.empty(len(column), dtype=np.int32)
            if all(_to_days(column[i : i + BLOCK], days, code[i : i + BLOCK]) for i in _blocks(column)):
                return Codes(code, np.arange(int(code.max()) + 1) / days)
    of_row, values = pd.factorize(column)
    order = np.argsort(values)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Codes(rank[of_row], np.asarray(values, dtype=np.float64)[order])


def group(columns: Sequence[Codes]) -> tuple[NDArray[np.int32], list[IntArray]]:
    """The group of every row, and for every group, in the order of the codes, its code in each column."""
    widths = [max(len(c.values), 1) for c in columns]
    rows = len(columns[0].of_row)
    combinations = float(np.prod([float(w) for w in widths]))
    if combinations >= 2**62:  # one number cannot hold them: the first columns become one
        first, distinct = group(columns[:-1])
        both = Codes(first, np.arange(len(distinct[0]), dtype=np.float64))
        of_row, (of_first, of_last) = group([both, columns[-1]])
        return of_row, [*(d[of_first] for d in distinct), of_last]
    if combinations > max(4 * rows, DENSE):
        return _by_hash(columns, widths)
    table = np.zeros(int(combinations), dtype=np.int32)
    for i in _blocks(columns[0].of_row):
        table[_keys(columns, widths, i)] = 1
    present = np.flatnonzero(table)
    table[present] = np.arange(len(present), dtype=np.int32)
    of_row = np.empty(rows, dtype=np.int32)
    for i in _blocks(of_row):
        of_row[i : i + BLOCK] = table[_keys(columns, widths, i)]
    return of_row, _split(present, widths)


def _by_hash(columns: Sequence[Codes], widths: Sequence[int]) -> tuple[NDArray[np.int32], list[IntArray]]:
    keys = np.concatenate([_keys(columns, widths, i) for i in _blocks(columns[0].of_row)])
    of_row, distinct = pd.factorize(keys)
    order = np.argsort(distinct)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[of_row], _split(np.asarray(distinct)[order], widths)


def _keys(columns: Sequence[Codes], widths: Sequence[int], start: int) -> IntArray:
    """One number for each combination of codes, of a block of rows."""
    key = columns[0].of_row[start : start + BLOCK].astype(np.int64)
    for column, width in zip(columns[1:], widths[1:], strict=True):
        key *= width
        key += column.of_row[start : start + BLOCK]
    return key


def _split(keys: IntArray, widths: Sequence[int]) -> list[IntArray]:
    parts = []
    for width in reversed(widths[1:]):
        parts.append(keys % width)
        keys = keys // width
    return [keys, *reversed(parts)]


def _blocks(column: FloatArray | NDArray[np.int32]) -> range:
    return range(0, len(column), BLOCK)


def _is_calendar(column: FloatArray, days: float) -> bool:
    return _to_days(column, days, np.empty(len(column), dtype=np.int32))


def _to_days(column: FloatArray, days: float, code: NDArray[np.int32]) -> bool:
    """Write whole days into `code`; False if these times are no whole days."""
    exact = column * days
    whole = np.rint(exact)
    code[:] = whole
    return bool(np.abs(exact - whole).max(initial=0.0) < SAME_DAY)
