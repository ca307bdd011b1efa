"""What users of a network bring in while they are there: drawn week by week, and expected.

Given the weeks in which a user is there, nothing here depends on anybody else. So all users are drawn at once, and
expectations, given that a user is there, are exact: a subscription is a chain of five states, the weeks since the last
payment (0 to 3) and none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.ltv.attrition.leaving import last_chance
from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.simulate.network_rules import Earnings
from nbdataops.ltv.summary.purchase_log import BoolArray

BILLED = 4
"""Weeks that a payment of a subscription covers."""


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """Each user's own: sessions a week, probabilities to subscribe and to cancel, what a session brings in."""

    sessions: FloatArray
    subscribes: FloatArray
    cancels: FloatArray
    per_session: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Subscriptions:
    """Subscriptions as they would go if nobody left: of which user, first week, week of the payment not made."""

    user: IntArray
    begins: IntArray
    ends: IntArray

    def weeks_since_payment(self, week: int, users: int) -> IntArray:
        """State of the first `users` users at the end of `week`: 0 to 3, or 4 without a subscription."""
        state = np.full(users, BILLED)
        running = (self.begins <= week) & (week < self.ends) & (self.user < users)
        state[self.user[running]] = (week - self.begins[running]) % BILLED
        return state


def draw_habits(earnings: Earnings, users: int, rng: np.random.Generator) -> Habits:
    """Own means around those of all users."""
    shape, spread = earnings.sessions_shape, earnings.per_session_spread
    sessions = rng.gamma(shape, earnings.sessions / shape, users)
    subscribes = _around(earnings.subscribes, users, rng)
    cancels = _around(earnings.cancels, users, rng)
    value = earnings.per_session * np.exp(spread * rng.standard_normal(users) - spread**2 / 2)
    return Habits(sessions, subscribes, cancels, value)


def draw_subscriptions(
    habits: Habits, joined: IntArray, last: IntArray, rng: np.random.Generator
) -> Subscriptions:
    """Subscriptions that begin in the weeks from `joined` to `last` (both included), by user."""
    users = np.arange(len(joined))
    chance = joined
    found = []
    while len(users):
        begins = chance + last_chance(habits.subscribes[users], rng) - 1
        in_time = begins <= last[users]
        users, begins = users[in_time], begins[in_time]
        payments = np.minimum(last_chance(habits.cancels[users], rng), 1 << 40)
        ends = begins + BILLED * payments
        found.append((users, begins, ends))
        chance = ends + 1
    return Subscriptions(*(np.concatenate([part[i] for part in found] or [users]) for i in range(3)))


def expected_weekly(
    earnings: Earnings, habits: Habits, state: IntArray, weeks: int
) -> tuple[FloatArray, FloatArray]:
    """Expected subscription payments and advertising of each of the next weeks, given that the user is there.

    `state`: weeks since the last payment, or 4 for none, at the end of the week before. Arrays of shape (weeks, users).
    """
    n = len(state)
    share = np.zeros((BILLED + 1, n))
    share[state, np.arange(n)] = 1.0
    paid, free = np.empty((weeks, n)), np.empty((weeks, n))
    for week in range(weeks):
        due, none = share[BILLED - 1], share[BILLED]
        pays = due * (1 - habits.cancels) + none * habits.subscribes
        share = np.stack([pays, *share[: BILLED - 1], due * habits.cancels + none * (1 - habits.subscribes)])
        paid[week], free[week] = pays, share[BILLED]
    return earnings.price * paid, habits.sessions * habits.per_session * free


@dataclass(frozen=True, slots=True, eq=False)
class ActiveWeeks:
    """Every week in which a user was there, by user and week: sessions, posts, whether a subscription covered it."""

    user: IntArray
    week: IntArray
    sessions: IntArray
    posts: IntArray
    covered: BoolArray


def draw_weeks(
    earnings: Earnings,
    habits: Habits,
    subscriptions: Subscriptions,
    joined: IntArray,
    last: IntArray,
    rng: np.random.Generator,
) -> ActiveWeeks:
    """What users do in the weeks from `joined` to `last`, both included."""
    length = last - joined + 1
    begin = np.cumsum(length) - length
    user = np.repeat(np.arange(len(joined)), length)
    week = np.arange(len(user)) - begin[user] + joined[user]
    sessions = rng.poisson(habits.sessions[user])
    posts = rng.poisson(earnings.posts * sessions)
    changes = np.zeros(len(user) + 1, dtype=np.int64)
    of = subscriptions.user
    stops = np.minimum(subscriptions.ends, last[of] + 1)
    np.add.at(changes, begin[of] + subscriptions.begins - joined[of], 1)
    np.add.at(changes, begin[of] + stops - joined[of], -1)
    return ActiveWeeks(user, week, sessions, posts, np.cumsum(changes)[:-1] > 0)


def _around(mean: float, users: int, rng: np.random.Generator) -> FloatArray:
    """Probabilities of users around a mean; all the same where it is 0 or 1."""
    if mean in (0.0, 1.0):
        return np.full(users, mean)
    return rng.beta(1.0, 1 / mean - 1, users)
