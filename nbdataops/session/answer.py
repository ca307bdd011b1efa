"""What a frame of an estimate or an outcome must be, and the same frame as arrays over the population."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbdataops.errors import OutputError, did_you_mean
from nbdataops.session.contract import Contract
from nbdataops.session.frames import declared_unit, to_arrow
from nbdataops.session.population import Population, entity_keys

if TYPE_CHECKING:
    import pyarrow as pa

BOUNDS = ("lower", "upper")


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns in the order of the population. `unknown` counts rows of entities outside of it (an outcome's only)."""

    values: dict[str, npt.NDArray[np.float64]]
    bounds: dict[str, npt.NDArray[np.float64]]
    unknown: int = 0

    @property
    def value(self) -> npt.NDArray[np.float64]:
        return self.values["value"]

    def table(self, population: Population) -> pa.Table:
        """As it is deposited: the entity key, `value`, the components, and bounds if there are any."""
        import pyarrow as pa

        columns = {population.entity: population.stored, **self.values, **self.bounds}
        return pa.table(list(columns.values()), names=list(columns))


def estimate_of(
    frame: Any, contract: Contract, population: Population, call: str = "stage.estimate"
) -> Answer:
    """An estimate names every entity of the population once, with finite numbers that are not negative."""
    table = _columns(frame, contract, call, allow_bounds=True)
    positions, keys = _positions(table, contract, population, call)
    unknown = positions < 0
    if unknown.any():
        raise OutputError(
            f"{call}: {_count(unknown, contract)} not in the population at as_of, e.g. {_named(keys[unknown])}"
            + _kinds(keys, population),
            todo=f"start from the population: stage.read({population.table!r}, columns=[]) and merge what you know",
        )
    missing = np.ones(len(population), dtype=bool)
    missing[positions] = False
    if missing.any():
        raise OutputError(
            f"{call}: {_count(missing, contract)} of the population missing, e.g. {_named(population.keys[missing])}",
            todo=f"an estimate lacks nobody: give every {contract.noun} a row, with 0 where none is expected",
        )
    values = _measures(table, contract, contract.negative_estimates, keys, call)
    bounds = {
        name: _numbers(table, name, contract, keys, call) for name in BOUNDS if name in table.column_names
    }
    if bounds:
        crossed = bounds["lower"] > bounds["upper"]
        if crossed.any():
            raise OutputError(
                f"{call}: lower is above upper for {_count(crossed, contract)}, e.g. {_named(keys[crossed])}",
                todo="lower and upper are the ends of one interval",
            )
    order = np.empty(len(population), dtype=np.intp)
    order[positions] = np.arange(len(positions))
    return Answer({n: v[order] for n, v in values.items()}, {n: v[order] for n, v in bounds.items()})


def outcome_of(frame: Any, contract: Contract, population: Population, call: str = "stage.outcome") -> Answer:
    """An outcome names an entity at most once; who is missing did nothing; who came after as_of is counted, not kept."""
    table = _columns(frame, contract, call, allow_bounds=False)
    positions, keys = _positions(table, contract, population, call)
    values = _measures(table, contract, contract.negative_outcomes, keys, call)
    known = positions >= 0
    if len(known) and not known.any() and len(population):
        raise OutputError(
            f"{call}: not one of {len(keys):,} {contract.entity} is in the population"
            + _kinds(keys, population),
            todo="keys must be those of the population table",
        )
    whole = {}
    for name, column in values.items():
        whole[name] = np.zeros(len(population), dtype=np.float64)
        whole[name][positions[known]] = column[known]
    return Answer(whole, {}, int((~known).sum()))


def _columns(frame: Any, contract: Contract, call: str, *, allow_bounds: bool) -> pa.Table:
    unit = declared_unit(frame)
    if unit is not None and unit != contract.unit:
        raise OutputError(
            f"{call}: the frame says that its values are {unit}, and the metric is in {contract.unit}",
            todo="convert the values; attrs['unit'] is what the frame says",
        )
    table = to_arrow(frame, call, index={contract.entity})
    needed = (contract.entity, *contract.measures)
    allowed = (*needed, *(BOUNDS if allow_bounds else ()))
    extra = [name for name in table.column_names if name not in allowed]
    for name in needed:
        if name not in table.column_names:
            raise OutputError(
                f"{call} got no column {name!r}",
                todo=did_you_mean(name, extra) if extra else f"columns are {', '.join(needed)}",
            )
    if extra:
        raise OutputError(
            f"{call} got a column {extra[0]!r}, which is no component of the metric",
            todo=f"{did_you_mean(extra[0], [n for n in allowed if n not in table.column_names])} Columns are "
            f"{', '.join(allowed)}; components are declared in dataproduct.yaml",
        )
    if len([name for name in BOUNDS if name in table.column_names]) == 1:
        raise OutputError(f"{call} got one end of an interval", todo="give both lower and upper, or neither")
    return table


def _positions(
    table: pa.Table, contract: Contract, population: Population, call: str
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(contract.entity)
    nulls = column.null_count
    if pa.types.is_floating(column.type):
        nulls = pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0
    if nulls:
        raise OutputError(
            f"{call}: {nulls:,} of {table.num_rows:,} rows have no {contract.entity}",
            todo="drop rows that belong to nobody",
        )
    keys = (
        np.empty(0, dtype=population.keys.dtype)
        if not table.num_rows
        else entity_keys(column, call, contract.entity)
    )
    index = pd.Index(keys)
    if not index.is_unique:
        twice = np.asarray(index.duplicated())
        raise OutputError(
            f"{call}: {len(set(keys[twice])):,} {contract.entity} are there more than once, e.g. {_named(keys[twice])}",
            todo=f"give one row per {contract.noun}: frame.groupby({contract.entity!r}, as_index=False).sum()",
        )
    return population.positions(keys), keys


def _measures(
    table: pa.Table, contract: Contract, negative: bool, keys: npt.NDArray[Any], call: str
) -> dict[str, npt.NDArray[np.float64]]:
    found = {}
    for name in contract.measures:
        numbers = _numbers(table, name, contract, keys, call)
        below = numbers < 0
        if below.any() and not (negative and name == "value"):
            why = {
                "value": "a revenue is negative only where the metric declares returns (settles_after)"
                if call == "stage.outcome"
                else f"an expected {contract.value} is not negative; clip what the model gives"
            }.get(name, "components are counts or sums of what happened, never less than nothing")
            raise OutputError(
                f"{call}: {name} is negative for {_count(below, contract)}, e.g. {_named(keys[below])}",
                todo=why,
            )
        found[name] = numbers
    return found


def _numbers(
    table: pa.Table, name: str, contract: Contract, keys: npt.NDArray[Any], call: str
) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    column = table.column(name)
    kind = column.type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not plain and not (pa.types.is_null(kind)):
        unit = f" in {contract.unit}" if name in ("value", *BOUNDS) and contract.unit else ""
        raise OutputError(
            f"{call}: {name} is {_in_words(kind)}, and must be a number{unit}",
            todo=f"frame[{name!r}].astype(float), without signs and separators",
        )
    numbers = np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    for what, wrong in (("no number (NaN or null)", np.isnan(numbers)), ("infinite", np.isinf(numbers))):
        if wrong.any():
            raise OutputError(
                f"{call}: {name} is {what} for {_count(wrong, contract)}, e.g. {_named(keys[wrong])}",
                todo="0 means nothing expected; a model that cannot say is not done",
            )
    return numbers


def _in_words(kind: Any) -> str:
    text = str(kind)
    return {"string": "text", "large_string": "text", "bool": "true or false"}.get(text, text)


def _count(mask: npt.NDArray[np.bool_], contract: Contract) -> str:
    return f"{int(mask.sum()):,} of {len(mask):,} {contract.entity}"


def _named(keys: Iterable[Any]) -> str:
    """Up to five keys, for the screen of the analyst only."""
    shown = list(dict.fromkeys(keys))[:5]
    return ", ".join(str(key) for key in shown)


def _kinds(keys: npt.NDArray[Any], population: Population) -> str:
    words = {True: "whole numbers", False: "text"}
    ours, theirs = keys.dtype.kind == "i", population.keys.dtype.kind == "i"
    return (
        ""
        if ours == theirs or not len(keys)
        else f" (its keys are {words[ours]}, the population's {words[theirs]})"
    )
