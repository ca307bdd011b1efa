"""Customers with known truth, drawn from the models and from worlds that break their assumptions.

>>> import numpy as np
>>> from nbdataops.ltv import ParetoNBD
>>> from nbdataops.ltv.simulate import draw_summary
>>> truth = ParetoNBD.with_parameters(r=0.55, alpha=10.6, s=0.61, beta=11.7)
>>> draw_summary(truth, [26.0, 39.0], np.random.default_rng(1)).columns.tolist()
['x', 't_x', 'T', 'rate', 'leaving', 'alive']
"""

from nbdataops.ltv.simulate.label_draws import draw_labels
from nbdataops.ltv.simulate.network_rules import Earnings, Following, Retention
from nbdataops.ltv.simulate.own_rates import Cohorts
from nbdataops.ltv.simulate.purchase_calendar import Calendar
from nbdataops.ltv.simulate.shops import Shop, shop
from nbdataops.ltv.simulate.social_networks import NetworkTables, SocialNetwork, social_network
from nbdataops.ltv.simulate.spend_draws import draw_log_spend, draw_spend
from nbdataops.ltv.simulate.summary_draws import draw_summary

__all__ = [
    "Calendar",
    "Cohorts",
    "Earnings",
    "Following",
    "NetworkTables",
    "Retention",
    "Shop",
    "SocialNetwork",
    "draw_labels",
    "draw_log_spend",
    "draw_spend",
    "draw_summary",
    "shop",
    "social_network",
]
