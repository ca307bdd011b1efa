"""BG/NBD, MBG/NBD and their regular variants by integration over each customer's own rate and leaving probability.

Both are independent, and so are they given what is known: every likelihood is an integral over the rate times one over
the probability. Means of what comes are integrals over the probability of a sum, or of a closed form for k = 1, over
purchases.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

from .integral import log_integral, remembered

SURE = mp.mpf(10) ** -18
"""Purchases are followed until their probability has fallen to this."""


@remembered
def log_mean_of_rate(
    r: mp.mpf, alpha: mp.mpf, power: mp.mpf, time: mp.mpf, quiet: mp.mpf = 0, ticks: int = 1
) -> mp.mpf:
    """log E[rate^power exp(-rate time) sum over j < ticks of (rate quiet)^j / j!], rate ~ Gamma(r, alpha)."""
    shape, scale = r + power, alpha + time

    def exponent(u: mp.mpf) -> mp.mpf:  # u is the logarithm of the rate
        rate = mp.exp(u)
        return shape * u - scale * rate + mp.log(_phases(rate * quiet, ticks))

    typical = mp.re(shape / scale)
    for _ in range(3):  # the peak lies at the mean rate given the likeliest phases
        phase = min(mp.mpf(ticks - 1), typical * quiet)
        typical = mp.re((shape + phase) / scale)
    inside = log_integral(exponent, mp.log(typical), min(mp.mpf(1), 1 / mp.sqrt(typical * mp.re(scale))))
    return inside + r * mp.log(alpha) - mp.loggamma(r)


@remembered
def log_mean_of_leaving(a: mp.mpf, b: mp.mpf, left: int, stayed: int) -> mp.mpf:
    """log E[p^left (1 - p)^stayed], p ~ Beta(a, b)."""

    def exponent(u: mp.mpf) -> mp.mpf:  # u is the log odds of p
        return -(a + left) * mp.log1p(mp.exp(-u)) - (b + stayed) * mp.log1p(mp.exp(u))

    return log_integral(exponent, *_middle(a + left, b + stayed)) - log_beta(a, b)


def _phases(quiet_ticks: mp.mpf, ticks: int) -> mp.mpf:
    """Sum over j < ticks of quiet_ticks^j / j!."""
    total = mp.mpf(1)
    for j in range(ticks - 1, 0, -1):
        total = 1 + total * quiet_ticks / j
    return total


def log_beta(a: mp.mpf, b: mp.mpf) -> mp.mpf:
    """log B(a, b), the factor of the prior."""
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def _middle(a: mp.mpf, b: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    """Where the log odds of a Beta(a, b) lie, and how far they spread."""
    a, b = mp.re(a), mp.re(b)
    return mp.log(a / b), min(mp.sqrt(1 / a + 1 / b), mp.mpf(1))


def log_alive(
    theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf, ticks: int, first_chance: int
) -> mp.mpf:
    """Log-likelihood of being there at T."""
    r, alpha, a, b = theta
    stays = log_mean_of_leaving(a, b, 0, x + first_chance)
    return stays + log_mean_of_rate(r, alpha, ticks * x, T, T - t_x, ticks)


def log_left(
    theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf, ticks: int, first_chance: int
) -> mp.mpf:
    """Log-likelihood of having left right after the last purchase."""
    r, alpha, a, b = theta
    chances = x + first_chance
    if not chances:
        return mp.mpf("-inf")
    return log_mean_of_leaving(a, b, 1, chances - 1) + log_mean_of_rate(r, alpha, ticks * x, t_x)


def log_likelihood(
    theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf, ticks: int = 1, first_chance: int = 0
) -> mp.mpf:
    """Log-likelihood of one customer, of regular ones without the terms that no parameter changes."""
    alive = log_alive(theta, x, t_x, T, ticks, first_chance)
    left = log_left(theta, x, t_x, T, ticks, first_chance)
    return alive if left == -mp.inf else alive + mp.log(1 + mp.exp(left - alive))


def probability_alive(
    theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf, ticks: int = 1, first_chance: int = 0
) -> mp.mpf:
    """P(alive at T)."""
    left = log_left(theta, x, t_x, T, ticks, first_chance)
    return 1 / (1 + mp.exp(left - log_alive(theta, x, t_x, T, ticks, first_chance)))


def expected_transactions(
    theta: Sequence[mp.mpf],
    x: int,
    t_x: mp.mpf,
    T: mp.mpf,
    horizon: mp.mpf,
    ticks: int = 1,
    first_chance: int = 0,
) -> mp.mpf:
    """Expected purchases within `horizon` after T."""
    r, alpha, a, b = theta
    c, stayed = horizon / (alpha + T), b + x + first_chance
    alive = probability_alive(theta, x, t_x, T, ticks, first_chance)
    if not horizon:
        return mp.mpf(0)
    if ticks == 1:
        return alive * _mean_of_random(r + x, c, a, stayed)
    silence = (T - t_x) / (alpha + T)
    shape = r + ticks * x
    weights = [mp.rf(shape, j) * silence**j / mp.factorial(j) for j in range(ticks)]
    means = [_mean_of_regular(shape + j, c, a, stayed, ticks, j) for j, w in enumerate(weights) if w]
    return alive * mp.fdot(weights[: len(means)], means) / mp.fsum(weights)


def _mean_of_random(shape: mp.mpf, c: mp.mpf, a: mp.mpf, b: mp.mpf) -> mp.mpf:
    """E[(1 - (1 + p c)^-shape) / p]: the rate is integrated out, the probability is not."""

    def exponent(u: mp.mpf) -> mp.mpf:
        p = 1 / (1 + mp.exp(-u))
        bought = -mp.expm1(-shape * mp.log1p(p * c)) / p
        return -a * mp.log1p(mp.exp(-u)) - b * mp.log1p(mp.exp(u)) + mp.log(bought)

    return mp.exp(log_integral(exponent, *_middle(a, b)) - log_beta(a, b))


def _mean_of_regular(shape: mp.mpf, c: mp.mpf, a: mp.mpf, b: mp.mpf, ticks: int, phase: int) -> mp.mpf:
    """Sum over m of P(at least m purchases) E[(1 - p)^(m - 1)]; ticks are negative binomial."""
    share = c / (1 + c)
    mean = shape * c
    enough = int(mean + 12 * mp.sqrt(mean * (1 + c)) + 60 * (1 + c)) + 2 * ticks
    term = (1 - share) ** shape
    probabilities = []
    for n in range(enough + 1):
        probabilities.append(term)
        term *= (shape + n) / (n + 1) * share
    assert term < SURE, "the sum over ticks is too short"
    # from the end, so that small probabilities are not lost beside large ones
    above, at_least = mp.mpf(0), {}
    for n in range(enough, 0, -1):
        above += probabilities[n]
        at_least[n] = above
    total, stays, m = mp.mpf(0), mp.mpf(1), 1
    while m * ticks - phase <= enough:
        total += stays * at_least[m * ticks - phase]
        stays *= (b + m - 1) / (a + b + m - 1)
        m += 1
    return total
