"""Levels: the groups over which estimates and outcomes are summed and compared.

`total` (one group, named ""), `cohort`, `decile` of a value (1 to 10, 10 the highest) and `segment:<name>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from nbdataops.session.population import Population

MISSING = "(missing)"
"""The group of entities without a cohort or a segment."""


def deciles(value: npt.NDArray[np.float64], keys: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """1 to 10 by rank of `value`, 10 the highest, of equal sizes; ties are broken by the order of the entity key.

    >>> deciles(np.array([5.0, 1.0, 1.0]), np.array([1, 3, 2])).tolist()
    [7, 4, 1]
    """
    by_key = np.argsort(keys, kind="stable")
    order = by_key[np.argsort(value[by_key], kind="stable")]
    ranks = np.empty(len(value), dtype=np.int64)
    ranks[order] = np.arange(len(value))
    return ranks * 10 // max(len(value), 1) + 1


def group_names(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """The name of each row's group as text: days as ISO dates, whole numbers without a point, no value `(missing)`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(encoded.type):
        encoded = pc.dictionary_encode(encoded)
    names = [*(_name(value) for value in encoded.dictionary.to_pylist()), MISSING]
    codes = pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)
    found: npt.NDArray[Any] = np.asarray(names, dtype=object)[codes]
    return found


def _name(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return MISSING
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.removesuffix("T00:00:00")


@dataclass(frozen=True, slots=True)
class Level:
    """One grouping: `codes` gives each entity's place in `groups`."""

    name: str
    groups: tuple[str, ...]
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, name: str, labels: npt.NDArray[Any]) -> Level:
        groups, codes = np.unique(labels, return_inverse=True)
        return cls(name, tuple(str(group) for group in groups), codes.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels of a population, with the deciles of one method's values."""

    levels: tuple[Level, ...]

    @classmethod
    def of(cls, population: Population, value: npt.NDArray[np.float64]) -> Levels:
        size = len(population)
        levels = [Level("total", ("",), np.zeros(size, dtype=np.int64))]
        if population.cohort is not None:
            levels.append(Level.of("cohort", group_names(population.cohort)))
        tenths = deciles(value, population.keys)
        present = np.unique(tenths)
        levels.append(Level("decile", tuple(map(str, present)), np.searchsorted(present, tenths)))
        for name, column in population.segments.items():
            levels.append(Level.of(f"segment:{name}", group_names(column)))
        return cls(tuple(levels))

    def cells(self, components: Sequence[str]) -> list[tuple[str, str, str]]:
        """(level, group, component) of every sum, in the order in which `sums` gives them."""
        return [(level.name, group, c) for level in self.levels for c in components for group in level.groups]

    def sums(
        self, values: Mapping[str, npt.NDArray[np.float64]], weights: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """The weighted sum of every component in every group of every level."""
        weighted = [value * weights for value in values.values()]
        return np.concatenate(
            [
                np.bincount(level.codes, weights=value, minlength=len(level.groups))
                for level in self.levels
                for value in weighted
            ]
        )
