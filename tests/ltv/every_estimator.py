"""Every estimator of the package with data of its kind: what the tests of conventions go through.

A new estimator without an entry here fails `test_scikit_learn.py`, and so does a verb with an argument unknown here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

import nbdataops.ltv as ltv
from nbdataops.ltv.estimator import Estimator
from nbdataops.ltv.simulate.summary_draws import draw_summary

HORIZON = 4
AS_OF = date(2024, 6, 30)
NO_VERBS = (
    "fit",
    "get_params",
    "set_params",
    "get_metadata_routing",
    "set_fit_request",
    "set_score_request",
    "with_parameters",
    "with_probabilities",
)
"""Public methods that are no verbs: they need no fit, or are the fit."""


@dataclass(frozen=True)
class Case:
    """How to make an estimator and the data it is fitted to.

    `ask`: customers to predict, where not those of the fit. `grid`: what a search may vary.
    """

    make: Callable[..., Any]
    data: Callable[[], Any]
    labels: Callable[[], Any] = lambda: None
    columns: tuple[str, ...] = ()
    may_be_negative: tuple[str, ...] = ()
    ask: Callable[[], Any] | None = None
    grid: dict[str, list[Any]] = field(default_factory=dict)

    def asked(self) -> Any:
        """Customers to predict: the first few."""
        asked = (self.ask or self.data)()
        return asked.iloc[:40] if self.takes_a_frame else asked

    @property
    def takes_a_frame(self) -> bool:
        """Whether scikit-learn can cut the data into folds."""
        return bool(self.columns)


AGES = np.tile(np.arange(20.0, 60.0), 10)
SPEND = ltv.GammaGamma.with_parameters(p=6.0, q=4.0, gamma=15.0)
SHOP: dict[str, Any] = {"time_unit": "week", "r": 0.9, "alpha": 4.0, "a": 0.9, "b": 2.5}
TRUTH: dict[str, Any] = {
    "BGNBD": ltv.BGNBD.with_parameters(**SHOP),
    "MBGNBD": ltv.MBGNBD.with_parameters(**SHOP),
    "ParetoNBD": ltv.ParetoNBD.with_parameters(time_unit="week", r=0.9, alpha=4.0, s=0.8, beta=6.0),
    "BGCNBD": ltv.BGCNBD.with_parameters(**{**SHOP, "k": 2, "alpha": 2.0}),
    "MBGCNBD": ltv.MBGCNBD.with_parameters(**{**SHOP, "k": 2, "alpha": 2.0}),
    "BGBB": ltv.BGBB.with_parameters(time_unit="year", alpha=1.2, beta=0.75, gamma=0.66, delta=2.8),
}
"""What customers are drawn from, so that fits have a clear peak and intervals exist."""


@cache
def customers(drawn_from: str = "BGNBD") -> pd.DataFrame:
    """Customers who behave as a model says, with their spend and everything else that a summary can hold."""
    rng = np.random.default_rng(3)
    ages = pd.Series(np.full(400, 6.0) if drawn_from == "BGBB" else AGES, index=labels_of(400))
    frame = draw_summary(TRUTH[drawn_from], ages, rng, spend=SPEND)
    recent = rng.binomial(frame.x, 0.4)
    hidden = ["rate", "leaving", "alive", "own_spend"]
    return frame.drop(columns=hidden).assign(recent_transactions=recent, recent_value=recent * frame.spend)


@cache
def what_followed() -> pd.DataFrame:
    """What the customers did next: labels of the supervised methods, outcomes for the others."""
    rng = np.random.default_rng(4)
    frame = customers()
    bought = rng.poisson((frame.x + 0.5) / (frame["T"] + 5) * 13 * (frame["T"] - frame.t_x < 20))
    value = bought * np.where(frame.x > 0, frame.spend, 10.0)
    return pd.DataFrame({"transactions": bought, "value": value}, index=frame.index)


@cache
def contracts() -> pd.DataFrame:
    """Contracts of different ages, some of which have ended."""
    rng = np.random.default_rng(6)
    n = 300
    ended, seen = rng.geometric(rng.beta(0.9, 2.5, n)), rng.integers(1, 9, n)
    seen[:5] = 20  # somebody has been there long, so that a horizon is covered
    ended[:5] = 30
    frame = pd.DataFrame({"T": np.minimum(ended, seen), "churned": ended <= seen}, index=labels_of(n))
    frame.attrs["time_unit"] = "month"
    return frame


@cache
def purchases() -> pd.DataFrame:
    """A log of purchases before AS_OF."""
    rng = np.random.default_rng(7)
    rows = []
    for customer in labels_of(80):
        first = int(rng.integers(0, 120))
        days = {first, *(first + rng.integers(1, 180 - first, rng.poisson(3))).tolist()}
        rows += [(customer, pd.Timestamp("2024-01-01") + pd.Timedelta(days=d)) for d in sorted(days)]
    log = pd.DataFrame(rows, columns=["customer_id", "date"])
    return log.assign(amount=rng.gamma(3.0, 5.0, len(log)))


def labels_of(n: int) -> pd.Index:
    """An index that is neither sorted nor whole numbers."""
    return pd.Index([f"c{(i * 7919) % n:04d}" for i in range(n)], name="customer_id")


def cohort_ages() -> Any:
    """Customers by ages."""
    return ltv.cohort_ages(purchases(), AS_OF)


def younger_ages() -> Any:
    """Those customers who are so young that older ones have been through their horizon."""
    log = purchases()
    first = log.groupby("customer_id")["date"].transform("min")
    return ltv.cohort_ages(log[first >= "2024-03-01"], AS_OF)


def younger_contracts() -> pd.DataFrame:
    """Contracts for which older ones have been through the horizon."""
    frame = contracts()
    return frame[frame["T"] <= 8]


def transitions() -> Any:
    """Customers by recency states."""
    return ltv.recency_transitions(purchases(), AS_OF, states=4)


def _attrition(cls: type, *more: str, **grid: list[Any]) -> Case:
    columns = ("x", "t_x", "T", *more)
    return Case(
        partial(cls, k_max=3) if "k" in grid else cls,
        partial(customers, cls.__name__),
        columns=columns,
        may_be_negative=more,
        grid=grid or {"warm_start": [False, True]},
    )


def _supervised(cls: type, defaults: dict[str, Any], **grid: list[Any]) -> Case:
    def make(**params: Any) -> Any:
        return cls(**{"train_horizon": HORIZON, **defaults, **params})

    return Case(make, customers, what_followed, columns=("x", "t_x", "T", "spend"), grid=grid)


CASES: dict[str, Case] = {
    "BGNBD": _attrition(ltv.BGNBD),
    "MBGNBD": _attrition(ltv.MBGNBD),
    "ParetoNBD": _attrition(ltv.ParetoNBD),
    "BGCNBD": _attrition(ltv.BGCNBD, "litt", k=[1, 2]),
    "MBGCNBD": _attrition(ltv.MBGCNBD, "litt", k=[1, 2]),
    "BGBB": _attrition(ltv.BGBB),
    "GammaGamma": Case(ltv.GammaGamma, customers, columns=("x", "spend"), grid={"warm_start": [False, True]}),
    "LogSpend": Case(ltv.LogSpend, customers, columns=("x", "spend"), grid={"covariates": [(), ("T",)]}),
    "ShiftedBetaGeometric": Case(
        ltv.ShiftedBetaGeometric, contracts, columns=("T", "churned"), grid={"warm_start": [False, True]}
    ),
    "KaplanMeier": Case(
        ltv.KaplanMeier,
        contracts,
        ask=younger_contracts,
        columns=("T", "churned"),
        grid={"time_unit": [None, "month"]},
    ),
    "CohortDecay": Case(ltv.CohortDecay, cohort_ages),
    "ChainLadder": Case(ltv.ChainLadder, cohort_ages, ask=younger_ages),
    "MarkovChain": Case(ltv.MarkovChain, transitions),
    "RFMCell": _supervised(ltv.RFMCell, {"bins": 3}, bins=[2, 3]),
    "TwoPartBoosting": _supervised(ltv.TwoPartBoosting, {"rounds": 5, "leaf_size": 20}, rounds=[3, 6]),
    "ZeroInflatedLognormal": _supervised(ltv.ZeroInflatedLognormal, {}, ridge=[1.0, 30.0]),
    "LastPeriod": Case(
        ltv.LastPeriod,
        customers,
        columns=("recent_transactions", "recent_value"),
        may_be_negative=("recent_value",),
        grid={"window": [8.0, 13.0]},
    ),
    "PastRate": Case(ltv.PastRate, customers, columns=("x", "T", "spend"), grid={"prior": [0.0, 4.0]}),
}


@cache
def fitted(name: str) -> Any:
    """The estimator fitted to its data; with a few refits where intervals come from them."""
    case = CASES[name]
    model = case.make()
    if "refits" in model.get_params():
        model.set_params(refits=4)
    return model.fit(case.data(), case.labels())


@cache
def spend_model() -> Any:
    """What lifetime values are made with."""
    return ltv.GammaGamma().fit(customers())


def estimators() -> dict[str, type]:
    """Every exported estimator by name."""
    found = {name: getattr(ltv, name) for name in ltv.__all__}
    return {n: c for n, c in found.items() if inspect.isclass(c) and issubclass(c, Estimator)}


def verbs(cls: type) -> list[str]:
    """Public methods that need a fit."""
    return [
        name
        for name, _ in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and name not in NO_VERBS
    ]


def call(model: Any, verb: str, data: Any, **more: Any) -> Any:
    """Call a verb with `data` for its first argument and something suitable for every other that it needs."""
    method = getattr(model, verb)
    suitable: dict[str, Any] = {
        **dict.fromkeys(("rfm", "contracts", "ages", "transitions"), data),
        "horizon": HORIZON,
        "spend": spend_model() if "spend" not in more else more["spend"],
        "transactions": np.ones(len(data)) if isinstance(data, pd.DataFrame) else None,
        "rng": np.random.default_rng(0),
        "n": 1,
        "occasions": 3,
        "periods": [0, 1, 3],
        "period": [1, 3],
        "y": _labels(CASES[type(model).__name__]),
    }
    arguments = dict(more)
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is inspect.Parameter.empty or name == "y":
            assert name in suitable, (
                f"{type(model).__name__}.{verb} asks for {name!r}, unknown to every_estimator.py"
            )
            arguments.setdefault(name, suitable[name])
    return method(**arguments)


def _labels(case: Case) -> Any:
    """Labels of those who are asked about."""
    labels = case.labels()
    return None if labels is None else labels.loc[case.asked().index]
