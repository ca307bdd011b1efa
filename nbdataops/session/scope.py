"""Scope: the part of the world that a node may see, and its typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from nbdataops.errors import UsageError


class ScopeError(UsageError, AttributeError):
    """A value of the scope that this stage does not have; an AttributeError too, so that `hasattr` works."""

    code = "scope"


@dataclass(frozen=True, slots=True)
class Scope:
    """`as_of` means the end of that day in `time_zone`; `horizon` counts in `time_unit`.

    `until` is set for outcome nodes only: everything else sees nothing after `as_of`. `horizon` is None where
    nothing downstream of the product depends on it.
    """

    as_of: date
    horizon: int | None = None
    until: date | None = None
    time_unit: str = "day"
    time_zone: str = "UTC"

    def value(self, name: str) -> date | int:
        """The typed value of `as_of`, `until` or `horizon`; ScopeError where the stage has none."""
        if name == "as_of":
            return self.as_of
        if name == "horizon":
            if self.horizon is None:
                raise ScopeError(
                    "this stage has no horizon: its tables are the same for every horizon",
                    todo="use stage.horizon in a notebook that publishes an estimate or an outcome, "
                    "or declare the parameter `horizon: int` in this one",
                )
            return self.horizon
        if name == "until":
            if self.until is None:
                raise ScopeError(
                    "stage.until exists only where a notebook calls stage.outcome",
                    todo="everything else sees nothing after stage.as_of",
                )
            return self.until
        raise ScopeError(f"the scope has no {name!r}", todo="it has as_of, until and horizon")

    def values(self) -> dict[str, date | int]:
        """The values that this stage has, by name."""
        every: dict[str, date | int | None] = {
            "as_of": self.as_of,
            "horizon": self.horizon,
            "until": self.until,
        }
        return {name: value for name, value in every.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.isoformat(),
            "horizon": self.horizon,
            "until": self.until.isoformat() if self.until else None,
            "time_unit": self.time_unit,
            "time_zone": self.time_zone,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scope:
        until = data.get("until")
        return cls(
            as_of=date.fromisoformat(data["as_of"]),
            horizon=data.get("horizon"),
            until=date.fromisoformat(until) if until else None,
            time_unit=data.get("time_unit", "day"),
            time_zone=data.get("time_zone", "UTC"),
        )
