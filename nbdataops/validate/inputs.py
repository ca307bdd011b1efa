"""What a check is given: two estimates, what happened, and the population, all of one scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

VALUE = "value"


@dataclass(frozen=True, slots=True)
class EstimateData:
    """A method's estimate.

    `frame`: one row per entity (the index), columns `value` and the contract's components. `replicates`: columns
    replicate, level, group, component, sum, where sum is that of w_b(i) * v_b(i), v_b the refit under the weights
    w_b; None when the method gave no `fit`. `resampling` says what the replicates are ("refit"). `label_windows`
    are the outcome windows (from, to] that the method learnt from. `horizon` only matters to E1, which compares
    two horizons of one method.
    """

    stage: str
    family: str
    frame: pd.DataFrame
    replicates: pd.DataFrame | None = None
    resampling: str = "entity"
    label_windows: tuple[tuple[date, date], ...] = ()
    horizon: int | None = None


@dataclass(frozen=True, slots=True)
class CheckInputs:
    """Everything that a check may use; a check is a pure function of it.

    `population`: one row per entity that existed at `as_of` (the index), its cohort and segment columns, and
    optionally a baseline column. `outcome`: what happened in (as_of, until], by entity; who is missing did
    nothing. `metric`: the contract as a dict (entity, value, unit, components, population: {cohort, segments}).
    `records`: what `stage.evidence` deposited, for E10.
    """

    subject: EstimateData
    population: pd.DataFrame
    metric: Mapping[str, Any]
    as_of: date
    until: date | None
    horizon: int | None
    replicates: int
    seed: int
    other: EstimateData | None = None
    outcome: pd.DataFrame | None = None
    records: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def entities(self) -> pd.Index[Any]:
        return self.population.index

    @property
    def components(self) -> tuple[str, ...]:
        """`value`, then the contract's components, in the contract's order."""
        return (VALUE, *(c for c in self.metric.get("components", ()) if c != VALUE))

    @property
    def cohort_column(self) -> str | None:
        """The population's cohort column: as the contract names it, else a column called `cohort`."""
        declared = self.metric.get("population")
        named = declared.get("cohort") if isinstance(declared, Mapping) else None
        column = named or "cohort"
        return str(column) if column in self.population.columns else None

    def predicted(self, estimate: EstimateData, component: str) -> Floats:
        """A component in the order of the population; NaN where the estimate has no row."""
        return estimate.frame[component].reindex(self.entities).to_numpy(dtype=np.float64, na_value=np.nan)

    def actual(self, component: str) -> Floats:
        """What happened, in the order of the population: 0 for who is not in the outcome."""
        assert self.outcome is not None
        return self.outcome[component].reindex(self.entities).fillna(0.0).to_numpy(dtype=np.float64)

    def fault(self, component: str, *, outcome: bool = False, other: bool = False) -> str:
        """Why this component cannot be evaluated at all; empty when it can."""
        if len(self.entities) == 0:
            return "evaluated zero rows: the population is empty"
        if not self.entities.is_unique:
            return "the population has more than one row of an entity"
        for estimate in (self.subject, self.other) if other else (self.subject,):
            found = self._estimate_fault(estimate, component)
            if found:
                return found
        return self._outcome_fault(component) if outcome else ""

    def _estimate_fault(self, estimate: EstimateData | None, component: str) -> str:
        if estimate is None:
            return "there is no second estimate to compare with"
        if component not in estimate.frame.columns:
            return f"{estimate.stage} has no column {component!r}"
        if not estimate.frame.index.is_unique:
            return f"{estimate.stage} has more than one row of an entity"
        bad = int((~np.isfinite(self.predicted(estimate, component))).sum())
        if bad:
            return (
                f"{estimate.stage} has no finite {component} for {bad:,} of {len(self.entities):,} entities"
            )
        return ""

    def _outcome_fault(self, component: str) -> str:
        if self.outcome is None:
            return "there is no outcome to compare with"
        if component not in self.outcome.columns:
            return f"the outcome has no column {component!r}"
        if not self.outcome.index.is_unique:
            return "the outcome has more than one row of an entity"
        if not np.isfinite(self.actual(component)).all():
            return f"the outcome has values of {component} that are not finite"
        return ""
