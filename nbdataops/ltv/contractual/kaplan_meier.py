"""Kaplan-Meier: how long contracts last, counted."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.discounting import require_discount_rate
from nbdataops.ltv.columns import FloatArray, LtvInputError, require_number
from nbdataops.ltv.contractual.contracts import read_contracts
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.fit_result import two_sided
from nbdataops.ltv.fit.intervals import ends, scaled
from nbdataops.ltv.time_units import TimeUnit, to_horizon, unit_of


class KaplanMeier(Estimator):
    """Product-limit estimate of the survival of contracts.

    Family: contractual, empirical. Counts, at every duration, who left among those who were still there; contracts
    that have not ended count as long as they were seen. Assumes: those seen for a short time only will behave like
    those seen longer (leaving has nothing to do with when one joined). **It knows nothing beyond the longest observed
    duration and refuses a horizon that leads there.**
    Source: Kaplan and Meier 1958, Nonparametric estimation from incomplete observations, JASA 53:457; intervals after
    Greenwood 1926, on the log(-log) scale.
    It has no `score`: steps have no density, so no likelihood of contracts that it has not seen. Give cross-validation
    a `scoring` of your own, or take `ShiftedBetaGeometric`, whose score is the log-likelihood.

    Data: `T` (duration when it ended, or so far; need not be whole), `churned`, optionally `n`.
    `time_unit`: "day", "week", "month" or "year", of `T` and of every horizon; None takes what the table carries.
    Fitted attributes: `survival_` (by duration: `at_risk`, `left`, `survival`, `variance_of_log`), `longest_` (the
    longest observed duration), `time_unit_`.

    >>> contracts = pd.DataFrame({"T": [1, 2, 2, 3], "churned": [True, True, False, False]})
    >>> KaplanMeier().fit(contracts).survival([0, 1, 2, 3]).round(3).tolist()
    [1.0, 0.75, 0.5, 0.5]
    >>> running = pd.DataFrame({"T": [0, 1], "churned": False})
    >>> KaplanMeier().fit(contracts).lifetime_value(running, 2, margin=10.0).round(2).tolist()
    [17.5, 16.67]
    """

    family: ClassVar[str] = "contractual"
    survival_: pd.DataFrame
    longest_: float
    time_unit_: TimeUnit | None

    def __init__(self, *, time_unit: TimeUnit | None = None) -> None:
        self.time_unit = time_unit

    def fit(self, contracts: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Count `contracts` by duration, in time units.

        `sample_weight` (Series with the index of `contracts`, or array), or a column `n`: how many contracts a row
        stands for; `y` is accepted for scikit-learn and changes nothing. Raises LtvInputError for rows that cannot
        be, and another time unit.
        """
        data = read_contracts(contracts, sample_weight, whole=False)
        code, durations = pd.factorize(data.T, sort=True)
        left = np.bincount(code, data.w * data.churned, minlength=len(durations))
        leaving_sight = np.bincount(code, data.w, minlength=len(durations))
        at_risk = np.cumsum(leaving_sight[::-1])[::-1]
        with np.errstate(divide="ignore", invalid="ignore"):
            survival = np.cumprod(np.where(at_risk > 0, 1 - left / at_risk, 1.0))
            spread = np.cumsum(
                np.where(at_risk > left, left / (at_risk * (at_risk - left)), np.inf * (left > 0))
            )
        self.survival_ = pd.DataFrame(
            {
                "at_risk": at_risk,
                "left": left,
                "survival": survival,
                "variance_of_log": np.nan_to_num(spread, nan=0.0, posinf=np.inf),
            },
            index=pd.Index(durations, name="duration"),
        )
        self.longest_ = float(durations[-1])
        self.time_unit_ = unit_of(data, self.time_unit, "contracts")
        return self

    def survival(self, periods: object, *, interval: float | None = None) -> FloatArray | pd.DataFrame:
        """S(t): share still there after t = `periods` time units; a number or an array of them.

        With `interval`, a level such as 0.9, a DataFrame of `survival`, `lower`, `upper`, one row a duration.
        Raises LtvInputError beyond the longest observed duration.
        """
        self._require_fit("survival_")
        t = np.asarray(periods, dtype=np.float64)
        if not (np.isfinite(t).all() and (t >= 0).all()):
            raise LtvInputError("periods are negative or not finite", todo="give durations")
        if t.size and t.max() > self.longest_:
            raise LtvInputError(
                f"nobody was seen for longer than {self.longest_:g}",
                todo="ask for less, or take a model that goes on, such as ShiftedBetaGeometric",
            )
        step = np.searchsorted(self.survival_.index.to_numpy(), t, side="right")
        value = np.append(1.0, self.survival_["survival"])[step]
        if interval is None:
            return np.asarray(value)
        variance = np.append(0.0, self.survival_["variance_of_log"])[step]
        z = two_sided(interval)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = z * np.sqrt(variance) / np.abs(np.log(value))
            lower, upper = value ** np.exp(reach), value ** np.exp(-reach)
        sure = value == 1
        columns = {
            "survival": value,
            "lower": np.where(sure, 1.0, lower),
            "upper": np.where(sure, 1.0, upper),
        }
        columns = {name: column.ravel() for name, column in columns.items()}
        return pd.DataFrame(columns, index=pd.Index(t.ravel(), name="period"))

    def expected_periods(
        self, contracts: pd.DataFrame, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected further time of each contract within the next `horizon`; 0 where it has ended.

        `horizon`: time units or a timedelta. `interval`: see `lifetime_value`.
        """
        return self._ahead(contracts, horizon, "periods", 1.0, 0.0, interval)

    def lifetime_value(
        self,
        contracts: pd.DataFrame,
        horizon: object,
        *,
        margin: float = 1.0,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value in the next `horizon` at `margin` per time unit, discounted continuously to now.

        `margin`: a finite number; one below 0 is a loss. `discount_rate`: effective rate per time unit.
        `interval`, a level such as 0.9, adds `lower` and `upper`: Greenwood's variance of the area under the curve,
        on the scale of the log odds, so that the ends lie between nothing and the whole horizon. Both are the value
        where nobody was seen to leave at those durations.
        Raises LtvInputError if a contract would be followed beyond the longest observed duration.
        """
        return self._ahead(contracts, horizon, "value", margin, discount_rate, interval)

    def _ahead(
        self,
        contracts: pd.DataFrame,
        horizon: object,
        name: str,
        margin: float,
        discount_rate: object,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        self._require_fit("survival_")
        margin = require_number(margin, "margin", "give what a time unit is worth, a finite number")
        data = read_contracts(contracts, whole=False)
        unit_of(data, self.time_unit_, "contracts")
        force, h = require_discount_rate(discount_rate), to_horizon(horizon, self.time_unit_)
        running = data.T[~data.churned]
        if len(running) and not running.max() + h <= self.longest_:
            raise LtvInputError(
                f"nobody was seen for longer than {self.longest_:g}, and the horizon leads to {running.max() + h:g}",
                todo="shorten the horizon, or take a model that goes on, such as ShiftedBetaGeometric",
            )
        code, T = pd.factorize(data.T)
        share, deviation = np.zeros(len(T)), np.zeros(len(T))
        whole = float(_worth(np.array([0.0, h]), force)[0])
        for i, start in enumerate(T):
            share[i], deviation[i] = self._share_of_horizon(float(start), h, force)
        value = np.where(data.churned, 0.0, whole * share[code])
        if interval is None:
            return pd.Series(margin * value, index=data.index, name=name)
        low, high = ends(share, deviation, interval, "probability")
        columns = {name: value} | {
            side: np.where(data.churned, 0.0, whole * end[code])
            for side, end in (("lower", low), ("upper", high))
        }
        return scaled(pd.DataFrame(columns, index=data.index), margin)

    def _share_of_horizon(self, start: float, h: float, force: float) -> tuple[float, float]:
        """Discounted time still there after `start`, as a share of `h`, and the standard deviation of its log odds."""
        steps = self.survival_.index.to_numpy(dtype=np.float64)
        level = np.append(1.0, self.survival_["survival"])
        inside = np.flatnonzero((steps > start) & (steps < start + h))
        now = level[np.searchsorted(steps, start, side="right")]
        if not (h > 0 and now > 0):
            return 0.0, 0.0
        edges = np.concatenate([[start], steps[inside], [start + h]]) - start
        there = level[np.searchsorted(steps, start + edges[:-1], side="right")] / now
        areas = there * _worth(edges, force) / _worth(np.array([0.0, h]), force)
        share = float(areas.sum())
        after = np.cumsum(areas[::-1])[::-1][1:]  # the area behind each step moves with that step
        jumps = np.diff(self.survival_["variance_of_log"].to_numpy(), prepend=0.0)[inside]
        variance = float((after[after > 0] ** 2 * jumps[after > 0]).sum())
        return share, float(np.sqrt(variance) / (share * (1 - share))) if variance > 0 else 0.0


def _worth(edges: FloatArray, force: float) -> FloatArray:
    """What a time unit's worth of 1 comes to between the edges, discounted to 0."""
    return np.diff(edges) if force == 0 else -np.diff(np.exp(-force * edges)) / force
