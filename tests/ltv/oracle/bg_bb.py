"""BG/BB by the sum over the occasions at which a customer may have left, and its future by integration.

Purchases and leaving have independent probabilities, so that a latent state's likelihood is a product of two Beta
integrals; each follows from the one before by a ratio. `log_state` has one state by quadrature, to check that.
"""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

from .beta_geometric import log_beta, log_mean_of_leaving
from .integral import log_integral


def log_state(theta: Sequence[mp.mpf], x: int, last: int, gone: bool) -> mp.mpf:
    """Log-likelihood of x purchases at the first `last` occasions, and of having left right after them if `gone`."""
    alpha, beta, gamma, delta = theta
    return log_mean_of_leaving(alpha, beta, x, last - x) + log_mean_of_leaving(gamma, delta, int(gone), last)


def log_likelihood(theta: Sequence[mp.mpf], x: int, t_x: int, T: int) -> mp.mpf:
    """Log-likelihood of one customer."""
    alive, left = _alive_and_left(theta, x, t_x, T)
    return mp.log(alive + left)


def probability_alive(theta: Sequence[mp.mpf], x: int, t_x: int, T: int) -> mp.mpf:
    """P(there at occasion T)."""
    alive, left = _alive_and_left(theta, x, t_x, T)
    return alive / (alive + left)


def expected_transactions(theta: Sequence[mp.mpf], x: int, t_x: int, T: int, horizon: int) -> mp.mpf:
    """Expected purchases at the next `horizon` occasions."""
    alpha, beta, gamma, delta = theta
    each = (alpha + x) / (alpha + beta + T)
    return probability_alive(theta, x, t_x, T) * each * occasions_ahead(gamma, delta + T, horizon)


def occasions_ahead(a: mp.mpf, b: mp.mpf, horizon: int) -> mp.mpf:
    """E[sum over j = 1 .. horizon of (1 - p)^j], p ~ Beta(a, b), by quadrature over p."""

    def exponent(u: mp.mpf) -> mp.mpf:  # u is the log odds of p
        log_stays = -mp.log1p(mp.exp(u))
        stayed = -mp.expm1(horizon * log_stays) * mp.exp(-u)  # (1 - p) (1 - (1 - p)^h) / p
        return -a * mp.log1p(mp.exp(-u)) + b * log_stays + mp.log(stayed)

    centre = mp.log(mp.re(a) / mp.re(b))
    return mp.exp(log_integral(exponent, centre, min(mp.sqrt(1 / a + 1 / b), mp.mpf(1))) - log_beta(a, b))


def _alive_and_left(theta: Sequence[mp.mpf], x: int, t_x: int, T: int) -> tuple[mp.mpf, mp.mpf]:
    alpha, beta, gamma, delta = theta
    bought = log_beta(alpha + x, beta + t_x - x) - log_beta(alpha, beta)
    state = mp.exp(bought + log_beta(gamma + 1, delta + t_x) - log_beta(gamma, delta))
    left = mp.mpf(0)
    for last in range(t_x, T):
        left += state
        state *= (beta + last - x) / (alpha + beta + last) * (delta + last) / (gamma + delta + last + 1)
    # who is there at T has not left after it: p / (1 - p) turns the state that follows into that
    return state * (gamma + delta + T) / gamma, left
