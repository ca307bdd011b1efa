"""Two-part gradient boosting: who buys at all, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError, require_frame, require_number
from nbdataops.ltv.fit.one_thread import one_thread
from nbdataops.ltv.supervised.features import (
    DERIVED,
    behaviour,
    categories_of,
    class_bounds,
    coded,
    for_trees,
    without_empty_columns,
)
from nbdataops.ltv.supervised.labelled_method import LabelledMethod, require_whole
from nbdataops.ltv.supervised.labels import Labels, Scale
from nbdataops.ltv.time_units import TimeUnit, unit_of

CLASSES = 255
"""Classes of about equally many customers that each number is cut into, as many as scikit-learn's trees take. Found here
once a fit: where rows are weighted, scikit-learn looks for every bound by itself, for each of the three models anew,
which took nine tenths of a fit."""
FEW = 100_000
"""Rows up to which trees grow on one thread: seconds at most, and half of them where other processes need the processors."""


class TwoPartBoosting(LabelledMethod):
    """Boosted trees for the chance to buy, and for value and transactions of those who do.

    Family: supervised. Trained at an earlier origin on what followed (`training_set`, or `stage.labelled` in a
    notebook); features are the rate of purchases, the silence since the last one, mean spend, and any `covariates`.
    Value = P(buys) * E(value | buys): a classifier, and trees with gamma loss on buyers; transactions the same way
    with Poisson loss. Each part is scaled so that its mean over the training rows is that of the labels. Assumes: the
    next window is like the label window (season!), and customers are not silent for longer than any in the labels:
    trees do not extrapolate. It shares its label window with every other supervised method: they are one family.
    Source: two-part models are Cragg's 1971, Econometrica 39:829; trees are scikit-learn's HistGradientBoosting.

    `train_horizon`: length of the label window, in time units. `scale`: "refuse" another horizon, or "linear": the
    horizon is like its beginning, over and over.
    `rounds`, `leaves`, `learning_rate`, `leaf_size`: number of trees, leaves of a tree, what a tree counts, rows in a
    leaf at least. `covariates`: columns beside `x`, `t_x`, `T` and `spend`, known at the origin. They are numbers,
    text or categories (255 at most); a missing value is a branch of its own, and so is, together with it, a category
    that the fit has not seen.
    `refits`: fits to resampled customers, from which intervals come (0: no intervals; 50 or more are enough for 90
    percent).
    `seed`: of the trees and of the resampling.
    `time_unit`: "day", "week", "month" or "year", of the summaries and of every horizon; None takes what the data
    carry.
    Fitted attributes: `classifier_` (who buys), `parts_` (by target: trees of those who do, and the factor that makes
    means agree), `share_` (of the training rows that bought), `categories_` (names by covariate), `least_age_` (that
    younger customers are counted as), `time_unit_`, `refits_` (the fits to resampled customers).

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> T = rng.uniform(10, 50, 3000)
    >>> x = rng.poisson(rng.gamma(1, 0.1, 3000) * T)
    >>> rfm = pd.DataFrame({"x": x, "t_x": np.where(x > 0, T * 0.8, 0.0), "T": T, "spend": np.where(x > 0, 10.0, 0.0)})
    >>> bought = rng.poisson((x + 1) / (T + 10) * 13)
    >>> model = TwoPartBoosting(train_horizon=13).fit(rfm, pd.DataFrame({"value": 10.0 * bought, "transactions": bought}))
    >>> bool(abs(model.lifetime_value(rfm, 13).mean() / (10 * bought.mean()) - 1) < 0.05)
    True
    """

    def __init__(
        self,
        *,
        train_horizon: float,
        covariates: Sequence[str] = (),
        scale: Scale = "refuse",
        rounds: int = 50,
        leaves: int = 8,
        learning_rate: float = 0.1,
        leaf_size: int = 50,
        refits: int = 0,
        seed: int = 0,
        time_unit: TimeUnit | None = None,
    ) -> None:
        self.train_horizon = train_horizon
        self.covariates = covariates
        self.scale = scale
        self.rounds = rounds
        self.leaves = leaves
        self.learning_rate = learning_rate
        self.leaf_size = leaf_size
        self.refits = refits
        self.seed = seed
        self.time_unit = time_unit

    def probability_of_purchase(
        self, rfm: pd.DataFrame, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that a customer buys at all within `train_horizon`. `interval` needs `refits`."""
        self._require_fit("parts_")
        frame = require_frame(rfm)
        unit_of(frame, self.time_unit_)
        features = self._prepare(frame)
        return self._answer(
            lambda model: pd.Series(model._buys(model._design(features)), index=frame.index, name="buys"),
            interval,
        )

    def _prepare(self, frame: pd.DataFrame) -> pd.DataFrame:
        require_whole(self.rounds, "rounds", 1)
        require_whole(self.leaves, "leaves", 2)
        require_whole(self.leaf_size, "leaf_size", 1)
        todo = "give what a tree counts, a number above 0, e.g. 0.1"
        if require_number(self.learning_rate, "learning_rate", todo) <= 0:
            raise LtvInputError(f"learning_rate is {self.learning_rate}", todo=todo)
        return for_trees(behaviour(frame, self.least_age_, self.covariates))

    def _design(self, features: pd.DataFrame) -> FloatArray:
        """Names as the place of the category, numbers as the class that they lie in; NaN where missing."""
        design = coded(features, self.categories_)
        for j, bounds in self._bounds.items():
            missing = np.isnan(design[:, j])
            design[:, j] = np.searchsorted(bounds, design[:, j], side="right")
            design[missing, j] = np.nan
        return design

    def _fit_once(self, features: pd.DataFrame, labels: Labels, w: FloatArray) -> None:
        self.categories_ = categories_of(features)
        design = coded(features, self.categories_)
        numbers = [j for j, name in enumerate(features.columns) if name not in self.categories_]
        self._bounds: dict[int, FloatArray] = {j: class_bounds(design[:, j], w, CLASSES) for j in numbers}
        with _threads(len(features)):
            self._grow(self._design(features), labels, w)

    def _grow(self, design: FloatArray, labels: Labels, w: FloatArray) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        trees: dict[str, Any] = {
            "max_iter": self.rounds,
            "max_leaf_nodes": self.leaves,
            "learning_rate": self.learning_rate,
            "min_samples_leaf": self.leaf_size,
            "early_stopping": False,
            "random_state": self.seed,
            "categorical_features": [name in self.categories_ for name in (*DERIVED, *self.covariates)],
        }
        drawn = w > 0
        design, w = design[drawn], w[drawn]
        targets = {"value": labels.value[drawn]}
        if labels.transactions is not None:
            targets["transactions"] = labels.transactions[drawn]
        bought = targets["value"] > 0
        self.share_ = float(np.average(bought, weights=w))
        self.classifier_ = None
        if 0 < self.share_ < 1:
            self.classifier_ = HistGradientBoostingClassifier(**trees)
            self.classifier_.fit(without_empty_columns(design), bought, sample_weight=w)
        buys = self._buys(design)
        self.parts_: dict[str, tuple[Any, float]] = {}
        for name, target in targets.items():
            some = target > 0
            regressor = HistGradientBoostingRegressor(loss="gamma" if name == "value" else "poisson", **trees)
            regressor.fit(without_empty_columns(design[some]), target[some], sample_weight=w[some])
            mean = float(w @ (buys * regressor.predict(design)))
            self.parts_[name] = regressor, float(w @ target) / mean

    def _expected(self, features: pd.DataFrame, name: str) -> FloatArray:
        regressor, factor = self.parts_[name]
        design = self._design(features)
        buys = self._buys(design)
        with _threads(len(design)):
            return np.asarray(factor * buys * regressor.predict(design))

    def _buys(self, design: FloatArray) -> FloatArray:
        if self.classifier_ is None:
            return np.full(len(design), self.share_)
        with _threads(len(design)):
            return np.asarray(self.classifier_.predict_proba(design)[:, 1])


def _threads(rows: int) -> AbstractContextManager[Any]:
    """One thread for few rows: with so little to do, threads cost more than they bring."""
    if rows > FEW:
        return nullcontext()
    import sklearn.ensemble  # noqa: F401  # loads the library whose threads are meant

    return one_thread("openmp")
