"""Payments of a network's users, from their subscriptions and from advertising."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.simulate.network_earnings import BILLED, ActiveWeeks, Habits, Subscriptions
from nbdataops.ltv.summary.purchase_log import BoolArray

SETTLED = 6
"""Advertising of a week comes in on its last day."""


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """user, week, day (0 to 6 within the week), amount, is_subscription: by payment."""

    user: IntArray
    week: IntArray
    day: IntArray
    amount: FloatArray
    is_subscription: BoolArray

    def total(self, begin: int, end: int, users: int) -> FloatArray:
        """What each of the first users paid in the weeks from `begin` to before `end`."""
        then = (self.week >= begin) & (self.week < end) & (self.user < users)
        return np.bincount(self.user[then], self.amount[then], minlength=users).astype(np.float64)


def payments(
    price: float,
    habits: Habits,
    subscriptions: Subscriptions,
    day_paid: IntArray,
    active: ActiveWeeks,
    last: IntArray,
) -> Payments:
    """All payments up to each user's last week. `day_paid`: day of the week on which each subscription is paid."""
    stops = np.minimum(subscriptions.ends, last[subscriptions.user] + 1)
    count = -(-(stops - subscriptions.begins) // BILLED)
    of = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(of)) - (np.cumsum(count) - count)[of]
    free = ~active.covered & (active.sessions > 0)
    user, sessions = active.user[free], active.sessions[free]
    return Payments(
        user=np.append(subscriptions.user[of], user),
        week=np.append(subscriptions.begins[of] + BILLED * number, active.week[free]),
        day=np.append(day_paid[of], np.full(len(user), SETTLED)),
        amount=np.append(np.full(len(of), price), sessions * habits.per_session[user]),
        is_subscription=np.arange(len(of) + len(user)) < len(of),
    )
