"""Claim: what a fit costs grows with customers as their compression alone does.

From 10,000 to 10,000,000 customers, the whole fit from the frame against `rfm_cells` of the same frame: the difference
is the search, over cells, of which a calendar has only so many.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.ltv.customers import Process, customers
from benchmarks.ltv.turns import OURS, Worker, rounds_in_turns

ROUNDS = 5
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MODELS: dict[Process, str] = {"bg_nbd": "BGNBD", "pareto_nbd": "ParetoNBD"}


def measure(rounds: int) -> list[Comparison]:
    lines = []
    for process, model in MODELS.items():
        with Worker(OURS) as ours:
            ours.load(customers(process, 2_000))
            ours.run(model)
            for data in (customers(process, size) for size in SIZES):
                ours.load(data)
                fits, compressions = rounds_in_turns([(ours, model), (ours, "rfm_cells")], rounds)
                cells = compressions[0].found["cells"]
                lines.append(
                    Comparison(
                        f"{model}, {data} in {cells:,.0f} cells",
                        "their compression alone",
                        tuple(done.took for done in fits),
                        tuple(done.took for done in compressions),
                    )
                )
    return lines


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
