"""RFM cells: customers like this one did that, last time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, IntArray, require_number
from nbdataops.ltv.supervised.features import behaviour, class_bounds
from nbdataops.ltv.supervised.labelled_method import LabelledMethod, require_whole
from nbdataops.ltv.supervised.labels import Labels, Scale
from nbdataops.ltv.time_units import TimeUnit


class RFMCell(LabelledMethod):
    """Mean outcome of cells of recency, frequency and value.

    Family: RFM cell; in a study of one product it counts with the supervised methods, whose label window it shares.
    Customers of an earlier origin are cut into `bins` classes by silence, and within by rate of purchases (no repeat
    purchase is a class of its own) and by mean spend; a cell's prediction is the mean of what its customers did
    within the label window. Thin cells borrow: a cell counts with its customers, and the cell without its spend
    class, then without its rate class, then everybody, each with `shrinkage` customers. Assumes: the next window is
    like the label window. Counting is all it does, so it errs in other places than a model. Source: Hughes 1994,
    Strategic Database Marketing; shrinkage as in empirical Bayes.

    `train_horizon`: length of the label window, in time units. `scale`: "refuse" another horizon, or "linear": the
    horizon is like its beginning, over and over.
    `refits`: fits to resampled customers, from which intervals come (0: no intervals; 50 or more are enough for 90
    percent).
    `seed`: of the resampling.
    `time_unit`: "day", "week", "month" or "year", of the summaries and of every horizon; None takes what the data
    carry.
    Needs the columns `x`, `t_x`, `T` and `spend`.
    Fitted attributes: `cells_` (by cell: customers, mean `value`, mean `transactions`), `cuts_` (bounds of the
    classes), `least_age_` (that younger customers are counted as), `time_unit_`, `refits_` (the fits to resampled
    customers).

    >>> past = pd.DataFrame({"x": [3, 0] * 50, "t_x": [8.0, 0.0] * 50, "T": 10.0, "spend": [5.0, 0.0] * 50})
    >>> label = pd.Series([20.0, 0.0] * 50)
    >>> RFMCell(train_horizon=13, shrinkage=0).fit(past, label).predict(past)[:2].tolist()
    [20.0, 0.0]
    """

    def __init__(
        self,
        *,
        train_horizon: float,
        bins: int = 5,
        shrinkage: float = 20.0,
        scale: Scale = "refuse",
        refits: int = 0,
        seed: int = 0,
        time_unit: TimeUnit | None = None,
    ) -> None:
        self.train_horizon = train_horizon
        self.bins = bins
        self.shrinkage = shrinkage
        self.scale = scale
        self.refits = refits
        self.seed = seed
        self.time_unit = time_unit

    def _prepare(self, frame: pd.DataFrame) -> pd.DataFrame:
        require_whole(self.bins, "bins", 1)
        require_number(self.shrinkage, "shrinkage", "give a number of customers, 0 or more", least=0)
        return behaviour(frame, self.least_age_)

    def _fit_once(self, features: pd.DataFrame, labels: Labels, w: FloatArray) -> None:
        repeats = features["rate"].to_numpy() > 0
        self.cuts_ = {
            "silence": class_bounds(features["silence"].to_numpy(), w, self.bins),
            "rate": class_bounds(features["rate"].to_numpy()[repeats], w[repeats], self.bins),
            "spend": class_bounds(features["spend"].to_numpy()[repeats], w[repeats], self.bins),
        }
        targets = {"value": labels.value}
        if labels.transactions is not None:
            targets["transactions"] = labels.transactions
        cell, widths = self._cell(features)
        table = {"customers": np.bincount(cell, w, minlength=int(np.prod(widths))).astype(np.float64)}
        for name, target in targets.items():
            table[name] = _shrunk_means(cell, widths, w, target, self.shrinkage)
        self._means = {name: table[name] for name in targets}
        frame = pd.DataFrame(table, index=pd.RangeIndex(len(table["customers"]), name="cell"))
        self.cells_ = frame[frame["customers"] > 0]

    def _expected(self, features: pd.DataFrame, name: str) -> FloatArray:
        return self._means[name][self._cell(features)[0]]

    def _cell(self, features: pd.DataFrame) -> tuple[IntArray, tuple[int, int, int]]:
        """The cell of every row, silence first, and the number of classes of each kind."""
        repeats = features["rate"].to_numpy() > 0
        widths = (self.bins, self.bins + 1, self.bins)
        classes = [
            np.searchsorted(self.cuts_[name], features[name].to_numpy(), side="right")
            for name in ("silence", "rate", "spend")
        ]
        rate = np.where(repeats, classes[1] + 1, 0)
        spend = np.where(repeats, classes[2], 0)
        return (classes[0] * widths[1] + rate) * widths[2] + spend, widths


def _shrunk_means(
    cell: IntArray, widths: tuple[int, ...], w: FloatArray, target: FloatArray, shrinkage: float
) -> FloatArray:
    """Mean by cell, each level pulled towards the one above: everybody, silence, with rate, with spend."""
    mean = np.array([np.average(target, weights=w)])
    for level in range(len(widths)):
        finer = int(np.prod(widths[level + 1 :], dtype=np.int64))
        code = cell // finer
        size = int(np.prod(widths[: level + 1]))
        n, total = np.bincount(code, w, minlength=size), np.bincount(code, w * target, minlength=size)
        above = np.repeat(mean, widths[level])
        weight = n + shrinkage
        mean = np.where(n > 0, (total + shrinkage * above) / np.where(weight > 0, weight, 1.0), above)
    return mean
