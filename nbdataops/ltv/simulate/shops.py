"""A shop with known truth: a log of purchases, and what nobody sees in a real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.latent_attrition import LatentAttrition
from nbdataops.ltv.columns import FloatArray, LtvInputError
from nbdataops.ltv.simulate.latent_process import LatentProcess
from nbdataops.ltv.simulate.own_expectation import purchases_ahead
from nbdataops.ltv.simulate.own_rates import Cohorts, OwnRates, own_rates
from nbdataops.ltv.simulate.purchase_calendar import Calendar, Clock
from nbdataops.ltv.simulate.purchase_history import PurchaseHistory, live
from nbdataops.ltv.spend.gamma_gamma import GammaGamma
from nbdataops.ltv.summary.purchase_log import day_number
from nbdataops.ltv.time_units import ATTRIBUTE, TimeUnit, days_per, to_horizon

CDNOW_SPEND = GammaGamma.with_parameters(p=6.25, q=3.74, gamma=15.44)
"""The optimum published for the CDNOW sample: 35 a purchase on average."""
RESERVED = ("customer_id", "first", "cohort", "rate", "leaving", "own_spend", "left")
YEARS_AHEAD = 30
"""How far beyond the end of the log truth is known."""


def shop(
    process: LatentAttrition,
    *,
    customers: int,
    weeks: int,
    spend: GammaGamma = CDNOW_SPEND,
    start: date = date(2023, 1, 2),
    cohorts: Cohorts | None = None,
    calendar: Calendar | None = None,
    correlation: float = 0.0,
    covariates: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Shop:
    """Draw so many customers of a shop, and everything they buy within `weeks` from `start`.

    `process`: BGNBD, MBGNBD, ParetoNBD, BGCNBD or MBGCNBD, `with_parameters` or fitted; its time unit is weeks unless
    it says otherwise. `spend`: GammaGamma; the default is the optimum published for CDNOW. `cohorts`: when customers
    join, and how later ones differ (default: evenly over 12 weeks, all alike). `calendar`: seasons and shocks.
    `correlation`: of frequency and value, the parameter of a Gaussian copula between a customer's rate and its mean
    value, in (-1, 1); 0 is the independence that Gamma-Gamma assumes. `covariates`: name of a column to make, and the
    correlation of its standard normal values with the score of the customer's rate, e.g. {"visits": 0.6}.
    The same arguments give the same shop; another calendar leaves the customers and their own rates as they are.

    Raises LtvInputError for what cannot be meant, such as a window of joining longer than the log.

    >>> from nbdataops.ltv import BGNBD, rfm_summary
    >>> process = BGNBD.with_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> world = shop(process, customers=5000, weeks=78, seed=1)
    >>> world.log.columns.tolist()
    ['customer_id', 'date', 'amount']
    >>> as_of = date(2023, 10, 1)
    >>> rfm = rfm_summary(world.known(as_of), as_of)  # as from a real log
    >>> forecast = BGNBD().fit(rfm).expected_transactions(rfm, 39)
    >>> truth = world.truth(as_of, horizon=39)
    >>> bool(abs(forecast.sum() / truth.transactions.sum() - 1) < 0.1)
    True
    """
    _require_size(customers, "customers")
    _require_size(weeks, "weeks")
    cohorts, covariates = cohorts or Cohorts(), covariates or {}
    _require_options(weeks, spend, cohorts, correlation, covariates)
    latent = LatentProcess.of(process)
    unit: TimeUnit = latent.time_unit or "week"
    clock = Clock(calendar or Calendar(), start, 7 * weeks + round(YEARS_AHEAD * days_per("year")))
    to_join, to_differ, to_live, to_pay = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(4)
    )
    joined = np.sort(to_join.uniform(0, 7 * cohorts.weeks, customers))
    p, q, gamma = (float(value) for value in spend._theta())
    own = own_rates(latent, (p, q, gamma), cohorts, np.floor(joined / 7), correlation, covariates, to_differ)
    history = live(latent, own, joined, 7.0 * weeks, days_per(unit), clock, to_live)
    history = replace(history, amount=to_pay.gamma(p, own.value[history.of_customer] / p))
    return Shop(start, start + timedelta(days=7 * weeks - 1), unit, latent, own, clock, history)


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """A shop that was drawn; see `shop`. `log` and `customers` are its tables; the verbs tell what is known when.

    start, end: first and last day of the log. The other fields are what it is made of.
    """

    start: date
    end: date
    time_unit: TimeUnit
    process: LatentProcess
    own: OwnRates
    clock: Clock
    history: PurchaseHistory

    @property
    def log(self) -> pd.DataFrame:
        """One row a purchase, first purchases included, sorted by date: `customer_id`, `date`, `amount`.

        A customer may buy several times a day, as in a raw log. Amounts are not rounded to cents.
        """
        return self._log(self.history)

    def known(self, as_of: date) -> pd.DataFrame:
        """The log as it was at the end of the day `as_of`."""
        return self._log(self.history.until(self._end_of(as_of)))

    @property
    def customers(self) -> pd.DataFrame:
        """One row a customer, by the date of joining: what is seen of it, and what is not.

        `customer_id`, `first` date, `cohort` (first day of the week it joined in), the covariates; unseen: `rate`
        (purchases per time unit while there, before the calendar's factor), `leaving` (probability at a purchase, or
        rate per time unit), `own_spend` (expected value of a purchase), `left` (missing if not within the log).
        """
        joined, left = self.history.joined, self.history.left
        gone = left < (self.end - self.start).days + 1
        return pd.DataFrame(
            {
                "customer_id": np.arange(1, len(joined) + 1),
                "first": self._dates(joined),
                "cohort": self._dates(np.floor(joined / 7) * 7),
                **self.own.covariates,
                "rate": self.own.rate / self.process.k,
                "leaving": self.own.leaving,
                "own_spend": self.own.value,
                "left": pd.Series(self._dates(np.where(gone, left, 0.0))).where(gone),
            }
        )

    def summary(self, as_of: date) -> pd.DataFrame:
        """`x`, `t_x`, `T`, `spend` and `litt` of who had joined by the end of `as_of`, from exact moments.

        Every purchase counts and times are fractions of a day: what the process itself did, so that a fit has nothing
        but chance between it and the parameters. `rfm_summary(world.known(as_of), as_of)` is what a log would show.
        """
        now, unit = self._end_of(as_of), days_per(self.time_unit)
        history = self.history.until(now)
        repeat = ~history.is_first
        gap = np.diff(history.moment, prepend=0.0) / unit
        x = history.per_customer(np.ones(len(gap)), repeat)
        total = history.per_customer(history.amount, repeat)
        log_gap = np.log(np.maximum(gap, np.finfo(float).tiny), where=repeat, out=np.zeros(len(gap)))
        T = (now - history.joined) / unit
        frame = pd.DataFrame(
            {
                "customer_id": np.arange(1, len(T) + 1),
                "x": x.astype(np.int64),
                "t_x": np.minimum(history.per_customer(gap, repeat), T),
                "T": T,
                "spend": np.divide(total, x, out=np.zeros(len(T)), where=x > 0),
                "litt": history.per_customer(log_gap, repeat),
            }
        )
        frame.attrs[ATTRIBUTE] = self.time_unit
        return frame

    def truth(self, as_of: date, horizon: object) -> pd.DataFrame:
        """What each customer who had joined by the end of `as_of` will do in the `horizon` after it.

        `horizon`: time units of the process, or a timedelta. Columns: `customer_id`; `alive`: whether it has not left;
        `transactions` and `value`: their **expectations given the customer's own rates and its state** (alive or not,
        silent for how long), over the purchases that it may still make, by the calendar that will be; exact, not
        drawn. `realised_transactions` and `realised_value`: what it did, missing where the log ends before.

        No forecast can know as much. The best one, which knows the process's parameters and each customer's history,
        is the mean of this truth over all customers with the same history; so both agree on average, and their spread
        is what cannot be known. Transactions are purchases: those of one day count one each, unlike in a summary of a
        log by days.
        """
        now, unit = self._end_of(as_of), days_per(self.time_unit)
        until = now + to_horizon(horizon, self.time_unit) * unit
        length = (self.end - self.start).days + 1
        if until > length + YEARS_AHEAD * days_per("year"):
            raise LtvInputError(
                f"horizon is {horizon}", todo=f"give at most {YEARS_AHEAD} years beyond the end of the log"
            )
        history = self.history.until(now)
        n = len(history.joined)
        last = np.zeros(n)
        np.maximum.at(last, history.of_customer, history.moment)
        silence = self.clock.at(np.array([now])) - self.clock.at(last)
        leaving = self.own.leaving[:n] if self.process.at_purchases else self.own.leaving[:n] / unit
        rate = self.own.rate[:n] / unit
        ahead = purchases_ahead(self.process, rate, leaving, silence, self.clock, now, until)
        alive = history.left > now
        expected = np.where(alive, ahead, 0.0)
        done = self._realised(now, until, n) if until <= length else np.full((2, n), np.nan)
        return pd.DataFrame(
            {
                "customer_id": np.arange(1, n + 1),
                "alive": alive,
                "transactions": expected,
                "value": expected * self.own.value[:n],
                "realised_transactions": done[0],
                "realised_value": done[1],
            }
        )

    def _realised(self, now: float, until: float, n: int) -> FloatArray:
        """Purchases and their value in (now, until], of the first n customers."""
        history = self.history
        then = (history.moment > now) & (history.moment <= until)
        count = history.per_customer(np.ones(len(then)), then)
        return np.stack([count, history.per_customer(history.amount, then)])[:, :n]

    def _log(self, history: PurchaseHistory) -> pd.DataFrame:
        order = np.argsort(np.floor(history.moment), kind="stable")
        return pd.DataFrame(
            {
                "customer_id": history.of_customer[order] + 1,
                "date": self._dates(history.moment[order]),
                "amount": history.amount[order],
            }
        )

    def _end_of(self, as_of: date) -> float:
        """The end of that day, in days since the start; an error outside of the log."""
        day = day_number(as_of) - day_number(self.start)
        earliest = self.start + timedelta(days=int(self.history.joined[0]))
        if not (earliest - self.start).days <= day <= (self.end - self.start).days:
            raise LtvInputError(
                f"as_of {as_of} is not within the log", todo=f"give a date from {earliest} to {self.end}"
            )
        return float(day + 1)

    def _dates(self, moment: FloatArray) -> np.ndarray[Any, np.dtype[np.datetime64]]:
        day = np.datetime64(day_number(self.start), "D") + np.floor(moment).astype(np.int64)
        return np.asarray(day.astype("datetime64[us]"))


def _require_size(value: object, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise LtvInputError(f"{name} is {value!r}", todo="give a whole number, 1 or more")


def _require_options(
    weeks: int, spend: object, cohorts: Cohorts, correlation: float, covariates: Mapping[str, float]
) -> None:
    if not isinstance(spend, GammaGamma):
        raise LtvInputError(
            f"spend is a {type(spend).__name__}",
            todo="give GammaGamma.with_parameters(p=..., q=..., gamma=...)",
        )
    if cohorts.weeks > weeks:
        raise LtvInputError(
            f"customers join over {cohorts.weeks} weeks, but the log has {weeks}",
            todo=f"give cohorts=Cohorts(weeks={weeks}) or less, or more weeks",
        )
    if not -1 < correlation < 1:
        raise LtvInputError(f"correlation is {correlation}", todo="give a number between -1 and 1")
    for name, share in covariates.items():
        if name in RESERVED:
            raise LtvInputError(f"covariate {name!r} is named like a column of its own", todo="rename it")
        if not -1 <= share <= 1:
            raise LtvInputError(f"covariate {name!r} has correlation {share}", todo="give -1 to 1")
