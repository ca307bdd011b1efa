"""Customers with known truth, drawn from the models and from worlds that break their assumptions.

- `draw_summary`, `draw_spend`, `draw_log_spend`, `draw_labels`: what a model itself says, in its own terms, with the
  latent truth beside it; for calibration of fits and intervals.
- `shop`: a log of purchases by any process of latent attrition, with regular timing, correlated spend, seasons, shocks
  and cohorts that differ, whose `truth` is every customer's exact expectation given its own rates and its state.
- `social_network`: users, follows, activity and payments, where active followers keep users; its `truth` is every
  user's expected value given the state of the network, with the standard error of its simulation.

>>> from datetime import date
>>> from nbdataops.ltv import ParetoNBD
>>> from nbdataops.ltv.simulate import Calendar, shop
>>> process = ParetoNBD.with_parameters(r=0.55, alpha=10.6, s=0.61, beta=11.7)
>>> world = shop(process, customers=3000, weeks=78, calendar=Calendar(months={12: 1.5}), correlation=0.3, seed=1)
>>> world.truth(date(2023, 10, 1), horizon=39).columns.tolist()
['customer_id', 'alive', 'transactions', 'value', 'realised_transactions', 'realised_value']
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
