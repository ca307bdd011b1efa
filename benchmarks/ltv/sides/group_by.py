"""The floor: DuckDB groups the same customers once, over the frame and over the Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import duckdb
import pandas as pd

from benchmarks.ltv.worker import Answer, Task

Customers: TypeAlias = tuple[pd.DataFrame, Path]
QUERY = "select x, t_x, T, count(*) as n from {} group by all"


def prepare(frame: pd.DataFrame, file: Path) -> Customers:
    return frame, file


def over_frame(customers: Customers) -> Answer:
    frame, _ = customers
    duckdb.register("customers", frame)
    found = duckdb.sql(QUERY.format("customers")).fetchnumpy()
    return {"cells": len(found["n"])}


def over_parquet(customers: Customers) -> Answer:
    _, file = customers
    found = duckdb.sql(QUERY.format(f"'{file}'")).fetchnumpy()
    return {"cells": len(found["n"])}


TASKS: dict[str, Task] = {"over the frame": over_frame, "over Parquet": over_parquet}
