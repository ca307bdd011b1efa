"""A kernel's desk for tests: a store with small tables, an assignment, cells that are executed as a notebook's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from nbdataops.session.assignment import VARIABLE, Assignment
from nbdataops.session.current import forget
from nbdataops.session.deposit import DepositRecord, read_deposit, read_file
from nbdataops.session.scope import Scope
from nbdataops.store.snapshots import Snapshot, SnapshotStore

METRIC = {
    "name": "ltv",
    "entity": "customer_id",
    "value": "revenue",
    "unit": "USD",
    "components": {"transactions": "count of distinct days"},
    "population": {"table": "rfm", "cohort": "cohort", "segments": ["region"]},
    "settle_days": 0,
}

PURCHASES = pd.DataFrame(
    {
        "customer_id": [1, 1, 2, 3, 3, 3],
        "date": pd.to_datetime(
            ["1997-01-01", "1997-02-03", "1997-01-05", "1997-01-06", "1997-02-07", "1997-03-08"]
        ),
        "amount": [10.0, 20.0, 5.0, 1.0, 2.0, 3.0],
        "note": ["a", None, "b", "b", "a", "c"],
    }
)

RFM = pd.DataFrame(
    {
        "customer_id": [1, 2, 3, 4],
        "x": [1, 0, 2, 0],
        "cohort": [date(1997, 1, 1), date(1997, 1, 1), date(1997, 1, 1), date(1997, 3, 1)],
        "region": ["north", "south", None, "south"],
    }
)


class Desk:
    """What a runner prepares for one kernel, and what it finds afterwards."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._monkeypatch = folder, monkeypatch
        self.store = SnapshotStore(folder / "store")
        dates = pa.Table.from_pandas(PURCHASES, preserve_index=False)
        dates = dates.set_column(1, "date", dates.column("date").cast(pa.date32()))
        self.purchases = self.store.write("purchases", dates, key=["customer_id", "date"], event_time="date")
        self.rfm = self.table("rfm", RFM, key=["customer_id"])
        self.assignment = Assignment(
            node="methods/test@1997-03-31",
            stage="methods/test",
            product_root=str(folder),
            store_root=str(folder / "store"),
            scope=Scope(date(1997, 3, 31), 39, None, "week", "UTC"),
            deposit=str(folder / "deposit"),
            metric=METRIC,
            parameters={"start": date(1997, 2, 1), "least": 2.5, "names": ["a", "c"]},
            inputs={"purchases": self.purchases, "rfm": self.rfm},
            population=self.rfm.select(["cohort", "region"]),
            replicates=8,
            seed=7,
        )

    def table(self, name: str, frame: pd.DataFrame, key: list[str]) -> Snapshot:
        return self.store.write(name, pa.Table.from_pandas(frame, preserve_index=False), key=key)

    def assign(self, **changes: Any) -> Assignment:
        """Puts an assignment with these changes into force, by a file as in a kernel."""
        self.assignment = replace(self.assignment, **changes)
        path = self.folder / "assignment.json"
        path.write_text(self.assignment.to_json())
        self._monkeypatch.setenv(VARIABLE, str(path))
        forget()
        return self.assignment

    def cell(self, source: str, **names: Any) -> dict[str, Any]:
        """Executes source as a cell of a notebook; returns the namespace."""
        namespace: dict[str, Any] = {"__name__": "__main__", **names}
        exec("from nbdataops import stage", namespace)
        exec(compile(source, "<cell>", "exec"), namespace)
        return namespace

    def value(self, expression: str, **names: Any) -> Any:
        """The value of an expression in a cell."""
        return self.cell(f"_ = ({expression})", **names)["_"]

    @property
    def record(self) -> DepositRecord:
        return read_deposit(self.deposit)

    @property
    def deposit(self) -> Path:
        return Path(self.assignment.deposit)

    def file(self, name: str | None) -> pd.DataFrame:
        assert name is not None
        frame: pd.DataFrame = read_file(self.deposit, name).to_pandas()
        return frame


def answer(**changes: Any) -> pd.DataFrame:
    """A right estimate of the population; changes replace columns."""
    columns: Mapping[str, Any] = {
        "customer_id": [1, 2, 3, 4],
        "value": [30.0, 5.0, 6.0, 0.0],
        "transactions": [2.0, 1.0, 3.0, 0.0],
    }
    return pd.DataFrame({**columns, **changes})
