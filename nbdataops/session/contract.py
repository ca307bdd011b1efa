"""What a kernel needs to know of the metric contract: a plain view of the assignment's `metric`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Contract:
    """`entity` is the column that names an entity; `components` are additive parts beside `value`.

    `negative_estimates` and `negative_outcomes` say whether `value` may be below zero: a margin may, and what
    happened may where returns are settled after the sale.
    """

    entity: str
    value: str
    unit: str
    components: tuple[str, ...]
    cohort: str | None
    segments: tuple[str, ...]
    negative_estimates: bool
    negative_outcomes: bool

    @property
    def measures(self) -> tuple[str, ...]:
        """`value` and the components, in the order of the contract."""
        return ("value", *self.components)

    @property
    def noun(self) -> str:
        """The entity in words: `customer_id` is a customer."""
        return self.entity.removesuffix("_id").replace("_", " ") or self.entity

    @classmethod
    def of(cls, metric: Mapping[str, Any]) -> Contract:
        population = metric.get("population") or {}
        margin = str(metric.get("value", "revenue")) == "margin"
        return cls(
            entity=metric["entity"],
            value=str(metric.get("value", "revenue")),
            unit=str(metric.get("unit", "")),
            components=tuple(metric.get("components") or ()),
            cohort=population.get("cohort"),
            segments=tuple(population.get("segments") or ()),
            negative_estimates=margin,
            negative_outcomes=margin or _settles(metric),
        )


def _settles(metric: Mapping[str, Any]) -> bool:
    """Whether returns are declared: `settles_after` is longer than nothing, e.g. "30 days"."""
    days = metric.get("settle_days")
    if days is None:
        text = str(metric.get("settles_after") or "0").split()
        days = int(text[0]) if text and text[0].isdigit() else 0
    return int(days) > 0
