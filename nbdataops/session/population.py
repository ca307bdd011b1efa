"""The population: the entities that a metric is about at `as_of`, with their cohort and segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import OutputError, UsageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from nbdataops.session.assignment import Assignment


@dataclass(frozen=True, slots=True)
class Population:
    """`keys` are the entities in the order of the table (whole numbers or text), `stored` as the table has them."""

    table: str
    entity: str
    keys: npt.NDArray[Any]
    stored: pa.ChunkedArray
    cohort: pa.ChunkedArray | None
    segments: dict[str, pa.ChunkedArray]

    def __len__(self) -> int:
        return len(self.keys)

    def positions(self, keys: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Where each of `keys` stands in the population; -1 for an entity that is not of it."""
        import numpy as np
        import pandas as pd

        if (
            keys.dtype == self.keys.dtype
            and keys.shape == self.keys.shape
            and bool((keys == self.keys).all())
        ):
            return np.arange(len(self.keys), dtype=np.intp)
        found: npt.NDArray[np.intp] = pd.Index(self.keys).get_indexer(pd.Index(keys))
        return found


def population_of(assignment: Assignment) -> Population:
    """The population of an assignment; UsageError if the product declares none."""
    from nbdataops.session.contract import Contract
    from nbdataops.store.snapshots import load

    contract = Contract.of(assignment.metric)
    if assignment.population is None:
        raise UsageError(
            "this notebook publishes an estimate or an outcome, and its population was not handed over",
            todo="declare metric.population in dataproduct.yaml: the table with one row per entity, e.g. {table: rfm}",
        )
    table = load(Path(assignment.store_root), assignment.population, None)
    for name in (contract.entity, *([contract.cohort] if contract.cohort else []), *contract.segments):
        if name not in table.column_names:
            raise UsageError(
                f"the population table {assignment.population.table!r} has no column {name!r}",
                todo=did_you_mean(name, table.column_names),
            )
    stored = table.column(contract.entity)
    keys = entity_keys(stored, f"the population table {assignment.population.table!r}", contract.entity)
    import pandas as pd

    if stored.null_count or not pd.Index(keys).is_unique:
        raise OutputError(
            f"the population table {assignment.population.table!r} does not have one row per {contract.entity}",
            todo=f"its key must be {contract.entity} alone",
        )
    return Population(
        table=assignment.population.table,
        entity=contract.entity,
        keys=keys,
        stored=stored,
        cohort=table.column(contract.cohort) if contract.cohort else None,
        segments={name: table.column(name) for name in contract.segments},
    )


def entity_keys(column: pa.ChunkedArray, where: str, entity: str) -> npt.NDArray[Any]:
    """Entity keys as int64 or as objects of text; whole floats (what pandas makes of integers with gaps) are integers.

    Nulls must have been refused before. OutputError for keys that are neither.
    """
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_integer(kind):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    if pa.types.is_floating(kind):
        values = np.asarray(column.to_numpy(), dtype=np.float64)
        whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2**53)
        if whole.all():
            return values.astype(np.int64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or "string_view" in str(kind):
        return np.asarray(column.to_numpy(), dtype=object)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_binary(kind):
        return np.asarray([str(value) for value in column.to_pylist()], dtype=object)
    raise OutputError(
        f"{where}: {entity} is {kind}, which cannot name an entity", todo="keys are whole numbers or text"
    )
