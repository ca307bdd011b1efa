"""MBG/NBD: customers may leave after any purchase, the first one included."""

from __future__ import annotations

from nbdataops.ltv.attrition.beta_geometric import BetaGeometric


class MBGNBD(BetaGeometric):
    """Modified beta-geometric / negative binomial model of repeat purchases.

    Family: latent attrition, continuous time. Assumes: while alive a customer buys as a Poisson process with an own
    rate, Gamma(r, alpha) over customers; after **every** purchase, the first one included, the customer leaves with
    an own probability, Beta(a, b) over customers; rate and probability are independent; nothing changes with the
    calendar. Unlike in BG/NBD, a customer who never came back may have left at once.
    Source: Batislam, Denizel and Filiztekin 2007, Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24:201; Hoppe and Wagner 2007, Marketing JRM 2:75.

    `time_unit`: "day", "week", "month" or "year", of the data and of every horizon; None takes what the summary
    carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `r_`, `alpha_` (time units), `a_`, `b_`, `fit_result_`, `time_unit_`.

    >>> import numpy as np
    >>> import pandas as pd
    >>> model = MBGNBD.with_parameters(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> once = pd.DataFrame({"x": [0], "t_x": [0.0], "T": [38.86]})
    >>> round(float(model.probability_alive(once).iloc[0]), 3)
    0.39
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> rfm = draw_summary(model, np.full(500, 39.0), np.random.default_rng(0))  # or rfm_summary(log, as_of)
    >>> MBGNBD().fit(rfm).expected_transactions(rfm, 39, interval=0.9).columns.tolist()
    ['transactions', 'lower', 'upper']
    """

    first_chance = 1
