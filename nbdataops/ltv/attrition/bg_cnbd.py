"""BG/CNBD-k and MBG/CNBD-k: customers who buy more regularly than by pure chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import gammaln

from nbdataops.ltv.attrition.beta_geometric import BetaGeometric
from nbdataops.ltv.columns import (
    FloatArray,
    LtvInputError,
    refuse,
    require_columns,
    require_frame,
    to_floats,
)
from nbdataops.ltv.fit.cells import Cells, rfm_cells
from nbdataops.ltv.fit.fit_result import FitResult
from nbdataops.ltv.fit.likelihood_fit import Optimum
from nbdataops.ltv.fit.sums import dot
from nbdataops.ltv.time_units import TimeUnit, unit_of

ROUNDED = 0.1
"""By how much rounded times may move the logarithm of a gap; another time unit moves it by log(4.3) at least."""


class _Regular(BetaGeometric):
    """What the regular variants add: k, and its choice by likelihood."""

    k_: int
    log_likelihood_by_k_: dict[int, float]

    def __init__(
        self,
        *,
        k: int | None = None,
        k_max: int = 12,
        time_unit: TimeUnit | None = None,
        warm_start: bool = False,
    ) -> None:
        super().__init__(time_unit=time_unit, warm_start=warm_start)
        self.k = k
        self.k_max = k_max

    @classmethod
    def with_parameters(cls, *, time_unit: TimeUnit | None = None, **parameters: float) -> Self:
        """A model with known parameters `r`, `alpha`, `a`, `b` and `k`, ready to predict; no `fit_result_`."""
        k = _require_ticks(parameters.pop("k", 1), "k")
        model = super().with_parameters(time_unit=time_unit, **parameters)
        model.k = model.k_ = k
        return model

    def fit(self, rfm: pd.DataFrame | Cells, y: object = None, sample_weight: object = None) -> Self:
        """Maximum likelihood from a summary with the columns `x`, `t_x`, `T` (time units) and `litt`, one row a customer.

        `litt` is the sum of the logarithms of the times between a customer's transactions, 0 where x == 0: the only
        trace that regularity leaves in a summary; `rfm_summary(..., litt=True)` computes it. With `k=None` every k
        from 1 is fitted until the likelihood falls, at most `k_max`. With a given k, `litt` is not needed; the
        reported log-likelihood then lacks the term (k - 1) * litt, which no other parameter changes.
        `sample_weight` (Series with the index of `rfm`, or array), or a column `n`: how many customers a row stands
        for; `y` is accepted for scikit-learn and changes nothing. Raises LtvInputError for impossible rows, another
        time unit or a missing `litt`, and NotConvergedError rather than returning a doubtful number. A frame that lost
        its time unit on the way (`groupby`, `merge`) is taken to be in the model's: set `frame.attrs["time_unit"]`.
        """
        if self.k is not None:
            _require_ticks(self.k, "k")
        _require_ticks(self.k_max, "k_max")
        cells = rfm_cells(rfm)
        unit = unit_of(cells, self.time_unit)
        counts = cells.counts(sample_weight)
        litt = self._litt(rfm, cells, sample_weight)
        by_k: dict[int, tuple[FitResult, Optimum | None]] = {}
        for k in range(1, self.k_max + 1) if self.k is None else (self.k,):
            self.k_ = k
            self._gap_term = (k - 1) * litt - float(gammaln(k)) * dot(counts, cells.x)
            self._fit_cells(cells.without_customers(), counts)
            by_k[k] = (self.fit_result_, self._optimum)
            if k > 1 and k - 1 in by_k and self.fit_result_.log_likelihood < by_k[k - 1][0].log_likelihood:
                break
        self.k_ = max(by_k, key=lambda k: by_k[k][0].log_likelihood)
        self.fit_result_, self._optimum = by_k[self.k_]
        self._set(self.fit_result_.parameters)
        self.log_likelihood_by_k_ = {k: result.log_likelihood for k, (result, _) in by_k.items()}
        self.time_unit_ = unit
        return self

    def score(self, rfm: pd.DataFrame | Cells, y: object = None, sample_weight: object = None) -> float:
        """Mean log-likelihood of a customer, which compares models of any k. `sample_weight` as in `fit`; `y`: no effect.

        Raises LtvInputError without the column `litt` where k is more than 1: the term (k - 1) * litt would be missing,
        and a search over k would take the smallest.
        """
        theta, cells = self._theta(), self._cells(rfm)
        counts = cells.counts(sample_weight)
        if self.k_ > 1 and not _has_litt(rfm):
            raise LtvInputError(
                f"no score with k = {self.k_} without the column 'litt': values of different k would not compare",
                todo="make the summary with rfm_summary(..., litt=True) and score the frame",
            )
        litt = self._litt(rfm, cells, sample_weight) if _has_litt(rfm) else 0.0
        constant = (self.k_ - 1) * litt - float(gammaln(self.k_)) * dot(counts, cells.x)
        return (self._log_likelihood(theta, cells, counts)[0] + constant) / float(counts.sum())

    def _fit_cells(self, cells: Cells, counts: FloatArray) -> None:
        super()._fit_cells(cells, counts)
        gap_term = self._gap_term
        self.fit_result_ = self.fit_result_.with_constant(gap_term)

    def _likelihood_of_fit(self) -> Callable[..., tuple[float, FloatArray]]:
        fixed = type(self)(k=self.k_)
        fixed.k_ = self.k_
        return fixed._log_likelihood

    def _ticks(self) -> int:
        return self.k_

    def _litt(self, rfm: Any, cells: Cells, sample_weight: object) -> float:
        """Weighted sum of `litt` over customers; an error where it is needed and missing."""
        if not _has_litt(rfm):
            if self.k is None:
                raise LtvInputError(
                    "k cannot be chosen without the column 'litt'",
                    todo="make the summary with rfm_summary(..., litt=True) and fit the frame, or give k",
                )
            return 0.0
        frame = require_frame(rfm)
        require_columns(frame, ("litt",))
        litt = to_floats(frame["litt"], "litt")
        refuse(~np.isfinite(litt), frame.index, "litt is missing or infinite", "gaps are longer than zero")
        refuse(
            (frame["x"].to_numpy() == 0) & (litt != 0),
            frame.index,
            "litt is not 0 although x is 0",
            "no gaps",
        )
        _require_one_unit(frame, litt)
        per_cell = np.bincount(
            cells.of_customer, cells.row_weights(sample_weight) * litt, minlength=len(cells)
        )
        return float(per_cell.sum())


class BGCNBD(_Regular):
    """BG/CNBD-k: BG/NBD with purchases that come regularly.

    Family: latent attrition, continuous time. Assumes: gaps between purchases are Erlang-k with a rate of each
    customer's own, Gamma(r, alpha) over customers (k = 1 is BG/NBD; larger k more regular); after every **repeat**
    purchase the customer leaves with an own probability, Beta(a, b); one k for all; nothing changes with the
    calendar.
    Forecasts are exact: the phase of the running gap is part of what is known about a customer.
    Source: Reutterer, Platzer and Schroeder 2021, Leveraging purchase regularity for predicting customer behavior the
    easy way, International Journal of Research in Marketing 38:194; regularity itself: Platzer and Reutterer 2016,
    Ticking away the moments, Marketing Science 35:779.

    `k`: None chooses it by likelihood among 1 to `k_max`, which needs the column `litt`.
    `time_unit`: "day", "week", "month" or "year", of the data and of every horizon; None takes what the summary
    carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `k_`, `log_likelihood_by_k_`, `r_`, `alpha_` (time units; r / alpha is the mean rate of ticks,
    of which k make a purchase), `a_`, `b_`, `fit_result_`, `time_unit_`.

    >>> import numpy as np
    >>> import pandas as pd
    >>> model = BGCNBD.with_parameters(k=2, r=0.9, alpha=5.0, a=0.8, b=2.4)
    >>> customers = pd.DataFrame({"x": [6, 6], "t_x": [30.0, 30.0], "T": [32.0, 45.0]})
    >>> model.probability_alive(customers).round(3).tolist()
    [0.885, 0.311]
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> rfm = draw_summary(model, np.full(2000, 39.0), np.random.default_rng(0))  # or rfm_summary(..., litt=True)
    >>> BGCNBD().fit(rfm).k_
    2
    """

    first_chance = 0


class MBGCNBD(_Regular):
    """MBG/CNBD-k: MBG/NBD with purchases that come regularly.

    Family: latent attrition, continuous time. Assumes what `BGCNBD` does, but a customer may leave after **every**
    purchase, the first one included (k = 1 is MBG/NBD).
    Source: Reutterer, Platzer and Schroeder 2021, Leveraging purchase regularity for predicting customer behavior the
    easy way, International Journal of Research in Marketing 38:194; regularity itself: Platzer and Reutterer 2016,
    Ticking away the moments, Marketing Science 35:779.

    `k`: None chooses it by likelihood among 1 to `k_max`, which needs the column `litt`.
    `time_unit`: "day", "week", "month" or "year", of the data and of every horizon; None takes what the summary
    carries.
    `warm_start`: a second `fit` starts at the solution of the first.
    Fitted attributes: `k_`, `log_likelihood_by_k_`, `r_`, `alpha_` (time units), `a_`, `b_`, `fit_result_`,
    `time_unit_`.

    >>> import numpy as np
    >>> import pandas as pd
    >>> model = MBGCNBD.with_parameters(k=3, r=0.9, alpha=4.0, a=0.8, b=2.4)
    >>> once = pd.DataFrame({"x": [0], "t_x": [0.0], "T": [40.0]})
    >>> bool(model.probability_alive(once).iloc[0] < 0.75)
    True
    >>> from nbdataops.ltv.simulate import draw_summary
    >>> rfm = draw_summary(model, np.full(2000, 39.0), np.random.default_rng(0))  # or rfm_summary(..., litt=True)
    >>> MBGCNBD().fit(rfm).k_
    3
    """

    first_chance = 1


def _has_litt(rfm: Any) -> bool:
    return not isinstance(rfm, Cells) and "litt" in require_frame(rfm).columns


def _require_one_unit(frame: pd.DataFrame, litt: FloatArray) -> None:
    """Raise where `litt` cannot belong to `x` and `t_x`, as where it is in another time unit.

    x gaps add up to t_x, so the mean of their logarithms is at most the logarithm of their mean, t_x / x; one gap is t_x.
    """
    x, t_x = (to_floats(frame[name], name) for name in ("x", "t_x"))
    repeats = np.flatnonzero((x > 0) & (t_x > 0))
    most = np.full(len(x), np.inf)
    most[repeats] = x[repeats] * np.log(t_x[repeats] / x[repeats])
    excess = litt - most
    refuse(
        (excess > ROUNDED * x) | ((x == 1) & (t_x > 0) & (excess < -ROUNDED)),
        frame.index,
        "litt does not belong to gaps that add up to t_x",
        "take one time unit for both: rfm_summary(..., litt=True) makes them together",
    )


def _require_ticks(k: object, name: str) -> int:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= 50:
        raise LtvInputError(f"{name} is {k!r}", todo="give a whole number between 1 and 50")
    return int(k)
