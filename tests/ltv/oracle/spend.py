"""Gamma-Gamma and the regression of log spend, by integration over each customer's own level of spend."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

from .integral import log_integral


def gamma_gamma_log_likelihood(theta: Sequence[mp.mpf], x: int, spend: mp.mpf) -> mp.mpf:
    """Log density of the mean of x transactions."""
    return _over_scales(theta, x, spend, mp.mpf(0))


def gamma_gamma_expected(theta: Sequence[mp.mpf], x: int, spend: mp.mpf) -> mp.mpf:
    """Expected value of the next transaction: the mean of p / nu given the history."""
    top = _over_scales(theta, x, spend, mp.mpf(-1)) if x else _of_new(theta)
    return theta[0] * mp.exp(top - (_over_scales(theta, x, spend, mp.mpf(0)) if x else 0))


def _over_scales(theta: Sequence[mp.mpf], x: int, spend: mp.mpf, power: mp.mpf) -> mp.mpf:
    """log of the integral over nu of its prior, the density of the mean spend, and nu^power."""
    p, q, gamma = theta

    def exponent(u: mp.mpf) -> mp.mpf:  # u is the logarithm of nu
        nu = mp.exp(u)
        return (p * x + q + power) * u - (gamma + x * spend) * nu

    shape, rate = mp.re(p * x + q + power), mp.re(gamma + x * spend)
    inside = log_integral(exponent, mp.log(shape / rate), min(1 / mp.sqrt(shape), mp.mpf(1)))
    of_mean = p * x * mp.log(x) + (p * x - 1) * mp.log(spend) - mp.loggamma(p * x)
    return inside + of_mean + q * mp.log(gamma) - mp.loggamma(q)


def _of_new(theta: Sequence[mp.mpf]) -> mp.mpf:
    """log E[1 / nu] over the population."""
    _, q, gamma = theta

    def exponent(u: mp.mpf) -> mp.mpf:
        return (q - 1) * u - gamma * mp.exp(u)

    shape = mp.re(q - 1)
    inside = log_integral(exponent, mp.log(shape / mp.re(gamma)), min(1 / mp.sqrt(shape), mp.mpf(1)))
    return inside + q * mp.log(gamma) - mp.loggamma(q)


def log_spend_log_likelihood(theta: Sequence[mp.mpf], x: int, log_spend: mp.mpf) -> mp.mpf:
    """Log density of the logarithm of the mean of x transactions, around a line in log(1 + x)."""
    intercept, slope, tau, sigma = theta
    line = intercept + slope * mp.log1p(x)

    def log_normal(off: mp.mpf, deviation: mp.mpf) -> mp.mpf:
        return -((off / deviation) ** 2) / 2 - mp.log(deviation) - mp.log(2 * mp.pi) / 2

    def exponent(own: mp.mpf) -> mp.mpf:  # the logarithm of what the customer spends on average
        seen = log_spend - (own - sigma**2 / (2 * x))
        return log_normal(own - line, tau) + log_normal(seen, sigma / mp.sqrt(x))

    precise_own, precise_seen = 1 / mp.re(tau) ** 2, x / mp.re(sigma) ** 2
    seen = log_spend + mp.re(sigma) ** 2 / (2 * x)
    centre = (mp.re(line) * precise_own + seen * precise_seen) / (precise_own + precise_seen)
    return log_integral(exponent, centre, 1 / mp.sqrt(precise_own + precise_seen))
