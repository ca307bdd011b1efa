"""Whole refits under resampled customers, at the cost of the distinct cells.

Resampling customers with replacement is resampling the counts of their cells, so a replicate of ten million customers
draws a few hundred thousand numbers. Its optimum lies close to that of the data, where the Hessian is known: two
evaluations of the likelihood find it, or a few where customers are few.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd

from nbdataops.errors import did_you_mean
from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.likelihood_fit import Optimum, maximise, nearby_optimum
from nbdataops.ltv.time_units import TimeUnit, to_horizon, unit_of

Scheme: TypeAlias = Literal["poisson", "multinomial"]
SCHEMES = ("poisson", "multinomial")
CELL_VERBS = ("bootstrap_optimum", "_log_likelihood", "_expected")


class CellModel(Protocol):
    """A fitted model of latent attrition, which sees customers as cells."""

    fit_result_: FitResult
    time_unit_: TimeUnit | None

    def bootstrap_optimum(self) -> Optimum:
        """Where refits start; an error if the fit identified no clear peak."""
        ...

    def _log_likelihood(
        self, theta: FloatArray, cells: Cells, counts: FloatArray
    ) -> tuple[float, FloatArray]: ...

    def _expected(self, theta: FloatArray, cells: Cells, horizon: float) -> FloatArray: ...


def bootstrap(
    model: CellModel,
    rfm: pd.DataFrame | Cells,
    *,
    replicates: int = 200,
    horizon: object = None,
    scheme: Scheme = "poisson",
    seed: int = 0,
) -> pd.DataFrame:
    """Refit `model` to resampled customers; one row a replicate, one column a parameter, and `identified`.

    `model`: a model of latent attrition fitted to `rfm` (a summary or its cells), with a clear peak. `scheme`: "poisson" draws every customer
    Poisson(1) times, "multinomial" as many customers as there are; draws of nobody at all are drawn again. `identified` is False where the resampled
    customers have no clear peak (as `fit_result_.identified` says of a fit): such parameters may be anywhere along a
    ridge or at a limit, and spoil means and standard deviations: take quantiles, or `refits[refits.identified]` where
    there are few; what is forecast from them is still that of the replicate. With `horizon`, the column `transactions` holds
    what the replicate's customers are expected to buy in it, in total, by the replicate's own parameters: quantiles
    of it are the interval of a total forecast. The same seed gives the same replicates.
    Raises LtvInputError for other models and if the fit is not identified, NotConvergedError if a replicate is not.

    >>> import numpy as np
    >>> from nbdataops.ltv import BGNBD
    >>> rng = np.random.default_rng(1)
    >>> T = rng.integers(20, 40, 400).astype(float)
    >>> stayed = np.minimum(T, rng.exponential(1, 400) / rng.gamma(2.0, 0.03, 400))
    >>> x = rng.poisson(rng.gamma(0.5, 0.2, 400) * stayed)
    >>> last = np.ceil(stayed * rng.beta(np.maximum(x, 1), 1))
    >>> rfm = pd.DataFrame({"x": x, "t_x": np.where(x > 0, last, 0.0), "T": T})
    >>> refits = bootstrap(BGNBD().fit(rfm), rfm, replicates=3, horizon=10)
    >>> refits.columns.tolist(), len(refits)
    (['r', 'alpha', 'a', 'b', 'transactions', 'identified'], 3)
    """
    if scheme not in SCHEMES:
        raise LtvInputError(f"no scheme {scheme!r}", todo=did_you_mean(str(scheme), SCHEMES))
    if isinstance(replicates, bool) or int(replicates) != replicates or replicates < 1:
        raise LtvInputError(f"replicates is {replicates}", todo="give a whole number, 1 or more")
    if isinstance(model, type) or not all(hasattr(model, verb) for verb in CELL_VERBS):
        what = model.__name__ if isinstance(model, type) else type(model).__name__
        raise LtvInputError(
            f"bootstrap does not work for {what}",
            todo="it works for fitted models of latent attrition, such as BGNBD, MBGNBD, ParetoNBD and BGBB",
        )
    optimum = model.bootstrap_optimum()
    cells = rfm_cells(rfm)
    unit_of(cells, model.time_unit_)
    counts = cells.counts()
    h = None if horizon is None else to_horizon(horizon, model.time_unit_)
    names = tuple(model.fit_result_.parameters)
    rows = []
    for stream in np.random.SeedSequence(seed).spawn(int(replicates)):
        drawn = _resample(counts, scheme, np.random.default_rng(stream))
        evaluate = partial(model._log_likelihood, cells=cells, counts=drawn)
        identified = True
        theta = nearby_optimum(evaluate, names, float(drawn.sum()), optimum)
        if theta is None:  # farther away, or no clear peak: the whole search
            start = list(model.fit_result_.parameters.values())
            result, _ = maximise(evaluate, names, [start], float(drawn.sum()), optimum)
            theta, identified = np.array(list(result.parameters.values())), result.identified
        row: dict[str, float | bool] = dict(zip(names, theta.tolist(), strict=True))
        if h is not None:
            row["transactions"] = float(np.einsum("i,i", drawn, model._expected(theta, cells, h)))
        rows.append(row | {"identified": identified})
    return pd.DataFrame(rows).rename_axis(index="replicate")


def _resample(counts: FloatArray, scheme: Scheme, rng: np.random.Generator) -> FloatArray:
    if counts.sum() < 1:
        raise LtvInputError(
            f"all rows together stand for {counts.sum():g} customers",
            todo="n is how many customers a row stands for",
        )
    if scheme == "poisson":
        drawn = rng.poisson(counts)
        while not drawn.any():  # nobody: of a handful of customers that happens, and has no parameters
            drawn = rng.poisson(counts)
        return drawn.astype(np.float64)
    total = counts.sum()
    if total != np.rint(total):
        raise LtvInputError("n is not whole, so customers cannot be counted", todo='use scheme="poisson"')
    return rng.multinomial(int(total), counts / total).astype(np.float64)
