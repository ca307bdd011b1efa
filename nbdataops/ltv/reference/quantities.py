"""What the published numbers are: each quantity by name, from a model, from data, or from both.

`inputs` name the customer (x, t_x, T, spend) or the group of customers (x, t_x, or x_from for that many and more), and
what is asked (horizon, period, n, ...), in the time unit of the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from nbdataops.ltv.columns import FloatArray

Inputs: TypeAlias = Mapping[str, float]
OfModel: TypeAlias = Callable[[Any, Inputs], float]
OfData: TypeAlias = Callable[[pd.DataFrame, Inputs], float]
OfBoth: TypeAlias = Callable[[Any, pd.DataFrame, Inputs], float]

CUSTOMER = ("x", "t_x", "T", "spend")


class FixedSpend:
    """A spend model in which every transaction is worth the same: 1 counts transactions."""

    def __init__(self, each: float = 1.0) -> None:
        self.each = each

    def expected_spend(self, rfm: pd.DataFrame) -> pd.Series:
        return pd.Series(self.each, index=rfm.index)

    def spend_deviation(self, rfm: pd.DataFrame) -> FloatArray:
        return np.zeros(len(rfm))

    def draw_totals(
        self, rfm: pd.DataFrame, transactions: FloatArray, rng: np.random.Generator, parameters: str = "drawn"
    ) -> FloatArray:
        return transactions * self.each


def _customer(inputs: Inputs) -> pd.DataFrame:
    return pd.DataFrame({name: [inputs[name]] for name in CUSTOMER if name in inputs})


def _expected_transactions(model: Any, inputs: Inputs) -> float:
    return float(model.expected_transactions(_customer(inputs), inputs["horizon"]).iloc[0])


def _probability_alive(model: Any, inputs: Inputs) -> float:
    ahead = {"ahead": inputs["ahead"]} if "ahead" in inputs else {}
    return float(model.probability_alive(_customer(inputs), **ahead).iloc[0])


def _expected_spend(model: Any, inputs: Inputs) -> float:
    return float(model.expected_spend(_customer(inputs)).iloc[0])


def _lifetime_value(model: Any, inputs: Inputs) -> float:
    """For good; `force` is the continuous rate, `discount_rate` the effective one. Without `mean_spend` it is DERT."""
    rate = math.expm1(inputs["force"]) if "force" in inputs else inputs["discount_rate"]
    spend = FixedSpend(inputs.get("mean_spend", 1.0))
    value = model.lifetime_value(_customer(inputs), math.inf, spend=spend, discount_rate=rate)
    return float(value.iloc[0])


def _discounted_lifetime(model: Any, inputs: Inputs) -> float:
    """DERL: renewals to come of a contract, seen right before the next one, which is not discounted."""
    contract = pd.DataFrame({"T": [inputs["T"]], "churned": [False]})
    value = model.lifetime_value(contract, math.inf, discount_rate=inputs["discount_rate"])
    return float(value.iloc[0]) * (1 + inputs["discount_rate"])


def _mean_transactions(model: Any, data: pd.DataFrame, inputs: Inputs) -> float:
    group = data[_in_group(data, inputs)]
    expected = model.expected_transactions(group, inputs["horizon"])
    return float(np.average(expected, weights=_counts(group)))


def _total_transactions(model: Any, data: pd.DataFrame, inputs: Inputs) -> float:
    return float((model.expected_transactions(data, inputs["horizon"]) * _counts(data)).sum())


def _tracked_transactions(model: Any, data: pd.DataFrame, inputs: Inputs) -> float:
    """All repeat transactions expected up to a period, of customers who were new when they came."""
    came = data["T"].max() - data["T"].to_numpy()
    each = model.expected_transactions_new(np.maximum(inputs["period"] - came, 0.0))
    return float((each * _counts(data)).sum())


def _expected_customers(model: Any, data: pd.DataFrame, inputs: Inputs) -> float:
    each = model.probability_of_transactions(int(inputs["x"]), int(inputs["occasions"]))
    return float(each * _counts(data).sum())


def _in_group(data: pd.DataFrame, inputs: Inputs) -> pd.Series:
    if "x_from" in inputs:
        return data["x"] >= inputs["x_from"]
    name = "x" if "x" in inputs else "t_x"
    return data[name] == inputs[name]


def _counts(data: pd.DataFrame) -> pd.Series:
    return data["n"] if "n" in data.columns else pd.Series(1, index=data.index)


OF_MODEL: dict[str, OfModel] = {
    "discounted_lifetime": _discounted_lifetime,
    "discounted_transactions": _lifetime_value,
    "expected_spend": _expected_spend,
    "expected_transactions": _expected_transactions,
    "expected_transactions_new": lambda model, i: float(model.expected_transactions_new(i["horizon"])),
    "k": lambda model, _: float(model.k_),
    "lifetime_value": _lifetime_value,
    "log_likelihood": lambda model, _: float(model.fit_result_.log_likelihood),
    "log_likelihood_of_a_customer": lambda model, i: float(model.score(_customer(i))),
    "probability_alive": _probability_alive,
    "probability_of_transactions": lambda model, i: float(
        model.probability_of_transactions(int(i["n"]), i["horizon"])
    ),
    "survival": lambda model, i: float(model.survival(i["period"])),
}
"""Of a model alone, fitted or with given parameters; its parameters too are quantities, by their names."""

OF_DATA: dict[str, OfData] = {
    "customers": lambda data, i: float(_counts(data)[_in_group(data, i)].sum()),
    "mean_holdout": lambda data, i: float(data["holdout"][_in_group(data, i)].mean()),
    "transactions_so_far": lambda data, i: float(data["repeat_transactions"].loc[: int(i["week"])].sum()),
}
"""Of data alone: that they are the ones which were published."""

OF_BOTH: dict[str, OfBoth] = {
    "expected_customers": _expected_customers,
    "mean_transactions": _mean_transactions,
    "total_transactions": _total_transactions,
    "tracked_transactions": _tracked_transactions,
}
"""Of a model over all customers of a data set."""
