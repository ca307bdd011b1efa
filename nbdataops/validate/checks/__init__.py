"""Checks: one file a kind. A check is a pure function from `CheckInputs` to measurements; it judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nbdataops.validate.checks.calibration import Calibration
from nbdataops.validate.checks.discrimination import Discrimination
from nbdataops.validate.checks.holdout import Holdout
from nbdataops.validate.checks.invariant import Invariant
from nbdataops.validate.checks.number import Number
from nbdataops.validate.checks.reconciliation import Reconciliation
from nbdataops.validate.checks.triangulation import Triangulation
from nbdataops.validate.inputs import CheckInputs
from nbdataops.validate.measurement import Measurement

__all__ = ["CHECKS", "Calibration", "Check", "Discrimination", "Holdout", "Invariant", "Number", "Reconciliation",
           "Triangulation"]  # fmt: skip


class Check(Protocol):
    """What the build calls."""

    @property
    def kind(self) -> str: ...

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]: ...


CHECKS: Mapping[str, Check] = {
    check.kind: check
    for check in (
        Number(), Invariant(), Holdout(), Calibration(), Discrimination(), Triangulation(), Reconciliation(),
    )
}  # fmt: skip
"""Every kind of check with its defaults."""
