"""What the models of latent attrition share: fit on cells, and the verbs that analysts call.

A customer buys at random with an own rate until leaving for good, unseen. Everything known about a customer is in
x, t_x and T. A model says how rates and leaving differ between customers; this class does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, require_horizon, require_positive, to_floats
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.likelihood_fit import FitResult, Optimum, maximise


class LatentAttrition(Estimator, ABC):
    """Base of the models in continuous time, where customers can leave at any time without notice."""

    family: ClassVar[str] = "latent-attrition"
    parameter_names: ClassVar[tuple[str, ...]]

    fit_result_: FitResult

    def __init__(self, *, warm_start: bool = False) -> None:
        self.warm_start = warm_start

    @classmethod
    def with_parameters(cls, **parameters: float) -> Self:
        """A model with known parameters, e.g. published ones, ready to predict; it has no `fit_result_`."""
        model = cls()
        model._set(require_positive(parameters, cls.parameter_names))
        return model

    def fit(self, rfm: pd.DataFrame | Cells, sample_weight: object = None) -> Self:
        """Maximum likelihood from a summary with the columns `x`, `t_x`, `T`, one row a customer.

        `sample_weight` (Series with the index of `rfm`, or array) says how often each row counts; whole numbers do
        what repeating the rows would. With `warm_start=True` a second `fit` starts at the solution of the first.
        Raises LtvInputError for impossible rows and NotConvergedError rather than returning a doubtful number; a
        ridge is no failure: see `fit_result_.identified` and `.reason`.
        """
        cells = rfm_cells(rfm)
        counts = cells.counts(sample_weight)
        warm: Optimum | None = getattr(self, "_optimum", None) if self.warm_start else None
        parameters, self.fit_result_, self._optimum = maximise(
            lambda theta: self._log_likelihood(theta, cells, counts),
            self.parameter_names,
            self._starts(cells, counts),
            float(counts.sum()),
            warm,
        )
        self._set(parameters)
        return self

    def expected_transactions(self, rfm: pd.DataFrame | Cells, horizon: float) -> pd.Series:
        """Expected transactions of each known customer in the `horizon` time units after its age T."""
        theta, h, cells = self._theta(), require_horizon(horizon), rfm_cells(rfm)
        while_alive = self._expected_if_alive(theta, cells.age.x, cells.age.t, h)
        return cells.expand(while_alive[cells.age.of_cell] * self._alive(theta, cells), "transactions")

    def expected_transactions_new(self, horizon: object) -> FloatArray:
        """E[X(t)]: expected repeat transactions of a customer who buys for the first time now.

        `horizon` is a number of time units or an array of them; the answer has its shape.
        """
        theta = self._theta()
        times = np.asarray(horizon, dtype=np.float64)
        distinct, where = np.unique(times, return_inverse=True)
        zero = np.zeros(1)
        values = [self._expected_if_alive(theta, zero, zero, require_horizon(t))[0] for t in distinct]
        return np.asarray(values, dtype=np.float64)[where].reshape(times.shape)

    def probability_alive(self, rfm: pd.DataFrame | Cells) -> pd.Series:
        """Probability that each customer has not left by its age T."""
        theta, cells = self._theta(), rfm_cells(rfm)
        return cells.expand(self._alive(theta, cells), "alive")

    def score(self, rfm: pd.DataFrame | Cells, sample_weight: object = None) -> float:
        """Mean log-likelihood of a customer: what scikit-learn's cross-validation and search maximise."""
        cells = rfm_cells(rfm)
        counts = cells.counts(sample_weight)
        return self._log_likelihood(self._theta(), cells, counts)[0] / float(counts.sum())

    def _set(self, parameters: dict[str, float]) -> None:
        for name, value in parameters.items():
            setattr(self, f"{name}_", value)

    def _theta(self) -> FloatArray:
        self._require_fit(f"{self.parameter_names[0]}_")
        return to_floats([getattr(self, f"{name}_") for name in self.parameter_names], "parameters")

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
    def _expected_if_alive(
        self, theta: FloatArray, x: FloatArray, T: FloatArray, horizon: float
    ) -> FloatArray:
        """Expected transactions in (T, T + horizon] of customers alive at T; depends on x and T only."""


def typical_rate(cells: Cells, counts: FloatArray) -> tuple[float, float]:
    """(mean age, mean transactions), kept off zero: what starting values scale with."""
    total = float(counts.sum())
    mean_T = float(counts @ cells.T) / total
    mean_x = float(counts @ cells.x) / total
    return (mean_T if mean_T > 0 else 1.0), max(mean_x, 0.05)
