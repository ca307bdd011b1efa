"""Methods for user lifetime value: estimators with scikit-learn's conventions, right to the published digits.

>>> import pandas as pd
>>> from nbdataops.ltv import BGNBD
>>> rfm = pd.DataFrame({"x": [2], "t_x": [30.43], "T": [38.86]})
>>> round(float(BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426).expected_transactions(rfm, 39)[0]), 3)
1.226
"""

from nbdataops.ltv.attrition.bg_cnbd import BGCNBD, MBGCNBD
from nbdataops.ltv.attrition.bg_nbd import BGNBD
from nbdataops.ltv.attrition.mbg_nbd import MBGNBD
from nbdataops.ltv.attrition.pareto_nbd import ParetoNBD
from nbdataops.ltv.columns import LtvInputError
from nbdataops.ltv.contractual.bg_bb import BGBB
from nbdataops.ltv.contractual.contracts import contracts_from_survivors
from nbdataops.ltv.contractual.kaplan_meier import KaplanMeier
from nbdataops.ltv.contractual.shifted_beta_geometric import ShiftedBetaGeometric
from nbdataops.ltv.empirical.chain_ladder import ChainLadder
from nbdataops.ltv.empirical.cohort_decay import CohortDecay, Decay
from nbdataops.ltv.empirical.markov_chain import MarkovChain
from nbdataops.ltv.empirical.naive import LastPeriod, PastRate
from nbdataops.ltv.fit.bootstrap import bootstrap
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.likelihood_fit import NotConvergedError
from nbdataops.ltv.spend.gamma_gamma import GammaGamma
from nbdataops.ltv.spend.log_spend import LogSpend
from nbdataops.ltv.summary.cohort_ages import CohortAges, cohort_ages
from nbdataops.ltv.summary.recency_transitions import RecencyTransitions, recency_transitions
from nbdataops.ltv.summary.rfm import rfm_summary
from nbdataops.ltv.summary.training_set import training_set
from nbdataops.ltv.supervised.rfm_cell import RFMCell
from nbdataops.ltv.supervised.two_part_boosting import TwoPartBoosting
from nbdataops.ltv.supervised.zero_inflated_lognormal import ZeroInflatedLognormal
from nbdataops.ltv.time_units import TimeUnit, rate_per_unit

__all__ = [
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "Cells",
    "ChainLadder",
    "CohortAges",
    "CohortDecay",
    "Decay",
    "FitResult",
    "GammaGamma",
    "KaplanMeier",
    "LastPeriod",
    "LogSpend",
    "LtvInputError",
    "MarkovChain",
    "NotConvergedError",
    "ParetoNBD",
    "PastRate",
    "RFMCell",
    "RecencyTransitions",
    "ShiftedBetaGeometric",
    "TimeUnit",
    "TwoPartBoosting",
    "ZeroInflatedLognormal",
    "bootstrap",
    "cohort_ages",
    "contracts_from_survivors",
    "rate_per_unit",
    "recency_transitions",
    "rfm_cells",
    "rfm_summary",
    "training_set",
]
