"""Pareto/NBD by integration over the unseen time of leaving.

Given that a customer leaves at u, its x purchases and the silence after them have the likelihood
Gamma(r + x) / Gamma(r) alpha^r (alpha + min(u, T))^-(r + x): the rate is integrated out as in every textbook. The time
of leaving has the density s beta^s (beta + u)^-(s + 1). It lies between t_x and T, or the customer is still there.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

from .integral import log_integral


def log_left(theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf) -> mp.mpf:
    """Log-likelihood of having left between t_x and T, without the factor of the rates' prior."""
    if t_x == T:
        return mp.mpf("-inf")
    r, alpha, s, beta = theta

    def log_density(gone: mp.mpf) -> mp.mpf:
        return -(r + x) * mp.log(alpha + t_x + gone) - (s + 1) * mp.log(beta + t_x + gone)

    fall = mp.re((r + x) / (alpha + t_x) + (s + 1) / (beta + t_x))
    return _log_over(log_density, T - t_x, 1 / fall) + mp.log(s) + s * mp.log(beta)


def log_alive(theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf) -> mp.mpf:
    """Log-likelihood of being there at T, without the factor of the rates' prior."""
    r, alpha, s, beta = theta
    return -(r + x) * mp.log(alpha + T) - s * mp.log1p(T / beta)


def log_likelihood(theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf) -> mp.mpf:
    """Log-likelihood of one customer."""
    r, alpha = theta[0], theta[1]
    alive, left = log_alive(theta, x, t_x, T), log_left(theta, x, t_x, T)
    prior = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha)
    return prior + alive + mp.log(1 + mp.exp(left - alive))


def probability_alive(theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf) -> mp.mpf:
    """P(alive at T)."""
    return 1 / (1 + mp.exp(log_left(theta, x, t_x, T) - log_alive(theta, x, t_x, T)))


def expected_transactions(theta: Sequence[mp.mpf], x: int, t_x: mp.mpf, T: mp.mpf, horizon: mp.mpf) -> mp.mpf:
    """Mean rate given x and T, times the mean time within `horizon` that a customer alive at T stays."""
    r, alpha, s, beta = theta

    def log_stays(time: mp.mpf) -> mp.mpf:
        return -s * mp.log1p(time / (beta + T))

    stays = mp.exp(_log_over(log_stays, horizon, (beta + T) / s))
    return (r + x) / (alpha + T) * stays * probability_alive(theta, x, t_x, T)


def _log_over(log_density: object, end: mp.mpf, scale: mp.mpf) -> mp.mpf:
    """log of the integral of exp(log_density(t)) over 0 < t < end; `scale`: where it starts to fall.

    t = 1 / (1 / end + exp(-u)) grows with exp(u) until it is stopped by the end.
    """

    def exponent(u: mp.mpf) -> mp.mpf:
        t = 1 / (1 / end + mp.exp(-u))
        return log_density(t) + 2 * mp.log(t) - u

    return log_integral(exponent, mp.log(min(scale, end)), mp.mpf(1))
