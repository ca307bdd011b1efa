"""What the models of latent attrition share: fit on cells, and the verbs that analysts call.

A customer buys at random with an own rate until leaving for good, unseen. Everything known about a customer is in
x, t_x and T. A model says how rates and leaving differ between customers; this class does the rest.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Self, overload

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.discounting import discounted, require_discount_rate
from nbdataops.ltv.columns import FloatArray, LtvInputError, require_frame
from nbdataops.ltv.fit.cells import Cells, rfm_cells, single_customer
from nbdataops.ltv.fit.intervals import Range, standard_deviation, with_interval
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel, Uncertainty, require_draws
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.spend.spend_model import SpendModel, require_spend_model
from nbdataops.ltv.time_units import to_horizon, unit_of

SKETCH = 20_000
"""Cells above which the search starts from the optimum of a sample of about this many customers."""


class LatentAttrition(LikelihoodModel):
    """Base of the models where customers leave without notice."""

    family: ClassVar[str] = "latent-attrition"

    def fit(self, rfm: pd.DataFrame | Cells, y: object = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from a summary with the columns `x`, `t_x`, `T`, one row a customer, times in time units.

        `rfm` is a pandas frame, an Arrow table or `rfm_cells(rfm)`; with a column `n` a row stands for n customers.
        `sample_weight` (Series with the index of `rfm`, or array) says how often each row counts; whole numbers do
        what repeating the rows would. With `warm_start=True` a second `fit` starts at the solution of the first.
        `y` is accepted for scikit-learn and changes nothing. A frame that lost its time unit on the way (`groupby`,
        `merge`) is taken to be in the model's: set `frame.attrs["time_unit"]`, and another unit is an error.
        Raises LtvInputError for impossible rows or another time unit, and NotConvergedError rather than returning a doubtful number; a ridge is no failure: see
        `fit_result_.identified` and `.reason`.
        """
        cells = rfm_cells(rfm)
        unit = unit_of(cells, self.time_unit)
        self._fit_cells(cells.without_customers(), cells.counts(sample_weight))
        self.time_unit_ = unit
        return self

    def expected_transactions(
        self, rfm: pd.DataFrame | Cells, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected transactions of each known customer in the `horizon` after its age T.

        `horizon`: a number of time units, or a timedelta. `interval`: see `lifetime_value`.
        """
        self._theta()
        h = self._finite(self._horizon(horizon))
        return self._answer(
            rfm, lambda theta, cells: self._expected(theta, cells, h), "transactions", interval
        )

    def probability_alive(
        self, rfm: pd.DataFrame | Cells, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that each customer has not left by its age T: between 0 and 1. `interval`: see `lifetime_value`."""
        self._theta()
        return self._answer(rfm, self._alive, "alive", interval, "probability")

    def lifetime_value(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        *,
        spend: SpendModel,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value of each known customer's transactions in the `horizon` after its age T, discounted to T.

        `horizon`: time units, a timedelta, or `math.inf` with a discount rate. `spend`: a fitted spend model, such as
        `GammaGamma`; `rfm` then also needs its columns (`spend`). `discount_rate`: effective rate per time unit, so
        that a transaction after t units counts (1 + discount_rate)^-t; `rate_per_unit` converts annual rates.

        `interval`: a level such as 0.9 returns a DataFrame with `lower` and `upper` beside the value: the interval of
        the expectation, from the uncertainty of the parameters (delta method on the logarithm); both ends are NaN
        where the data do not identify the parameters. Single customers scatter far more: see `sample`.
        """
        theta, frame = self._theta(), require_frame(rfm)
        require_spend_model(spend)
        force, h = require_discount_rate(discount_rate), self._horizon(horizon)
        cells = self._cells(frame)

        def present(at: FloatArray, customers: Cells) -> FloatArray:
            return self._present(at, customers, h, force)

        transactions = cells.expand(present(theta, cells), "value")
        each = spend.expected_spend(frame)
        value = transactions.to_numpy() * each.to_numpy()
        if interval is None:
            return pd.Series(value, index=frame.index, name="value")
        deviation = standard_deviation(lambda at: present(at, cells), self._result())[cells.of_customer]
        both = np.hypot(deviation, spend.spend_deviation(frame))
        return with_interval(value, both, interval, frame.index, "value")

    @overload
    def expected_transactions_new(self, horizon: object, *, interval: None = None) -> FloatArray: ...

    @overload
    def expected_transactions_new(self, horizon: object, *, interval: float) -> pd.DataFrame: ...

    def expected_transactions_new(
        self, horizon: object, *, interval: float | None = None
    ) -> FloatArray | pd.DataFrame:
        """E[X(t)]: expected repeat transactions of a customer who buys for the first time now.

        `horizon` is a number of time units, a timedelta, or an array of them; the answer has its shape. With
        `interval`, a level such as 0.9, it is a DataFrame with `lower` and `upper`, one row a horizon.
        """
        theta, new = self._theta(), single_customer()
        given = np.asarray(horizon, dtype=object)
        times = np.array([self._finite(self._horizon(t)) for t in given.ravel()], dtype=np.float64)
        distinct, where = np.unique(times, return_inverse=True)

        def expected(at: FloatArray) -> FloatArray:
            return np.array([self._expected(at, new, float(t))[0] for t in distinct], dtype=np.float64)

        value = expected(theta)[where]
        if interval is None:
            return value.reshape(given.shape)
        deviation = standard_deviation(expected, self._result())[where]
        return with_interval(value, deviation, interval, pd.Index(times, name="horizon"), "transactions")

    def lifetime_value_new(
        self,
        horizon: object,
        *,
        spend: SpendModel,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> float | pd.DataFrame:
        """Expected value of the repeat transactions of a customer who buys for the first time now, discounted to now.

        `horizon`, `spend` and `discount_rate` as in `lifetime_value`. Each is worth the population's mean of `spend`;
        the first purchase itself is left out. With `interval`, a level such as 0.9, it is a DataFrame of one row,
        with `lower` and `upper` beside the value.
        """
        theta, new = self._theta(), single_customer()
        require_spend_model(spend)
        force, h = require_discount_rate(discount_rate), self._horizon(horizon)
        nobody = pd.DataFrame({"x": [0], "spend": [0.0]}, index=pd.Index([h], name="horizon"))
        value = self._present(theta, new, h, force) * spend.expected_spend(nobody).to_numpy()
        if interval is None:
            return float(value[0])
        deviation = standard_deviation(lambda at: self._present(at, new, h, force), self._result())
        both = np.hypot(deviation, spend.spend_deviation(nobody))
        return with_interval(value, both, interval, nobody.index, "value")

    def sample(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        *,
        spend: SpendModel | None = None,
        draws: int = 100,
        seed: int = 0,
        parameters: Uncertainty = "drawn",
    ) -> pd.DataFrame:
        """Posterior-predictive draws of what each customer does in the `horizon` (time units) after its age T.

        One row a customer, one column a draw: transactions, or with `spend` their value, undiscounted. Every draw
        takes parameters as uncertain as the fit leaves them ("drawn") or as they are ("fitted"), then each customer's
        own rates given its history, then the future. Quantiles of a row are predictive intervals of that customer,
        those of column sums are intervals of the total. The same `seed` gives the same draws. Raises LtvInputError
        where the data do not identify the parameters, so that they cannot be drawn.
        """
        self._theta()
        if spend is not None:
            require_spend_model(spend)
        h = self._finite(self._horizon(horizon))
        frame = require_frame(rfm)
        cells = self._cells(frame)
        x, t_x, T = (column[cells.of_customer] for column in (cells.x, cells.t_x, cells.T))
        rng = np.random.default_rng(seed)
        columns = np.empty((len(frame), require_draws(draws)))
        for j in range(columns.shape[1]):
            theta = self._draw_theta(rng, parameters)
            alive = rng.random(len(x)) < self._alive(theta, cells)[cells.of_customer]
            count = np.where(alive, self._draw_if_alive(theta, x, t_x, T, h, rng), 0.0)
            columns[:, j] = count if spend is None else spend.draw_totals(frame, count, rng, parameters)
        return pd.DataFrame(columns, index=frame.index).rename_axis(columns="draw")

    def score(self, rfm: pd.DataFrame | Cells, y: object = None, sample_weight: object = None) -> float:
        """Mean log-likelihood of a customer: what scikit-learn's cross-validation and search maximise.

        `sample_weight` as in `fit`; `y` changes nothing. Raises LtvInputError for impossible rows.
        """
        theta, cells = self._theta(), self._cells(rfm)
        counts = cells.counts(sample_weight)
        return self._log_likelihood(theta, cells, counts)[0] / float(counts.sum())

    def _fit_cells(self, cells: Cells, counts: FloatArray) -> None:
        """Maximise the likelihood of distinct customers and their counts."""
        log_likelihood, sketch, sketch_weight = self._likelihood_of_fit(), None, 1.0
        if len(cells) > SKETCH:
            few, few_counts = cells.systematic_sample(counts, SKETCH)
            sketch_weight = float(few_counts.sum())
            sketch = partial(log_likelihood, cells=few, counts=few_counts)
        self._fit_likelihood(
            partial(log_likelihood, cells=cells, counts=counts),
            self._starts(cells, counts),
            float(counts.sum()),
            sketch,
            sketch_weight,
        )

    def _likelihood_of_fit(self) -> Callable[..., tuple[float, FloatArray]]:
        """The likelihood that a fit result goes on asking for its profile, whatever the model is fitted to later."""
        return self._log_likelihood

    def _cells(self, rfm: pd.DataFrame | Cells) -> Cells:
        """The customers to predict, in the unit of the model."""
        cells = rfm_cells(rfm)
        unit_of(cells, self.time_unit_)
        return cells

    def _horizon(self, horizon: object) -> float:
        """A horizon in the model's time unit."""
        return to_horizon(horizon, self.time_unit_)

    def _present(self, theta: FloatArray, cells: Cells, horizon: float, force: float) -> FloatArray:
        """Expected transactions up to `horizon`, each worth exp(-force * time ahead), by cell."""
        ahead = discounted(lambda t: self._expected_if_alive(theta, cells, t), horizon, force)
        return ahead * self._alive(theta, cells)

    def _expected(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        return self._expected_if_alive(theta, cells, horizon) * self._alive(theta, cells)

    def _answer(
        self,
        rfm: pd.DataFrame | Cells,
        predict: Callable[[FloatArray, Cells], FloatArray],
        name: str,
        interval: float | None,
        range_: Range = "positive",
    ) -> pd.Series | pd.DataFrame:
        cells = self._cells(rfm)
        value = predict(self._theta(), cells)
        if interval is None:
            return cells.expand(value, name)
        deviation = standard_deviation(lambda theta: predict(theta, cells), self._result(), range_)
        each = with_interval(value, deviation, interval, pd.RangeIndex(len(value)), name, range_)
        return each.iloc[cells.of_customer].set_axis(cells.index)

    @staticmethod
    def _finite(horizon: float) -> float:
        if not np.isfinite(horizon):
            raise LtvInputError(
                "horizon is infinite",
                todo="give a finite horizon; lifetime_value takes inf with a discount rate",
            )
        return horizon

    @abstractmethod
    def _starts(self, cells: Cells, counts: FloatArray) -> Sequence[Sequence[float]]:
        """Points to start the search from; they scale with the time unit, so that the optimum does."""

    @abstractmethod
    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]:
        """Log-likelihood of all customers and its gradient by the parameters."""

    @abstractmethod
    def _alive(self, theta: FloatArray, cells: Cells) -> FloatArray:
        """P(alive at T), by cell."""

    @abstractmethod
    def _expected_if_alive(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray:
        """Expected transactions in (T, T + horizon] of customers alive at T, by cell."""

    @abstractmethod
    def _draw_if_alive(
        self,
        theta: FloatArray,
        x: FloatArray,
        t_x: FloatArray,
        T: FloatArray,
        horizon: float,
        rng: np.random.Generator,
    ) -> FloatArray:
        """One draw of the transactions in (T, T + horizon] of customers alive at T, by customer."""


def typical_rate(cells: Cells, counts: FloatArray) -> tuple[float, float]:
    """(mean age, mean transactions), kept off zero: what starting values scale with."""
    total = float(counts.sum())
    mean_T = dot(counts, cells.T) / total
    mean_x = dot(counts, cells.x) / total
    return (mean_T if mean_T > 0 else 1.0), max(mean_x, 0.05)
