"""Intervals for methods without a likelihood: refits to resampled customers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.fit.fit_result import two_sided


class Refitted(Estimator):
    """Base of estimators whose intervals come from `refits` whole fits to customers drawn with replacement.

    Every customer is drawn Poisson(1) times; a row of weight w stands for w customers and is drawn Poisson(w) times.
    """

    refits: int
    seed: int
    refits_: list[Any]

    def _fit_all(
        self, fit_once: Callable[[Any, FloatArray | None], None], rows: int, weights: FloatArray | None
    ) -> None:
        """Fit this estimator, and a twin to each resample; the same seed draws the same resamples."""
        if isinstance(self.refits, bool) or int(self.refits) != self.refits or self.refits < 0:
            raise LtvInputError(f"refits is {self.refits}", todo="give a whole number, 0 or more")
        fit_once(self, weights)
        self.refits_ = []
        for stream in np.random.SeedSequence(self.seed).spawn(int(self.refits)):
            drawn = np.random.default_rng(stream).poisson(1.0 if weights is None else weights, rows)
            twin = copy.copy(self)
            twin.refits_ = []
            fit_once(twin, drawn.astype(np.float64))
            self.refits_.append(twin)

    def _answer(
        self, predict: Callable[[Self], pd.Series], interval: float | None
    ) -> pd.Series | pd.DataFrame:
        """What `predict` says of this estimator; with an interval, beside quantiles of what it says of the refits."""
        value = predict(self)
        if interval is None:
            return value
        two_sided(interval)
        if not self.refits_:
            raise LtvInputError(
                f"intervals of {type(self).__name__} come from refits, and there are none",
                todo=f"make it with refits, e.g. {type(self).__name__}(refits=50), and fit again",
            )
        drawn = np.array([predict(twin).to_numpy() for twin in self.refits_])
        lower, upper = np.quantile(drawn, [(1 - interval) / 2, (1 + interval) / 2], axis=0)
        return pd.DataFrame({str(value.name): value, "lower": lower, "upper": upper}, index=value.index)
