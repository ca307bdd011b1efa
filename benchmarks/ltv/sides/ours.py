"""Our side: everything from the DataFrame on, which is validation, compression, fit, Hessian and verdict."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.ltv.worker import Answer, Task
from nbdataops.ltv import rfm_cells
from nbdataops.ltv.fit.bootstrap import bootstrap

MODELS = {
    "BGNBD": "nbdataops.ltv.attrition.bg_nbd",
    "MBGNBD": "nbdataops.ltv.attrition.mbg_nbd",
    "ParetoNBD": "nbdataops.ltv.attrition.pareto_nbd",
    "GammaGamma": "nbdataops.ltv.spend.gamma_gamma",
}


def prepare(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    frame.attrs["time_unit"] = "week"
    return frame


def model_class(name: str) -> Any:
    return getattr(importlib.import_module(MODELS[name]), name)


def fit(name: str) -> Task:
    def task(frame: pd.DataFrame) -> Answer:
        result = model_class(name)().fit(frame).fit_result_
        if not result.identified:
            raise SystemExit(f"{name}: {result.reason}")
        return dict(result.parameters)

    return task


def compress(frame: pd.DataFrame) -> Answer:
    return {"cells": len(rfm_cells(frame))}


class Refits:
    """200 refits of the last fit that was made ready, and the standard deviation of each parameter over them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ready(self, frame: pd.DataFrame) -> Answer:
        self.cells = rfm_cells(frame)
        self.model = model_class(self.name)().fit(self.cells)
        return dict(self.model.fit_result_.parameters)

    def again(self, frame: pd.DataFrame) -> Answer:
        drawn = bootstrap(self.model, self.cells, replicates=200, seed=1)
        return {str(name): float(value) for name, value in drawn.drop(columns="identified").std().items()}


TASKS: dict[str, Task] = {name: fit(name) for name in MODELS} | {"rfm_cells": compress}
for _name in ("BGNBD", "ParetoNBD"):
    _refits = Refits(_name)
    TASKS |= {f"ready for refits of {_name}": _refits.ready, f"200 refits of {_name}": _refits.again}
