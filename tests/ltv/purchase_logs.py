"""Logs of purchases, the same log from every kind of source, and the settings that make a small log a large one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from nbdataops.ltv.summary import log_days, log_stream

AS_OF = date(2024, 6, 30)


def random_log(rows: int = 3000, seed: int = 0, returns: bool = False) -> pd.DataFrame:
    """Purchases of 18 months before AS_OF, several rows on some days; with `returns`, every tenth amount negative."""
    rng = np.random.default_rng(seed)
    amount = np.round(rng.gamma(2, 10, rows), 2) * np.where(rng.random(rows) < 0.05, 0.0, 1.0)
    if returns:
        amount = np.where(rng.random(rows) < 0.1, -amount, amount)
    return pd.DataFrame(
        {
            "customer_id": rng.integers(0, rows // 4, rows),
            "date": pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 540, rows), unit="D"),
            "amount": amount,
        }
    )


@dataclass(frozen=True)
class ArrowStream:
    """What other libraries' frames have in common."""

    table: pa.Table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


def sources(log: pd.DataFrame, folder: Path) -> dict[str, object]:
    """Everything that a log of int64, datetime64 and float64 may come from."""
    table = pa.Table.from_pandas(log, preserve_index=False)
    half = len(log) // 2
    (folder / "log" / "deep").mkdir(parents=True, exist_ok=True)
    log.to_parquet(folder / "whole.parquet")
    log.iloc[:half].to_parquet(folder / "log" / "old.parquet")
    log.iloc[half:].to_parquet(folder / "log" / "deep" / "new.parquet")
    return {
        "table": table,
        "batch": table.combine_chunks().to_batches()[0],
        "reader": table.to_reader(max_chunksize=100),
        "stream": ArrowStream(table),
        "dataset": pyarrow.dataset.dataset(folder / "whole.parquet"),
        "relation": duckdb.from_arrow(table),
        "path": folder / "whole.parquet",
        "pattern": str(folder / "whole.par*"),
        "folder": str(folder / "log"),
    }


@contextmanager
def large(rows_at_once: int) -> Iterator[None]:
    """Every frame is too large for memory, and DuckDB hands it over in parts of so many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_days, "ROWS_IN_MEMORY", 0)
        patch.setattr(log_stream, "ROWS_AT_ONCE", rows_at_once)
        yield
