"""How a check writes down what it found: the scope and the names are the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbdataops.validate.inputs import CheckInputs
from nbdataops.validate.measurement import KINDS, Measurement, State
from nbdataops.validate.resample import Interval


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes the measurements of one check over one scope."""

    kind: str
    inputs: CheckInputs
    against: str

    def measured(
        self,
        component: str,
        statistic: str,
        interval: Interval,
        *,
        level: str = "total",
        group: str = "",
        n: int,
        resampling: str,
        detail: Mapping[str, Any] | None = None,
    ) -> Measurement:
        """A measurement with its interval; undefined when the interval says so."""
        return Measurement(
            **self._scope(), component=component, level=level, group=group, statistic=statistic, n=n,
            estimate=interval.estimate, se=interval.se, lower=interval.lower, upper=interval.upper,
            critical=interval.critical, simultaneous=interval.simultaneous, resampling=resampling,
            replicates=interval.replicates, spread=interval.spread,
            state=State.UNDEFINED if interval.undefined else State.MEASURED, reason=interval.undefined,
            detail=detail or {},
        )  # fmt: skip

    def exact(
        self,
        component: str,
        statistic: str,
        estimate: float,
        *,
        n: int,
        group: str = "",
        reason: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> Measurement:
        """A figure without sampling error, such as a count of violations. Of nothing (n = 0) it is an error."""
        figures: dict[str, Any] = (
            {"estimate": estimate, "se": 0.0, "lower": estimate, "upper": estimate, "reason": reason}
            if n > 0
            else {"state": State.ERROR, "reason": "evaluated zero rows"}
        )
        return Measurement(
            **self._scope(), component=component, level="total", group=group, statistic=statistic, n=n,
            detail=detail or {}, **figures,
        )  # fmt: skip

    def broken(self, component: str, statistic: str, reason: str, *, level: str = "total") -> Measurement:
        """Nothing could be evaluated."""
        return Measurement(
            **self._scope(), component=component, level=level, group="", statistic=statistic, state=State.ERROR,
            reason=reason,
        )  # fmt: skip

    def _scope(self) -> dict[str, Any]:
        i = self.inputs
        families = [i.subject.family] if i.subject.family else []
        if i.other is not None and self.kind == "triangulation":
            families.append(i.other.family)
        return {
            "kind": self.kind,
            "code": KINDS[self.kind][0],
            "subject": i.subject.stage,
            "against": self.against,
            "as_of": i.as_of,
            "until": i.until,
            "horizon": i.horizon,
            "families": tuple(families),
        }


def observable(inputs: CheckInputs) -> tuple[str, ...]:
    """Components that both the estimate and the outcome have; `value` always, so that its absence is an error."""
    outcome = () if inputs.outcome is None else tuple(inputs.outcome.columns)
    return tuple(
        c for c in inputs.components if c == "value" or (c in outcome and c in inputs.subject.frame.columns)
    )


def per_head(total: float, n: float) -> float | None:
    """A mean that is None for nobody."""
    return float(total) / float(n) if n > 0 else None
