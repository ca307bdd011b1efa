"""What users of a network are expected to bring in, though each one's stay depends on what others do.

Whether a user leaves depends on who of its followers is there, which depends on their followers, and so on: there is
no formula. But expectations given the state of the network are plain averages over continuations of it, and most of
their noise can be taken out without touching the mean. Let B be 1 if a user that was there stays through a week, and
s the probability of that, known from the week before. Then (B - s) g has expectation zero for every g that was fixed
beforehand, and with g = what the user brings in from that week on, given that it stays, nearly all chance cancels:
exactly all of it where followers do not matter. g comes from a few continuations of their own.
"""

from __future__ import annotations

import numpy as np

from nbdataops.ltv.columns import FloatArray
from nbdataops.ltv.simulate.follower_graph import FollowerGraph, GraphRules, next_week

PILOTS = 8
"""Continuations that only say how many stay on average, for g."""


def expected_earnings(
    graph: FollowerGraph,
    rules: GraphRules,
    weekly: FloatArray,
    continuations: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Mean over continuations of what each user brings in, by kind, and the standard error of its sum over kinds.

    `weekly`: what a user brings in in each of the next weeks if it is there, of shape (kinds, weeks, users); the mean
    has shape (kinds, users). The standard error is that of the average over the continuations.
    """
    kinds, weeks, users = weekly.shape
    stay = np.zeros((weeks, users))
    for _ in range(PILOTS):
        at = graph
        for week in range(weeks):
            at, done = next_week(at, rules, rng)
            stay[week] += done.stays[:users] / PILOTS
    onwards = np.zeros_like(weekly)
    after = np.zeros((kinds, users))
    for week in reversed(range(weeks)):
        onwards[:, week] = after = weekly[:, week] + after
        after = stay[week] * after
    total, first, shift, squares = np.zeros((kinds, users)), np.zeros(users), np.zeros(users), np.zeros(users)
    for run in range(continuations):
        at, one = graph, np.zeros((kinds, users))
        for week in range(weeks):
            there = at.active[:users]
            at, done = next_week(at, rules, rng)
            stayed = there & ~done.left[:users]
            one += stayed * weekly[:, week]
            one -= (stayed - there * done.stays[:users]) * onwards[:, week]
        total += one
        if run == 0:
            first = one.sum(axis=0)
        apart = one.sum(axis=0) - first  # so that no variance is lost in the squares of large means
        shift += apart
        squares += apart**2
    spread = np.maximum(squares - shift**2 / continuations, 0.0) / (continuations - 1)
    return total / continuations, np.sqrt(spread / continuations)
