"""Shifted beta-geometric by integration over each customer's own leaving probability."""

from __future__ import annotations

from collections.abc import Sequence

import mpmath as mp

from .beta_geometric import log_mean_of_leaving
from .bg_bb import occasions_ahead


def log_likelihood(theta: Sequence[mp.mpf], T: int, churned: bool) -> mp.mpf:
    """Log-likelihood of a contract that ended in period T, or has lasted for T."""
    alpha, beta = theta
    return log_mean_of_leaving(alpha, beta, int(churned), T - int(churned))


def expected_periods(theta: Sequence[mp.mpf], T: int, horizon: int) -> mp.mpf:
    """Expected renewals in the next `horizon` periods of a contract that has lasted for T."""
    alpha, beta = theta
    return occasions_ahead(alpha, beta + T, horizon)
