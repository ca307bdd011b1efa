"""Users who join, follow each other and leave, week by week; who has more active followers leaves less.

A week goes like this. Everybody who is there decides whether to leave, by an own rate and by how many active followers
(followers who are still there) it had when the week began. Then new users join. Then those who are there follow
others: a target is drawn in proportion to its followers and one (preferential attachment, Barabasi and Albert 1999,
Emergence of scaling in random networks, Science 286:509), and one of another community is often passed over
(homophily); some follow back at once. Who left is gone for good and is no longer followed; its own follows stay, but
it is no active follower any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbdataops.ltv.columns import FloatArray, IntArray
from nbdataops.ltv.simulate.network_rules import Following, Retention
from nbdataops.ltv.summary.purchase_log import BoolArray

ATTEMPTS = 40
"""Draws until a follow finds a target; where nearly everybody has left it may find none."""


@dataclass(frozen=True, slots=True)
class GraphRules:
    """How the network moves on: `users` join evenly over `weeks`, and at the same pace after that."""

    following: Following
    retention: Retention
    users: int
    weeks: int

    def users_after(self, weeks: int) -> int:
        """How many have joined after so many weeks."""
        return round(self.users * weeks / self.weeks)


@dataclass(frozen=True, slots=True, eq=False)
class FollowerGraph:
    """The network after so many weeks.

    community, own (rate of leaving), active: by user, in the order of joining. follower, followee: by follow, in the
    order of following. pairs: both as one number, sorted.
    """

    week: int
    community: IntArray
    own: FloatArray
    active: BoolArray
    follower: IntArray
    followee: IntArray
    pairs: IntArray

    def active_followers(self) -> FloatArray:
        """How many followers of each user are there."""
        count = np.bincount(self.followee, self.active[self.follower], minlength=len(self.active))
        return count.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """What a week did to those who had been there before it, and the follows that it brought.

    stays: probability of each user to stay, if it had not left before. left: who left in this week.
    """

    stays: FloatArray
    left: BoolArray
    follower: IntArray
    followee: IntArray


def empty_graph() -> FollowerGraph:
    """A network before its first week."""
    nobody = np.zeros(0, dtype=np.int64)
    return FollowerGraph(0, nobody, np.zeros(0), np.zeros(0, dtype=bool), nobody, nobody, nobody)


def pair(follower: IntArray, followee: IntArray) -> IntArray:
    """Both ends of follows as one number."""
    return np.asarray(follower << 32 | followee)


def next_week(
    graph: FollowerGraph, rules: GraphRules, rng: np.random.Generator
) -> tuple[FollowerGraph, Week]:
    """The network a week later, and what happened."""
    stays = rules.retention.stays(graph.own, graph.active_followers())
    left = graph.active & (rng.random(len(stays)) >= stays)
    joining = rules.users_after(graph.week + 1) - len(stays)
    community = np.append(graph.community, rng.integers(rules.following.communities, size=joining))
    own = np.append(graph.own, rng.gamma(rules.retention.shape, 1 / rules.retention.scale, size=joining))
    active = np.append(graph.active & ~left, np.ones(joining, dtype=bool))
    there = FollowerGraph(graph.week + 1, community, own, active, graph.follower, graph.followee, graph.pairs)
    follower, followee = _follows(there, rules.following, joining, rng)
    new = pair(follower, followee)
    order = np.argsort(new)
    after = FollowerGraph(
        there.week,
        community,
        own,
        active,
        np.append(graph.follower, follower),
        np.append(graph.followee, followee),
        np.insert(graph.pairs, np.searchsorted(graph.pairs, new[order]), new[order]),
    )
    return after, Week(stays, left, follower, followee)


def _follows(
    graph: FollowerGraph, following: Following, joined: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """The week's new follows, those back included; nobody follows anybody twice."""
    n = len(graph.active)
    known = np.flatnonzero(graph.active[: n - joined])
    old = rng.poisson(following.weekly * len(known))
    new = rng.poisson(following.at_joining * joined)
    sources = np.concatenate(
        [
            known[rng.integers(max(len(known), 1), size=old if len(known) else 0)],
            n - joined + rng.integers(max(joined, 1), size=new if joined else 0),
        ]
    )
    follower, followee = _targets(graph, following, sources, rng)
    back = rng.random(len(follower)) < following.follow_back
    follower, followee = np.append(follower, followee[back]), np.append(followee, follower[back])
    both = pair(follower, followee)
    _, first = np.unique(both, return_index=True)
    first = np.sort(first)
    at = np.searchsorted(graph.pairs, both[first])
    again = np.zeros(len(first), dtype=bool)
    inside = at < len(graph.pairs)
    again[inside] = graph.pairs[at[inside]] == both[first][inside]
    return follower[first[~again]], followee[first[~again]]


def _targets(
    graph: FollowerGraph, following: Following, sources: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Whom each source follows: proportional to followers and one, among those who are there, mostly like itself."""
    n, follows = len(graph.active), len(graph.followee)
    target = np.full(len(sources), -1)
    open_ = np.arange(len(sources))
    for _ in range(ATTEMPTS):
        if not len(open_):
            break
        # the followee of any follow comes in proportion to its followers; anybody adds the one
        candidate = rng.integers(n + follows, size=len(open_))
        popular = candidate >= n
        candidate[popular] = graph.followee[candidate[popular] - n]
        source = sources[open_]
        alike = graph.community[candidate] == graph.community[source]
        taken = graph.active[candidate] & (candidate != source)
        taken &= alike | (rng.random(len(open_)) >= following.homophily)
        target[open_[taken]] = candidate[taken]
        open_ = open_[~taken]
    found = target >= 0
    return sources[found], target[found]
