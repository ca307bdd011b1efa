"""The sides that the benchmarks of nbdataops.ltv time, on few customers: what they do, not how fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.ltv.customers import TRUTH, Process, customers
from benchmarks.ltv.draws import draw
from benchmarks.ltv.sides import group_by, ours
from benchmarks.ltv.turns import OURS, Worker, memory, require_same_optimum
from nbdataops.ltv import rfm_cells

NOWHERE = Path("nowhere")


def shop(process: Process, rows: int) -> pd.DataFrame:
    return pd.DataFrame(draw(process, rows, np.random.default_rng(3)))


@pytest.mark.parametrize("process", TRUTH)
def test_the_customers_drawn_are_possible_ones_of_whole_days(process: Process) -> None:
    frame = shop(process, 3000)
    cells = rfm_cells(frame)

    assert cells.counts().sum() == 3000
    np.testing.assert_allclose(np.rint(frame["t_x"] * 7), frame["t_x"] * 7, atol=1e-9)
    assert ((frame["spend"] > 0) == (frame["x"] > 0)).all()


@pytest.mark.parametrize("task", sorted(ours.TASKS))
def test_our_side_does_every_task(task: str) -> None:
    frame = ours.prepare(shop("pareto_nbd" if "Pareto" in task else "bg_nbd", 8000), NOWHERE)
    refits = task.removeprefix("200 refits of ")
    if refits != task:
        ours.TASKS[f"ready for refits of {refits}"](frame)

    found = ours.TASKS[task](frame)

    assert found
    assert all(np.isfinite(value) and value > 0 for value in found.values())


def test_the_floor_finds_the_groups_that_are_our_cells(tmp_path: Path) -> None:
    frame = shop("bg_nbd", 2000)
    frame.to_parquet(tmp_path / "shop.parquet")
    held = group_by.prepare(frame, tmp_path / "shop.parquet")

    for task in group_by.TASKS.values():
        assert task(held) == {"cells": len(rfm_cells(frame))}


def test_speed_to_another_optimum_is_none() -> None:
    require_same_optimum("BGNBD", {"r": 1.0}, "a peer", {"r": 1.0009}, rtol=1e-3)
    with pytest.raises(SystemExit, match="the optima differ by more than"):
        require_same_optimum("BGNBD", {"r": 1.0}, "a peer", {"r": 1.002}, rtol=1e-3)
    with pytest.raises(SystemExit, match="no comparison"):
        require_same_optimum("BGNBD", {"r": 1.0}, "a peer", {"r": 1.0, "s": 1.0}, rtol=1e-3)


@pytest.mark.slow
def test_a_worker_loads_customers_from_their_file_runs_a_task_and_reports_its_peak() -> None:
    few = customers("bg_nbd", 300)

    with Worker(OURS) as worker:
        worker.load(few)
        done = worker.run("rfm_cells")
    held = memory(OURS, "rfm_cells", few)

    assert done.found["cells"] == len(rfm_cells(pd.read_parquet(few.file)))
    assert done.took.wall_s > 0
    assert 30 < held.before_mb <= held.peak_mb < 1000
