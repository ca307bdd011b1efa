"""Markov chain on recency: the chance of the next purchase depends on the time since the last one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.discounting import require_discount_rate
from nbdataops.ltv.columns import FloatArray, LtvInputError, require_number, to_floats, weights
from nbdataops.ltv.empirical.newcomer import alone, newcomer
from nbdataops.ltv.fit.refitted import Refitted
from nbdataops.ltv.summary.recency_transitions import RecencyTransitions
from nbdataops.ltv.time_units import TimeUnit, to_horizon, unit_of


class MarkovChain(Refitted):
    """Markov chain on recency states, with the value of a purchase by state.

    Family: Markov chain. In each period a customer in state s (the last purchase lies s periods back) buys with the
    probability of that state and moves to state 1, or does not and moves to s + 1; the last state pools all longer
    silences and can be left by a purchase only. Counts of transitions give the probabilities, amounts the values.
    Assumes: nothing but the time since the last purchase matters (not how often somebody bought before: it ranks
    heavy and light buyers of the same recency alike); nothing changes with the calendar. It has no notion of being
    alive: `probability_alive` does not exist here.
    Source: Pfeifer and Carraway 2000, Modeling customer relationships as Markov chains, Journal of Interactive
    Marketing 14:43.

    It has no `score`, and scikit-learn cannot cut its data, transitions of a whole log, into folds: cut the log at an
    earlier date, fit to what came before, and compare with what followed.

    `smoothing`: so many periods with the overall rate and value are added to each state, so that a state that nobody
    was in has an answer.
    `refits`: fits to resampled customers, from which intervals come (0: no intervals; 50 or more are enough for 90
    percent).
    `seed`: of the resampling.
    Fitted attributes: `transitions_` (by state: periods, purchases, `probability` of a purchase, `value` of one),
    `time_unit_`, `period_` (time units), `refits_` (the fits to resampled customers).

    >>> from datetime import date
    >>> from nbdataops.ltv import recency_transitions
    >>> log = pd.DataFrame({
    ...     "customer_id": [7, 7, 8],
    ...     "date": pd.to_datetime(["2024-01-02", "2024-01-20", "2024-01-10"]),
    ...     "amount": [10.0, 3.0, 5.0],
    ... })
    >>> seen = recency_transitions(log, date(2024, 1, 28), states=3, time_unit="week")
    >>> MarkovChain().fit(seen).lifetime_value(seen, horizon=8).round(2).tolist()
    [5.47, 4.85]

    The chain of the paper's example, known beforehand:

    >>> chain = MarkovChain.with_probabilities([0.3, 0.2, 0.15, 0.05, 0.0], values=40.0, discount_rate=0.2)
    >>> [round(v, 3) for v in chain]
    [27.489, 18.2, 10.428, 2.812, 0.0]
    """

    family: ClassVar[str] = "markov"
    transitions_: pd.DataFrame
    time_unit_: TimeUnit | None
    period_: float

    def __init__(self, *, smoothing: float = 1.0, refits: int = 0, seed: int = 0) -> None:
        self.smoothing = smoothing
        self.refits = refits
        self.seed = seed

    @staticmethod
    def with_probabilities(
        probabilities: list[float], *, values: float, discount_rate: float, horizon: float = np.inf
    ) -> list[float]:
        """Value of a customer in each state of a chain that is known, over `horizon` periods.

        `probabilities`: of a purchase within a period, by state, the most recent first. `values`: of a purchase, in
        currency: one number, or one a state. `discount_rate`: per period, effective; what comes in a period counts
        from its end. Raises LtvInputError for what is no probability, and for an infinite horizon without a discount
        rate.
        """
        p = np.atleast_1d(to_floats(probabilities, "probabilities"))
        if not (len(p) and ((p >= 0) & (p <= 1)).all()):
            wrong = "there is none" if not len(p) else f"{p[~((p >= 0) & (p <= 1))][0]} is none"
            raise LtvInputError(
                f"no probabilities: {wrong}",
                todo="give one number between 0 and 1 for each state, at least one",
            )
        worth = to_floats(np.atleast_1d(values), "values")
        if worth.size not in (1, len(p)) or not np.isfinite(worth).all():
            raise LtvInputError(f"values is {values}", todo="give one finite number, or one for each state")
        periods, force = to_horizon(horizon, None), require_discount_rate(discount_rate)
        _require_end(periods, force)
        value = _value(p, p * worth, periods, force)
        return [float(v) for v in value]

    def fit(self, transitions: RecencyTransitions, y: object = None, sample_weight: object = None) -> Self:
        """Count `transitions`, which `recency_transitions(purchases, as_of)` makes.

        `sample_weight`: one weight a customer of `transitions.index`; `y` is accepted for scikit-learn and changes
        nothing. Raises LtvInputError where nobody was seen for a whole period, or ever in a state without smoothing.
        """
        _require_transitions(transitions)
        require_number(self.smoothing, "smoothing", "give a number of periods, 0 or more", least=0)
        self.time_unit_, self.period_ = unit_of(transitions, None), transitions.period
        w = weights(sample_weight, transitions.index)
        rows = len(transitions.index)
        self._fit_all(lambda model, drawn: model._fit_once(transitions, drawn), rows, w)
        return self

    def expected_transactions(
        self, transitions: RecencyTransitions, horizon: object, *, interval: float | None = None
    ) -> pd.Series | pd.DataFrame:
        """Expected periods with a purchase in the `horizon` after the data of each customer.

        The `horizon` (time units or a timedelta) is cut into the chain's periods; a rest counts by its share.
        `interval`: see `lifetime_value`.
        """
        return self._ahead(transitions, horizon, "transactions", 0.0, interval)

    def lifetime_value(
        self,
        transitions: RecencyTransitions,
        horizon: object,
        *,
        discount_rate: float = 0.0,
        interval: float | None = None,
    ) -> pd.Series | pd.DataFrame:
        """Expected value of purchases in the `horizon`; infinite horizons need a discount rate.

        `discount_rate`: effective rate per **time unit**; what comes in a period counts from its end. `interval`, a
        level such as 0.9, adds `lower` and `upper` from the `refits` that the chain was made with.
        """
        return self._ahead(transitions, horizon, "value", discount_rate, interval)

    def expected_transactions_new(
        self, horizon: object, *, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected periods with a repeat purchase of a customer who buys for the first time in the period that ends now.

        `horizon`: time units or a timedelta after that period. With `interval`, a DataFrame of one row.
        """
        return self._of_newcomer(horizon, "transactions", 0.0, interval)

    def lifetime_value_new(
        self, horizon: object, *, discount_rate: float = 0.0, interval: float | None = None
    ) -> float | pd.DataFrame:
        """Expected value of the repeat purchases of a customer who buys for the first time in the period that ends now.

        `horizon`: time units or a timedelta after that period. Discounted to now, per time unit; infinite horizons
        need a `discount_rate`. With `interval`, a DataFrame of one row.
        """
        return self._of_newcomer(horizon, "value", discount_rate, interval)

    def _fit_once(self, transitions: RecencyTransitions, w: FloatArray | None) -> None:
        w = np.ones(len(transitions.index)) if w is None else w
        bought, silent, value = (
            np.asarray(w @ matrix).ravel()
            for matrix in (transitions.purchases_from, transitions.silences_from, transitions.value_from)
        )
        periods = bought + silent
        if not periods.sum():
            raise LtvInputError(
                "nobody was seen for a whole period", todo="take shorter periods or more history"
            )
        rate = bought.sum() / periods.sum()
        mean = value.sum() / bought.sum() if bought.sum() else 0.0
        more = self.smoothing
        with np.errstate(invalid="ignore", divide="ignore"):
            probability = (bought + more * rate) / (periods + more)
            each = (value + more * mean) / (bought + more)
        missing = ~np.isfinite(probability)
        if missing.any():
            raise LtvInputError(
                f"nobody was ever in state {', '.join(str(s + 1) for s in np.flatnonzero(missing))}",
                todo="take fewer states, or smoothing above 0",
            )
        self.transitions_ = pd.DataFrame(
            {
                "periods": periods,
                "purchases": bought,
                "probability": probability,
                "value": np.where(np.isfinite(each), each, 0.0),
            },
            index=pd.RangeIndex(1, transitions.states + 1, name="state"),
        )

    def _ahead(
        self,
        transitions: RecencyTransitions,
        horizon: object,
        name: str,
        discount_rate: float,
        interval: float | None,
    ) -> pd.Series | pd.DataFrame:
        self._require_fit("transitions_")
        _require_transitions(transitions)
        unit_of(transitions, self.time_unit_, "transitions")
        if transitions.states != len(self.transitions_) or transitions.period != self.period_:
            raise LtvInputError(
                f"the chain has {len(self.transitions_)} states of {self.period_:g} time units, "
                f"these customers {transitions.states} of {transitions.period:g}",
                todo="make both with the same states and period",
            )
        by_state = self._by_state(horizon, name, discount_rate)
        state = transitions.state - 1
        return self._answer(
            lambda model: pd.Series(by_state(model)[state], index=transitions.index, name=name), interval
        )

    def _of_newcomer(
        self, horizon: object, name: str, discount_rate: float, interval: float | None
    ) -> float | pd.DataFrame:
        self._require_fit("transitions_")
        by_state = self._by_state(horizon, name, discount_rate)
        index = newcomer().index
        return alone(
            self._answer(lambda model: pd.Series(by_state(model)[:1], index=index, name=name), interval)
        )

    def _by_state(
        self, horizon: object, name: str, discount_rate: float
    ) -> Callable[[MarkovChain], FloatArray]:
        """What a chain expects of each state over the horizon, as a function of the chain."""
        periods = to_horizon(horizon, self.time_unit_) / self.period_
        force = require_discount_rate(discount_rate) * self.period_
        _require_end(periods, force)

        def of(chain: MarkovChain) -> FloatArray:
            p = chain.transitions_["probability"].to_numpy()
            reward = p if name == "transactions" else p * chain.transitions_["value"].to_numpy()
            return _value(p, reward, periods, force)

        return of


def _value(p: FloatArray, reward: FloatArray, periods: float, force: float) -> FloatArray:
    """Expected reward by state over so many periods, the reward of a period discounted from its end."""
    states = len(p)
    move = np.zeros((states, states))
    move[:, 0] += p
    move[np.arange(states), np.minimum(np.arange(states) + 1, states - 1)] += 1 - p
    factor = np.exp(-force)
    if not np.isfinite(periods):
        return np.asarray(np.linalg.solve(np.eye(states) - factor * move, factor * reward))
    value = np.zeros(states)
    for _ in range(int(periods)):
        value = factor * (reward + move @ value)
    rest = periods - int(periods)
    if rest:
        value = (1 - rest) * value + rest * factor * (reward + move @ value)
    return value


def _require_end(periods: float, force: float) -> None:
    if force == 0 and not np.isfinite(periods):
        raise LtvInputError(
            "an infinite horizon without a discount rate", todo="give a finite horizon or a discount_rate"
        )


def _require_transitions(transitions: object) -> None:
    if not isinstance(transitions, RecencyTransitions):
        raise LtvInputError(
            f"MarkovChain takes recency transitions, not a {type(transitions).__name__}",
            todo="give recency_transitions(purchases, as_of)",
        )
