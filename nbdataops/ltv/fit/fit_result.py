"""What a fit found, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.fit.objective import Objective
from nbdataops.ltv.fit.profile import profile_end


@dataclass(frozen=True)
class FitResult:
    """What the search for the maximum found, and how far it can be trusted.

    parameters: the estimates. log_likelihood: at the maximum, of the data in its own units, all customers together.
    gradient_norm: largest absolute derivative by the logarithm of a parameter, per customer.
    standard_errors: by parameter, from the observed information; NaN of a parameter at its limit, and of all where the
    likelihood is no peak in the others.
    condition_number: of the Hessian in the log-parameters; infinite where it is not positive definite.
    iterations: evaluations of likelihood and gradient. starts: starting points tried. converged: True, since a fit
    that did not converge raises NotConvergedError.
    identified: False if the data do not determine all parameters (a ridge, a parameter at its limit); `reason` then
    says which, and forecasts beyond the observed window rest on an assumption, not on data.
    covariance: of the log-parameters (of real ones as they are: `is_log` says which), in the order of `parameters`;
    NaN where standard errors are.

    A pickled fit result forgets the data, and with them the profile; everything else stays.
    """

    parameters: dict[str, float]
    log_likelihood: float
    gradient_norm: float
    standard_errors: dict[str, float]
    condition_number: float
    iterations: int
    starts: int
    converged: bool
    identified: bool
    reason: str
    covariance: FloatArray = field(repr=False, compare=False)
    is_log: tuple[bool, ...] = field(repr=False)
    _peak: Peak | None = field(default=None, repr=False, compare=False)

    def profile_intervals(self, level: float = 0.9) -> pd.DataFrame:
        """Intervals of all parameters from the profile likelihood: index `parameter`, columns `lower`, `upper`.

        They follow the skewness of the likelihood, which standard errors cannot, and tell how much the data say even
        on a ridge: 0 or infinity where a side has no end, NaN where the profile could not be followed. Costs some
        hundred evaluations of the likelihood. Raises LtvInputError for a level outside of (0, 1) and for a result that was unpickled.
        """
        z = two_sided(level)
        if self._peak is None:
            raise LtvInputError(
                "this fit result no longer holds its data, so there is no profile",
                todo="call profile_intervals() before pickling, or fit again",
            )
        ends = {name: self._peak.interval(j, z) for j, name in enumerate(self.parameters)}
        frame = pd.DataFrame.from_dict(ends, orient="index", columns=["lower", "upper"])
        return frame.rename_axis("parameter")

    def with_constant(self, constant: float) -> FitResult:
        """The same result with a term added to the log-likelihood that no parameter changes."""
        return replace(self, log_likelihood=self.log_likelihood + constant)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_peak": None}


@dataclass(frozen=True)
class Peak:
    """The objective and its optimum, as the profile needs them."""

    objective: Objective
    at: FloatArray
    value: float
    hessian: FloatArray

    def interval(self, j: int, z: float) -> tuple[float, float]:
        """Both ends of the profile interval of parameter j."""
        ends = []
        for side in (-1, 1):
            end = profile_end(self.objective, self.at, self.value, self.hessian, j, side * z)
            if self.objective.is_log[j]:
                end = float(np.exp(end)) if not np.isinf(end) else (0.0 if side < 0 else np.inf)
            ends.append(end)
        return ends[0], ends[1]


def two_sided(level: object) -> float:
    """Half the width of a two-sided normal interval of this level, in standard deviations."""
    if isinstance(level, bool) or not isinstance(level, int | float | np.floating) or not 0 < level < 1:
        raise LtvInputError(f"interval is {level!r}", todo="give a level between 0 and 1, e.g. 0.9")
    return float(ndtri((1 + float(level)) / 2))
