"""What a check node does: tables of the store become `CheckInputs`, a check measures, JSON comes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa

from nbdataops.validate.checks import CHECKS
from nbdataops.validate.inputs import CheckInputs, EstimateData


def measure(kind: str, tables: Mapping[str, Any], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Measurements of one check, as JSON. `tables`: see `goals`; `settings`: scope, metric, seed, who is who."""
    return [m.to_dict() for m in CHECKS[kind].measure(check_inputs(tables, settings))]


def check_inputs(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> CheckInputs:
    """Frames by entity. An absent estimate (a notebook's own evidence has none) is an empty one."""
    entity = str(settings["metric"]["entity"])
    other = settings["other"]
    return CheckInputs(
        subject=_estimate("subject", settings["subject"], tables, entity),
        other=_estimate("other", other, tables, entity) if other else None,
        population=_by_entity(tables.get("population"), entity),
        metric=settings["metric"],
        as_of=date.fromisoformat(settings["as_of"]),
        until=date.fromisoformat(settings["until"]) if settings["until"] else None,
        horizon=settings["horizon"],
        replicates=int(settings["replicates"]),
        seed=int(settings["seed"]),
        outcome=_by_entity(tables["outcome"], entity) if tables.get("outcome") is not None else None,
        records=tuple(tables.get("records") or ()),
    )


def _estimate(
    prefix: str, described: Mapping[str, Any], tables: Mapping[str, Any], entity: str
) -> EstimateData:
    replicates = tables.get(f"{prefix}_replicates")
    return EstimateData(
        stage=described["stage"],
        family=described["family"],
        frame=_by_entity(tables.get(f"{prefix}_estimate"), entity),
        replicates=replicates.to_pandas() if replicates is not None else None,
        resampling="refit" if replicates is not None else "entity",
        label_windows=tuple(
            (date.fromisoformat(a), date.fromisoformat(b)) for a, b in described["label_windows"]
        ),
        horizon=described.get("horizon"),
    )


def _by_entity(table: pa.Table | None, entity: str) -> pd.DataFrame:
    if table is None:
        return pd.DataFrame(index=pd.Index([], name=entity))
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_index(entity)


def code() -> list[ModuleType]:
    """The modules whose code decides what is measured: part of the key of every check node."""
    import sys

    import nbdataops.session.levels
    import nbdataops.session.weights
    from nbdataops.validate import agreement, inputs, levels, measurement, ranking, resample
    from nbdataops.validate.checks import (
        calibration,
        discrimination,
        holdout,
        invariant,
        number,
        reconciliation,
        recording,
        triangulation,
    )

    return [
        sys.modules[__name__], nbdataops.session.levels, nbdataops.session.weights, agreement, inputs, levels, measurement, ranking, resample, calibration,
        discrimination, holdout, invariant, number, reconciliation, recording, triangulation,
    ]  # fmt: skip
