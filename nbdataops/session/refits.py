"""Refits: the method again under Poisson weights, of which only sums per level are kept."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbdataops.errors import OutputError, UsageError
from nbdataops.session.answer import Answer, estimate_of
from nbdataops.session.contract import Contract
from nbdataops.session.levels import Levels
from nbdataops.session.population import Population
from nbdataops.session.weights import Draws

if TYPE_CHECKING:
    import pyarrow as pa

TOLERATED = 0.10
"""Above this share of failed refits the interval would describe the fits that happened to work."""


@dataclass(frozen=True, slots=True)
class Refits:
    """`sums` has one row per successful replicate and one column per cell (level, group, component).

    `ignored_weights`: no refit differed from the first fit, so that the method does not use its weights.
    """

    numbers: tuple[int, ...]
    cells: tuple[tuple[str, str, str], ...]
    sums: npt.NDArray[np.float64]
    failed: int
    ignored_weights: bool

    def totals(self, component: str = "value") -> npt.NDArray[np.float64]:
        """The component's total in every replicate."""
        totals: npt.NDArray[np.float64] = self.sums[:, self.cells.index(("total", "", component))]
        return totals

    def table(self) -> pa.Table:
        """As deposited: replicate, level, group, component, sum."""
        import pyarrow as pa

        levels, groups, components = zip(*self.cells, strict=True)
        times = len(self.numbers)
        return pa.table(
            {
                "replicate": pa.array(np.repeat(np.array(self.numbers, dtype=np.int64), len(self.cells))),
                "level": pa.array(list(levels) * times, pa.string()),
                "group": pa.array(list(groups) * times, pa.string()),
                "component": pa.array(list(components) * times, pa.string()),
                "sum": pa.array(self.sums.ravel()),
            }
        )


def check_fit(fit: Callable[..., Any]) -> None:
    """UsageError unless `fit()` and `fit(weights=series)` are both possible calls."""
    try:
        signature = inspect.signature(fit)
        signature.bind()
        signature.bind(weights=None)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"stage.estimate got a function that cannot be called as fit() and as fit(weights=series): {error}",
            todo="def fit(weights=None): ... where weights is a Series by entity, None for the plain fit",
        ) from error


def refit(
    fit: Callable[..., Any],
    base: Answer,
    contract: Contract,
    population: Population,
    replicates: int,
    seed: int,
) -> Refits:
    """Runs `fit` under the weights of every replicate. What it prints and warns of is the first fit's to say.

    A refit that raises, or whose answer would be refused, is a failed one; OutputError names the first of them when
    more than 10 percent fail.
    """
    import pandas as pd

    levels = Levels.of(population, base.value)
    cells = tuple(levels.cells(contract.measures))
    index = pd.Index(population.keys, name=contract.entity)
    draws = Draws(population.keys)
    numbers: list[int] = []
    sums: list[npt.NDArray[np.float64]] = []
    failed, ignored = 0, True
    first = ""
    for replicate in range(1, replicates + 1):
        weights = draws.weights(seed, replicate)
        series = pd.Series(weights.astype(np.float64), index=index, name="weight")
        try:
            with warnings.catch_warnings(), _silence():
                warnings.simplefilter("ignore")
                answer = estimate_of(fit(weights=series), contract, population, "fit(weights)")
        except Exception as error:  # the analyst's code may raise anything
            failed += 1
            first = first or f"replicate {replicate}: {type(error).__name__}: {error}"
            if failed > TOLERATED * replicates:
                raise OutputError(
                    f"stage.estimate: {failed} of {replicate} refits failed; the first was {first}",
                    todo="fit must work on any resample of the entities, also with weight 0 for many of them",
                ) from error
            continue
        numbers.append(replicate)
        sums.append(levels.sums(answer.values, weights))
        ignored = ignored and all(np.array_equal(answer.values[m], base.values[m]) for m in contract.measures)
    return Refits(tuple(numbers), cells, np.array(sums).reshape(len(numbers), len(cells)), failed, ignored)


@contextlib.contextmanager
def _silence() -> Any:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
