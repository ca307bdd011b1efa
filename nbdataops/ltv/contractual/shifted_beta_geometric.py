"""Shifted beta-geometric: contracts that end with an own probability at each renewal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.discounting import require_discount_rate
from nbdataops.ltv.columns import FloatArray, LtvInputError, require_number
from nbdataops.ltv.contractual.contracts import Contracts, read_contracts
from nbdataops.ltv.contractual.expected_renewals import expected_renewals
from nbdataops.ltv.fit.intervals import scaled, standard_deviation, with_interval
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel, Uncertainty, require_draws
from nbdataops.ltv.fit.rising import digamma_gap, log_beta_ratio
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.time_units import to_horizon, unit_of


class ShiftedBetaGeometric(LikelihoodModel):
    """Shifted beta-geometric model of contract duration.

    Family: contractual. Assumes: at every renewal a customer leaves with an own probability, the same each time,
    Beta(alpha, beta) over customers; leaving is seen. Retention rates rise with age only because those who leave
    easily are gone: nothing changes with the calendar.
    Source: Fader and Hardie 2007, How to project customer retention, Journal of Interactive Marketing 21:76; the
    residual value: Fader and Hardie 2010, Customer-base valuation in a contractual setting, Marketing Science 29:85.

    Data: one row a contract (or `n` of them): `T` the period in which it ended, or the periods survived so far, and
    `churned`. `contracts_from_survivors` makes such a table from a survival curve.
    `time_unit`: "day", "week", "month" or "year", a period of these contracts; None takes what the table carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `alpha_`, `beta_`, `fit_result_`, `time_unit_`.

    >>> from nbdataops.ltv import contracts_from_survivors
    >>> regular = contracts_from_survivors([100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1])
    >>> model = ShiftedBetaGeometric().fit(regular)
    >>> round(model.alpha_, 3), round(model.beta_, 3), [round(100 * float(s), 1) for s in model.survival([8, 12])]
    (0.704, 1.182, [22.0, 17.0])
    >>> running = pd.DataFrame({"T": [0, 7], "churned": False})
    >>> model.lifetime_value(running, 12, margin=10.0, discount_rate=0.01).round(1).tolist()
    [34.0, 77.4]
    """

    family: ClassVar[str] = "contractual"
    parameter_names = ("alpha", "beta")
    alpha_: float
    beta_: float

    def fit(self, contracts: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from `T` (whole periods), `churned` (and `n`, how many contracts a row stands for).

        `sample_weight` (Series with the index of `contracts`, or array) says how often each row counts; `y` is
        accepted for scikit-learn and changes nothing. Raises LtvInputError for rows that cannot be, and another time
        unit. Nobody who left, or everybody at the same rate, is no failure: see `fit_result_.identified` and
        `.reason`.
        """
        data = read_contracts(contracts, sample_weight)
        unit = unit_of(data, self.time_unit, "contracts")
        periods = max(dot(data.w, data.T), 1e-9)
        rate = np.clip(dot(data.w, data.churned.astype(np.float64)) / periods, 1e-3, 0.9)
        starts = [(1.0, (1 - rate) / rate), (20 * rate, 20 * (1 - rate))]
        self._fit_likelihood(partial(_log_likelihood, data=data), starts, float(data.w.sum()))
        self.time_unit_ = unit
        return self

    def survival(self, periods: object, *, interval: float | None = None) -> FloatArray | pd.DataFrame:
        """S(t): share of a cohort still there after t periods; a number or an array of them.

        With `interval`, a level such as 0.9, a DataFrame of `survival`, `lower`, `upper`, one row a period (delta
        method).
        """
        self._theta()
        t = np.asarray(periods, dtype=np.float64)
        if not (np.isfinite(t).all() and (t >= 0).all()):
            raise LtvInputError("periods are negative or not finite", todo="give counts of periods")
        return self._shares(lambda theta: _survival(theta, t), t, "survival", interval)

    def retention_rate(self, period: object, *, interval: float | None = None) -> FloatArray | pd.DataFrame:
        """Share of those there after t - 1 periods who renew in period t >= 1; `interval` as in `survival`."""
        self._theta()
        t = np.asarray(period, dtype=np.float64)
        if not (np.isfinite(t).all() and (t >= 1).all()):
            raise LtvInputError("the first renewal is period 1", todo="give periods from 1")
        return self._shares(
            lambda theta: np.asarray((theta[1] + t - 1) / (theta[0] + theta[1] + t - 1)),
            t,
            "retention_rate",
            interval,
        )

    def expected_periods(
        self, contracts: pd.DataFrame, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected renewals of each contract in the next `horizon` periods; 0 where it has ended.

        `interval`: see `lifetime_value`.
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
        """Expected value of the renewals in the next `horizon` periods, each worth `margin`, discounted to now.

        A renewal j periods ahead counts (1 + discount_rate)^-j; `horizon` may be `math.inf` with a discount rate
        (the discounted expected residual lifetime). `interval`, e.g. 0.9, adds `lower` and `upper` (delta method).
        `margin`: a finite number; one below 0 is a loss.
        """
        return self._ahead(contracts, horizon, "value", margin, discount_rate, interval)

    def sample(
        self,
        contracts: pd.DataFrame,
        horizon: object,
        *,
        draws: int = 100,
        seed: int = 0,
        parameters: Uncertainty = "drawn",
    ) -> pd.DataFrame:
        """Posterior-predictive draws of each contract's renewals in the next `horizon` periods.

        One row a contract, one column a draw; `parameters` as uncertain as the fit leaves them ("drawn") or as they
        are ("fitted"). The same `seed` gives the same `draws`.
        """
        self._theta()
        data = read_contracts(contracts)
        unit_of(data, self.time_unit_, "contracts")
        h = self._whole(horizon)
        if not np.isfinite(h):
            raise LtvInputError("horizon is infinite", todo="give a count of periods")
        rng = np.random.default_rng(seed)
        columns = []
        for _ in range(require_draws(draws)):
            alpha, beta = self._draw_theta(rng, parameters)
            leaves = rng.beta(alpha, beta + data.T)
            renewed = np.minimum(rng.geometric(np.maximum(leaves, 1e-18)) - 1, int(h))
            columns.append(np.where(data.churned, 0, np.where(leaves > 1e-18, renewed, int(h))))
        return pd.DataFrame(np.array(columns, dtype=np.float64).T, index=data.index).rename_axis(
            columns="draw"
        )

    def score(self, contracts: pd.DataFrame, y: Any = None, sample_weight: object = None) -> float:
        """Mean log-likelihood of a contract. `sample_weight` as in `fit`; `y` changes nothing."""
        theta, data = self._theta(), read_contracts(contracts, sample_weight)
        unit_of(data, self.time_unit_, "contracts")
        return _log_likelihood(theta, data)[0] / float(data.w.sum())

    def _shares(
        self, predict: Callable[[FloatArray], FloatArray], t: FloatArray, name: str, interval: float | None
    ) -> FloatArray | pd.DataFrame:
        value = predict(self._theta())
        if interval is None:
            return value
        deviation = standard_deviation(predict, self._result(), "probability")
        periods = pd.Index(t.ravel(), name="period")
        return with_interval(value.ravel(), deviation.ravel(), interval, periods, name, "probability")

    def _ahead(
        self,
        contracts: pd.DataFrame,
        horizon: object,
        name: str,
        margin: float,
        discount_rate: object,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        margin = require_number(margin, "margin", "give what a renewal is worth, a finite number")
        theta, data = self._theta(), read_contracts(contracts)
        unit_of(data, self.time_unit_, "contracts")
        force, h = require_discount_rate(discount_rate), self._whole(horizon)
        code, T = pd.factorize(data.T)

        def predict(at: FloatArray) -> FloatArray:
            alpha, beta = at
            total = expected_renewals(alpha, beta + T, h, force)
            return np.asarray(np.where(data.churned, 0.0, total[code]))

        value = predict(theta)
        if interval is None:
            return pd.Series(margin * value, index=data.index, name=name)
        deviation = standard_deviation(predict, self._result())
        return scaled(with_interval(value, deviation, interval, data.index, name), margin)

    def _whole(self, horizon: object) -> float:
        h = to_horizon(horizon, self.time_unit_)
        if np.isfinite(h) and h != np.rint(h):
            raise LtvInputError(f"{h:g} is no whole number of periods", todo="give a count of renewals")
        return h


def _survival(theta: FloatArray, t: FloatArray) -> FloatArray:
    alpha, beta = theta
    return np.asarray(np.exp(log_beta_ratio(alpha, beta, t)))


def _log_likelihood(theta: FloatArray, data: Contracts) -> tuple[float, FloatArray]:
    alpha, beta = theta
    left, renewed = data.churned.astype(np.float64), data.T - data.churned
    both = dot(data.w, digamma_gap(alpha + beta, data.T))
    by_alpha = dot(data.w, digamma_gap(alpha, left)) - both
    by_beta = dot(data.w, digamma_gap(beta, renewed)) - both
    return dot(data.w, log_beta_ratio(alpha, beta, renewed, left)), np.array([by_alpha, by_beta])
