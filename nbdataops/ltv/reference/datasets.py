"""The data that the published numbers are about; small enough to travel with the package.

| name | what | columns |
|---|---|---|
| cdnow-sample | 2,357 customers of CDNOW after 39 weeks, in weeks | x, t_x, T, spend, litt, holdout |
| cdnow-sample-weeks | their repeat transactions in each of 78 weeks | repeat_transactions |
| donations | 11,104 donors by what they gave at 6 yearly occasions | x, t_x, T, n |
| survivors-high-end, survivors-regular | 1,000 contracts of two segments over 7 years | T, churned, n |

`data/README.md` says where each comes from and under which licence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import LtvInputError
from nbdataops.ltv.contractual.contracts import contracts_from_survivors
from nbdataops.ltv.time_units import ATTRIBUTE

DAYS = 7.0
"""Days in a week: the file counts whole days, all published numbers are in weeks."""


def data_set(name: str) -> pd.DataFrame:
    """The data set of that name, a copy of one's own; LtvInputError for an unknown name.

    >>> int(data_set("donations")["n"].sum())
    11104
    """
    if name not in DATA_SETS:
        raise LtvInputError(f"no data set {name!r}", todo=did_you_mean(name, DATA_SETS))
    return _loaded(name).copy()


@cache
def _loaded(name: str) -> pd.DataFrame:
    return DATA_SETS[name]()


def _cdnow_sample() -> pd.DataFrame:
    """`spend`: mean value of a repeat transaction, USD; `holdout`: transactions in the 39 weeks after."""
    days = _file("cdnow_sample.csv", "customer_id")
    x, value = days["x"], days["repeat_value"]
    frame = pd.DataFrame(
        {
            "x": x,
            "t_x": days["days_to_last"] / DAYS,
            "T": days["days_observed"] / DAYS,
            "spend": np.divide(value, x, out=np.zeros(len(x)), where=x > 0),
            "litt": days["litt"],
            "holdout": days["holdout"],
        }
    )
    frame.attrs[ATTRIBUTE] = "week"
    return frame


def _survivors(segment: str) -> pd.DataFrame:
    return contracts_from_survivors(_file("survivors.csv", "year")[segment].tolist(), customers=1000)


def _file(name: str, index: str | None = None) -> pd.DataFrame:
    path = resources.files("nbdataops.ltv.reference").joinpath("data", name)
    with path.open(encoding="utf-8") as lines:
        return pd.read_csv(lines, index_col=index)


DATA_SETS: dict[str, Callable[[], pd.DataFrame]] = {
    "cdnow-sample": _cdnow_sample,
    "cdnow-sample-weeks": lambda: _file("cdnow_sample_weeks.csv", "week"),
    "donations": lambda: _file("donations.csv"),
    "survivors-high-end": lambda: _survivors("high_end"),
    "survivors-regular": lambda: _survivors("regular"),
}
