"""This package's answer to each published number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from nbdataops.errors import NbdataopsError, did_you_mean
from nbdataops.ltv.attrition.bg_cnbd import MBGCNBD
from nbdataops.ltv.attrition.bg_nbd import BGNBD
from nbdataops.ltv.attrition.mbg_nbd import MBGNBD
from nbdataops.ltv.attrition.pareto_nbd import ParetoNBD
from nbdataops.ltv.columns import LtvInputError
from nbdataops.ltv.contractual.bg_bb import BGBB
from nbdataops.ltv.contractual.shifted_beta_geometric import ShiftedBetaGeometric
from nbdataops.ltv.reference.datasets import data_set
from nbdataops.ltv.reference.published import Reference, references
from nbdataops.ltv.reference.quantities import OF_BOTH, OF_DATA, OF_MODEL
from nbdataops.ltv.spend.gamma_gamma import GammaGamma

MODELS: dict[str, Any] = {
    cls.__name__: cls for cls in (BGBB, BGNBD, GammaGamma, MBGCNBD, MBGNBD, ParetoNBD, ShiftedBetaGeometric)
}
"""The models of which published numbers are known."""

STANDARD_ERROR = "standard_error "


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One published number and ours. `computed` is NaN where nothing could be computed; `failure` then says why."""

    reference: Reference
    computed: float
    failure: str = ""

    @property
    def agrees(self) -> bool:
        return self.reference.agrees(self.computed)


def check(rows: Iterable[Reference] | None = None) -> tuple[Recomputed, ...]:
    """Recompute published numbers, all of them or some of `references()`; a failure is a result, not an exception.

    >>> [one] = check(r for r in references() if r.model == "MBGNBD" and r.quantity == "alpha")
    >>> one.reference.printed, round(one.computed, 3), one.agrees
    ('6.183', 6.183, True)
    """
    return tuple(_recomputed(reference) for reference in (references() if rows is None else rows))


def compute(reference: Reference) -> float:
    """The same number from this package; its data are found by their name."""
    name, inputs = reference.quantity, reference.inputs
    if name in OF_DATA:
        return OF_DATA[name](data_set(reference.data), inputs)
    model = _model(reference)
    if name in OF_BOTH:
        return OF_BOTH[name](model, data_set(reference.data), inputs)
    if name in OF_MODEL:
        return OF_MODEL[name](model, inputs)
    if name in model.parameter_names:
        return float(getattr(model, f"{name}_"))
    if name.startswith(STANDARD_ERROR):
        return float(model.fit_result_.standard_errors[name.removeprefix(STANDARD_ERROR)])
    known = [*OF_DATA, *OF_BOTH, *OF_MODEL, *model.parameter_names]
    raise LtvInputError(f"{reference.model} has no quantity {name!r}", todo=did_you_mean(name, known))


def _recomputed(reference: Reference) -> Recomputed:
    try:
        return Recomputed(reference, compute(reference))
    except NbdataopsError as error:
        return Recomputed(reference, math.nan, str(error))


def _model(reference: Reference) -> Any:
    if reference.model not in MODELS:
        raise LtvInputError(
            f"no published numbers of {reference.model!r}", todo=did_you_mean(reference.model, MODELS)
        )
    if reference.parameters:
        given = {name: int(v) if name == "k" else v for name, v in reference.parameters.items()}
        return MODELS[reference.model].with_parameters(**given)
    return _fitted(reference.model, reference.data)


@cache
def _fitted(model: str, data: str) -> Any:
    return MODELS[model]().fit(data_set(data))
