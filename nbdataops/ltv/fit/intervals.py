"""Intervals of what a fitted model predicts, from the uncertainty of its parameters (the delta method).

The parameters' logarithms are nearly normal, with the covariance of the fit. A prediction is followed on the scale
where it has no limits (logarithm of an amount, log odds of a probability), so an interval never leaves its range.
It is the interval of an expectation: what single customers do scatters far more (see `sample`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.fit.fit_result import FitResult, two_sided

Range: TypeAlias = Literal["positive", "probability", "real"]
STEP = 1e-4
"""Of the differences, in logarithms of a parameter."""
LONGEST = 650.0
"""The logarithm of the longest factor by which an end may lie above a prediction: nothing is known of it then."""


def standard_deviation(
    predict: Callable[[FloatArray], FloatArray], result: FitResult, range_: Range = "positive"
) -> FloatArray:
    """Standard deviation of a prediction on its unlimited scale, elementwise; NaN where the fit determines none.

    `predict` maps parameters, in the order of `result.parameters`, to predictions. Where a prediction is at the limit
    of its range whatever the parameters, the deviation is 0; where it is infinite close by, there is none either.
    """
    theta = np.array(list(result.parameters.values()))
    is_log = np.array(result.is_log)
    if not (result.identified and np.isfinite(result.covariance).all()):
        return np.full(predict(theta).shape, np.nan)
    slopes = []
    for j in range(len(theta)):
        shifted = []
        for side in (1, -1):
            there = theta.copy()
            there[j] = theta[j] * np.exp(side * STEP) if is_log[j] else theta[j] + side * STEP
            shifted.append(_unlimited(predict(there), range_))
        up, down = shifted
        limit = _at_limit(up, range_) | _at_limit(down, range_)  # to all digits, on one side at least
        known = np.isfinite(up) & np.isfinite(down)
        rise = np.where(known, up, 0.0) - np.where(known, down, 0.0)
        slopes.append(np.where(known | limit, rise / (2 * STEP), np.nan))
    gradient = np.array(slopes)
    variance = np.einsum("i...,ij,j...->...", gradient, result.covariance, gradient)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def ends(
    value: FloatArray, deviation: FloatArray, level: object, range_: Range = "positive"
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of the interval of `level` around predictions with these deviations."""
    reach = two_sided(level) * deviation
    if range_ == "probability":
        at = logit(value)
        return expit(at - reach), expit(at + reach)
    if range_ == "real":
        return value - reach, value + reach
    return value * np.exp(-reach), value * np.exp(np.minimum(reach, LONGEST))


def with_interval(
    value: FloatArray,
    deviation: FloatArray,
    level: object,
    index: pd.Index,
    name: str,
    range_: Range = "positive",
) -> pd.DataFrame:
    """The columns `name`, `lower`, `upper` of what a verb answers when it is asked for an interval."""
    lower, upper = ends(value, deviation, level, range_)
    return pd.DataFrame({name: value, "lower": lower, "upper": upper}, index=index)


def scaled(answer: pd.DataFrame, factor: float) -> pd.DataFrame:
    """A value and its interval, `factor` times: a negative factor swaps the ends, 0 times anything is 0."""
    lower, upper = ("lower", "upper") if factor >= 0 else ("upper", "lower")
    given = {"lower": answer[lower], "upper": answer[upper]}
    columns = {name: given.get(str(name), answer[name]) for name in answer.columns}
    return pd.DataFrame(
        {name: column * factor if factor else 0.0 for name, column in columns.items()}, index=answer.index
    )


def _at_limit(unlimited: FloatArray, range_: Range) -> NDArray[np.bool_]:
    """Where a prediction on its unlimited scale was at an end of its range: 0, or 1 of a probability."""
    return np.isneginf(unlimited) | (np.isposinf(unlimited) if range_ == "probability" else False)


def _unlimited(value: FloatArray, range_: Range) -> FloatArray:
    with np.errstate(divide="ignore"):
        if range_ == "probability":
            return np.asarray(logit(value))
        return np.log(value) if range_ == "positive" else value
