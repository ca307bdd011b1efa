"""BG/NBD: customers may leave after any purchase."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, gammaln

from nbdataops.ltv.attrition.beta_geometric import BetaGeometric
from nbdataops.ltv.columns import LtvInputError
from nbdataops.ltv.fit.rising import log_beta_ratio, log_rising
from nbdataops.ltv.time_units import to_horizon


class BGNBD(BetaGeometric):
    """Beta-geometric / negative binomial model of repeat purchases.

    Family: latent attrition, continuous time. Assumes: while alive a customer buys as a Poisson process with an own
    rate, Gamma(r, alpha) over customers; after every repeat purchase the customer leaves with an own probability,
    Beta(a, b) over customers; rate and probability are independent; nothing changes with the calendar. A customer
    without a repeat purchase is alive with certainty.
    Source: Fader, Hardie and Lee 2005, "Counting your customers" the easy way, Marketing Science 24:275.

    `time_unit`: "day", "week", "month" or "year", of the data and of every horizon; None takes what the summary
    carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `r_`, `alpha_` (time units), `a_`, `b_`, `fit_result_`, `time_unit_`.

    >>> import pandas as pd
    >>> model = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> customer = pd.DataFrame({"x": [2], "t_x": [30.43], "T": [38.86]})
    >>> round(float(model.expected_transactions(customer, 39).iloc[0]), 3)
    1.226
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> rfm = draw_summary(model, np.full(500, 39.0), np.random.default_rng(0))  # or rfm_summary(log, as_of)
    >>> BGNBD().fit(rfm).expected_transactions(rfm, 39, interval=0.9).columns.tolist()
    ['transactions', 'lower', 'upper']
    """

    first_chance = 0

    def probability_of_transactions(self, n: int, horizon: float) -> float:
        """P(X(t) = n): the probability that a new customer makes exactly n repeat transactions within `horizon`."""
        r, alpha, a, b = self._theta()
        t = self._finite(to_horizon(horizon, self.time_unit_))
        if isinstance(n, bool) or int(n) != n or n < 0:
            raise LtvInputError(f"n is {n}", todo="give a whole number of transactions, zero or more")
        share = t / (alpha + t)
        with np.errstate(divide="ignore"):
            log_power = n * np.log(share) if n else 0.0
        log_stayed = log_beta_ratio(a, b, n)
        log_count = log_rising(r, n) - gammaln(n + 1) + r * np.log1p(-share) + log_power
        stayed = np.exp(log_stayed + log_count)
        if n == 0:
            return float(stayed)
        # left right after purchase n: a negative binomial would have reached at least n
        left = np.exp(log_beta_ratio(a, b, n - 1, 1)) * betainc(n, r, share)
        return float(stayed + left)
