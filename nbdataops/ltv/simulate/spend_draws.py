"""What transactions are worth, drawn from a spend model itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray, LtvInputError, counts, require_frame
from nbdataops.ltv.spend.gamma_gamma import GammaGamma
from nbdataops.ltv.spend.log_spend import LogSpend


def draw_spend(model: object, x: object, rng: np.random.Generator) -> pd.DataFrame:
    """The mean value of `x` repeat transactions of each customer, as the spend model says.

    `model`: GammaGamma, `with_parameters` or fitted, or a fitted LogSpend without covariates (for known parameters see
    `draw_log_spend`). `x`: counts, zero or more, one a customer; the index of a Series is kept.
    Columns: `spend`, 0 where x == 0, and the latent truth `own_spend`, the expected value of one transaction of that
    customer, which does not depend on what was drawn.

    >>> import numpy as np
    >>> from nbdataops.ltv import GammaGamma
    >>> model = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
    >>> drawn = draw_spend(model, np.full(200_000, 3), np.random.default_rng(0))
    >>> bool(abs(drawn.own_spend.mean() / model.population_mean_ - 1) < 0.02)
    True
    """
    often = _counts(x)
    if isinstance(model, GammaGamma):
        p, q, gamma = model._theta()
        with np.errstate(divide="ignore"):
            own = p * gamma / rng.gamma(q, size=len(often))
        return _frame(often, own, mean_of_gammas(often["x"].to_numpy(), float(p), own, rng))
    if isinstance(model, LogSpend):
        if model.covariates:
            raise LtvInputError(
                "draw_spend knows no covariates", todo="draw from a LogSpend without covariates"
            )
        intercept, slope, tau, sigma = (float(value) for value in model._theta())
        drawn = draw_log_spend(often["x"], rng, intercept=intercept, slope=slope, tau=tau, sigma=sigma)
        return drawn * model.smearing_
    raise LtvInputError(
        f"{type(model).__name__} is no spend model that can be drawn from",
        todo="give GammaGamma.with_parameters(...) or a fitted LogSpend",
    )


def draw_log_spend(
    x: object, rng: np.random.Generator, *, intercept: float, slope: float, tau: float, sigma: float
) -> pd.DataFrame:
    """What `LogSpend` assumes: log spend around a line in log(1 + x), so that value and frequency go together.

    `intercept`, `slope`: the line of each customer's own log expected spend; `tau`: its standard deviation around the
    line; `sigma`: that of the logarithm of one transaction (of a mean over x of them, sigma / sqrt(x)). Columns as in
    `draw_spend`.

    >>> import numpy as np
    >>> x = np.random.default_rng(1).integers(0, 5, 1000)
    >>> drawn = draw_log_spend(x, np.random.default_rng(0), intercept=2.0, slope=0.5, tau=0.3, sigma=0.6)
    >>> bool((drawn.spend[x > 0] > 0).all() and (drawn.spend[x == 0] == 0).all())
    True
    """
    if not (np.isfinite([intercept, slope]).all() and 0 <= tau < np.inf and 0 <= sigma < np.inf):
        raise LtvInputError(
            f"intercept, slope, tau, sigma are {intercept}, {slope}, {tau}, {sigma}",
            todo="give finite numbers, tau and sigma not negative",
        )
    often = _counts(x)
    n = often["x"].to_numpy(dtype=np.float64)
    own = np.exp(intercept + slope * np.log1p(n) + tau * rng.standard_normal(len(n)))
    variance = sigma**2 / np.maximum(n, 1.0)
    mean = own * np.exp(np.sqrt(variance) * rng.standard_normal(len(n)) - variance / 2)
    return _frame(often, own, mean)


def mean_of_gammas(x: IntArray, p: float, own: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The mean of x gamma-distributed values of shape p and expectation `own`, by customer; x 0 counts as 1."""
    shape = p * np.maximum(x, 1)
    return np.asarray(rng.gamma(shape) / shape * own)


def _counts(x: object) -> pd.DataFrame:
    frame = require_frame(
        x.to_frame("x") if isinstance(x, pd.Series) else pd.DataFrame({"x": np.asarray(x)}), "x"
    )
    return frame.assign(x=counts(frame, "x").astype(np.int64))


def _frame(often: pd.DataFrame, own: FloatArray, mean: FloatArray) -> pd.DataFrame:
    spend = np.where(often["x"] > 0, mean, 0.0)
    return pd.DataFrame({"spend": spend, "own_spend": own}, index=often.index)
