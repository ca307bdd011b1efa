"""Gamma-Gamma: the mean value of a customer's transactions, seen through few of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import betaln, digamma

from nbdataops.ltv.columns import (
    FloatArray,
    IntArray,
    LtvInputError,
    counts,
    numbers,
    require_columns,
    require_frame,
    require_positive,
    require_rows,
    weights,
)
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.likelihood_fit import FitResult, Optimum, maximise


class GammaGamma(Estimator):
    """Gamma-Gamma model of the value of a transaction.

    Family: latent attrition (its spend part; it shares no likelihood with the count model but is used only with one).
    Assumes: values of one customer's transactions are Gamma(p, nu) with an own scale nu, Gamma(q, gamma) over
    customers; **value is independent of frequency**, which fails on many real logs: look at the correlation of x and
    spend among repeaters first.
    Source: Fader and Hardie 2013, The Gamma-Gamma model of monetary value, note 025 at brucehardie.com; after Colombo
    and Jiang 1999.

    Fitted attributes: `p_`, `q_`, `gamma_` (money), `fit_result_`; `n_repeaters_`, the customers in the likelihood
    (rows, whatever their weight), and `n_zero_spend_`, repeaters left out of it since all their transactions were
    worth nothing, which a gamma distribution cannot produce. They are predicted by the formula like anybody else.

    >>> model = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
    >>> known = pd.DataFrame({"x": [2, 0], "spend": [22.35, 0.0]})
    >>> model.expected_spend(known).round(2).tolist()
    [24.66, 35.22]
    """

    family: ClassVar[str] = "latent-attrition"
    parameter_names: ClassVar[tuple[str, ...]] = ("p", "q", "gamma")
    p_: float
    q_: float
    gamma_: float
    fit_result_: FitResult
    n_repeaters_: int
    n_zero_spend_: int

    def __init__(self, *, warm_start: bool = False) -> None:
        self.warm_start = warm_start

    @classmethod
    def with_parameters(cls, **parameters: float) -> Self:
        """A model with known parameters, ready to predict; it has no `fit_result_`."""
        model = cls()
        model._set(require_positive(parameters, cls.parameter_names))
        return model

    def fit(self, rfm: pd.DataFrame, sample_weight: object = None) -> Self:
        """Maximum likelihood from the columns `x` and `spend` (mean value of a repeat transaction).

        Customers without a repeat transaction carry no information and are skipped. Weights and warm start as in
        the other models. Raises LtvInputError when no repeater with a positive spend is left.
        """
        x, spend = _columns(rfm)
        w = weights(sample_weight, rfm.index)
        zero = (x > 0) & (spend == 0)
        used = (x > 0) & ~zero
        w_used = np.ones(int(used.sum())) if w is None else w[used]
        if not w_used.any():
            raise LtvInputError(
                "no customer has a repeat transaction of positive value",
                todo="fit on customers with x > 0 and spend > 0",
            )
        sums = _sums(x[used], spend[used], w_used)
        warm: Optimum | None = getattr(self, "_optimum", None) if self.warm_start else None
        parameters, self.fit_result_, self._optimum = maximise(
            lambda theta: _log_likelihood(theta, sums), self.parameter_names, _starts(sums), sums.total, warm
        )
        self.n_repeaters_, self.n_zero_spend_ = int(used.sum()), int(zero.sum())
        self._set(parameters)
        return self

    def expected_spend(self, rfm: pd.DataFrame) -> pd.Series:
        """Expected value of a customer's next transaction: between its own mean and the population's.

        The population mean where x == 0; it exists only if q > 1, otherwise such a row is an error.
        """
        self._require_fit("p_")
        x, spend = _columns(rfm)
        below = self.p_ * x + self.q_ - 1
        if (below <= 0).any():
            raise LtvInputError(
                f"the population mean is infinite: q = {self.q_:.3f}",
                todo="predict customers with x > 0 only, or cap extreme values of spend before the fit",
            )
        return pd.Series(self.p_ * (self.gamma_ + x * spend) / below, index=rfm.index, name="spend")

    @property
    def population_mean_(self) -> float:
        """Mean value of a transaction over all customers: p gamma / (q - 1), infinite for q <= 1."""
        self._require_fit("p_")
        return self.p_ * self.gamma_ / (self.q_ - 1) if self.q_ > 1 else float("inf")

    def score(self, rfm: pd.DataFrame, sample_weight: object = None) -> float:
        """Mean log-likelihood of a repeater with a positive spend."""
        self._require_fit("p_")
        x, spend = _columns(rfm)
        w = weights(sample_weight, rfm.index)
        used = (x > 0) & (spend > 0)
        sums = _sums(x[used], spend[used], np.ones(int(used.sum())) if w is None else w[used])
        if not sums.total:
            raise LtvInputError(
                "no repeater with a positive spend to score", todo="score customers with x > 0"
            )
        return _log_likelihood(np.array([self.p_, self.q_, self.gamma_]), sums)[0] / sums.total

    def _set(self, parameters: dict[str, float]) -> None:
        for name, value in parameters.items():
            setattr(self, f"{name}_", value)


def _columns(rfm: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """x and spend, checked; spend may be missing where x == 0, since there it means nothing."""
    frame = require_frame(rfm)
    require_columns(frame, ("x", "spend"))
    require_rows(frame.index, "rfm")
    x = counts(frame, "x")
    if (x == 0).any():
        frame = frame.assign(spend=frame["spend"].where(x > 0, 0))
    return x, numbers(frame, "spend")


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the likelihood needs of the data; arrays over repeaters, but those over distinct x."""

    x: FloatArray
    value: FloatArray
    weight: FloatArray
    distinct_x: FloatArray
    weight_by_x: FloatArray
    total: float
    log_spend: float
    mean_spend: float


def _sums(x: FloatArray, spend: FloatArray, w: FloatArray) -> _Sums:
    counting = w > 0
    x, spend, w = x[counting], spend[counting], w[counting]
    code, distinct = pd.factorize(x)
    of_x: IntArray = code.astype(np.int64)
    total = float(w.sum())
    return _Sums(
        x=x,
        value=x * spend,
        weight=w,
        distinct_x=np.asarray(distinct, dtype=np.float64),
        weight_by_x=np.bincount(of_x, w, minlength=len(distinct)).astype(np.float64),
        total=total,
        log_spend=float(w @ np.log(spend)),
        mean_spend=float(w @ spend) / total if total else 0.0,
    )


def _starts(d: _Sums) -> Sequence[Sequence[float]]:
    return ((5.0, 4.0, 0.4 * d.mean_spend), (1.5, 2.0, d.mean_spend))


def _log_likelihood(theta: FloatArray, d: _Sums) -> tuple[float, FloatArray]:
    p, q, gamma = theta
    px, w_x = p * d.distinct_x, d.weight_by_x
    # gamma against the total value, both ways round, so that nothing cancels where one is far larger
    q_log = float(d.weight @ np.log1p(d.value / gamma))
    p_log = float((d.weight * d.x) @ np.log1p(gamma / d.value))
    value = -(w_x @ betaln(px, q)) - q * q_log - p * p_log - d.log_spend
    digamma_all = digamma(px + q)
    slope = (q * d.value - p * d.x * gamma) / (gamma * (gamma + d.value))
    gradient = np.array(
        [
            (w_x * d.distinct_x) @ (digamma_all - digamma(px)) - p_log,
            w_x @ (digamma_all - digamma(q)) - q_log,
            d.weight @ slope,
        ]
    )
    return float(value), gradient
