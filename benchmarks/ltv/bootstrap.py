"""Claim: 200 refits of ten million customers are seconds, since customers are drawn as counts of cells.

Each refit draws Poisson counts of the cells and finds the optimum of its own. Against them stands one first fit of the
same customers from the frame; the refits start from such a fit and its cells, which are made before.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.ltv.customers import Process, customers
from benchmarks.ltv.turns import OURS, Worker, rounds_in_turns

ROUNDS = 3
SIZE = 10_000_000
MODELS: dict[Process, str] = {"bg_nbd": "BGNBD", "pareto_nbd": "ParetoNBD"}


def measure(rounds: int) -> list[Comparison]:
    lines = []
    for process, model in MODELS.items():
        data = customers(process, SIZE)
        with Worker(OURS) as ours:
            ours.load(data)
            ours.run(f"ready for refits of {model}")
            refits, fits = rounds_in_turns([(ours, f"200 refits of {model}"), (ours, model)], rounds)
        lines.append(
            Comparison(
                f"200 refits of {model}, {data}",
                "one first fit",
                tuple(done.took for done in refits),
                tuple(done.took for done in fits),
            )
        )
    return lines


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
