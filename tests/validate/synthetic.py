"""A market with known behaviour, and methods with known faults: what the tests of this folder measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd

from nbdataops.session.weights import Draws
from nbdataops.validate.inputs import CheckInputs, EstimateData, Floats
from nbdataops.validate.levels import cohorts, tenths

COMPONENTS = {"transactions": "count of distinct days", "alive": "expected number of people who still buy"}


@dataclass(frozen=True)
class Terms:
    """A metric contract as far as a study reads it."""

    name: str = "ltv"
    entity: str = "customer_id"
    value: str = "revenue"
    unit: str = "USD"
    components: Mapping[str, str] = field(default_factory=lambda: dict(COMPONENTS))
    time_unit: str = "week"
    horizon: int = 39
    discount_rate: float = 0.0
    primary: str = "methods/bg_nbd"

    def dict(self) -> dict[str, object]:
        return {
            "entity": self.entity, "value": self.value, "unit": self.unit, "components": dict(self.components),
            "population": {"table": "rfm", "cohort": "cohort", "segments": []},
        }  # fmt: skip


@dataclass(frozen=True)
class Market:
    """Weekly purchases (people x weeks) of customers acquired in the first quarter of 1997, until late 1999."""

    first: date
    joined: Floats
    purchases: Floats
    spend: Floats

    @property
    def customers(self) -> pd.Index:
        return pd.Index(np.arange(1, len(self.joined) + 1), name="customer_id")

    def week(self, day: date) -> int:
        return (day - self.first).days // 7

    def population(self, as_of: date) -> pd.DataFrame:
        here = self.joined < self.week(as_of)
        month = np.char.add("1997-0", (1 + self.joined // 4.35).clip(1, 3).astype(int).astype(str))
        past = self.purchases[:, : self.week(as_of)].sum(axis=1)
        frame = pd.DataFrame({"cohort": month, "past_total": past * self.spend}, index=self.customers)
        return frame[here]

    def between(self, start: date, end: date) -> pd.DataFrame:
        """What happened in (start, end]: people who did nothing are missing, as in an outcome."""
        bought = self.purchases[:, self.week(start) : self.week(end)]
        count = bought.sum(axis=1)
        frame = pd.DataFrame({"transactions": count, "value": count * self.spend}, index=self.customers)
        return frame[count > 0].assign(alive=1.0)


@cache
def market(n: int = 23_570, seed: int = 1) -> Market:
    rng = np.random.default_rng(seed)
    weeks = 140
    joined = rng.integers(0, 13, n).astype(float)
    rate = rng.gamma(0.55, 1 / 10.6, n)
    life = rng.exponential(1 / np.maximum(rng.gamma(0.6, 1 / 11.7, n), 1e-6))
    age = np.arange(weeks)[None, :] - joined[:, None]
    living = (age > 0) & (age < life[:, None])
    purchases = np.where(living, rng.poisson(rate[:, None], (n, weeks)), 0).astype(float)
    purchases[np.arange(n), joined.astype(int)] = 1
    spend = 36 * rng.gamma(6.0, 1 / 6.0, n)
    return Market(date(1997, 1, 1), joined, purchases, spend)


def estimate(
    m: Market,
    stage: str,
    family: str,
    as_of: date,
    horizon: int,
    *,
    factor: float = 1.0,
    spend_factor: float = 1.0,
    wobble: float = 0.012,
    refit: bool = True,
    rough: float = 0.0,
    replicates: int = 50,
    seed: int = 0,
    label_windows: tuple[tuple[date, date], ...] = (),
) -> EstimateData:
    """The best that past purchases and recency can tell (means over cells of what really happened), times `factor`:
    1 is a method without bias. `wobble` is the error of fitting (the same in the siblings of a family), `rough`
    noise per person that moves ranks."""
    people = m.population(as_of)
    position = people.index.to_numpy() - 1
    week = m.week(as_of)
    bought = m.purchases[position, :week]
    count = bought.sum(axis=1)
    last = np.where(bought[:, ::-1].any(axis=1), bought[:, ::-1].argmax(axis=1), week)
    cell = np.minimum(count, 8) * 10 + np.minimum(last // 5, 9)
    future = m.purchases[position, week : week + horizon].sum(axis=1)
    _, code = np.unique(cell, return_inverse=True)
    size = np.bincount(code)
    expected = (np.bincount(code, weights=future) / size)[code]
    alive = (np.bincount(code, weights=future > 0) / size)[code]
    rng = np.random.default_rng([seed, horizon, len(stage)])
    expected = expected * factor * np.exp(rng.normal(0, rough, len(expected)) - rough**2 / 2)
    frame = pd.DataFrame(
        {
            "value": expected * m.spend[position] * spend_factor,
            "transactions": expected,
            "alive": np.clip(alive, 0, 1),
        },
        index=people.index,
    )
    if not refit:
        return EstimateData(stage, family, frame, label_windows=label_windows)
    rng = np.random.default_rng([seed, horizon, sum(map(ord, family))])
    errors = np.exp(rng.normal(0, wobble, replicates))
    return EstimateData(
        stage, family, frame, refits(frame, people, errors, seed), "refit", label_windows=label_windows
    )


def refits(frame: pd.DataFrame, people: pd.DataFrame, errors: Floats, seed: int) -> pd.DataFrame:
    """Sums of refits that are off by `errors`, as a session deposits them."""
    inputs = CheckInputs(
        EstimateData("", "", frame), people, Terms().dict(), date(1997, 1, 1), None, None, len(errors), seed
    )
    by_cohort = cohorts(inputs)
    assert by_cohort is not None
    hashed = Draws(frame.index.to_numpy())
    levels = {
        "total": (("",), np.zeros(len(frame), dtype=np.int64)),
        "cohort": (by_cohort.groups, by_cohort.codes),
    }
    decile = tenths(frame["value"].to_numpy(), frame.index)
    levels["decile"] = (decile.groups, decile.codes)
    rows = []
    for b, error in enumerate(errors):
        weights = hashed.weights(seed, b)
        for level, (names, codes) in levels.items():
            for component in ("value", "transactions", "alive"):
                off = 1.0 if component == "alive" else error
                sums = np.bincount(codes, weights=weights * frame[component] * off, minlength=len(names))
                rows += [(b, level, name, component, s) for name, s in zip(names, sums, strict=True)]
    return pd.DataFrame(rows, columns=["replicate", "level", "group", "component", "sum"])


Maker = Callable[[date, int], EstimateData]


def inputs_at(
    m: Market, subject: EstimateData, as_of: date, horizon: int, *, other: EstimateData | None = None, truth: bool = True,
    replicates: int = 50, seed: int = 0,
) -> CheckInputs:  # fmt: skip
    until = as_of + timedelta(weeks=horizon)
    return CheckInputs(
        subject=subject, population=m.population(as_of), metric=Terms().dict(), as_of=as_of,
        until=until if truth else None, horizon=horizon, replicates=replicates, seed=seed, other=other,
        outcome=m.between(as_of, until) if truth else None,
    )  # fmt: skip
