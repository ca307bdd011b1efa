"""What a data contract says, as frozen data: the part of the Open Data Contract Standard that is checked.

Source: ODCS v3.1, https://bitol-io.github.io/open-data-contract-standard/v3.1.0/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from nbdataops.errors import Place, SpecError

Scalar: TypeAlias = str | int | float | bool | date | datetime | None
Operator: TypeAlias = Literal[
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class OnViolation(StrEnum):
    """What happens to a delivery that breaks a rule (`customProperties: [{property: onViolation, value: ...}]`)."""

    STOP = "stop"
    QUARANTINE = "quarantine"
    KEEP = "keep"


class LogicalType(StrEnum):
    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True)
class Threshold:
    """`value` or `values` that the number of a rule is compared with. Bounds of "between" are included."""

    operator: Operator
    values: tuple[float, ...]

    def holds(self, number: float) -> bool:
        """
        >>> Threshold("mustBeBetween", (20, 60)).holds(60)
        True
        """
        first = self.values[0]
        match self.operator:
            case "mustBe":
                return number == first
            case "mustNotBe":
                return number != first
            case "mustBeGreaterThan":
                return number > first
            case "mustBeGreaterOrEqualTo":
                return number >= first
            case "mustBeLessThan":
                return number < first
            case "mustBeLessOrEqualTo":
                return number <= first
            case "mustBeBetween":
                return first <= number <= self.values[1]
            case "mustNotBeBetween":
                return not first <= number <= self.values[1]

    def __str__(self) -> str:
        return f"{self.operator} {' and '.join(f'{v:g}' for v in self.values)}"


@dataclass(frozen=True, slots=True)
class Options:
    """`logicalTypeOptions`. Bounds are numbers, dates or datetimes, as the logical type has them."""

    minimum: Scalar = None
    maximum: Scalar = None
    exclusive_minimum: Scalar = None
    exclusive_maximum: Scalar = None
    multiple_of: float | None = None
    pattern: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    format: str | None = None
    timezone: bool = False
    default_timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """One item of `quality`: a library metric, or a query that gives one number."""

    name: str | None
    metric: str
    threshold: Threshold
    unit: str
    severity: Severity
    on_violation: OnViolation | None
    place: Place
    query: str | None = None
    valid_values: tuple[Scalar, ...] | None = None
    missing_values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """A column: `source` is its name in the delivery (`physicalName`), `name` what it is called afterwards."""

    name: str
    source: str
    place: Place
    logical_type: LogicalType | None = None
    required: bool = False
    unique: bool = False
    primary_key: int | None = None
    options: Options = Options()
    enum: tuple[Scalar, ...] | None = None
    quality: tuple[Quality, ...] = ()
    on_violation: OnViolation | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the newest value of a date column may be, in whole days."""

    column: str
    days: int
    severity: Severity
    place: Place


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """One table of the contract."""

    name: str
    properties: tuple[Property, ...]
    place: Place
    quality: tuple[Quality, ...] = ()
    freshness: tuple[Freshness, ...] = ()

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key, in the order of `primaryKeyPosition`."""
        keys = [(p.primary_key, p.name) for p in self.properties if p.primary_key is not None]
        return tuple(name for _, name in sorted(keys))


@dataclass(frozen=True, slots=True)
class DataContract:
    """A contract file. `digest` is of its content: comments and formatting do not count."""

    id: str
    name: str | None
    version: str
    api_version: str
    status: str | None
    objects: tuple[SchemaObject, ...]
    file: str
    digest: str

    def object_for(self, source: str) -> SchemaObject:
        """The table that describes a source: the only one, or the one of its name. SpecError otherwise."""
        if len(self.objects) == 1:
            return self.objects[0]
        for found in self.objects:
            if found.name == source:
                return found
        raise SpecError(
            f"describes {len(self.objects)} tables, none of which is called like the source {source!r}",
            where=Place(file=self.file),
            todo=f"name one of them {source!r}; there are {', '.join(repr(o.name) for o in self.objects)}",
        )
