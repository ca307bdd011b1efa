"""A measurement: what one check found for one subject at one origin and horizon.

No margins and no verdicts in here: those belong to the judgement, which is made again whenever it is read, so a
changed margin recomputes nothing. (A margin that a notebook itself declares with `stage.evidence` is part of what
that notebook said; it travels in `detail`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any

from nbdataops.validate.evidence import finite

Z90 = 1.6448536269514722
"""Half width, in standard errors, of a 90 percent interval: two one-sided tests at 5 percent."""


class State(StrEnum):
    """`SKIPPED`: the history is too short. `UNDEFINED`: the statistic does not exist here (log of zero).
    `ERROR`: nothing was evaluated, or the check broke."""

    MEASURED = "measured"
    SKIPPED = "skipped"
    UNDEFINED = "undefined"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Figures are in the scale of `statistic` (log_ratio, violations, gini_gain, ccc, spearman, slope, total, ...).

    `lower` and `upper` are `estimate` -+ `critical` standard errors, a 90 percent interval that holds for all
    `simultaneous` groups of the level at once. `spread` holds the 5, 50 and 95 percent points of the replicates.
    `component` is empty when a whole check was skipped or broke. `detail` holds aggregates only, never an entity.
    """

    kind: str
    code: str
    subject: str
    against: str
    component: str
    level: str
    group: str
    statistic: str
    as_of: date
    until: date | None
    horizon: int | None
    n: int = 0
    estimate: float | None = None
    se: float | None = None
    lower: float | None = None
    upper: float | None = None
    critical: float = Z90
    simultaneous: int = 1
    resampling: str = "none"
    replicates: int = 0
    spread: tuple[float, float, float] | None = None
    families: tuple[str, ...] = ()
    state: State = State.MEASURED
    reason: str = ""
    suffices: date | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is not finite becomes null."""
        made: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            made[f.name] = _plain(value)
        return made

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        """The measurement that `to_dict` wrote."""
        made = dict(data)
        made["as_of"] = date.fromisoformat(made["as_of"])
        made["until"] = date.fromisoformat(made["until"]) if made.get("until") else None
        made["suffices"] = date.fromisoformat(made["suffices"]) if made.get("suffices") else None
        made["state"] = State(made.get("state", State.MEASURED))
        made["families"] = tuple(made.get("families", ()))
        spread = made.get("spread")
        made["spread"] = None if spread is None else (spread[0], spread[1], spread[2])
        return cls(**made)


def absent(
    kind: str,
    subject: str,
    *,
    as_of: date,
    until: date | None,
    horizon: int | None,
    reason: str,
    state: State = State.SKIPPED,
    against: str | None = None,
    families: tuple[str, ...] = (),
    suffices: date | None = None,
) -> Measurement:
    """The trace of a check that did not run: skipped for want of history, or broken (`State.ERROR`).

    It stands for every component and level of the check at that origin. `against` defaults to what the kind is
    always held against.
    """
    code, usual = KINDS[kind]
    return Measurement(
        kind=kind, code=code, subject=subject, against=usual if against is None else against, component="", level="",
        group="", statistic="", as_of=as_of, until=until, horizon=horizon, state=state, reason=reason,
        families=families, suffices=suffices,
    )  # fmt: skip


KINDS: Mapping[str, tuple[str, str]] = {
    "number": ("E0", ""),
    "invariant": ("E1", ""),
    "holdout": ("E5", "outcome"),
    "calibration": ("E6", "outcome"),
    "discrimination": ("E7", "naive"),
    "triangulation": ("E8", ""),
    "reconciliation": ("E10", ""),
}
"""Kind of check to (code of the evidence model, what it is usually held against). `number` is no evidence."""


def _plain(value: Any) -> Any:
    if isinstance(value, bool | str | int) or value is None:
        return value.value if isinstance(value, StrEnum) else value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return finite(float(value))
