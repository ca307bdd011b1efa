"""Published results as data: what a right implementation must reproduce, how closely, and who says so.

`published.csv` holds one number a row: `model`; `data` (name of the data set, empty where none is needed);
`parameters` (empty: fit the model to the data); `quantity` with its `inputs`; `value`; `rtol` and `atol`, which
follow from the digits published (of the value and of its parameters), not from what we happen to reach; `source`.
Data set cdnow-sample-39w: the 2,357 customers of Fader and Hardie's CDNOW sample, 39 weeks of calibration, in weeks.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from nbdataops.ltv.attrition.bg_nbd import BGNBD
from nbdataops.ltv.attrition.mbg_nbd import MBGNBD
from nbdataops.ltv.attrition.pareto_nbd import ParetoNBD
from nbdataops.ltv.columns import LtvInputError
from nbdataops.ltv.spend.gamma_gamma import GammaGamma

Model: TypeAlias = BGNBD | MBGNBD | ParetoNBD | GammaGamma
MODELS: dict[str, Any] = {
    "BGNBD": BGNBD,
    "GammaGamma": GammaGamma,
    "MBGNBD": MBGNBD,
    "ParetoNBD": ParetoNBD,
}
LAST_BIN = 7
"""Customers with this many repeat transactions or more are published as one group."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One published number. `parameters` and `inputs` map names to numbers."""

    model: str
    data: str
    parameters: dict[str, float]
    quantity: str
    inputs: dict[str, float]
    value: float
    rtol: float
    atol: float
    source: str

    def agrees(self, computed: float) -> bool:
        """True if `computed` is the published value within its tolerance; never for NaN."""
        return bool(abs(computed - self.value) <= self.atol + self.rtol * abs(self.value))

    def __str__(self) -> str:
        inside = " ".join(f"{name}={value:g}" for name, value in self.inputs.items())
        return " ".join(part for part in (self.model, self.quantity, inside) if part)


@cache
def references() -> tuple[Reference, ...]:
    """All published numbers, in the order of the file."""
    text = resources.files("nbdataops.ltv.reference").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(
        Reference(
            model=row["model"],
            data=row["data"],
            parameters=_named(row["parameters"]),
            quantity=row["quantity"],
            inputs=_named(row["inputs"]),
            value=float(row["value"]),
            rtol=float(row["rtol"]),
            atol=float(row["atol"]),
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def compute(reference: Reference, data: pd.DataFrame | None = None) -> float:
    """The same number from this package. `data` is the summary that `reference.data` names, where it names one."""
    cls = MODELS[reference.model]
    if not reference.data:
        return _prediction(cls.with_parameters(**reference.parameters), reference)
    if data is None:
        raise LtvInputError(f"{reference} needs the data set {reference.data!r}", todo="pass it as data")
    if not reference.parameters:
        return _estimate(cls().fit(data), reference.quantity)
    return _over_data(cls.with_parameters(**reference.parameters), reference, data)


def _named(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (part.partition("=") for part in text.split())}


def _estimate(model: Model, quantity: str) -> float:
    if quantity == "log_likelihood":
        return model.fit_result_.log_likelihood
    if quantity.startswith("standard_error "):
        return model.fit_result_.standard_errors[quantity.removeprefix("standard_error ")]
    return float(getattr(model, f"{quantity}_"))


def _prediction(model: Model, reference: Reference) -> float:
    inputs = dict(reference.inputs)
    horizon = inputs.pop("horizon", None)
    if reference.quantity == "expected_transactions_new" and not isinstance(model, GammaGamma):
        return float(model.expected_transactions_new(horizon))
    if (
        reference.quantity == "probability_of_transactions"
        and isinstance(model, BGNBD)
        and horizon is not None
    ):
        return model.probability_of_transactions(int(inputs["n"]), horizon)
    customer = pd.DataFrame({name: [value] for name, value in inputs.items()})
    verb = getattr(model, reference.quantity)
    answer: pd.Series = verb(customer) if horizon is None else verb(customer, horizon)
    return float(answer.iloc[0])


def _over_data(model: Model, reference: Reference, data: pd.DataFrame) -> float:
    if isinstance(model, GammaGamma):
        raise LtvInputError(f"{reference} is not defined", todo="correct published.csv")
    if reference.quantity == "mean_transactions":
        expected: Any = model.expected_transactions(data, reference.inputs["horizon"])
        return float(expected[data["x"].clip(upper=LAST_BIN) == reference.inputs["x"]].mean())
    # tracked: all repeat transactions expected by a week, of customers who were new when they came
    came = data["T"].max() - data["T"].to_numpy()
    return float(np.sum(model.expected_transactions_new(np.maximum(reference.inputs["week"] - came, 0.0))))
