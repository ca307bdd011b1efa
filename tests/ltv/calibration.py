"""Replications of every likelihood model: customers drawn from a known truth, fitted, and held against it.

One replication draws customers and what they do next, fits, and says of every parameter whether its 90 percent profile
interval holds the truth, of the predicted total whether its 90 percent interval (delta method) holds the true
expectation given the same histories, and which rank the true outcome has among predictive draws of `sample`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

import nbdataops.ltv as ltv
from nbdataops.ltv.attrition.leaving import purchases_until_leaving
from nbdataops.ltv.fit.intervals import ends, standard_deviation
from nbdataops.ltv.simulate import draw_labels, draw_log_spend, draw_spend, draw_summary
from nbdataops.ltv.supervised.features import behaviour, on_a_log_scale

LEVEL = 0.9
DRAWS = 19
"""Predictive draws a replication, so that ranks are 0 to 19."""
HORIZON = 26
ROOMY = np.tile(np.arange(30.0, 70.0, 4.0), 40)
OCCASIONS_AHEAD = 5


@dataclass(frozen=True, slots=True)
class Replication:
    """What one replication showed: by parameter, and for "total", whether the interval holds the truth; the rank."""

    covered: dict[str, bool]
    rank: int
    identified: bool


@dataclass(frozen=True, slots=True)
class Drawn:
    """Customers, what they do next in total, and the model's prediction of it as a function of its parameters."""

    data: pd.DataFrame
    outcome: float
    truth: dict[str, float]
    expected: Callable[[dict[str, float]], float]
    labels: Any = None
    predicted: Callable[[Any, np.ndarray], float] | None = None
    """What the fitted model itself predicts at these parameters, where that is not `expected`."""


def replicate(model: Any, draw: Callable[[np.random.Generator], Drawn], seed: int) -> Replication:
    """Draw, fit, compare."""
    rng = np.random.default_rng([seed, 1])
    drawn = draw(rng)
    model.fit(drawn.data, drawn.labels)
    result = model.fit_result_
    profile = result.profile_intervals(LEVEL)
    covered = {
        name: bool(profile.lower[name] <= value <= profile.upper[name]) for name, value in drawn.truth.items()
    }
    names = list(result.parameters)

    def total(theta: np.ndarray) -> np.ndarray:
        if drawn.predicted is not None:
            return np.array(drawn.predicted(model, theta))
        return np.array(drawn.expected(dict(zip(names, theta.tolist(), strict=True))))

    value = total(np.array(list(result.parameters.values())))
    low, high = ends(value, standard_deviation(total, result), LEVEL)
    true_total = drawn.expected(drawn.truth)
    covered["total"] = bool(low <= true_total <= high)
    sums = sample_sums(model, drawn.data, seed)
    return Replication(covered, int((sums < drawn.outcome).sum()), result.identified)


def sample_sums(model: Any, data: pd.DataFrame, seed: int) -> np.ndarray:
    """Totals of predictive draws."""
    arguments = (
        () if isinstance(model, ltv.GammaGamma | ltv.LogSpend | ltv.ZeroInflatedLognormal) else (HORIZON,)
    )
    if isinstance(model, ltv.BGBB | ltv.ShiftedBetaGeometric):
        arguments = (OCCASIONS_AHEAD,)
    return model.sample(data, *arguments, draws=DRAWS, seed=seed).sum().to_numpy()


def _customers(truth: Any, ages: np.ndarray, horizon: int, rng: np.random.Generator) -> Drawn:
    """Latent attrition in continuous time or at occasions."""
    rfm = draw_summary(truth, ages, rng)
    names = truth.parameter_names
    parameters = {name: float(getattr(truth, f"{name}_")) for name in names}
    fixed = {"k": truth.k_} if hasattr(truth, "k_") else {}
    cells = ltv.rfm_cells(rfm)
    return Drawn(
        rfm,
        float(_next(truth, rfm, horizon, rng).sum()),
        parameters,
        lambda at: float(
            type(truth).with_parameters(**at, **fixed).expected_transactions(cells, horizon).sum()
        ),
    )


def _next(truth: Any, rfm: pd.DataFrame, horizon: int, rng: np.random.Generator) -> np.ndarray:
    """What each customer does next, by its own latent rates: no formula of the models is used."""
    rate, leaving, n = rfm.rate.to_numpy(), rfm.leaving.to_numpy(), len(rfm)
    if isinstance(truth, ltv.BGBB):
        there = np.minimum(rng.geometric(np.maximum(leaving, 1e-18)) - 1, horizon)
        return rng.binomial(there, rate) * rfm.alive
    if isinstance(truth, ltv.ParetoNBD):
        return rng.poisson(rate * np.minimum(rng.exponential(size=n) / leaving, horizon)) * rfm.alive
    k = getattr(truth, "k_", 1)
    passed = np.zeros(n)
    if k > 1:  # ticks since the last purchase, given that they were fewer than k
        ticks = np.arange(k)
        logs = ticks * np.log(np.maximum(k * rate * (rfm["T"] - rfm.t_x), 1e-300).to_numpy()[:, None])
        shares = np.exp(logs - np.cumsum(np.log(np.maximum(ticks, 1))))
        passed = (rng.random((n, 1)) > (np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True))).sum(
            axis=1
        )
    bought = (rng.poisson(k * rate * horizon) + passed) // k
    return purchases_until_leaving(bought.astype(np.int64), leaving, rng) * rfm.alive


def _contracts(rng: np.random.Generator) -> Drawn:
    truth = {"alpha": 0.9, "beta": 2.2}
    model = ltv.ShiftedBetaGeometric.with_parameters(**truth)
    table = draw_summary(model, np.tile(np.arange(1.0, 9.0), 60), rng)
    left = rng.geometric(table.leaving.to_numpy()) - 1
    outcome = (np.minimum(left, OCCASIONS_AHEAD) * ~table.churned).sum()
    return Drawn(
        table,
        float(outcome),
        truth,
        lambda at: float(
            ltv.ShiftedBetaGeometric.with_parameters(**at).expected_periods(table, OCCASIONS_AHEAD).sum()
        ),
    )


def _gamma_gamma(rng: np.random.Generator) -> Drawn:
    truth = {"p": 4.0, "q": 3.5, "gamma": 15.0}
    model = ltv.GammaGamma.with_parameters(**truth)
    x = rng.poisson(rng.gamma(1.0, 3.0, 1500))
    rfm = draw_spend(model, x, rng).assign(x=x)
    outcome = (rng.gamma(truth["p"], size=len(x)) * rfm.own_spend / truth["p"]).sum()
    return Drawn(
        rfm,
        float(outcome),
        truth,
        lambda at: float(ltv.GammaGamma.with_parameters(**at).expected_spend(rfm).sum()),
    )


def _log_spend(rng: np.random.Generator) -> Drawn:
    truth = {"intercept": 2.0, "slope": 0.3, "tau": 0.5, "sigma": 0.8}
    x = rng.poisson(rng.gamma(1.0, 3.0, 500))
    rfm = draw_log_spend(x, rng, **truth).assign(x=x)
    sigma = truth["sigma"]
    outcome = (rfm.own_spend * np.exp(sigma * rng.standard_normal(len(x)) - sigma**2 / 2)).sum()

    def expected(at: dict[str, float]) -> float:
        line = at["intercept"] + at["slope"] * np.log1p(x)
        known = x > 0
        own = np.log(np.where(known, rfm.spend, 1.0)) + at["sigma"] ** 2 / (2 * np.maximum(x, 1))
        weight = np.where(known, at["tau"] ** 2 / (at["tau"] ** 2 + at["sigma"] ** 2 / np.maximum(x, 1)), 0.0)
        centre = line + weight * np.where(known, own - line, 0.0)
        return float(np.exp(centre + at["tau"] ** 2 * (1 - weight) / 2).sum())

    def predicted(model: ltv.LogSpend, theta: np.ndarray) -> float:
        """With the factor that brings money back from the logarithm, which is 1 in truth."""
        return float(model._expected(theta, rfm, x.astype(float), rfm.spend.to_numpy()).sum())

    return Drawn(rfm, float(outcome), truth, expected, predicted=predicted)


def _zero_inflated(rng: np.random.Generator) -> Drawn:
    shop = ltv.BGNBD.with_parameters(r=0.8, alpha=6.0, a=0.9, b=2.5)
    spend = ltv.GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)
    rfm = draw_summary(shop, ROOMY, rng, spend=spend)
    buys = {"intercept": -0.4, "log_rate": 0.4, "log_silence": -0.7, "log_spend": 0.1, "repeats": 0.2}
    log_value = {"intercept": 2.5, "log_rate": 0.3, "log_silence": -0.1, "log_spend": 0.4, "repeats": 0.1}
    sigma = 0.7
    drawn = partial(draw_labels, rfm, buys=buys, log_value=log_value, sigma=sigma)
    truth = {f"buys {n}": v for n, v in buys.items()} | {f"log_value {n}": v for n, v in log_value.items()}
    truth["sigma"] = sigma
    design, _ = on_a_log_scale(behaviour(rfm))
    design = (design - design.mean(axis=0)) / design.std(axis=0)
    design = np.column_stack([np.ones(len(design)), design])

    def expected(at: dict[str, float]) -> float:
        theta = np.array(list(at.values()))
        odds, centre = design @ theta[:5], design @ theta[5:10]
        return float((np.exp(centre + theta[10] ** 2 / 2) / (1 + np.exp(-odds))).sum())

    return Drawn(rfm, float(drawn(rng).value.sum()), truth, expected, drawn(rng)["value"])


SHOP = {"r": 0.8, "alpha": 6.0, "a": 0.9, "b": 2.5}
MODELS: dict[str, tuple[Callable[[], Any], Callable[[np.random.Generator], Drawn]]] = {
    "BGNBD": (ltv.BGNBD, partial(_customers, ltv.BGNBD.with_parameters(**SHOP), ROOMY, HORIZON)),
    "MBGNBD": (
        ltv.MBGNBD,
        partial(_customers, ltv.MBGNBD.with_parameters(**SHOP), np.tile(ROOMY, 2), HORIZON),
    ),
    "ParetoNBD": (
        ltv.ParetoNBD,
        partial(_customers, ltv.ParetoNBD.with_parameters(r=0.8, alpha=6.0, s=0.8, beta=9.0), ROOMY, HORIZON),
    ),
    "BGCNBD": (
        partial(ltv.BGCNBD, k=2),
        partial(_customers, ltv.BGCNBD.with_parameters(**{**SHOP, "alpha": 3.0, "k": 2}), ROOMY, HORIZON),
    ),
    "MBGCNBD": (
        partial(ltv.MBGCNBD, k=2),
        partial(_customers, ltv.MBGCNBD.with_parameters(**{**SHOP, "alpha": 3.0, "k": 2}), ROOMY, HORIZON),
    ),
    "BGBB": (
        ltv.BGBB,
        partial(
            _customers,
            ltv.BGBB.with_parameters(alpha=1.2, beta=0.8, gamma=0.7, delta=2.8),
            np.full(600, 7.0),
            OCCASIONS_AHEAD,
        ),
    ),
    "ShiftedBetaGeometric": (ltv.ShiftedBetaGeometric, _contracts),
    "GammaGamma": (ltv.GammaGamma, _gamma_gamma),
    "LogSpend": (ltv.LogSpend, _log_spend),
    "ZeroInflatedLognormal": (
        partial(ltv.ZeroInflatedLognormal, train_horizon=HORIZON, ridge=0.0),
        _zero_inflated,
    ),
}
"""How to make each model, and how to draw customers that behave as it says."""
