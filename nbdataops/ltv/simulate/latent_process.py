"""A process of latent attrition, as something to draw from: own rates, and what they lead to.

All of the models of `nbdataops.ltv.attrition` are one process with different corners: a customer buys at every k-th
tick of a Poisson clock of an own rate, until an own time is over (Pareto/NBD) or until it leaves at one of its
purchases (the beta-geometric models). Given the ticks within a length of time, they are uniform in it; so x and t_x
need no step a purchase: the m-th of n ticks is a beta-distributed share of the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from nbdataops.ltv.attrition.beta_geometric import BetaGeometric
from nbdataops.ltv.attrition.bg_cnbd import BGCNBD, MBGCNBD
from nbdataops.ltv.attrition.leaving import NEVER, last_chance
from nbdataops.ltv.attrition.pareto_nbd import ParetoNBD
from nbdataops.ltv.columns import FloatArray, IntArray, LtvInputError
from nbdataops.ltv.time_units import TimeUnit

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
CONTINUOUS = ("BGNBD", "MBGNBD", "ParetoNBD", "BGCNBD", "MBGCNBD")


@dataclass(frozen=True, slots=True)
class Lives:
    """What customers did within a length of time; arrays over customers.

    x: repeat purchases. ticks: ticks of the clock within `length`, at which the customer was there or would have been.
    length: time until its end or until leaving at a time of one's own. alive: there at the end.
    """

    x: IntArray
    ticks: IntArray
    length: FloatArray
    alive: Bools


@dataclass(frozen=True, slots=True)
class LatentProcess:
    """A process of latent attrition with its parameters; time as in the model that it comes from.

    rate, leaving: the two parameters of each distribution over customers: gamma of the rate of ticks; of leaving,
    beta of the probability at a purchase where `at_purchases`, else gamma of the rate. k: ticks a purchase.
    first_chance: 1 where the first purchase of all may be the last. regular: whether the model asks for `litt`.
    """

    rate: tuple[float, float]
    leaving: tuple[float, float]
    at_purchases: bool
    k: int = 1
    first_chance: int = 0
    regular: bool = False
    time_unit: TimeUnit | None = None

    @classmethod
    def of(cls, model: object) -> Self:
        """The process of an estimator that was fitted or made `with_parameters`."""
        if isinstance(model, ParetoNBD):
            r, alpha, s, beta = (float(value) for value in model._theta())
            return cls((r, alpha), (s, beta), at_purchases=False, time_unit=model.time_unit_)
        if isinstance(model, BetaGeometric):
            r, alpha, a, b = (float(value) for value in model._theta())
            regular = isinstance(model, BGCNBD | MBGCNBD)
            k, first = model._ticks(), model.first_chance
            return cls((r, alpha), (a, b), True, k, first, regular, model.time_unit_)
        raise LtvInputError(
            f"{type(model).__name__} is no process of latent attrition in continuous time",
            todo=f"give one of {', '.join(CONTINUOUS)}, made with_parameters(...) or fitted",
        )

    def draw_rates(self, size: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Rate of ticks and leaving of so many customers, independent of each other."""
        rate = rng.gamma(self.rate[0], 1 / self.rate[1], size)
        if self.at_purchases:
            return rate, rng.beta(*self.leaving, size)
        return rate, rng.gamma(self.leaving[0], 1 / self.leaving[1], size)

    def stays(self, leaving: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Time until each customer leaves at a time of its own; infinite where leaving happens at purchases."""
        if self.at_purchases:
            return np.full(len(leaving), np.inf)
        with np.errstate(divide="ignore"):  # a rate of 0 stays for ever
            return np.asarray(rng.exponential(size=len(leaving)) / leaving)

    def live(
        self,
        rate: FloatArray,
        leaving: FloatArray,
        length: FloatArray,
        in_time: Bools,
        rng: np.random.Generator,
    ) -> Lives:
        """What customers do in `length` of the clock; `in_time`: who has not left at a time of its own by then."""
        ticks = rng.poisson(rate * length).astype(np.int64)
        bought = ticks // self.k
        most = np.full(len(rate), NEVER)
        if self.at_purchases:
            most = last_chance(leaving, rng) - self.first_chance
        return Lives(np.minimum(bought, most), ticks, length, in_time & (bought < most))


def last_purchase(k: int, lives: Lives, rng: np.random.Generator) -> FloatArray:
    """When each customer bought last, from the start of `lives.length`; 0 where it did not."""
    ticks = np.maximum(k * lives.x, 1)
    share = rng.beta(ticks, np.maximum(lives.ticks - ticks + 1, 1))
    return np.where(lives.x > 0, lives.length * share, 0.0)


def log_gaps(k: int, x: IntArray, t_x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`litt`: the sum of the logarithms of each customer's gaps, given when it bought last.

    The gaps are shares of t_x, Dirichlet(k, ..., k) however the rest of the time went.
    """
    gaps = rng.standard_gamma(k, int(x.sum()))
    of = np.repeat(np.arange(len(x)), x)
    logs = np.bincount(of, np.log(np.maximum(gaps, np.finfo(float).tiny)), minlength=len(x))
    sums = np.bincount(of, gaps, minlength=len(x))
    some = x > 0
    return np.where(some, logs + x * np.log(np.where(some, t_x, 1.0) / np.where(some, sums, 1.0)), 0.0)
