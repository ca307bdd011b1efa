"""Claim: the refits behind an interval are cheaper than as many first fits, and find the same optimum.

A round is one refit of all customers of the CDNOW log under Poisson weights: with `warm_start=True` from the last
optimum, against a new model from its own starting points. Both get customers grouped by `rfm_cells`, so that only the
start differs. A second line has the whole gain of a notebook that does both: grouped and warm, against a new model on
the plain table.

BLAS has one thread, as in a run with as many stages at once as there are cores: vectors are short here, and threads
that wait for each other cost more than the sums.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.comparison import Comparison, compare, script
from nbdataops.ltv import BGNBD, Cells, ParetoNBD, rfm_cells, rfm_summary
from nbdataops.reference_products import reference_folder
from nbdataops.session.weights import Draws

ROUNDS = 50
AS_OF = date(1998, 6, 30)


def customers() -> pd.DataFrame:
    """x, t_x and T of all customers of the log at its end, in weeks."""
    log = pd.read_csv(reference_folder() / "cdnow" / "data" / "cdnow.csv.gz", parse_dates=["date"])
    return rfm_summary(log, AS_OF, amount="sales", time_unit="week").set_index("customer_id")


def measure(rounds: int) -> list[Comparison]:
    with threadpool_limits(1):
        return [c for model in (BGNBD, ParetoNBD) for c in _of_model(model, rounds)]


def _of_model(model: type[BGNBD] | type[ParetoNBD], rounds: int) -> list[Comparison]:
    rfm = customers()
    cells = rfm_cells(rfm)
    draws = Draws(rfm.index.to_numpy())
    warm = model(warm_start=True).fit(cells)
    optima: dict[str, list[float]] = {}

    def fit(estimator: BGNBD | ParetoNBD, data: pd.DataFrame | Cells, number: int) -> None:
        estimator.fit(data, sample_weight=draws.weights(0, number + 1))
        optimum = [getattr(estimator, f"{name}_") for name in model.parameter_names]
        if not np.allclose(optimum, optima.setdefault(f"of round {number}", optimum), rtol=1e-3):
            raise SystemExit(f"{model.__name__}: two fits of round {number} ended in different places")

    def refit(number: int) -> None:
        fit(warm, cells, number)

    ours = f"{model.__name__}, warm refit"
    return [
        compare(ours, refit, "first fit, same cells", lambda n: fit(model(), cells, n), rounds),
        compare(ours, refit, "first fit, plain table", lambda n: fit(model(), rfm, n), max(1, rounds // 5)),
    ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
