"""Levels at which a check sums: those of the session, so that sums of refits and sums made here are of the same people."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from nbdataops.session.levels import Level, deciles, group_names
from nbdataops.validate.inputs import CheckInputs, Floats

__all__ = ["Level", "cohorts", "counts", "everybody", "tenths"]


def everybody(n: int) -> Level:
    """One group, named ""."""
    return Level("total", ("",), np.zeros(n, dtype=np.int64))


def cohorts(inputs: CheckInputs) -> Level | None:
    """By the contract's cohort column; None when the population has none."""
    column = inputs.cohort_column
    if column is None:
        return None
    return Level.of(
        "cohort", group_names(pa.chunked_array([pa.array(inputs.population[column], from_pandas=True)]))
    )


def tenths(values: Floats, entities: pd.Index[Any]) -> Level:
    """Ten groups of equal size by value, "10" the highest; ties fall in the order of the entity key.

    >>> level = tenths(np.array([5.0, 1.0, 1.0, 9.0]), pd.Index([1, 3, 2, 4]))
    >>> [level.groups[c] for c in level.codes]
    ['6', '3', '1', '8']
    """
    ranks = deciles(values, entities.to_numpy())
    present = np.unique(ranks)
    return Level("decile", tuple(map(str, present)), np.searchsorted(present, ranks).astype(np.int64))


def counts(level: Level) -> npt.NDArray[np.int64]:
    """Entities per group."""
    return np.bincount(level.codes, minlength=len(level.groups)).astype(np.int64)
