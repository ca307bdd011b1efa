"""What a model of purchases needs of a model of spend."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError, require_frame
from nbdataops.ltv.fit.likelihood_model import Uncertainty, require_draws


class SpendModel(Protocol):
    """A fitted spend model: `GammaGamma`, `LogSpend`, or one of your own with these verbs."""

    def expected_spend(self, rfm: pd.DataFrame) -> pd.Series:
        """Expected value of the next transaction of each customer."""
        ...

    def spend_deviation(self, rfm: pd.DataFrame) -> FloatArray:
        """Standard deviation of the logarithm of `expected_spend` by the uncertainty of the fit, by customer."""
        ...

    def draw_totals(
        self,
        rfm: pd.DataFrame,
        transactions: FloatArray,
        rng: np.random.Generator,
        parameters: Uncertainty,
    ) -> FloatArray:
        """One posterior-predictive draw of the total value of so many transactions, by customer."""
        ...


def require_spend_model(spend: object) -> None:
    """Raise unless `spend` has the verbs of a spend model; a class has them, but nothing to say."""
    verbs = ("expected_spend", "spend_deviation", "draw_totals")
    if isinstance(spend, type) or not all(callable(getattr(spend, verb, None)) for verb in verbs):
        what = spend.__name__ if isinstance(spend, type) else repr(spend)
        raise LtvInputError(
            f"spend is no fitted spend model: {what:.60}", todo="give spend=GammaGamma().fit(rfm)"
        )


def draw_next_values(
    model: SpendModel, rfm: pd.DataFrame, draws: int, seed: int, parameters: Uncertainty
) -> pd.DataFrame:
    """Posterior-predictive draws of the value of each customer's next transaction: one row a customer."""
    frame = require_frame(rfm)
    rng = np.random.default_rng(seed)
    one = np.ones(len(frame))
    columns = [model.draw_totals(frame, one, rng, parameters) for _ in range(require_draws(draws))]
    return pd.DataFrame(np.stack(columns, axis=1), index=frame.index).rename_axis(columns="draw")
