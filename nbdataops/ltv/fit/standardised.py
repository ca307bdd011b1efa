"""A regression that is searched in standardised columns, and told in the units of its data.

The search for a maximum has limits and steps in units of its coefficients. A column in another unit, or counted from
another origin (years of birth for ages, seconds since 1970), is the same regression, but its coefficients lie beyond any
limit or nearly on a line. Centred and scaled columns are alike whatever the units, so that the search is too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.fit_result import FitResult, Peak
from nbdataops.ltv.fit.objective import Objective
from nbdataops.ltv.fit.profile import profile_end

CONSTANT = 1e-12
"""Standard deviation, relative to the largest value of a column, that rounding alone may leave."""


@dataclass(frozen=True)
class Standardised:
    """Columns beside the intercept: their weighted means and standard deviations (infinite where a column is constant,
    which makes it 0 and its coefficient 0)."""

    centre: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, design: FloatArray, w: FloatArray) -> Self:
        """From a design whose first column is the intercept's, and weights, not all 0."""
        columns = design[w > 0, 1:]
        weights = w[w > 0]
        centre = np.average(columns, axis=0, weights=weights)
        deviation = np.sqrt(np.average((columns - centre) ** 2, axis=0, weights=weights))
        constant = deviation <= CONSTANT * np.abs(columns).max(axis=0)
        return cls(centre, np.where(constant, np.inf, deviation))

    def design(self, design: FloatArray) -> FloatArray:
        """The same design with an intercept and standardised columns."""
        return np.column_stack([design[:, 0], (design[:, 1:] - self.centre) / self.scale])

    def to_data(self, parameters: int) -> FloatArray:
        """The matrix that takes coefficients, and parameters that follow them, to the units of the data."""
        matrix = np.eye(parameters)
        each = np.arange(1, len(self.scale) + 1)
        matrix[each, each] = 1 / self.scale
        matrix[0, each] = -self.centre / self.scale
        return matrix

    def result(self, result: FitResult) -> FitResult:
        """A fit in standardised columns, told in the units of the data. Coefficients are the first parameters, and real."""
        matrix = self.to_data(len(result.parameters))
        at = np.array(list(result.parameters.values()))
        theta = matrix @ at
        covariance = matrix @ result.covariance @ matrix.T
        if not np.isfinite(result.covariance).all():  # 0 * NaN would spoil what is known of the others
            known = ~np.isnan(np.diag(result.covariance))
            spoilt = (matrix[:, ~known] != 0).any(axis=1)
            covariance = matrix @ np.nan_to_num(result.covariance) @ matrix.T
            covariance[spoilt] = covariance[:, spoilt] = np.nan
        errors = np.sqrt(np.diag(covariance)) * np.where(result.is_log, theta, 1.0)
        names = list(result.parameters)
        peak = result._peak
        return replace(
            result,
            parameters=dict(zip(names, theta.tolist(), strict=True)),
            standard_errors=dict(zip(names, errors.tolist(), strict=True)),
            covariance=covariance,
            _peak=None
            if peak is None
            else _PeakInData(peak.objective, peak.at, peak.value, peak.hessian, matrix),
        )


@dataclass(frozen=True)
class _PeakInData(Peak):
    """A peak in standardised columns whose profile is that of the parameters in units of the data."""

    to_data: FloatArray

    def interval(self, j: int, z: float) -> tuple[float, float]:
        """Both ends of the profile interval of parameter j, followed along its own direction among the coefficients."""
        if self.objective.is_log[j]:
            return super().interval(j, z)
        length = float(np.linalg.norm(self.to_data[j]))
        if not length:
            return -np.inf, np.inf
        turn = _turn(self.to_data[j] / length)
        objective, at, hessian = (
            _Turned(self.objective, turn),
            turn @ self.at,
            turn @ self.hessian @ turn.T,
        )
        lower, upper = (
            length * profile_end(objective, at, self.value, hessian, 0, side * z) for side in (-1, 1)
        )
        return lower, upper


class _Turned(Objective):
    """An objective in turned coordinates."""

    def __init__(self, objective: Objective, turn: FloatArray) -> None:
        super().__init__(objective.evaluate, objective.names, objective.total_weight, objective.names)
        self._objective, self._turn = objective, turn

    def __call__(self, u: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = self._objective(self._turn.T @ u)
        return value, self._turn @ gradient


def _turn(direction: FloatArray) -> FloatArray:
    """An orthogonal matrix whose first row is this direction (Householder's reflection)."""
    across = direction.copy()
    sign = -1.0 if across[0] > 0 else 1.0  # away from the axis: no cancellation
    across[0] -= sign
    across /= np.linalg.norm(across)
    return np.asarray(sign * (np.eye(len(direction)) - 2 * np.outer(across, across)))
