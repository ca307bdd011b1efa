"""The peer pymc-marketing: maximum a posteriori under flat priors, which is maximum likelihood.

A fit builds the model, compiles it and searches. PyTensor keeps what it compiled in a folder; this one starts empty,
so that the first fit of a process compiles and later ones find it. The search alone is timed inside `find_MAP`.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

warnings.filterwarnings("ignore", message=".*ArviZ is undergoing", category=FutureWarning)

_compiled = tempfile.TemporaryDirectory(prefix="pytensor-")
os.environ["PYTENSOR_FLAGS"] = f"base_compiledir={_compiled.name}"

import pandas as pd  # noqa: E402
import pymc.tuning.starting  # noqa: E402
from pymc_extras.prior import Prior  # noqa: E402
from pymc_marketing.clv import BetaGeoModel  # noqa: E402

from benchmarks.ltv.worker import Answer, Task, spent_in_parts  # noqa: E402

_minimize = pymc.tuning.starting.minimize


def _timed_minimize(*arguments: Any, **options: Any) -> Any:
    start = time.perf_counter()
    found = _minimize(*arguments, **options)
    spent_in_parts["search"] = time.perf_counter() - start
    return found


pymc.tuning.starting.minimize = _timed_minimize


def prepare(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    names = {"x": "frequency", "t_x": "recency"}
    return frame.rename(columns=names).assign(customer_id=range(len(frame)))


def bg_nbd(frame: pd.DataFrame) -> Answer:
    model = BetaGeoModel(model_config={name: Prior("HalfFlat") for name in ("r", "alpha", "a", "b")})
    model.fit(data=frame, method="map", progressbar=False)
    return {name: float(model.fit_result[name].to_numpy().item()) for name in ("r", "alpha", "a", "b")}


TASKS: dict[str, Task] = {"BGNBD": bg_nbd}
