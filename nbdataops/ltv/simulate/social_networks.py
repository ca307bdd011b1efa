"""A social network with known truth: tables like a company's, and every user's expected lifetime value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import IntArray, LtvInputError
from nbdataops.ltv.simulate.follower_graph import FollowerGraph, GraphRules, empty_graph, next_week, pair
from nbdataops.ltv.simulate.network_earnings import (
    ActiveWeeks,
    Habits,
    Subscriptions,
    draw_habits,
    draw_subscriptions,
    draw_weeks,
    expected_weekly,
)
from nbdataops.ltv.simulate.network_payments import Payments, payments
from nbdataops.ltv.simulate.network_rules import Earnings, Following, Retention
from nbdataops.ltv.simulate.network_truth import expected_earnings
from nbdataops.ltv.summary.purchase_log import day_number
from nbdataops.ltv.time_units import to_horizon

NOT_YET = 1 << 30
"""The week of leaving of who has not left by the end."""


def social_network(
    *,
    users: int,
    weeks: int,
    following: Following | None = None,
    retention: Retention | None = None,
    earnings: Earnings | None = None,
    start: date = date(2023, 1, 2),
    seed: int = 0,
) -> SocialNetwork:
    """Draw a network that so many users join evenly over `weeks`, and all that they do in them.

    `following`, `retention`, `earnings`: what users do; see `Following` (whom they follow), `Retention` (how active
    followers keep them, `Retention(followers=0)` for no effect) and `Earnings` (sessions, subscriptions, advertising).
    Time goes in weeks of seven days from `start`: who leaves does so at the beginning of a week; joining, follows,
    sessions and payments come on the days of one. The same arguments give the same network.

    Raises LtvInputError for what cannot be meant.

    >>> network = social_network(users=2000, weeks=52, seed=1)
    >>> network.users.columns.tolist()[:3], network.follows.columns.tolist()
    (['user_id', 'joined', 'community'], ['follower', 'followee', 'date'])
    >>> network.activity.columns.tolist(), network.payments.columns.tolist()
    (['user_id', 'week', 'sessions', 'posts'], ['user_id', 'date', 'amount', 'kind'])
    >>> truth = network.truth(date(2023, 9, 3), horizon=13)
    >>> bool(truth.realised_value.sum() / truth.value.sum() > 0.8), bool((truth.standard_error < 1).all())
    (True, True)
    """
    for name, size in (("users", users), ("weeks", weeks)):
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise LtvInputError(f"{name} is {size!r}", todo="give a whole number, 1 or more")
    day_number(start)
    earnings = earnings or Earnings()
    rules = GraphRules(following or Following(), retention or Retention(), users, weeks)
    to_join, to_earn, to_date = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(3)
    )
    graph = empty_graph()
    joined, left, followed = np.zeros(users, dtype=np.int64), np.full(users, NOT_YET), []
    for week in range(weeks):
        before = len(graph.active)
        graph, done = next_week(graph, rules, to_join)
        joined[before : len(graph.active)] = week
        left[:before][done.left] = week
        followed.append(np.full(len(done.follower), week))
    habits = draw_habits(earnings, users, to_earn)
    last = np.minimum(left, weeks) - 1
    subscriptions = draw_subscriptions(habits, joined, last, to_earn)
    active = draw_weeks(earnings, habits, subscriptions, joined, last, to_earn)
    week_followed = np.concatenate(followed)
    day_joined = to_date.integers(7, size=users)
    day_joined = day_joined[np.lexsort((day_joined, joined))]  # users are numbered as they join

    def days(week: IntArray, *who: IntArray) -> IntArray:
        """Days of these weeks, none before any of those users joins."""
        earliest = [np.where(joined[user] == week, day_joined[user], 0) for user in who]
        return np.asarray(to_date.integers(np.max(earliest, axis=0), 7))

    day_paid = days(subscriptions.begins, subscriptions.user)
    return SocialNetwork(
        start=start,
        end=start + timedelta(days=7 * weeks - 1),
        rules=rules,
        earnings=earnings,
        graph=graph,
        joined=joined,
        left=left,
        followed=week_followed,
        habits=habits,
        subscriptions=subscriptions,
        active=active,
        paid=payments(earnings.price, habits, subscriptions, day_paid, active, last),
        day_joined=day_joined,
        day_followed=days(week_followed, graph.follower, graph.followee),
    )


class NetworkTables(NamedTuple):
    """What a company sees: see the tables of `SocialNetwork`, without what nobody sees."""

    users: pd.DataFrame
    follows: pd.DataFrame
    activity: pd.DataFrame
    payments: pd.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class SocialNetwork:
    """A network that was drawn; see `social_network`. Its tables are made when asked for.

    start, end: first and last day. The other fields are what it is made of; weeks count from 0.
    """

    start: date
    end: date
    rules: GraphRules
    earnings: Earnings
    graph: FollowerGraph
    joined: IntArray
    left: IntArray
    followed: IntArray
    habits: Habits
    subscriptions: Subscriptions
    active: ActiveWeeks
    paid: Payments
    day_joined: IntArray
    day_followed: IntArray

    @property
    def users(self) -> pd.DataFrame:
        """One row a user, in the order of joining: what is seen of it, and what is not.

        `user_id`, `joined`, `community`; unseen: `leaving` (weekly rate without active followers), `sessions` (mean a
        week), `subscribes`, `cancels` (probabilities), `per_session` (advertising), `left` (first day of the week in
        which it was not there any more; missing if not by the end).
        """
        gone = self.left < NOT_YET
        return pd.DataFrame(
            {
                "user_id": np.arange(1, len(self.joined) + 1),
                "joined": self._dates(self.joined, self.day_joined),
                "community": self.graph.community,
                "leaving": self.graph.own,
                "sessions": self.habits.sessions,
                "subscribes": self.habits.subscribes,
                "cancels": self.habits.cancels,
                "per_session": self.habits.per_session,
                "left": pd.Series(self._dates(np.where(gone, self.left, 0))).where(gone),
            }
        )

    @property
    def follows(self) -> pd.DataFrame:
        """One row a follow, sorted by date: `follower`, `followee`, `date`."""
        frame = pd.DataFrame(
            {
                "follower": self.graph.follower + 1,
                "followee": self.graph.followee + 1,
                "date": self._dates(self.followed, self.day_followed),
            }
        )
        return frame.sort_values("date", kind="stable", ignore_index=True)

    @property
    def activity(self) -> pd.DataFrame:
        """One row a user and week with a session, sorted by week: `user_id`, `week` (first day), `sessions`, `posts`."""
        active, some = self.active, self.active.sessions > 0
        frame = pd.DataFrame(
            {
                "user_id": active.user[some] + 1,
                "week": self._dates(active.week[some]),
                "sessions": active.sessions[some],
                "posts": active.posts[some],
            }
        )
        return frame.sort_values("week", kind="stable", ignore_index=True)

    @property
    def payments(self) -> pd.DataFrame:
        """One row a payment, sorted by date: `user_id`, `date`, `amount`, `kind` (subscription or advertising).

        A subscription is paid in advance, every 28 days; advertising comes in on the last day of a week, for all
        sessions of a user in it. Amounts are not rounded to cents.
        """
        paid = self.paid
        frame = pd.DataFrame(
            {
                "user_id": paid.user + 1,
                "date": self._dates(paid.week, paid.day),
                "amount": paid.amount,
                "kind": np.where(paid.is_subscription, "subscription", "advertising"),
            }
        )
        return frame.sort_values("date", kind="stable", ignore_index=True)

    def known(self, as_of: date) -> NetworkTables:
        """The tables as they were at the end of the day `as_of`, without the columns that nobody sees."""
        end = np.datetime64(self.start, "D") + self._weeks_until(as_of) * 7

        def before(frame: pd.DataFrame, column: str) -> pd.DataFrame:
            return frame[frame[column] < end]

        return NetworkTables(
            before(self.users[["user_id", "joined", "community"]], "joined"),
            before(self.follows, "date"),
            before(self.activity, "week"),
            before(self.payments, "date"),
        )

    def truth(self, as_of: date, horizon: object, *, continuations: int = 32, seed: int = 0) -> pd.DataFrame:
        """What each user who had joined by the end of `as_of` brings in within the `horizon` after it.

        `as_of`: the last day of a week of the network; `horizon`: whole weeks, or a timedelta. Columns: `user_id`;
        `active`: whether it is still there; `active_followers` then; `value` and its parts `subscription` and
        `advertising`: their **expectations given the state of the network at as_of** (who is there and follows whom,
        everybody's own rates and subscription), over all that may happen after it, new users and follows included.

        Since a user's stay depends on what others do, that expectation is an average over so many simulated
        `continuations` of the network; `standard_error` is that of `value` by their number. Chance that has a known
        mean is taken out (see `nbdataops.ltv.simulate.network_truth`), so few are enough; where followers have no
        effect the value is exact and its standard error 0 but for rounding. `realised_value`: what it did bring in,
        missing where the tables end before. The same `seed` gives the same truth.
        """
        done, ahead = self._weeks_until(as_of), _whole_weeks(horizon)
        if isinstance(continuations, bool) or int(continuations) != continuations or continuations < 2:
            raise LtvInputError(f"continuations is {continuations}", todo="give a whole number, 2 or more")
        graph = self._graph_after(done)
        n = len(graph.active)
        state = self.subscriptions.weeks_since_payment(done - 1, n)
        habits = Habits(
            self.habits.sessions[:n],
            self.habits.subscribes[:n],
            self.habits.cancels[:n],
            self.habits.per_session[:n],
        )
        weekly = np.stack(expected_weekly(self.earnings, habits, state, ahead))
        rng = np.random.default_rng(seed)
        expected, error = expected_earnings(graph, self.rules, weekly, int(continuations), rng)
        known = done + ahead <= self.rules.weeks
        realised = self.paid.total(done, done + ahead, n) if known else np.full(n, np.nan)
        return pd.DataFrame(
            {
                "user_id": np.arange(1, n + 1),
                "active": graph.active,
                "active_followers": graph.active_followers().astype(np.int64),
                "value": expected.sum(axis=0),
                "standard_error": error,
                "subscription": expected[0],
                "advertising": expected[1],
                "realised_value": realised,
            }
        )

    def _graph_after(self, weeks: int) -> FollowerGraph:
        """The graph as it was after so many weeks."""
        n, then = self.rules.users_after(weeks), self.followed < weeks
        follower, followee = self.graph.follower[then], self.graph.followee[then]
        return FollowerGraph(
            week=weeks,
            community=self.graph.community[:n],
            own=self.graph.own[:n],
            active=self.left[:n] >= weeks,
            follower=follower,
            followee=followee,
            pairs=np.sort(pair(follower, followee)),
        )

    def _weeks_until(self, as_of: date) -> int:
        """How many weeks are over at the end of that day; an error within a week, or when nobody has joined."""
        days = day_number(as_of) - day_number(self.start) + 1
        first = next(week for week in range(1, self.rules.weeks + 1) if self.rules.users_after(week))
        if not 7 * first <= days <= 7 * self.rules.weeks:
            earliest = self.start + timedelta(days=7 * first - 1)
            raise LtvInputError(
                f"as_of {as_of} is not within the tables", todo=f"give a date from {earliest} to {self.end}"
            )
        if days % 7:
            before = as_of - timedelta(days=days % 7)
            raise LtvInputError(
                f"as_of {as_of} is in the middle of a week of the network",
                todo=f"give the last day of one: {before} or {before + timedelta(days=7)}",
            )
        return days // 7

    def _dates(self, week: IntArray, day: IntArray | int = 0) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        days = np.datetime64(day_number(self.start), "D") + (7 * week + day)
        return np.asarray(days.astype("datetime64[us]"))


def _whole_weeks(horizon: object) -> int:
    weeks = to_horizon(horizon, "week")
    if not np.isfinite(weeks) or weeks != np.rint(weeks) or weeks > 5200:
        raise LtvInputError(
            f"horizon is {weeks:g} weeks", todo="the network goes on by weeks: give a whole number of them"
        )
    return int(weeks)
