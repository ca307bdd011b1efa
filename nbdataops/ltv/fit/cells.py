"""Customers compressed to distinct (x, t_x, T) cells.

Models of latent attrition see a customer only through x, t_x and T, and days are coarse: however many customers
there are, the distinct cells are few. Everything costly is computed once per cell, or once per distinct pair (x, t_x)
and (x, T), and spread over customers at the end; sample weights become counts of cells by one `bincount`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    counts,
    numbers,
    refuse,
    require_columns,
    require_frame,
    require_rows,
    weights,
)

ROUNDING = 1e-9
"""A recency above the age by less than this share of it is rounding of the division by the time unit."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (x, t) pairs, and the pair of every cell."""

    x: FloatArray
    t: FloatArray
    of_cell: IntArray


@dataclass(frozen=True, slots=True)
class Cells:
    """Distinct customers of a summary. Arrays over cells, but `of_customer`: the cell of every row of the summary.

    Build it once with `rfm_cells(rfm)` and hand it to `fit` and to predictions in place of the frame when the same
    customers are fitted many times.
    """

    index: pd.Index
    of_customer: IntArray
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
        w = weights(sample_weight, self.index)
        return np.bincount(self.of_customer, w, minlength=len(self)).astype(np.float64)

    def expand(self, values: FloatArray, name: str) -> pd.Series:
        """Values per cell as a Series over customers."""
        return pd.Series(values[self.of_customer], index=self.index, name=name)


def rfm_cells(rfm: pd.DataFrame | Cells) -> Cells:
    """Check a summary and compress it. Cells are returned as they are.

    `rfm` needs the columns `x` (repeat transactions), `t_x` (time of the last one since the first purchase, 0 where
    x == 0) and `T` (age: time since the first purchase), in one time unit. Raises `LtvInputError` (a `UsageError`
    and a `ValueError`) for anything that such customers cannot have.

    >>> frame = pd.DataFrame({"x": [0, 2, 0], "t_x": [0.0, 3.0, 0.0], "T": [5.0, 5.0, 5.0]})
    >>> len(rfm_cells(frame))
    2
    """
    if isinstance(rfm, Cells):
        return rfm
    frame = require_frame(rfm)
    require_columns(frame, ("x", "t_x", "T"))
    x, t_x, T = counts(frame, "x"), numbers(frame, "t_x"), numbers(frame, "T")
    index = frame.index
    refuse(
        t_x > T * (1 + ROUNDING),
        index,
        "t_x is later than T",
        "recency cannot exceed age: one unit for both?",
    )
    refuse((x == 0) & (t_x > 0), index, "t_x is not 0 although x is 0", "x counts repeat transactions only")
    if len(x) and float(x.max()) > 2**53:
        raise LtvInputError("x is larger than any count of transactions", todo="is x a count?")
    return _compress(index, x, np.minimum(t_x, T), T)


def _compress(index: pd.Index, x: FloatArray, t_x: FloatArray, T: FloatArray) -> Cells:
    x_code, x_values = pd.factorize(x)
    t_code, t_values = pd.factorize(t_x)
    T_code, T_values = pd.factorize(T)
    recency, recency_keys = pd.factorize(x_code * max(len(t_values), 1) + t_code)
    age, age_keys = pd.factorize(x_code * max(len(T_values), 1) + T_code)
    cell, keys = pd.factorize(recency * max(len(T_values), 1) + T_code)
    first = np.zeros(len(keys), dtype=np.int64)
    first[cell[::-1]] = np.arange(len(cell))[::-1]  # the first customer of every cell
    return Cells(
        index=index,
        of_customer=cell.astype(np.int64),
        x=x[first],
        t_x=t_x[first],
        T=T[first],
        distinct_x=np.asarray(x_values, dtype=np.float64),
        x_of_cell=x_code[first].astype(np.int64),
        recency=_pairs(recency_keys, x_values, t_values, recency[first]),
        age=_pairs(age_keys, x_values, T_values, age[first]),
    )


def _pairs(keys: IntArray, x_values: FloatArray, t_values: FloatArray, of_cell: IntArray) -> Pairs:
    width = max(len(t_values), 1)
    return Pairs(x=x_values[keys // width], t=t_values[keys % width], of_cell=of_cell.astype(np.int64))
