"""Customers of latent-attrition processes, one vectorised step a purchase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.ltv.customers import SPEND, TRUTH, Process

DAYS = 7
YOUNGEST, OLDEST = 27, 39
CENT = 0.01


def draw(process: Process, rows: int, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """x, t_x, T and spend of so many customers."""
    T = np.round(rng.uniform(YOUNGEST, OLDEST, rows) * DAYS) / DAYS
    x, last = _pareto(T, rng) if process == "pareto_nbd" else _geometric(process, T, rng)
    t_x = np.where(x > 0, np.minimum(np.maximum(np.round(last * DAYS), 1) / DAYS, T), 0.0)
    return {"x": x.astype(np.int16), "t_x": t_x, "T": T, "spend": _spend(x, rng)}


def _pareto(
    T: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth = TRUTH["pareto_nbd"]
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], len(T))
    leaving = rng.exponential(1, len(T)) / rng.gamma(truth["s"], 1 / truth["beta"], len(T))
    alive = np.minimum(leaving, T)
    x = rng.poisson(rate * alive)
    return x, alive * rng.beta(np.maximum(x, 1), 1.0)  # the last of x uniform times


def _geometric(
    process: Process, T: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    truth = TRUTH[process]
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], len(T))
    leaves = rng.beta(truth["a"], truth["b"], len(T))
    x, last = np.zeros(len(T), dtype=np.int64), np.zeros(len(T))
    active = np.arange(len(T))
    if process == "mbg_nbd":  # here customers may leave after their first purchase, too
        active = active[rng.random(len(T)) >= leaves]
    while active.size:
        with np.errstate(divide="ignore"):
            time = last[active] + rng.exponential(1, active.size) / rate[active]
        in_time = time <= T[active]
        active, time = active[in_time], time[in_time]
        x[active] += 1
        last[active] = time
        active = active[rng.random(active.size) >= leaves[active]]
    return x, last


def _spend(x: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    spend, repeats = np.zeros(len(x)), x > 0
    shape = SPEND["p"] * x[repeats]
    rate = rng.gamma(SPEND["q"], 1 / SPEND["gamma"], len(shape))
    spend[repeats] = np.maximum(np.round(rng.gamma(shape, 1 / (rate * x[repeats])), 2), CENT)
    return spend
