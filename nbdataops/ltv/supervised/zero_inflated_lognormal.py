"""Zero-inflated lognormal regression: the loss of Wang, Liu and Miao, with a linear model in place of a network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit

from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    require_frame,
    require_number,
    require_rows,
    row_weights,
)
from nbdataops.ltv.fit.intervals import standard_deviation, with_interval
from nbdataops.ltv.fit.likelihood_model import LikelihoodModel, Uncertainty, require_draws
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.supervised.features import Typical, behaviour, least_age, on_a_log_scale
from nbdataops.ltv.supervised.labelled_method import count_of_rows
from nbdataops.ltv.supervised.labels import Scale, carried_to, explained_deviance, read_labels
from nbdataops.ltv.time_units import TimeUnit, unit_of


class ZeroInflatedLognormal(LikelihoodModel):
    """Logistic regression for who buys at all, lognormal regression for how much.

    Family: supervised. The label of a row is zero with one probability, else lognormal; the log odds and the log mean
    are linear in standardised features (logarithms of 1 plus the rate of purchases, the silence since the last one and
    mean spend, each over its mean in the training rows; whether there was a repeat purchase; `covariates`). E(value) =
    P(buys) exp(mu + sigma^2 / 2). Trained at an earlier origin on what followed; assumes that the next window is like
    the label window and that positive values are lognormal, the same sigma for all: if not, exp(sigma^2 / 2) scales
    every prediction. Source: Wang, Liu and Miao 2019, A deep probabilistic model for customer lifetime value
    prediction, arXiv:1912.07753, for the loss.

    `ridge`: penalty on the squared standardised coefficients, in rows; above 0 separable data have a finite answer,
    at 0 they end in `fit_result_.identified = False`. `covariates`: numeric columns beside `x`, `t_x`, `T` and
    `spend`, known at the origin.
    `train_horizon`: length of the label window, in time units. `scale`: "refuse" another horizon, or "linear": the
    horizon is like its beginning, over and over.
    `time_unit`: "day", "week", "month" or "year", of the summaries and of every horizon; None takes what the data
    carry.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `coefficients_` (by feature: `buys`, `log_value`, standardised), `mean_` and `scale_` (which
    the features were standardised with), `typical_` (rate, silence and spend that the logarithms are relative to),
    `least_age_` (that younger customers are counted as), `sigma_`, `fit_result_` (of the penalised likelihood),
    `time_unit_`.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.poisson(1.5, 2000)
    >>> rfm = pd.DataFrame({"x": x, "t_x": np.where(x > 0, 20.0, 0.0), "T": 30.0, "spend": np.where(x > 0, 10.0, 0.0)})
    >>> label = np.where(rng.random(2000) < 0.2 + 0.1 * np.minimum(x, 5), np.exp(2 + rng.normal(0, 0.5, 2000)), 0.0)
    >>> model = ZeroInflatedLognormal(train_horizon=13).fit(rfm, label)
    >>> bool(abs(model.predict(rfm).mean() / label.mean() - 1) < 0.1)
    True
    """

    family: ClassVar[str] = "supervised"
    coefficients_: pd.DataFrame
    sigma_: float

    def __init__(
        self,
        *,
        train_horizon: float,
        covariates: Sequence[str] = (),
        ridge: float = 1.0,
        scale: Scale = "refuse",
        time_unit: TimeUnit | None = None,
        warm_start: bool = False,
    ) -> None:
        super().__init__(time_unit=time_unit, warm_start=warm_start)
        self.train_horizon = train_horizon
        self.covariates = covariates
        self.ridge = ridge
        self.scale = scale

    @property
    def parameter_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Coefficients of both parts by feature, then sigma."""
        return (*self.real_parameters, "sigma")

    @property
    def real_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The coefficients, which may be negative."""
        features = ("intercept", "log_rate", "log_silence", "log_spend", "repeats", *self.covariates)
        return tuple(f"{part} {name}" for part in ("buys", "log_value") for name in features)

    @classmethod
    def with_parameters(cls, *, time_unit: TimeUnit | None = None, **parameters: float) -> Self:
        """Not offered: coefficients belong to the features' means and scales, which come from data."""
        raise LtvInputError("ZeroInflatedLognormal has no given parameters", todo="fit it to labels")

    def fit(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> Self:
        """Learn from summaries at earlier origins and the value that followed within `train_horizon` time units.

        `y`: a DataFrame with `value`, or values alone, aligned with `rfm`; see `training_set`. `sample_weight`, or a
        column `n`: how many customers a row stands for. Raises LtvInputError for missing or negative labels, and
        where nothing was bought at all.
        """
        frame = require_frame(rfm)
        require_rows(frame.index, "rfm")
        carried_to(self.train_horizon, self.train_horizon, self.scale, None, 0.0)
        require_number(self.ridge, "ridge", "give a penalty, 0 or more", least=0)
        unit = unit_of(frame, self.time_unit)
        value = read_labels(y, frame.index).value
        w = row_weights(sample_weight, count_of_rows(frame), frame.index)
        w = np.ones(len(frame)) if w is None else w
        self.least_age_ = least_age(frame, w)
        features = behaviour(frame, self.least_age_, self.covariates)
        self.typical_ = Typical.of(features, w)
        design, _ = on_a_log_scale(features, self.typical_)
        self.mean_ = np.average(design, axis=0, weights=w)
        spread = np.sqrt(np.average((design - self.mean_) ** 2, axis=0, weights=w))
        self.scale_ = np.where(spread > 1e-12, spread, 1.0)
        used = w > 0
        design, value, w = self._standardised(design)[used], value[used], w[used]
        logs = np.log(value[value > 0])
        share = float(np.average(value > 0, weights=w))
        zeros = [0.0] * (design.shape[1] - 1)
        odds = np.log(np.clip(share, 1e-3, 1 - 1e-3) / np.clip(1 - share, 1e-3, 1))
        start = (odds, *zeros, float(logs.mean()), *zeros, max(float(logs.std()), 1e-2))
        self._fit_likelihood(
            partial(zero_inflated_log_likelihood, value=value, design=design, w=w, ridge=self.ridge),
            [start],
            float(w.sum()),
        )
        coefficients = np.array(list(self.fit_result_.parameters.values()))[:-1].reshape(2, -1)
        names = [name.removeprefix("buys ") for name in self.real_parameters[: design.shape[1]]]
        self.coefficients_ = pd.DataFrame(coefficients.T, index=names, columns=["buys", "log_value"])
        self.time_unit_ = unit
        return self

    def predict(self, rfm: pd.DataFrame) -> FloatArray:
        """Expected value over `train_horizon`, as scikit-learn asks for it."""
        return np.asarray(self.lifetime_value(rfm, self.train_horizon), dtype=np.float64)

    def probability_of_purchase(
        self, rfm: pd.DataFrame, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that a customer buys at all within `train_horizon`; `interval` as in `lifetime_value`."""
        theta, frame = self._parameters(), require_frame(rfm)
        design = self._design(frame)

        def buys(at: FloatArray) -> FloatArray:
            return np.asarray(expit(np.einsum("ij,j", design, at[: design.shape[1]])))

        if interval is None:
            return pd.Series(buys(theta), index=frame.index, name="buys")
        deviation = standard_deviation(buys, self.fit_result_, "probability")
        return with_interval(buys(theta), deviation, interval, frame.index, "buys", "probability")

    def lifetime_value(
        self,
        rfm: pd.DataFrame,
        horizon: object,
        *,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value of each customer in the `horizon`, evenly spread over it.

        `horizon`: time units or a timedelta; another than `train_horizon` needs `scale="linear"`. `discount_rate`:
        effective rate per time unit.
        `interval`, e.g. 0.9, adds `lower` and `upper` by the uncertainty of the coefficients (delta method).
        """
        theta, frame = self._parameters(), require_frame(rfm)
        factor = carried_to(horizon, self.train_horizon, self.scale, self.time_unit_, discount_rate)
        design = self._design(frame)
        value = factor * _expected(theta, design)
        if interval is None:
            return pd.Series(value, index=frame.index, name="value")
        deviation = standard_deviation(lambda at: _expected(at, design), self.fit_result_)
        return with_interval(value, deviation, interval, frame.index, "value")

    def sample(
        self, rfm: pd.DataFrame, *, draws: int = 100, seed: int = 0, parameters: Uncertainty = "drawn"
    ) -> pd.DataFrame:
        """Predictive draws of each customer's value within `train_horizon`, in the currency of the labels.

        One row a customer, one column a draw. `parameters`: as uncertain as the fit leaves them ("drawn") or
        as they are ("fitted"). The same `seed` gives the same `draws`.
        """
        self._parameters()
        frame = require_frame(rfm)
        design = self._design(frame)
        rng = np.random.default_rng(seed)
        half = design.shape[1]
        columns = []
        for _ in range(require_draws(draws)):
            theta = self._draw_theta(rng, parameters)
            buys = rng.random(len(design)) < expit(np.einsum("ij,j", design, theta[:half]))
            log_value = np.einsum("ij,j", design, theta[half:-1]) + theta[-1] * rng.standard_normal(
                len(design)
            )
            columns.append(np.where(buys, np.exp(log_value), 0.0))
        return pd.DataFrame(np.array(columns).T, index=frame.index).rename_axis(columns="draw")

    def score(self, rfm: pd.DataFrame, y: Any = None, sample_weight: object = None) -> float:
        """Share of the Poisson deviance of the value that is explained: 1 perfect, 0 as good as the overall mean.

        `y` and `sample_weight` as in `fit`.
        """
        self._require_fit("coefficients_")
        frame = require_frame(rfm)
        value = read_labels(y, frame.index).value
        w = row_weights(sample_weight, count_of_rows(frame), frame.index)
        return explained_deviance(value, self.predict(frame), np.ones(len(frame)) if w is None else w)

    def _parameters(self) -> FloatArray:
        self._require_fit("coefficients_")
        return np.array(list(self.fit_result_.parameters.values()))

    def _theta(self) -> FloatArray:
        return self._parameters()

    def _set(self, parameters: dict[str, float]) -> None:
        self.sigma_ = parameters["sigma"]

    def _design(self, frame: pd.DataFrame) -> FloatArray:
        """Standardised features of customers to predict, in the unit of the fit."""
        unit_of(frame, self.time_unit_)
        features = behaviour(frame, self.least_age_, self.covariates)
        return self._standardised(on_a_log_scale(features, self.typical_)[0])

    def _standardised(self, design: FloatArray) -> FloatArray:
        return np.column_stack([np.ones(len(design)), (design - self.mean_) / self.scale_])


def zero_inflated_log_likelihood(
    theta: FloatArray, value: FloatArray, design: FloatArray, w: FloatArray, ridge: float = 0.0
) -> tuple[float, FloatArray]:
    """The negative of the loss, and its gradient; theta holds both parts' coefficients and sigma.

    `ridge` takes half of itself times the squared coefficients away, but the intercepts'.
    """
    half = design.shape[1]
    for_odds, for_mean, sigma = theta[:half], theta[half:-1], float(theta[-1])
    odds = np.einsum("ij,j", design, for_odds)
    some = value > 0
    bought, w_some = design[some], w[some]
    error = np.log(value[some]) - np.einsum("ij,j", bought, for_mean)
    scaled = error / sigma
    log_density = -np.log(value[some]) - np.log(sigma) - 0.5 * np.log(2 * np.pi) - 0.5 * scaled**2
    total = dot(w, np.where(some, log_expit(odds), log_expit(-odds))) + dot(w_some, log_density)
    penalty = ridge * (float((for_odds[1:] ** 2).sum()) + float((for_mean[1:] ** 2).sum())) / 2
    by_odds = np.einsum("i,ij", w * (some - expit(odds)), design)
    by_mean = np.einsum("i,ij", w_some * scaled / sigma, bought)
    by_odds[1:] -= ridge * for_odds[1:]
    by_mean[1:] -= ridge * for_mean[1:]
    by_sigma = float((w_some * (scaled**2 - 1)).sum()) / sigma
    return total - penalty, np.concatenate([by_odds, by_mean, [by_sigma]])


def _expected(theta: FloatArray, design: FloatArray) -> FloatArray:
    half = design.shape[1]
    log_mean = np.einsum("ij,j", design, theta[half:-1]) + theta[-1] ** 2 / 2
    return np.asarray(expit(np.einsum("ij,j", design, theta[:half])) * np.exp(log_mean))
