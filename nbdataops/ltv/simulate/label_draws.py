"""What customers spend next, drawn as the zero-inflated lognormal regression says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.supervised.features import Typical, behaviour, least_age, on_a_log_scale


def draw_labels(
    rfm: pd.DataFrame,
    rng: np.random.Generator,
    *,
    buys: Mapping[str, float],
    log_value: Mapping[str, float],
    sigma: float,
) -> pd.DataFrame:
    """Labels with known coefficients for `ZeroInflatedLognormal`, one row a customer of `rfm`.

    `buys`, `log_value`: coefficients of the log odds to buy at all and of the mean log value, by feature: `intercept`,
    `log_rate`, `log_silence`, `log_spend`, `repeats`, or another numeric column of `rfm`; what is not named is 0.
    Features are standardised over the rows of `rfm`, as a fit to the same rows does, so `coefficients_` of that fit
    estimate these; those of a fitted model are `model.coefficients_["buys"]` and `["log_value"]`. `sigma`: standard
    deviation of the log value.
    Columns: `value`, the label, and the latent truth: `probability` to buy at all, and `expected` value.

    >>> import numpy as np
    >>> rfm = pd.DataFrame({"x": [0, 4], "t_x": [0.0, 20.0], "T": [30.0, 30.0], "spend": [0.0, 9.0]})
    >>> drawn = draw_labels(
    ...     rfm, np.random.default_rng(0), buys={"repeats": 1.0}, log_value={"intercept": 2.0}, sigma=0.5
    ... )
    >>> drawn.probability.round(3).tolist(), drawn.expected.round(3).tolist()
    ([0.269, 0.731], [2.252, 6.121])
    """
    if not 0 <= sigma < np.inf:
        raise LtvInputError(f"sigma is {sigma}", todo="give a standard deviation, 0 or more")
    known = ("intercept", "log_rate", "log_silence", "log_spend", "repeats")
    covariates = [name for name in dict.fromkeys([*buys, *log_value]) if name not in known]
    for name in covariates:
        if name not in rfm.columns:
            raise LtvInputError(f"no feature {name!r}", todo=did_you_mean(name, [*known, *rfm.columns]))
    once = np.ones(len(rfm))
    features = behaviour(rfm, least_age(rfm, once), covariates)
    design, names = on_a_log_scale(features, Typical.of(features, once))
    spread = design.std(axis=0)
    design = (design - design.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)

    def line(coefficients: Mapping[str, float]) -> FloatArray:
        slopes = np.array([float(coefficients.get(name, 0.0)) for name in names])
        return np.asarray(float(coefficients.get("intercept", 0.0)) + np.einsum("ij,j", design, slopes))

    probability, centre = expit(line(buys)), line(log_value)
    value = np.where(
        rng.random(len(rfm)) < probability, np.exp(centre + sigma * rng.standard_normal(len(rfm))), 0.0
    )
    expected = probability * np.exp(centre + sigma**2 / 2)
    return pd.DataFrame({"value": value, "probability": probability, "expected": expected}, index=rfm.index)
