"""What a model of purchases needs of a model of spend."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray


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
        parameters: Literal["drawn", "fitted"],
    ) -> FloatArray:
        """One posterior-predictive draw of the total value of so many transactions, by customer."""
        ...
