"""Empirical cohort method: what a customer of this age brings, read off the cohort and extrapolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from scipy.special import exprel, logsumexp, xlogy

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    numbers,
    require_columns,
    require_frame,
    weights,
)
from nbdataops.ltv.empirical.newcomer import alone, newcomer
from nbdataops.ltv.empirical.period_discount import discounted_in_steps
from nbdataops.ltv.fit.refitted import Refitted
from nbdataops.ltv.summary.cohort_ages import CohortAges
from nbdataops.ltv.time_units import TimeUnit, to_horizon, unit_of

Shape: TypeAlias = Literal["power", "exponential"]
SHAPES: tuple[Shape, ...] = ("power", "exponential")
FASTEST = 20.0
"""Upper limit of the speed of a decay."""


@dataclass(frozen=True, slots=True)
class Decay:
    """A rate per customer and time unit that falls with age.

    shape "power": level * (1 + age)^-speed, one time unit being its scale; "exponential": level * exp(-speed * age).
    `deviance` is Poisson's, of the curve it was fitted to.
    """

    shape: Shape
    level: float
    speed: float
    deviance: float

    def between(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """The integral of the rate over ages from start to end: expected amount per customer."""
        some = end > start
        log = _log_area(self.shape, self.speed, start, np.where(some, end, start + 1))
        return np.where(some, self.level * np.exp(log), 0.0)


class CohortDecay(Refitted):
    """Revenue and transactions per customer by age, from an acquisition cohort, with a fitted decay.

    Family: empirical cohort. Counts what the cohort did at each age (time since the own first purchase, which is left
    out) per customer who could be observed at that age, fits a decay to transactions and to revenue apart, by Poisson
    deviance, and integrates it from a customer's age to age plus horizon. Assumes: later ages go on along the fitted
    curve, nothing changes with the calendar, customers acquired at different times behave alike.

    **Allocation is by age only**: customers of the same age get the same number, whatever they bought. Totals and
    cohorts are estimates, an individual value is not, and a ranking by it means nothing. Where all customers were
    acquired within one quarter (CDNOW), no older cohort has been through the horizon: everything beyond the oldest
    observed age (`observed_ages_`) is **extrapolation** of the curve, and age cannot be told apart from season.

    `shape`: "power", "exponential", or "best", the one of lower deviance, chosen for each component and in every
    refit anew. Decay never turns into growth: a rising curve is fitted by a flat one.

    It has no `score`, and scikit-learn cannot cut its data, the log of whole cohorts, into folds: cut the log at an
    earlier date, fit to what came before, and compare with what followed.

    `refits`: fits to resampled customers, from which intervals come (0: no intervals; 50 or more are enough for 90
    percent).
    `seed`: of the resampling.
    Fitted attributes: `transactions_`, `revenue_` (both `Decay`), `curve_` (by age: exposure, observed and fitted
    rates), `observed_ages_` (time units), `time_unit_`, `refits_` (the fits to resampled customers).

    >>> from nbdataops.ltv import cohort_ages
    >>> log = pd.DataFrame({"customer_id": 7, "date": pd.to_datetime(["1997-01-01", "1997-01-08"]), "amount": 9.0})
    >>> ages = cohort_ages(log, pd.Timestamp("1997-01-29"))
    >>> model = CohortDecay(shape="exponential").fit(ages)
    >>> model.lifetime_value(ages, horizon=39).round(2).tolist()
    [0.0]
    """

    family: ClassVar[str] = "cohort"
    transactions_: Decay
    revenue_: Decay
    curve_: pd.DataFrame
    observed_ages_: int

    time_unit_: TimeUnit | None

    def __init__(
        self, *, shape: Literal["best", "power", "exponential"] = "best", refits: int = 0, seed: int = 0
    ) -> None:
        self.shape = shape
        self.refits = refits
        self.seed = seed

    def fit(self, ages: CohortAges, y: object = None, sample_weight: object = None) -> Self:
        """Fit both decays to `ages`, which `cohort_ages(purchases, as_of)` makes.

        `sample_weight`: one weight a customer of `ages.index`; `y` is accepted for scikit-learn and changes nothing.
        Raises LtvInputError where customers were seen for less than two time units.
        """
        if not isinstance(ages, CohortAges):
            raise LtvInputError(
                f"CohortDecay is fitted to a {type(ages).__name__}", todo="give cohort_ages(purchases, as_of)"
            )
        if self.shape not in ("best", *SHAPES):
            raise LtvInputError(
                f"no shape {self.shape!r}", todo=did_you_mean(str(self.shape), ("best", *SHAPES))
            )
        self.time_unit_ = unit_of(ages, None)
        w = weights(sample_weight, ages.index)
        self._fit_all(lambda model, drawn: model._fit_once(ages, drawn), len(ages.index), w)
        return self

    def _fit_once(self, ages: CohortAges, w: FloatArray | None) -> None:
        curve = ages.curve(w)
        curve = curve[curve["exposure"] > 0]
        if len(curve) < 2:
            raise LtvInputError("fewer than two ages were observed", todo="a decay needs a longer history")
        self.transactions_ = self._decay(curve, "transactions")
        self.revenue_ = self._decay(curve, "revenue")
        self.observed_ages_ = int(curve.index[-1]) + 1
        at = curve.index.to_numpy(dtype=np.float64)
        self.curve_ = pd.DataFrame(
            {
                "exposure": curve["exposure"],
                "transactions": curve["transactions"] / curve["exposure"],
                "transactions_fitted": self.transactions_.between(at, at + 1),
                "revenue": curve["revenue"] / curve["exposure"],
                "revenue_fitted": self.revenue_.between(at, at + 1),
            }
        )

    def expected_transactions(
        self, rfm: pd.DataFrame | CohortAges, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected transactions in the next `horizon` time units, by age alone: of `rfm` it needs the column `T` only.

        `interval`, e.g. 0.9, adds `lower` and `upper` from the `refits` that the model was made with.
        """
        return self._ahead(rfm, horizon, "transactions_", "transactions", 0.0, interval)

    def lifetime_value(
        self,
        rfm: pd.DataFrame | CohortAges,
        horizon: object,
        *,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected revenue in the next `horizon` time units, by age alone: of `rfm` it needs the column `T` only.

        `discount_rate`: effective rate per time unit; what comes within a time unit counts from its middle.
        `interval`, a level such as 0.9, adds `lower` and `upper` from the `refits` that the model was made with.
        """
        return self._ahead(rfm, horizon, "revenue_", "value", discount_rate, interval)

    def expected_transactions_new(
        self, horizon: object, *, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected repeat transactions of a customer who buys for the first time now, in the `horizon` that follows.

        `horizon`: time units or a timedelta. With `interval`, a DataFrame of one row.
        """
        return alone(self.expected_transactions(newcomer(), horizon, interval=interval))

    def lifetime_value_new(
        self, horizon: object, *, discount_rate: float = 0.0, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected repeat revenue, in currency, of a customer who buys for the first time now, discounted to now.

        `horizon` and `discount_rate` as in `lifetime_value`. With `interval`, a DataFrame of one row.
        """
        return alone(self.lifetime_value(newcomer(), horizon, discount_rate=discount_rate, interval=interval))

    def _ahead(
        self,
        rfm: pd.DataFrame | CohortAges,
        horizon: object,
        decay: str,
        name: str,
        discount_rate: float,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        self._require_fit(decay)
        h = to_horizon(horizon, self.time_unit_)
        if not np.isfinite(h):
            raise LtvInputError("horizon is infinite", todo="give a finite horizon")
        if isinstance(rfm, CohortAges):
            unit_of(rfm, self.time_unit_)
            index, T = rfm.index, rfm.T
        else:
            frame = require_frame(rfm)
            unit_of(frame, self.time_unit_)
            require_columns(frame, ("T",))
            index, T = frame.index, numbers(frame, "T")
        code, distinct = pd.factorize(T)

        def predict(model: CohortDecay) -> pd.Series:
            fitted: Decay = getattr(model, decay)
            value = discounted_in_steps(lambda t: fitted.between(distinct, distinct + t), h, discount_rate)
            return pd.Series(value[code], index=index, name=name)

        return self._answer(predict, interval)

    def _decay(self, curve: pd.DataFrame, component: str) -> Decay:
        shapes = SHAPES if self.shape == "best" else (self.shape,)
        fits = [
            _fit(
                shape,
                curve.index.to_numpy(dtype=np.float64),
                curve["exposure"].to_numpy(),
                curve[component].to_numpy(),
            )
            for shape in shapes
        ]
        return min(fits, key=lambda decay: decay.deviance)


def _log_area(shape: Shape, speed: float, start: FloatArray, end: FloatArray) -> FloatArray:
    """Logarithm of the integral of the decay of level 1 from start to end; end > start."""
    if shape == "exponential":
        length = end - start
        return np.asarray(-speed * start + np.log(length * exprel(-speed * length)))
    stretch = np.log1p(end) - np.log1p(start)
    return np.asarray((1 - speed) * np.log1p(start) + np.log(stretch * exprel((1 - speed) * stretch)))


def _fit(shape: Shape, age: FloatArray, exposure: FloatArray, happened: FloatArray) -> Decay:
    """Largest Poisson likelihood; the level follows from the speed, so the search is over one number."""
    from scipy.optimize import (
        minimize_scalar,  # late: it is a third of the time that importing this package takes
    )

    total = float(happened.sum())
    if total == 0:
        return Decay(shape, 0.0, 0.0, 0.0)

    def log_expected(speed: float) -> FloatArray:
        """Expected amount by age, scaled to the observed total."""
        log = np.log(exposure) + _log_area(shape, speed, age, age + 1)
        return np.asarray(log + np.log(total) - logsumexp(log))

    found = minimize_scalar(
        lambda speed: -float(happened @ log_expected(speed)) / total,
        bounds=(0.0, FASTEST),
        method="bounded",
        options={"xatol": 1e-9, "maxiter": 200},
    )
    flat = -float(happened @ log_expected(0.0)) / total
    speed = float(found.x) if found.fun < flat else 0.0
    log = log_expected(speed)
    level = float(np.exp(log[0] - _log_area(shape, speed, age, age + 1)[0]) / exposure[0])
    deviance = 2 * float((xlogy(happened, happened) - happened * log).sum())
    return Decay(shape, level, speed, deviance)
