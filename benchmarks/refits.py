"""Claim: the refits behind an interval are cheaper than as many first fits, and find the same optimum.

A round is one refit of all customers of the CDNOW log under Poisson weights: with `warm_start=True` from the last
optimum, against a new model from its own starting points. Both get customers grouped by `rfm_cells`, so that only the
start differs. A last line has the whole gain of a notebook that does both: grouped and warm, against a new model on
the plain table.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from benchmarks.comparison import Comparison, compare, script
from nbdataops.ltv import BGNBD, ParetoNBD, rfm_cells, rfm_summary
from nbdataops.reference_products import reference_folder
from nbdataops.session.weights import Draws

ROUNDS = 50
AS_OF = date(1998, 6, 30)


def customers() -> pd.DataFrame:
    """x, t_x and T of all customers of the log at its end, in weeks."""
    log = pd.read_csv(reference_folder() / "cdnow" / "data" / "cdnow.csv.gz", parse_dates=["date"])
    return rfm_summary(log, AS_OF, amount="sales", time_unit="week").set_index("customer_id")


def measure(rounds: int) -> list[Comparison]:
    rfm = customers()
    cells = rfm_cells(rfm)
    draws = Draws(rfm.index.to_numpy())
    found = []
    for model in (BGNBD, ParetoNBD):
        warm = model(warm_start=True).fit(cells)
        optima: dict[tuple[str, int], list[float]] = {}

        def refit(number: int, warm=warm, optima=optima) -> None:  # type: ignore[no-untyped-def]
            warm.fit(cells, sample_weight=draws.weights(0, number + 1))
            optima["warm", number] = [getattr(warm, f"{p}_") for p in warm.parameter_names]

        def first_fit(number: int, data=cells, model=model, optima=optima) -> None:  # type: ignore[no-untyped-def]
            cold = model().fit(data, sample_weight=draws.weights(0, number + 1))
            optima["cold", number] = [getattr(cold, f"{p}_") for p in cold.parameter_names]

        name = model.__name__
        found.append(compare(f"{name}, warm refit", refit, "first fit, same cells", first_fit, rounds))
        few = max(1, rounds // 5)
        found.append(
            compare(
                f"{name}, warm refit",
                refit,
                "first fit, plain table",
                lambda number, first_fit=first_fit: first_fit(number, rfm),  # type: ignore[misc]
                few,
            )
        )
        for number in range(rounds):
            if not np.allclose(optima["warm", number], optima["cold", number], rtol=1e-3):
                raise SystemExit(
                    f"{name}: the warm refit of round {number} ended elsewhere than the first fit"
                )
    return found


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
