"""Poisson weights of a bootstrap that any process can draw again.

The weight of an entity in a replicate is a function of (seed, replicate, entity) alone: two notebooks that refit
their methods resample the same customers, so that their replicates are paired, without talking to each other.

Source of the mixing function: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
# Poisson(1) beyond 20 has probability 1e-20: below the resolution of a 53-bit uniform.
_DISTRIBUTION = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(21)])


def poisson_weights(seed: int, replicate: int, entities: Any) -> npt.NDArray[np.int64]:
    """One Poisson(1) count per entity: how often the entity is drawn in this replicate.

    `entities` are whole numbers or text (array, Series, Arrow column, list). Neither their order nor their company
    has an effect.

    >>> poisson_weights(0, 1, [1, 2, 3, 4]).tolist() == poisson_weights(0, 1, [4, 3, 2, 1]).tolist()[::-1]
    True
    """
    return Draws(entities).weights(seed, replicate)


class Draws:
    """Weights of the same entities in many replicates: the entities are hashed once."""

    __slots__ = ("_hashes",)

    def __init__(self, entities: Any) -> None:
        self._hashes = _hashes(entities)

    def weights(self, seed: int, replicate: int) -> npt.NDArray[np.int64]:
        """The same as `poisson_weights(seed, replicate, entities)`."""
        stream = np.uint64(_mix_int(_mix_int(seed) + replicate * _GOLDEN))
        bits = _mix(_mix(self._hashes ^ stream) + stream)
        uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.searchsorted(_DISTRIBUTION, uniform, side="right").astype(np.int64)


def _hashes(entities: Any) -> npt.NDArray[np.uint64]:
    """64 bits per entity, of its value alone: the same number is the same entity in every width."""
    arrow = type(entities).__module__.startswith("pyarrow")
    values = np.asarray(entities.to_numpy(zero_copy_only=False) if arrow else entities)
    if values.dtype.kind == "O" and values.size and all(isinstance(v, int | np.integer) for v in values):
        values = values.astype(np.int64)
    if values.dtype.kind == "u":
        return _mix(values.astype(np.uint64))
    if values.dtype.kind == "i":
        return _mix(values.astype(np.int64).view(np.uint64))
    import xxhash

    digest = xxhash.xxh3_64_intdigest
    texts = (digest(str(value).encode("utf-8", "surrogatepass")) for value in values)
    return np.fromiter(texts, dtype=np.uint64, count=values.size)


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The output function of splitmix64, on every element (arithmetic is modulo 2**64)."""
    z = z + np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mix_int(value: int) -> int:
    z = (value + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
