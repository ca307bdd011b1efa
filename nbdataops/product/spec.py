"""`dataproduct.yaml`: the declaration of a data product, checked strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nbdataops.errors import Place, SpecError
from nbdataops.product.durations import Duration
from nbdataops.product.metric import STRICT, Column, Horizon, MetricContract, Span, Table
from nbdataops.product.spec_errors import spec_error
from nbdataops.product.spec_values import (
    AsOf,
    Correlation,
    Day,
    Key,
    Origins,
    Parameters,
    PathText,
    Positive,
    Values,
    VariantName,
    as_tuple,
)
from nbdataops.product.yaml_lines import Path_, line_of, load_yaml

FILE = "dataproduct.yaml"


class SourceSpec(BaseModel):
    """Outside data that a data contract may describe."""

    model_config = STRICT

    path: PathText = Field(description="file, folder or glob, relative to the product")
    contract: PathText | None = Field(default=None, description="an ODCS v3.1 file (*.odcs.yaml)")
    event_time: Column | None = Field(default=None, description="the column that tells when a row happened")
    format: Literal["csv", "parquet"] | None = Field(
        default=None, description="by the file's suffix when it is not given"
    )
    key: Key | None = Field(default=None, description="the columns that tell rows apart")
    complete_to: Day | None = Field(
        default=None, description="the last day that the source delivered completely"
    )

    _name: str = PrivateAttr("")
    _root: Path = PrivateAttr(Path())

    @property
    def name(self) -> str:
        """The table's name in the product."""
        return self._name

    @property
    def root(self) -> Path:
        """The product's folder, to which `path` and `contract` are relative."""
        return self._root


class Margins(BaseModel):
    """How far two numbers may lie apart and still count as equal: relative, or least and largest values."""

    model_config = STRICT

    holdout_total: Positive = Field(default=0.10, description="total of a method against the outcome")
    holdout_cohort: Positive = Field(default=0.20, description="a cohort's total against the outcome")
    calibration_decile: Positive = Field(default=0.25, description="a decile's total against the outcome")
    triangulation: Positive = Field(
        default=0.20, description="methods of different families against each other"
    )
    triangulation_same_family: Positive = Field(
        default=0.10, description="methods of one family against each other"
    )
    cohort_ccc: Correlation = Field(default=0.90, description="least concordance of cohort totals")
    rank_correlation: Correlation = Field(default=0.6, description="least rank correlation of customers")
    slope_low: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.80, description="least slope of calibration"
    )
    slope_high: Annotated[float, Field(gt=1, allow_inf_nan=False)] = Field(
        default=1.25, description="largest slope of calibration"
    )


class Validation(BaseModel):
    """How the methods are tested at past dates."""

    model_config = STRICT

    origins: Origins = Field(default=4, description='how many past dates: a number, or "last 4 matured"')
    step: Span | None = Field(
        default=None, description='time between origins, such as "13 weeks"; default: shortest horizon'
    )
    horizons: Annotated[tuple[Horizon, ...], BeforeValidator(as_tuple)] = Field(
        default=(), description="further horizons to test, in the metric's time unit"
    )
    replicates: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=50, description="refits of a bootstrap"
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(default=0, description="seed of the bootstrap")
    margins: Margins = Field(default_factory=Margins, description="how far numbers may lie apart")


class Execution(BaseModel):
    """Limits of a run."""

    model_config = STRICT

    cell_timeout_s: Annotated[int, Field(ge=1)] = Field(
        default=1800, description="longest time of one cell, in seconds"
    )
    stage_timeout_s: Annotated[int, Field(ge=1)] = Field(
        default=7200, description="longest time of one stage, in seconds"
    )
    output_limit_mb: Positive = Field(
        default=5.0, description="largest output kept of one stage, in megabytes"
    )


class Require(BaseModel):
    """What a release must show."""

    model_config = STRICT

    label: Literal["validated", "corroborated", "unverified"] = Field(
        default="validated", description="the least label"
    )


class Release(BaseModel):
    """When a candidate may be released."""

    model_config = STRICT

    require: Require = Field(default_factory=Require, description="what a release must show")
    evidence_max_age_days: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="oldest evidence that counts"
    )


class SecretProvider(BaseModel):
    """Where a secret is found; never the secret itself."""

    model_config = STRICT

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        default=None, description="an environment variable"
    )
    file: PathText | None = Field(default=None, description="a file that holds only the secret")

    @model_validator(mode="after")
    def _one(self) -> SecretProvider:
        if (self.env is None) == (self.file is None):
            raise PydanticCustomError("secret", "should be either {env: NAME} or {file: path}")
        return self


class ProductSpec(BaseModel):
    """A data product for one metric of one entity."""

    model_config = STRICT

    product: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = Field(
        description="the product's name, such as cdnow-ltv"
    )
    metric: MetricContract = Field(description="the metric contract")
    as_of: AsOf = Field(
        default="latest", description="the day at whose end the metric is seen: a date, or latest"
    )
    store: PathText | None = Field(default=None, description="folder for results; default .nbdataops")
    sources: dict[Table, SourceSpec] = Field(
        default_factory=dict,
        description="outside data, by table name",
        json_schema_extra={"additionalProperties": False},
    )
    parameters: Parameters = Field(
        default_factory=dict, description="values by parameter name, or by stage and then name"
    )
    variants: dict[str, dict[VariantName, Values]] = Field(
        default_factory=dict,
        description="further methods: a stage with other parameters, by stage and variant",
    )
    validation: Validation | None = Field(
        default=None, description="tests at past dates; none without this section"
    )
    execution: Execution = Field(default_factory=Execution, description="limits of a run")
    release: Release = Field(default_factory=Release, description="when a candidate may be released")
    secrets: dict[str, SecretProvider] = Field(default_factory=dict, description="where secrets are found")

    _root: Path = PrivateAttr(Path())
    _lines: dict[Path_, int | None] = PrivateAttr(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def root(self) -> Path:
        """The product's folder."""
        return self._root

    @property
    def digest(self) -> str:
        """SHA-256 of what is declared, defaults included: comments, order, layout and the folder do not count."""
        content = self.model_dump(mode="json", exclude={"parameters", "variants"})
        content["parameters"] = _canonical(self.parameters)
        content["variants"] = _canonical(self.variants)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def horizons(self) -> tuple[int, ...]:
        """All horizons to test, ascending; the contract's is always one of them."""
        further = self.validation.horizons if self.validation else ()
        return tuple(sorted({self.metric.horizon, *further}))

    @property
    def origin_step(self) -> Duration:
        """Time between origins: as declared, else the shortest horizon."""
        declared = self.validation.step if self.validation else None
        return declared or Duration(self.horizons[0], self.metric.time_unit)

    @property
    def secret_providers(self) -> dict[str, dict[str, str]]:
        """Where secrets are found, as plain data: {name: {"env": ...} or {"file": ...}}."""
        return {name: provider.model_dump(exclude_none=True) for name, provider in self.secrets.items()}

    def place(self, *path: str | int) -> Place:
        """Where a key stands in `dataproduct.yaml`, or the nearest one above it."""
        return Place(file=FILE, line=line_of(self._lines, path))


def load_spec(root: Path) -> ProductSpec:
    """Read `dataproduct.yaml` of a folder. SpecError, with file and line, for whatever is wrong with it.

    All faults are reported at once: the first is the error, the others are its detail.
    """
    path = root / FILE
    if not path.is_file():
        other = next((p for p in ("dataproduct.yml", "Dataproduct.yaml") if (root / p).is_file()), None)
        todo = (
            f"rename {other} to {FILE}"
            if other
            else "go to the product's folder, or start one: nbdataops init"
        )
        raise SpecError(f"there is no {FILE} in {root}", where=Place(file=FILE), todo=todo)
    document = load_yaml(path, FILE)
    if not isinstance(document.value, Mapping):
        raise SpecError(
            "is empty" if document.value is None else "is no list of `key: value`",
            where=Place(file=FILE, line=1),
            todo="start with `product:` and `metric:`; nbdataops init writes one",
        )
    try:
        spec = ProductSpec.model_validate(document.value)
    except ValidationError as error:
        raise spec_error(error, ProductSpec, document) from None
    spec._root = root
    spec._lines = dict(document.lines)
    for name, source in spec.sources.items():
        source._name, source._root = name, root
    return spec


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    if isinstance(value, str | bool | None):
        return value
    return [type(value).__name__, str(value)]  # a date is not its text, and 1 is not 1.0
