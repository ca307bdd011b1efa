"""A log-likelihood as what a search minimises: per unit of weight, over the logarithms of positive parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbdataops.ltv.columns import FloatArray

Evaluate: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray]]
"""Parameters -> (log-likelihood, its gradient by the parameters)."""


class Objective:
    """Minus the log-likelihood per unit of weight. Its argument u holds log-parameters, and real ones as they are.

    `real` names the parameters that may be negative (coefficients of a regression). Counts its evaluations.
    """

    def __init__(
        self, evaluate: Evaluate, names: Sequence[str], total_weight: float, real: Sequence[str] = ()
    ) -> None:
        self.evaluate, self.names, self.total_weight = evaluate, tuple(names), total_weight
        self.is_log: NDArray[np.bool_] = np.array([name not in real for name in names])
        self.evaluations = 0

    def __call__(self, u: FloatArray) -> tuple[float, FloatArray]:
        self.evaluations += 1
        theta = self.theta(u)
        value, gradient = self.evaluate(theta)
        return -value / self.total_weight, -gradient * self.slope(theta) / self.total_weight

    def theta(self, u: FloatArray) -> FloatArray:
        """The parameters at u."""
        return np.where(self.is_log, np.exp(np.where(self.is_log, u, 0.0)), u)

    def u(self, theta: Sequence[float] | FloatArray) -> FloatArray:
        """Where the search finds these parameters."""
        values = np.asarray(theta, dtype=np.float64)
        return np.where(self.is_log, np.log(np.where(self.is_log, values, 1.0)), values)

    def slope(self, theta: FloatArray) -> FloatArray:
        """Derivative of the parameters by u."""
        return np.where(self.is_log, theta, 1.0)

    def hessian(self, u: FloatArray, step: float = 1e-4) -> FloatArray:
        """From central differences of the exact gradient."""
        columns = []
        for j in range(len(u)):
            shift = np.zeros(len(u))
            shift[j] = step
            columns.append((self(u + shift)[1] - self(u - shift)[1]) / (2 * step))
        h = np.array(columns)
        return np.asarray((h + h.T) / 2)
