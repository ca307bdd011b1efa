"""What users of a social network do: whom they follow, when they leave, what they bring in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.ltv.columns import FloatArray, LtvInputError


@dataclass(frozen=True, slots=True)
class Following:
    """Whom users follow.

    `at_joining`, `weekly`: mean follows when a user joins, and in every later week. `follow_back`: probability that
    the one followed follows back at once. `homophily`: probability that a target of another community is passed over.
    `communities`: how many there are; users are spread evenly over them.
    """

    at_joining: float = 4.0
    weekly: float = 0.15
    follow_back: float = 0.3
    homophily: float = 0.7
    communities: int = 6

    def __post_init__(self) -> None:
        _require_between(self, ("at_joining", "weekly"), 0.0, 1e6)
        _require_between(self, ("follow_back", "homophily"), 0.0, 1.0)
        if isinstance(self.communities, bool) or not isinstance(self.communities, int | np.integer):
            raise LtvInputError(f"communities is {self.communities!r}", todo="give a whole number")
        _require_between(self, ("communities",), 1, 1e6)


@dataclass(frozen=True, slots=True)
class Retention:
    """How users leave: one with A active followers leaves at the weekly rate own * (1 + A) ** -followers.

    `shape`, `scale`: own rates are Gamma(shape, scale) over users, their mean is shape / scale. `followers`: what
    active followers are worth; 0 nothing (then time until leaving is Pareto distributed over users), 1 that nine of
    them divide the rate by ten.

    >>> import numpy as np
    >>> Retention(followers=0.5).stays(np.array([0.1, 0.1]), np.array([0.0, 8.0])).round(3).tolist()
    [0.905, 0.967]
    """

    shape: float = 1.0
    scale: float = 15.0
    followers: float = 0.5

    def __post_init__(self) -> None:
        _require_between(self, ("shape", "scale"), 1e-9, 1e9)
        _require_between(self, ("followers",), 0.0, 1e3)

    def stays(self, own: FloatArray, active_followers: FloatArray) -> FloatArray:
        """Probability to stay through a week, by user."""
        if self.followers == 0:
            return np.asarray(np.exp(-own))
        return np.asarray(np.exp(-own * (1 + active_followers) ** -self.followers))


@dataclass(frozen=True, slots=True)
class Earnings:
    """What users do while they are there, and what it brings in; means over users, each has its own around them.

    `sessions` a week, Poisson, own means gamma distributed with shape `sessions_shape`; `posts` a session, Poisson.
    Who has no subscription takes one with an own probability a week, mean `subscribes`; it costs `price` every fourth
    week and ends before one of these payments with an own probability, mean `cancels` (both Beta(1, 1 / mean - 1)). A
    week without a subscription brings in advertising for every session, an own amount, lognormal with mean `per_session`
    and the standard deviation `per_session_spread` of its logarithm.
    """

    sessions: float = 4.0
    sessions_shape: float = 1.0
    posts: float = 0.2
    subscribes: float = 0.004
    cancels: float = 0.1
    price: float = 4.99
    per_session: float = 0.03
    per_session_spread: float = 0.5

    def __post_init__(self) -> None:
        _require_between(self, ("sessions", "posts", "price", "per_session"), 0.0, 1e9)
        _require_between(self, ("sessions_shape",), 1e-3, 1e9)
        _require_between(self, ("per_session_spread",), 0.0, 10.0)
        _require_between(self, ("subscribes", "cancels"), 0.0, 1.0)


def _require_between(options: object, names: tuple[str, ...], low: float, high: float) -> None:
    for name in names:
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise LtvInputError(f"{name} is {value!r}", todo="give a number")
        if not low <= float(value) <= high:
            raise LtvInputError(f"{name} is {value}", todo=f"give a number from {low:g} to {high:g}")
