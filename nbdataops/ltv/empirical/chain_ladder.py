"""Chain ladder: younger customers grow by the factors by which older ones grew."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray, LtvInputError, weights
from nbdataops.ltv.empirical.newcomer import alone, newcomer
from nbdataops.ltv.empirical.period_discount import discounted_in_steps
from nbdataops.ltv.fit.refitted import Refitted
from nbdataops.ltv.summary.cohort_ages import CohortAges
from nbdataops.ltv.time_units import TimeUnit, to_horizon, unit_of


class ChainLadder(Refitted):
    """Development factors over ages, from cohorts that are older.

    Family: empirical cohort. Everybody's repeat revenue (and transactions) is cumulated by age. From age j to j + 1
    it grows by the factor at which all who have been seen at j + 1 grew together; customers acquired at the same time
    (a cohort: the same age at the fit) are carried on by these factors from where their cohort stood at the fit,
    whoever else is asked about. Where a cohort has brought nothing yet, or was not there at the fit, the mean of the
    older ones is added instead. Assumes: cohorts differ in level, not in shape; nothing changes with the calendar.
    **It knows nothing beyond the oldest observed age and refuses a horizon that leads there**, as it does for the
    oldest customers of the fit at any horizon above 0: `ages.select(ages.T + horizon <= observed_ages_)` leaves them
    out. With one acquisition quarter (CDNOW) it has no answer to a year ahead, and says so. **Allocation is by age only**, as in `CohortDecay`. Source: Mack
    1993, Distribution-free calculation of the standard error of chain ladder reserve estimates, ASTIN Bulletin
    23:213, for the estimator.

    It has no `score`, and scikit-learn cannot cut its data, the log of whole cohorts, into folds: cut the log at an
    earlier date, fit to what came before, and compare with what followed.

    `refits`: fits to resampled customers, from which intervals come (0: no intervals; 50 or more are enough for 90
    percent).
    `seed`: of the resampling.
    Fitted attributes: `ladder_` (by age: exposure, mean cumulated `transactions` and `revenue` on the ladder),
    `cohorts_` (by age at the fit: the mean `transactions` and `revenue` so far), `observed_ages_` (whole time units),
    `time_unit_`, `refits_` (the fits to resampled customers).

    >>> from nbdataops.ltv import cohort_ages
    >>> log = pd.DataFrame({
    ...     "customer_id": [1, 1, 1, 2, 2],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-22", "2024-01-15", "2024-01-22"]),
    ...     "amount": [5.0, 6.0, 3.0, 5.0, 4.0],
    ... })
    >>> ages = cohort_ages(log, pd.Timestamp("2024-01-29"))
    >>> model = ChainLadder().fit(ages)
    >>> model.lifetime_value(ages.select(ages.T + 2 <= model.observed_ages_), horizon=2).tolist()
    [2.0]
    """

    family: ClassVar[str] = "cohort"
    ladder_: pd.DataFrame
    cohorts_: pd.DataFrame
    observed_ages_: int
    time_unit_: TimeUnit | None

    def __init__(self, *, refits: int = 0, seed: int = 0) -> None:
        self.refits = refits
        self.seed = seed

    def fit(self, ages: CohortAges, y: object = None, sample_weight: object = None) -> Self:
        """Factors from `ages`, which `cohort_ages(purchases, as_of)` makes.

        `sample_weight`: one weight a customer of `ages.index`; `y` is accepted for scikit-learn and changes nothing.
        Raises LtvInputError where nobody was observed for a whole time unit.
        """
        _require_ages(ages)
        self.time_unit_ = unit_of(ages, None)
        w = weights(sample_weight, ages.index)
        self._fit_all(lambda model, drawn: model._fit_once(ages, drawn), len(ages.index), w)
        return self

    def expected_transactions(
        self, ages: CohortAges, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected transactions in the `horizon` after each customer's age, by age alone.

        `horizon`: time units or a timedelta; 0 is 0 for everybody. Raises LtvInputError if it leads anybody beyond the
        oldest observed age. `interval` needs `refits`.
        """
        return self._ahead(ages, horizon, "transactions", "transactions", 0.0, interval)

    def lifetime_value(
        self, ages: CohortAges, horizon: object, *, discount_rate: float = 0.0, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected revenue in the `horizon` after each customer's age, by age alone, discounted to that age.

        `horizon` as in `expected_transactions`.
        `discount_rate`: effective rate per time unit; what comes within a time unit counts from its middle.
        `interval`, a level such as 0.9, adds `lower` and `upper` from the `refits` that the model was made with.
        """
        return self._ahead(ages, horizon, "revenue", "value", discount_rate, interval)

    def expected_transactions_new(
        self, horizon: object, *, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected repeat transactions of a customer who buys for the first time now, in the `horizon` that follows.

        `horizon`: time units or a timedelta. With `interval`, a DataFrame of one row. Raises LtvInputError beyond the
        oldest observed age.
        """
        return self._of_newcomer(horizon, "transactions", "transactions", 0.0, interval)

    def lifetime_value_new(
        self, horizon: object, *, discount_rate: float = 0.0, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected repeat revenue, in currency, of a customer who buys for the first time now, discounted to now.

        `horizon` and `discount_rate` as in `lifetime_value`. With `interval`, a DataFrame of one row. Raises
        LtvInputError beyond the oldest observed age.
        """
        return self._of_newcomer(horizon, "revenue", "value", discount_rate, interval)

    def _fit_once(self, ages: CohortAges, w: FloatArray | None) -> None:
        w = np.ones(len(ages.index)) if w is None else w
        whole = np.floor(ages.T).astype(np.int64)
        oldest = int(whole[w > 0].max(initial=0))
        if oldest < 1:
            raise LtvInputError("nobody was observed for a whole time unit", todo="it needs a longer history")
        seen = np.array([float(w[whole > j].sum()) for j in range(oldest)])  # observed from age j to j + 1
        ladder = {"exposure": np.append(seen, 0.0)}
        for name in ("transactions", "revenue"):
            matrix = getattr(ages, name).tocsc()
            level = [0.0]
            cumulated = np.zeros(len(ages.index))
            for j in range(oldest):
                step = matrix[:, [j]].toarray()[:, 0]
                on = w * (whole > j)
                base, growth = float(on @ cumulated), float(on @ step)
                factor = 1 + growth / base if base > 0 else 1.0
                level.append(
                    level[-1] * factor if level[-1] > 0 and base > 0 else level[-1] + growth / seen[j]
                )
                cumulated += step
            ladder[name] = np.array(level)
        self.ladder_ = pd.DataFrame(ladder).rename_axis(index="age")
        self.observed_ages_ = oldest
        code, T = pd.factorize(ages.T, sort=True)
        there = np.bincount(code, w, minlength=len(T))
        so_far = {
            name: np.bincount(code, w * _so_far(ages, name), minlength=len(T))[there > 0] / there[there > 0]
            for name in ("transactions", "revenue")
        }
        self.cohorts_ = pd.DataFrame(so_far, index=pd.Index(T[there > 0], name="age"))

    def _ahead(
        self,
        ages: CohortAges,
        horizon: object,
        component: str,
        name: str,
        discount_rate: float,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        self._require_fit("ladder_")
        _require_ages(ages)
        unit_of(ages, self.time_unit_, "ages")
        code, T = pd.factorize(ages.T)
        h = self._require_seen(ages.T, horizon)

        def by_customer(model: ChainLadder) -> pd.Series:
            value = model._carried_on(T, h, component, discount_rate)
            return pd.Series(value[code], index=ages.index, name=name)

        return self._answer(by_customer, interval)

    def _of_newcomer(
        self, horizon: object, component: str, name: str, discount_rate: float, interval: float | None
    ) -> float | pd.DataFrame:
        self._require_fit("ladder_")
        nothing = np.zeros(1)
        h = self._require_seen(nothing, horizon)

        def first(model: ChainLadder) -> pd.Series:
            value = model._carried_on(nothing, h, component, discount_rate)
            return pd.Series(value, index=newcomer().index, name=name)

        return alone(self._answer(first, interval))

    def _require_seen(self, T: FloatArray, horizon: object) -> float:
        """The horizon in time units, if it does not lead beyond the oldest observed age; 0 leads nowhere."""
        h = to_horizon(horizon, self.time_unit_)
        beyond = T + h > self.observed_ages_ * (1 + 1e-12)  # months are fractions of days
        if h > 0 and beyond.any():
            raise LtvInputError(
                f"nobody was seen beyond age {self.observed_ages_}, and the horizon leads {int(beyond.sum())} of "
                f"{len(T)} customers there, up to age {T.max() + h:g}",
                todo=f"shorten the horizon, leave them out with ages.select(ages.T + {h:g} <= {self.observed_ages_}), "
                "or take a method that draws the curve on, such as CohortDecay",
            )
        return h

    def _carried_on(self, T: FloatArray, h: float, component: str, discount_rate: float) -> FloatArray:
        """What customers of each age T bring in the horizon, from where their cohort stood at the fit."""
        mean = self.cohorts_[component].reindex(T, fill_value=0.0).to_numpy()
        level = self.ladder_[component].to_numpy()
        whole = np.arange(len(level), dtype=np.float64)
        now = np.interp(T, whole, level)

        def ahead(t: float) -> FloatArray:
            gain = np.interp(T + t, whole, level) - now
            carried = mean * gain / np.where(now > 0, now, 1.0)
            return np.asarray(np.where((now > 0) & (mean > 0), carried, gain))

        return discounted_in_steps(ahead, h, discount_rate)


def _so_far(ages: CohortAges, component: str) -> FloatArray:
    return np.asarray(getattr(ages, component).sum(axis=1), dtype=np.float64).ravel()


def _require_ages(ages: object) -> None:
    if not isinstance(ages, CohortAges):
        raise LtvInputError(
            f"ChainLadder takes cohort ages, not a {type(ages).__name__}",
            todo="give cohort_ages(purchases, as_of)",
        )
