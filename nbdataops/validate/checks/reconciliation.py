"""E10, reconciliation: what a notebook itself held against another account, by `stage.evidence`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nbdataops.validate.checks.recording import Recorder
from nbdataops.validate.inputs import CheckInputs
from nbdataops.validate.measurement import Measurement
from nbdataops.validate.resample import Interval


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Measurements of every deposited record; `against` is its name. Exact: nothing is resampled.

    A count gives one, violations: `bad` of `of` rows. Two series give two: the ratio of their totals, and how many
    elements are missing on one side or off by more than the notebook's margin. What the notebook declares, `margin`
    and `required`, is in `detail`.
    """

    kind: str = "reconciliation"

    def measure(self, inputs: CheckInputs) -> tuple[Measurement, ...]:
        return tuple(m for record in inputs.records for m in _measure(inputs, record))


def _measure(inputs: CheckInputs, record: Mapping[str, Any]) -> Iterable[Measurement]:
    recorder = Recorder("reconciliation", inputs, str(record["name"]))
    margin, n = _number(record.get("margin")), int(record["n"])
    detail: dict[str, Any] = {"required": bool(record["required"]), "declared_margin": margin}
    if record["kind"] == "counts":
        yield recorder.exact("", "violations", float(record["bad"]), n=n, detail=detail)
        return
    ratio = _number(record.get("log_ratio"))
    total = recorder.exact("", "log_ratio", ratio or 0.0, n=n, detail=detail)
    if ratio is None and n > 0:
        total = recorder.measured(
            "",
            "log_ratio",
            Interval(undefined="no ratio: a total is zero or less"),
            n=n,
            resampling="none",
            detail=detail,
        )
    yield total
    elements = detail | {"declared_margin": 0.0}
    off = float(record["off"])
    yield recorder.exact(
        "", "violations", off, group="elements", n=n, reason=_worst(record, margin), detail=elements
    )


def _worst(record: Mapping[str, Any], margin: float | None) -> str:
    if not record["off"]:
        return ""
    said = f"{int(record['off']):,} of {int(record['n']):,} are off by more than {100 * (margin or 0):.3g} %"
    worst = record.get("worst")
    if not isinstance(worst, Mapping):
        return said
    off = _number(worst.get("relative"))
    return f"{said}; the worst: {worst['label']} ({'missing on one side' if off is None else f'{100 * off:+.3g} %'})"


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)
