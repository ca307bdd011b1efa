"""The peer `lifetimes`, as its documentation uses it: no penalty, its own starts and tolerances."""

from __future__ import annotations

from pathlib import Path

import lifetimes
import numpy as np
import pandas as pd

from benchmarks.ltv.worker import Answer, Task

COUNT = "n"


def prepare(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    return frame.rename(columns={"x": "frequency", "t_x": "recency"})


def bg_nbd(frame: pd.DataFrame) -> Answer:
    fitter = lifetimes.BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(frame["frequency"], frame["recency"], frame["T"])
    return _parameters(fitter)


def bg_nbd_of_groups(frame: pd.DataFrame) -> Answer:
    """As the workaround of its issue 419 has it: customers grouped by hand, their counts as weights."""
    groups = frame.groupby(["frequency", "recency", "T"]).size().rename(COUNT).reset_index()
    fitter = lifetimes.BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(groups["frequency"], groups["recency"], groups["T"], weights=groups[COUNT])
    return _parameters(fitter)


def pareto_nbd(frame: pd.DataFrame) -> Answer:
    np.random.seed(0)
    fitter = lifetimes.ParetoNBDFitter(penalizer_coef=0.0)
    fitter.fit(frame["frequency"], frame["recency"], frame["T"])
    return _parameters(fitter)


def _parameters(fitter: lifetimes.BaseFitter) -> Answer:
    return {str(name): float(value) for name, value in fitter.params_.items()}


TASKS: dict[str, Task] = {"BGNBD": bg_nbd, "BGNBD of groups": bg_nbd_of_groups, "ParetoNBD": pareto_nbd}
