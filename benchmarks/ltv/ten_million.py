"""Claim: ten million customers are fitted in less than 5 times the time in which DuckDB groups them once, within 1.5 GB.

The floor is `select x, t_x, T, count(*) ... group by all` over the same customers on all cores, result fetched as
arrays: over the frame that the fit gets, and over the Parquet file. Ours is the whole fit from the frame, on one core.
Gamma-Gamma is measured against the same grouping of the same customers, although it needs other columns.

The 1.5 GB are the peak of everything in a process (VmHWM) that does this once: Python, the imports of nbdataops.ltv,
the Parquet file read by pandas (280 MB of columns `x` int16, `t_x`, `T`, and for Gamma-Gamma `spend`, float64, and
Arrow's copy while they are read), checks, compression and fit. In brackets, the peak before the fit began.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.comparison import Comparison, script
from benchmarks.ltv.customers import SPEND, TRUTH, Process, customers
from benchmarks.ltv.turns import (
    GROUP_BY,
    OURS,
    SUMMARY,
    Worker,
    memory,
    require_same_optimum,
    rounds_in_turns,
)

ROUNDS = 5
SIZE = 10_000_000
AT_MOST = 5.0
MOST_MB = 1500.0
MODELS: dict[Process, tuple[str, ...]] = {
    "bg_nbd": ("BGNBD",),
    "mbg_nbd": ("MBGNBD",),
    "pareto_nbd": ("ParetoNBD", "GammaGamma"),
}
COLUMNS = {"GammaGamma": ("x", "spend")}


def measure(rounds: int) -> list[Comparison]:
    return [line for process in MODELS for line in of_process(process, rounds)]


def of_process(process: Process, rounds: int) -> list[Comparison]:
    data, small, models = customers(process, SIZE), customers(process, 2_000), MODELS[process]
    with ExitStack() as stack:
        ours, floor = (stack.enter_context(Worker(side)) for side in (OURS, GROUP_BY))
        ours.load(small, (*SUMMARY, "spend"))
        for model in models:
            ours.run(model)
        ours.load(data, (*SUMMARY, "spend"))
        floor.load(data)
        ways = [*((ours, model) for model in models), (floor, "over the frame"), (floor, "over Parquet")]
        *fits, frame, parquet = rounds_in_turns(ways, rounds)
    lines = []
    for model, done in zip(models, fits, strict=True):
        truth = SPEND if model == "GammaGamma" else TRUTH[process]
        require_same_optimum(model, done[0].found, "the truth", truth, rtol=0.05)
        held = memory(OURS, model, data, COLUMNS.get(model, SUMMARY))
        for against, grouped in (("the frame", frame), ("Parquet", parquet)):
            lines.append(
                Comparison(
                    f"{model}, {data}",
                    f"one DuckDB group-by of {against}",
                    tuple(d.took for d in done),
                    tuple(d.took for d in grouped),
                    asked=AT_MOST if grouped is frame else None,
                    ours_memory=held if grouped is frame else None,
                    asked_mb=MOST_MB if grouped is frame else None,
                )
            )
    return lines


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
