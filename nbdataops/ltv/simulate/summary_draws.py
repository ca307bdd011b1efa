"""Summaries drawn from a model itself, with the unseen truth beside what is seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition
from nbdataops.ltv.attrition.leaving import last_chance
from nbdataops.ltv.columns import FloatArray, LtvInputError, refuse, require_rows, to_floats
from nbdataops.ltv.contractual.bg_bb import BGBB
from nbdataops.ltv.contractual.shifted_beta_geometric import ShiftedBetaGeometric
from nbdataops.ltv.simulate.latent_process import LatentProcess, last_purchase, log_gaps
from nbdataops.ltv.simulate.spend_draws import draw_spend
from nbdataops.ltv.time_units import ATTRIBUTE


def draw_summary(
    model: LatentAttrition | ShiftedBetaGeometric,
    T: object,
    rng: np.random.Generator,
    *,
    spend: object = None,
) -> pd.DataFrame:
    """Customers of these ages who behave exactly as `model` says: one row each, ready for `fit`.

    `model`: BGNBD, MBGNBD, ParetoNBD, BGCNBD, MBGCNBD, BGBB or ShiftedBetaGeometric, `with_parameters` or fitted.
    `T`: ages in the model's time unit, one a customer (an array or Series, whose index is kept); occasions or periods
    so far for the last two. Times are exact, not rounded to days.

    Columns: `x`, `t_x`, `T` and the latent truth: `rate` (purchases per time unit while alive; the probability to buy
    at an occasion for BGBB), `leaving` (probability at a purchase, an occasion or a renewal; rate per time unit for
    ParetoNBD) and `alive` (there at T). The regular models add `litt`. Contracts have `T` (the period in which they
    ended, or the age given), `churned`, `leaving`. `spend`, a spend model, adds its columns: see `draw_spend`.

    Raises LtvInputError for another model, for an age that is negative or missing, or a fraction of an occasion.

    >>> import numpy as np
    >>> from nbdataops.ltv import BGNBD
    >>> truth = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> drawn = draw_summary(truth, np.full(200_000, 39.0), np.random.default_rng(0))
    >>> bool(abs(drawn.x.mean() / truth.expected_transactions_new(39) - 1) < 0.02)
    True
    >>> refit = BGNBD().fit(drawn)
    >>> bool(abs(refit.r_ - 0.243) < 4 * refit.fit_result_.standard_errors["r"])
    True
    """
    index = T.index if isinstance(T, pd.Series) else pd.RangeIndex(np.size(np.asarray(T)))
    ages = to_floats(T, "T")
    require_rows(index, "T")
    refuse(~(np.isfinite(ages) & (ages >= 0)), index, "T is negative, missing or infinite", "give ages")
    if isinstance(model, ShiftedBetaGeometric):
        columns = _contracts(model, ages, index, rng)
    elif isinstance(model, BGBB):
        columns = _occasions(model, ages, index, rng)
    else:
        columns = _continuous(LatentProcess.of(model), ages, rng)
    frame = pd.DataFrame(columns, index=index)
    if spend is not None:
        if "x" not in frame.columns:
            raise LtvInputError("contracts have no spend model", todo="leave out spend")
        frame = frame.join(draw_spend(spend, frame["x"], rng))
    if model.time_unit_ is not None:
        frame.attrs[ATTRIBUTE] = model.time_unit_
    return frame


def _continuous(process: LatentProcess, T: FloatArray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    rate, leaving = process.draw_rates(len(T), rng)
    stays = process.stays(leaving, rng)
    lives = process.live(rate, leaving, np.minimum(stays, T), stays > T, rng)
    t_x = last_purchase(process.k, lives, rng)
    columns = {"x": lives.x, "t_x": t_x, "T": T}
    if process.regular:
        columns["litt"] = log_gaps(process.k, lives.x, t_x, rng)
    return {**columns, "rate": rate / process.k, "leaving": leaving, "alive": lives.alive}


def _occasions(
    model: BGBB, T: FloatArray, index: pd.Index, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    alpha, beta, gamma, delta = model._theta()
    refuse(np.rint(T) != T, index, "T is no whole number", "count occasions, not time")
    buys, leaving = rng.beta(alpha, beta, len(T)), rng.beta(gamma, delta, len(T))
    there = last_chance(leaving, rng) - 1  # leaves before that occasion
    x, t_x = np.zeros(len(T), dtype=np.int64), np.zeros(len(T))
    for occasion in range(1, int(T.max()) + 1):
        bought = (rng.random(len(T)) < buys) & (occasion <= np.minimum(there, T))
        x += bought
        t_x[bought] = occasion
    return {"x": x, "t_x": t_x, "T": T, "rate": buys, "leaving": leaving, "alive": there >= T}


def _contracts(
    model: ShiftedBetaGeometric, T: FloatArray, index: pd.Index, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    refuse(np.rint(T) != T, index, "T is no whole number", "count periods, not time")
    alpha, beta = model._theta()
    leaving = rng.beta(alpha, beta, len(T))
    ends = last_chance(leaving, rng)
    return {"T": np.minimum(ends, T), "churned": ends <= T, "leaving": leaving}
