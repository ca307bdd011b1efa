"""Who bought when and for how much, to the moment: what a shop's tables are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.simulate.latent_process import LatentProcess, Lives
from nbdataops.ltv.simulate.own_rates import OwnRates
from nbdataops.ltv.simulate.purchase_calendar import Clock
from nbdataops.ltv.summary.purchase_log import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class PurchaseHistory:
    """Purchases sorted by customer and moment; the first of each is the one it joined with.

    of_customer, moment, amount: by purchase; customers are numbered from 0 in the order of joining. joined, left: by
    customer; left is infinite where it had not happened by the end. Moments are days since the start.
    """

    of_customer: IntArray
    moment: FloatArray
    amount: FloatArray
    joined: FloatArray
    left: FloatArray

    @property
    def is_first(self) -> BoolArray:
        """Whether a purchase is the one its customer joined with."""
        return np.asarray(np.diff(self.of_customer, prepend=-1) > 0)

    def until(self, now: float) -> PurchaseHistory:
        """What had happened by then, and who had joined."""
        n = int((self.joined <= now).sum())
        keep = self.moment <= now
        return PurchaseHistory(
            self.of_customer[keep], self.moment[keep], self.amount[keep], self.joined[:n], self.left[:n]
        )

    def per_customer(self, values: FloatArray, of: BoolArray) -> FloatArray:
        """Sums over those purchases, by customer."""
        sums = np.bincount(self.of_customer[of], values[of], minlength=len(self.joined))
        return sums.astype(np.float64)


def live(
    process: LatentProcess,
    own: OwnRates,
    joined: FloatArray,
    end: float,
    unit: float,
    clock: Clock,
    rng: np.random.Generator,
) -> PurchaseHistory:
    """What customers do from joining until leaving or the end, all for nothing yet.

    `joined`, `end`: days since the clock's start; `unit`: days in the time unit of the process.
    """
    leaves = joined + process.stays(own.leaving, rng) * unit
    shown, until = clock.at(joined), clock.at(np.minimum(leaves, end))
    lives = process.live(own.rate / unit, own.leaving, until - shown, leaves > end, rng)
    of, share = _shares(process.k, lives, rng)
    moment = clock.moment(shown[of] + share * lives.length[of])
    moment = np.clip(moment, joined[of], np.nextafter(end, 0))  # against the clock's rounding
    # everybody's first purchase in front of its others
    everyone = np.concatenate([np.arange(len(joined)), of])
    order = np.argsort(everyone, kind="stable")
    moments = np.concatenate([joined, moment])[order]
    if process.at_purchases:
        last = moments[np.cumsum(lives.x + 1) - 1]
        leaves = np.where(lives.alive, np.inf, last)
    return PurchaseHistory(everyone[order], moments, np.zeros(len(moments)), joined, leaves)


def _shares(k: int, lives: Lives, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Of every repeat purchase: its customer, and when it is, as a share of that customer's time.

    Ticks are uniform, so the times between purchases and what remains are a Dirichlet draw: gammas over their sum.
    """
    of = np.repeat(np.arange(len(lives.x)), lives.x)
    passed = np.cumsum(rng.standard_gamma(k, len(of)))
    so_far = np.concatenate([[0.0], passed])
    ends = np.cumsum(lives.x)
    before = so_far[ends - lives.x]
    rest = rng.standard_gamma(np.maximum(lives.ticks - k * lives.x + 1, 1))
    whole = so_far[ends] - before + rest
    return of, (passed - before[of]) / whole[of]
