"""The metric contract: what is counted, for whom, over which time. Numbers compare only under the same contract."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from nbdataops.errors import did_you_mean
from nbdataops.product.durations import Duration, TimeUnit, parse_duration, shift

STRICT = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)
COLUMN = r"^[^\x00-\x1f\"]+$"
TABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _duration(value: object) -> Duration:
    if isinstance(value, Duration):
        return value
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    raise PydanticCustomError("duration", 'should be a duration such as "13 weeks" or "0 days"')


def _settles(value: Duration) -> Duration:
    if value.days is None:
        raise PydanticCustomError("settles_after", 'should be in days or weeks, such as "30 days"')
    return value


def _span(value: Duration) -> Duration:
    if value.count < 1:
        raise PydanticCustomError("span", "should be longer than nothing")
    return value


def _texts(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        hint = did_you_mean(value, available_timezones()) if value else "UTC"
        raise PydanticCustomError(
            "time_zone", "should be an IANA time zone such as Europe/Berlin ({hint})", {"hint": hint}
        ) from None
    return value


_DURATION_SCHEMA = {"type": "string", "pattern": r"^\s*\d{1,6}\s+(day|week|month|year)s?\s*$"}
Span = Annotated[
    Duration, BeforeValidator(_duration), AfterValidator(_span), WithJsonSchema(_DURATION_SCHEMA)
]
SettlesAfter = Annotated[
    Duration, BeforeValidator(_duration), AfterValidator(_settles), WithJsonSchema(_DURATION_SCHEMA)
]
Column = Annotated[str, Field(pattern=COLUMN, max_length=200)]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_texts)]
Table = Annotated[str, Field(pattern=TABLE, max_length=100)]
Horizon = Annotated[int, Field(ge=1, le=10_000)]


class Population(BaseModel):
    """Whom the metric counts: one row per entity at `as_of`."""

    model_config = STRICT

    table: Table = Field(description="the table with one row per entity")
    cohort: Column | None = Field(
        default=None, description="its column that tells when an entity was acquired"
    )
    segments: Columns = Field(default=(), description="its columns by which results are broken down")


class MetricContract(BaseModel):
    """What is counted, for whom, over which time."""

    model_config = STRICT

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=100)] = Field(
        description="the metric's name, such as ltv"
    )
    entity: Column = Field(description="the column that identifies what is counted, such as customer_id")
    population: Population = Field(description="whom the metric counts")
    value: Literal["revenue", "margin"] = Field(description="what is summed")
    unit: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="unit of the value, such as USD"
    )
    components: dict[Column, str] = Field(
        default_factory=dict, description="additive parts beside `value`: name and what it counts"
    )
    time_unit: TimeUnit = Field(description="unit of the horizon; months and years are those of the calendar")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="IANA time zone in which a day ends"
    )
    horizon: Horizon = Field(description="how far ahead the metric looks, in time units")
    discount_rate: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = Field(
        default=0.0, description="per year"
    )
    settles_after: SettlesAfter = Field(
        default=Duration(0, "day"),
        description='how long returns may still change an outcome, such as "30 days"',
    )
    primary: Annotated[str, Field(min_length=1)] = Field(description="the method whose number is released")

    def until(self, as_of: date, horizon: int) -> date:
        """The last day of the outcome window (as_of, until]."""
        return shift(as_of, horizon, self.time_unit)

    def back(self, as_of: date, horizon: int, times: int = 1) -> date:
        """The origin that lies `times` horizons before `as_of`; its outcome window never reaches beyond `as_of`."""
        return shift(as_of, -horizon * times, self.time_unit)

    @property
    def settle_days(self) -> int:
        """Days after `until` before an outcome counts as matured."""
        return self.settles_after.days or 0

    @property
    def digest(self) -> str:
        """SHA-256 of all that makes numbers comparable: everything but `primary`, and how things are described."""
        content = self.model_dump(mode="json", exclude={"primary", "components", "settles_after"})
        content["components"] = sorted(self.components)
        content["settle_days"] = self.settle_days
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
