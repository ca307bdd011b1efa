"""Spend that may depend on frequency: a regression of log spend, with shrinkage to its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Self, overload

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import (
    LARGEST,
    FloatArray,
    LtvInputError,
    counts,
    numbers,
    refuse,
    require_columns,
    require_frame,
    require_rows,
    row_weights,
    to_floats,
)
from nbdataops.ltv.covariates import covariate_names
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.intervals import standard_deviation, with_interval
from nbdataops.ltv.fit.likelihood_fit import maximise
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel, Uncertainty
from nbdataops.ltv.fit.standardised import Standardised
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.spend.spend_model import draw_next_values
from nbdataops.ltv.time_units import TimeUnit, unit_of

COEFFICIENTS, DEVIATIONS = ("intercept", "slope"), ("tau", "sigma")
OUTCOMES = ("spend", "total")
"""Columns of a summary that hold what is to be explained."""


class LogSpend(LikelihoodModel):
    """Regression of log spend on frequency, each customer's own mean pulled towards the line.

    Family: latent attrition (a spend part for its count models, as `GammaGamma`). Assumes: the logarithm of a
    customer's own expected spend is normal around a line in log(1 + x) and any `covariates`, with variance tau^2; its
    mean spend over x transactions is lognormal around that, with variance sigma^2 / x of the logarithm. **Frequency
    and value may be related**, which Gamma-Gamma excludes; the line must be straight in the logarithm. Money comes
    back from the logarithm by a factor that makes fitted and observed total repeat revenue equal (smearing), so
    that totals are right even where the errors are not normal.
    Source: a random-effects regression with known weights, standard; smearing is Duan 1983, Smearing estimate, JASA
    78:605.

    `covariates`: numeric columns beside log(1 + x), in any unit and from any origin. `time_unit`: "day", "week", "month" or "year", of the summaries
    and of covariates that are times; None takes what the summary carries. `warm_start`: a second `fit` starts at the
    solution of the first.
    Fitted attributes: `intercept_`, `slope_` (of log(1 + x); 0 means independence), one `<name>_` a covariate,
    `tau_`, `sigma_`, `smearing_`, `fit_result_`, `time_unit_`; `n_repeaters_`, `n_zero_spend_` (left out of the fit).

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(1, 9, 4000)
    >>> own = np.exp(2 + 0.4 * np.log1p(x) + rng.normal(0, 0.3, 4000))
    >>> rfm = pd.DataFrame({"x": x, "spend": own * rng.gamma(4 * x) / (4 * x)})
    >>> bool(abs(LogSpend().fit(rfm).slope_ - 0.4) < 0.05)
    True
    """

    family: ClassVar[str] = "latent-attrition"
    intercept_: float
    slope_: float
    tau_: float
    sigma_: float
    smearing_: float
    n_repeaters_: int
    n_zero_spend_: int
    _covariates: tuple[str, ...]
    _searched: FitResult
    _standardised: Standardised

    def __init__(
        self,
        *,
        covariates: Sequence[str] = (),
        time_unit: TimeUnit | None = None,
        warm_start: bool = False,
    ) -> None:
        super().__init__(time_unit=time_unit, warm_start=warm_start)
        self.covariates = covariates

    @property
    def real_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The coefficients, which may be negative."""
        return ("intercept", "slope", *self._names())

    @property
    def parameter_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """All parameters: coefficients, then the two standard deviations."""
        return (*self.real_parameters, *DEVIATIONS)

    @classmethod
    def with_parameters(cls, *, time_unit: TimeUnit | None = None, **parameters: float) -> Self:
        """Not offered: the factor that brings money back from the logarithm comes from data."""
        raise LtvInputError("LogSpend has no given parameters", todo="fit it to a summary")

    def fit(self, rfm: pd.DataFrame, y: object = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from `x`, `spend` (money) and the covariates, over repeaters with a positive spend.

        `sample_weight` (Series with the index of `rfm`, or array), or a column `n`: how many customers a row stands for;
        `y` is accepted for scikit-learn and changes nothing. Raises LtvInputError where there is no such repeater, and for
        a covariate that is missing somewhere.
        """
        names = self._given_names()
        frame, x, spend = self._columns(rfm, names)
        unit = unit_of(frame, self.time_unit)
        n = numbers(frame, "n") if "n" in frame.columns else None
        w = row_weights(sample_weight, n, frame.index)
        used = (x > 0) & (spend > 0) & (np.ones(len(x), dtype=bool) if w is None else w > 0)
        if not used.any():
            raise LtvInputError(
                "no customer has a repeat transaction of positive value",
                todo="fit on customers with x > 0 and spend > 0",
            )
        design = self._design(frame, x, names)[used]
        w_used = np.ones(int(used.sum())) if w is None else w[used]
        self._search(names, np.log(spend[used]), design, x[used], w_used)
        self.n_repeaters_, self.n_zero_spend_ = int(used.sum()), int(((x > 0) & (spend == 0)).sum())
        self.smearing_ = 1.0
        raw = self._expected(self._theta(), frame, x, spend)
        repeats = x if w is None else w * x
        self.smearing_ = dot(repeats, np.where(x > 0, spend, 0.0)) / dot(repeats, np.where(x > 0, raw, 0.0))
        self.time_unit_ = unit
        return self

    def _search(
        self, names: tuple[str, ...], y: FloatArray, design: FloatArray, x: FloatArray, w: FloatArray
    ) -> None:
        """Maximise the likelihood in standardised columns, and keep the coefficients of the columns as they are."""
        standardised = Standardised.of(design, w)
        start = float(np.average(y, weights=w))
        spread = max(float(np.sqrt(np.average((y - start) ** 2, weights=w))), 1e-3)
        zero = [0.0] * (design.shape[1] - 1)
        known = self.__dict__.get("_covariates", ())
        searched, optimum = maximise(
            partial(_log_likelihood, y=y, design=standardised.design(design), x=x, w=w),
            (*COEFFICIENTS, *names, *DEVIATIONS),
            [(start, *zero, 0.7 * spread, 0.7 * spread), (start, *zero, 0.2 * spread, spread)],
            float(w.sum()),
            self._optimum if self.warm_start and names == known else None,
            real=(*COEFFICIENTS, *names),
        )
        for name in known:
            delattr(self, f"{name}_")
        self._covariates, self._standardised = names, standardised
        self._searched, self._optimum = replace(searched, _peak=None), optimum
        self.fit_result_ = standardised.result(searched)
        self._set(self.fit_result_.parameters)

    @overload
    def expected_spend(self, rfm: pd.DataFrame, *, interval: None = None) -> pd.Series: ...

    @overload
    def expected_spend(self, rfm: pd.DataFrame, *, interval: float) -> pd.DataFrame: ...

    def expected_spend(self, rfm: pd.DataFrame, *, interval: float | None = None) -> pd.Series | pd.DataFrame:
        """Expected value of a customer's next transaction, in currency: between its own mean and the line.

        The line itself (at x = 0) where there was no repeat purchase or all were free. `interval`: a level such as
        0.9 returns a DataFrame with `lower` and `upper`, from the uncertainty of the parameters.
        """
        theta = self._theta()
        frame, x, spend = self._known_unit(rfm)
        value = self._expected(theta, frame, x, spend)
        if interval is None:
            return pd.Series(value, index=frame.index, name="spend")
        return with_interval(value, self.spend_deviation(frame), interval, frame.index, "spend")

    def spend_deviation(self, rfm: pd.DataFrame) -> FloatArray:
        """Standard deviation of the logarithm of `expected_spend`, by customer; NaN where not identified."""
        self._result()
        frame, x, spend = self._known_unit(rfm)
        to_data = self._standardised.to_data(len(self.parameter_names))
        return standard_deviation(
            lambda theta: self._expected(to_data @ theta, frame, x, spend), self._searched
        )

    def draw_totals(
        self,
        rfm: pd.DataFrame,
        transactions: FloatArray,
        rng: np.random.Generator,
        parameters: Uncertainty = "drawn",
    ) -> FloatArray:
        """One posterior-predictive draw of the total value of so many `transactions`, one number a customer of `rfm`.

        A customer's own mean is drawn given its history; the total around it has the mean and variance of so many
        lognormal transactions.
        """
        frame, x, spend = self._known_unit(rfm)
        theta = self._draw_theta(rng, parameters)
        centre, variance = self._posterior(theta, frame, x, spend)
        own = self.smearing_ * np.exp(centre + np.sqrt(variance) * rng.standard_normal(len(x)))
        shape = np.maximum(transactions, 1.0) / np.expm1(theta[-1] ** 2)
        total = rng.gamma(shape) / shape * np.maximum(transactions, 1.0) * own
        return np.where(transactions > 0, total, 0.0)

    def sample(
        self, rfm: pd.DataFrame, *, draws: int = 100, seed: int = 0, parameters: Uncertainty = "drawn"
    ) -> pd.DataFrame:
        """Posterior-predictive draws of the value of each customer's next transaction, in the currency of `spend`.

        One row a customer, one column a draw; parameters as uncertain as the fit leaves them ("drawn") or as they are
        ("fitted"). The same seed gives the same draws. Raises LtvInputError where the fit cannot draw its parameters.
        """
        return draw_next_values(self, rfm, draws, seed, parameters)

    def score(self, rfm: pd.DataFrame, y: object = None, sample_weight: object = None) -> float:
        """Mean log-likelihood of a repeater's log spend. `sample_weight` as in `fit`; `y` changes nothing."""
        theta = self._theta()
        frame, x, spend = self._known_unit(rfm)
        n = numbers(frame, "n") if "n" in frame.columns else None
        w = row_weights(sample_weight, n, frame.index)
        used = (x > 0) & (spend > 0)
        w_used = np.ones(int(used.sum())) if w is None else w[used]
        if not w_used.sum():
            raise LtvInputError(
                "no repeater with a positive spend to score", todo="score customers with x > 0"
            )
        design = self._design(frame, x, self._covariates)[used]
        value, _ = _log_likelihood(theta, np.log(spend[used]), design, x[used], w_used)
        return value / float(w_used.sum())

    def _drawn_around(self, result: FitResult, rng: np.random.Generator) -> FloatArray:
        """Drawn in standardised columns: in others, rounding can be larger than the uncertainty."""
        drawn = super()._drawn_around(self._searched, rng)
        return np.asarray(self._standardised.to_data(len(drawn)) @ drawn)

    def _given_names(self) -> tuple[str, ...]:
        """The covariates of the next fit, whose coefficients become attributes beside those of the class."""
        own = {
            name for cls in type(self).__mro__ for name in (*vars(cls), *vars(cls).get("__annotations__", ()))
        }
        parameters = (*COEFFICIENTS, *DEVIATIONS)
        taken = {name[:-1] for name in own if name.endswith("_")}.union(parameters, ("x", "n"))
        return covariate_names(self.covariates, taken, OUTCOMES)

    def _names(self) -> tuple[str, ...]:
        """The covariates of the fit; before one, those of the next."""
        known: tuple[str, ...] | None = self.__dict__.get("_covariates")
        return self._given_names() if known is None else known

    def _columns(self, rfm: object, names: tuple[str, ...]) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
        frame = require_frame(rfm)
        require_columns(frame, ("x", "spend", *names))
        require_rows(frame.index, "rfm")
        x = counts(frame, "x")
        return frame, x, numbers(frame[["spend"]].where(x[:, None] > 0, 0), "spend")

    def _known_unit(self, rfm: object) -> tuple[pd.DataFrame, FloatArray, FloatArray]:
        """The columns of customers to predict; in the unit of the fit, since a covariate may be a time."""
        self._require_fit("time_unit_")
        frame, x, spend = self._columns(rfm, self._covariates)
        unit_of(frame, self.time_unit_)
        return frame, x, spend

    def _design(self, frame: pd.DataFrame, x: FloatArray, names: tuple[str, ...]) -> FloatArray:
        columns = [np.ones(len(x)), np.log1p(x)]
        for name in names:
            values = to_floats(frame[name], name)
            refuse(
                ~np.isfinite(values), frame.index, f"{name} is missing or infinite", "fill it before the fit"
            )
            refuse(
                np.abs(values) > LARGEST,
                frame.index,
                f"{name} is too large to add up",
                "is this number a bug?",
            )
            columns.append(values)
        return np.stack(columns, axis=1)

    def _posterior(
        self, theta: FloatArray, frame: pd.DataFrame, x: FloatArray, spend: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the logarithm of each customer's own mean, given its history."""
        *coefficients, tau, sigma = theta
        line = np.einsum("ij,j", self._design(frame, x, self._covariates), np.array(coefficients))
        known = (x > 0) & (spend > 0)
        own = np.log(np.where(known, spend, 1.0)) + sigma**2 / (2 * np.maximum(x, 1.0))
        weight = np.where(known, tau**2 / (tau**2 + sigma**2 / np.maximum(x, 1.0)), 0.0)
        return line + weight * np.where(known, own - line, 0.0), tau**2 * (1 - weight)

    def _expected(
        self, theta: FloatArray, frame: pd.DataFrame, x: FloatArray, spend: FloatArray
    ) -> FloatArray:
        centre, variance = self._posterior(theta, frame, x, spend)
        return np.asarray(self.smearing_ * np.exp(centre + variance / 2))


def _log_likelihood(
    theta: FloatArray, y: FloatArray, design: FloatArray, x: FloatArray, w: FloatArray
) -> tuple[float, FloatArray]:
    *coefficients, tau, sigma = theta
    variance = tau**2 + sigma**2 / x
    # a lognormal mean lies below its expectation by half its variance
    error = y + sigma**2 / (2 * x) - np.einsum("ij,j", design, np.array(coefficients))
    pull = error / variance
    value = -0.5 * dot(w, np.log(2 * np.pi * variance) + error * pull)
    by_variance = 0.5 * w * (pull**2 - 1 / variance)
    return value, np.array(
        [
            *np.einsum("i,ij", w * pull, design),
            2 * tau * float(by_variance.sum()),
            2 * sigma * float((by_variance / x).sum()) - sigma * float((w * pull / x).sum()),
        ]
    )
