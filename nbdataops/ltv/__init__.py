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
from nbdataops.ltv.empirical.cohort_decay import CohortDecay, Decay
from nbdataops.ltv.fit.bootstrap import bootstrap
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.likelihood_fit import NotConvergedError
from nbdataops.ltv.spend.gamma_gamma import GammaGamma
from nbdataops.ltv.summary.cohort_ages import CohortAges, cohort_ages
from nbdataops.ltv.summary.recency_transitions import RecencyTransitions, recency_transitions
from nbdataops.ltv.summary.rfm import rfm_summary
from nbdataops.ltv.summary.training_set import training_set
from nbdataops.ltv.time_units import TimeUnit, rate_per_unit

__all__ = [
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "Cells",
    "CohortAges",
    "CohortDecay",
    "Decay",
    "FitResult",
    "GammaGamma",
    "LtvInputError",
    "NotConvergedError",
    "ParetoNBD",
    "RecencyTransitions",
    "TimeUnit",
    "bootstrap",
    "cohort_ages",
    "rate_per_unit",
    "recency_transitions",
    "rfm_cells",
    "rfm_summary",
    "training_set",
]
