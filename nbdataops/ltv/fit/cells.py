"""Customers compressed to distinct (x, t_x, T) cells.

Models of latent attrition see a customer only through x, t_x and T, and days are coarse: however many customers
there are, the distinct cells are few. Everything costly is computed once per cell, or once per distinct pair (x, t_x)
and (x, T), and spread over customers at the end; sample weights become counts of cells by one `bincount`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    WholeNumbers,
    numbers,
    refuse,
    require_columns,
    require_frame,
    require_rows,
    row_weights,
    whole_numbers,
)
from nbdataops.ltv.fit.grouping import codes_of, group, group_sums
from nbdataops.ltv.time_units import TimeUnit, unit_of

ROUNDING = 1e-9
"""A recency above the age by less than this share of it is rounding of the division by the time unit."""
MOST_PURCHASES = 2**53
"""Whole numbers above it are not all told apart as floats."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (x, t) pairs; the pair of every cell, and which of the distinct x each pair has."""

    x: FloatArray
    t: FloatArray
    of_cell: IntArray
    x_code: IntArray

    def spread(self, by_pair: FloatArray) -> FloatArray:
        """The value of its pair for every cell."""
        return by_pair.take(self.of_cell)

    def sums(self, by_cell: FloatArray) -> FloatArray:
        """The values of its cells for every pair, added up."""
        return np.bincount(self.of_cell, by_cell, minlength=len(self.x)).astype(np.float64)

    def sums_by_x(self, by_pair: FloatArray, distinct: int) -> FloatArray:
        """The values of its pairs for every distinct x, added up."""
        return np.bincount(self.x_code, by_pair, minlength=distinct).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Cells:
    """Distinct customers of a summary. Arrays over cells, but `of_customer`: the cell of every row of the summary.

    Build it once with `rfm_cells(rfm)` and hand it to `fit` and to predictions in place of the frame when the same
    customers are fitted many times. `index` and `n` are those of the summary: labels of its rows, and how many
    customers each stands for, None if one each. `x`, `t_x`, `T`: of the cells, in units of `time_unit`; `distinct_x`
    and `x_of_cell`, `recency` and `age`: their distinct counts, and distinct pairs (x, t_x) and (x, T).
    """

    index: pd.Index
    of_customer: NDArray[np.int32]
    n: FloatArray | None
    time_unit: TimeUnit | None
    x: FloatArray
    t_x: FloatArray
    T: FloatArray
    distinct_x: FloatArray
    x_of_cell: IntArray
    recency: Pairs
    age: Pairs

    def __len__(self) -> int:
        return len(self.x)

    def counts(self, sample_weight: object = None) -> FloatArray:
        """How many customers each cell stands for, under these weights."""
        require_rows(self.index, "rfm")
        w = row_weights(sample_weight, self.n, self.index)
        return group_sums(self.of_customer, w, len(self))

    def row_weights(self, sample_weight: object = None) -> FloatArray:
        """How many customers each row of the summary stands for, under these weights."""
        w = row_weights(sample_weight, self.n, self.index)
        return np.ones(len(self.index)) if w is None else w

    def expand(self, values: FloatArray, name: str) -> pd.Series:
        """Values per cell as a Series over customers."""
        return pd.Series(values[self.of_customer], index=self.index, name=name)

    def without_customers(self) -> Cells:
        """The cells alone, which is all that a likelihood needs."""
        return replace(self, index=pd.RangeIndex(0), of_customer=np.zeros(0, dtype=np.int32), n=None)

    def systematic_sample(self, counts: FloatArray, size: int) -> tuple[Cells, FloatArray]:
        """About `size` customers, evenly spaced along the sorted cells, and their counts by cell."""
        ends = np.floor(np.cumsum(counts) * (size / counts.sum()) + 0.5)
        drawn = np.diff(ends, prepend=0.0)
        kept = np.flatnonzero(drawn)
        return _cells(self.x[kept], self.t_x[kept], self.T[kept], self.time_unit), drawn[kept]


def rfm_cells(rfm: pd.DataFrame | Cells) -> Cells:
    """Check a summary and compress it. Cells are returned as they are.

    `rfm` (pandas frame or Arrow table) needs the columns `x` (repeat transactions), `t_x` (time of the last one since
    the first purchase, 0 where x == 0) and `T` (age: time since the first purchase), in one time unit; with a column
    `n`, a row stands for n customers. Cells carry the unit in `rfm.attrs["time_unit"]`; what pandas makes anew
    (`groupby(...).size()`, `merge`) has lost it and must be told again, or no other unit is noticed. Raises `LtvInputError` (a `UsageError` and a `ValueError`) for anything that
    such customers cannot have.

    >>> frame = pd.DataFrame({"x": [0, 2, 0], "t_x": [0.0, 3.0, 0.0], "T": [5.0, 5.0, 5.0]})
    >>> len(rfm_cells(frame))
    2
    """
    if isinstance(rfm, Cells):
        return rfm
    frame = require_frame(rfm)
    require_columns(frame, ("x", "t_x", "T"))
    x, t_x, T = whole_numbers(frame, "x"), numbers(frame, "t_x"), numbers(frame, "T")
    n = numbers(frame, "n") if "n" in frame.columns else None
    of_customer, distinct = _distinct(x, t_x, T)
    if not _possible(*distinct):  # only the rows tell what is an error and what is rounding
        _require_possible(x, t_x, T, frame.index)
        of_customer, (x_of, t_of, T_of) = _distinct(x, np.minimum(t_x, T), T)
        distinct = x_of, np.minimum(t_of, T_of), T_of
    cells = _cells(*distinct, unit_of(frame, None))
    return replace(cells, index=frame.index, of_customer=of_customer, n=n)


@cache
def single_customer() -> Cells:
    """The cell of a customer who buys for the first time now."""
    zero = np.zeros(1)
    return _cells(zero, zero, zero, None)


def _distinct(
    x: WholeNumbers, t_x: FloatArray, T: FloatArray
) -> tuple[NDArray[np.int32], tuple[FloatArray, FloatArray, FloatArray]]:
    """The cell of every row, and x, t_x and T of every cell."""
    codes = codes_of(x, whole=True), codes_of(t_x), codes_of(T)
    of_row, (of_x, of_t, of_T) = group(codes, len(x))
    return of_row, (codes[0].values[of_x], codes[1].values[of_t], codes[2].values[of_T])


def _possible(x: FloatArray, t_x: FloatArray, T: FloatArray) -> bool:
    return not (
        np.any(t_x > T)
        or np.any(t_x[x == 0] > 0)
        or np.any(x[T == 0] > 0)
        or x.max(initial=0.0) > MOST_PURCHASES
    )


def _require_possible(x: WholeNumbers, t_x: FloatArray, T: FloatArray, index: pd.Index) -> None:
    refuse(
        t_x > T * (1 + ROUNDING),
        index,
        "t_x is later than T",
        "recency cannot exceed age: one unit for both?",
    )
    refuse((x == 0) & (t_x > 0), index, "t_x is not 0 although x is 0", "x counts repeat transactions only")
    refuse(
        (x > 0) & (T == 0),
        index,
        "x is not 0 although T is 0",
        "repeat transactions take time: was T rounded down, or the first transaction counted in x?",
    )
    if len(x) and float(x.max()) > MOST_PURCHASES:
        raise LtvInputError("x is larger than any count of transactions", todo="is x a count?")


def _cells(x: FloatArray, t_x: FloatArray, T: FloatArray, time_unit: TimeUnit | None) -> Cells:
    """Distinct triples with their distinct parts; no customers yet."""
    x_code, x_values = _factorize(x)
    t_code, t_values = _factorize(t_x)
    T_code, T_values = _factorize(T)
    return Cells(
        index=pd.RangeIndex(0),
        of_customer=np.zeros(0, dtype=np.int32),
        n=None,
        time_unit=time_unit,
        x=x,
        t_x=t_x,
        T=T,
        distinct_x=x_values,
        x_of_cell=x_code,
        recency=_pairs(x_code, x_values, t_code, t_values),
        age=_pairs(x_code, x_values, T_code, T_values),
    )


def _factorize(values: FloatArray) -> tuple[IntArray, FloatArray]:
    code, distinct = pd.factorize(values, sort=True)
    return code.astype(np.int64), np.asarray(distinct, dtype=np.float64)


def _pairs(x_code: IntArray, x: FloatArray, t_code: IntArray, t: FloatArray) -> Pairs:
    width = max(len(t), 1)
    of_cell, keys = pd.factorize(x_code * width + t_code, sort=True)
    of_x = np.asarray(keys // width)
    return Pairs(x=x[of_x], t=t[keys % width], of_cell=of_cell.astype(np.int64), x_code=of_x)
