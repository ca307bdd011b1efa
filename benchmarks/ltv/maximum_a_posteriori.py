"""Claim: BG/NBD of 100,000 customers is fitted 20 times as fast as pymc-marketing finds its maximum a posteriori.

Priors of the peer are flat, so that both maximise the same. Its fit builds a model, compiles it, and searches; three
lines tell them apart. First fit: of a process whose compiled code is nowhere yet, both sides without any warm-up.
Later fit: the compiled code is found on disk, the model is built again. Search alone: the seconds inside its
optimiser, with nothing around it, against our whole fit. The peer returns no errors of its parameters.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.ltv import peers
from benchmarks.ltv.customers import customers
from benchmarks.ltv.turns import OURS, Worker, require_same_optimum, rounds_in_turns

ROUNDS = 5
SIZE = 100_000
TASK = "BGNBD"
AT_LEAST = 20


def measure(rounds: int) -> list[Comparison]:
    data, peer = customers("bg_nbd", SIZE), peers.pymc_marketing()
    with ExitStack() as stack:
        pair = [stack.enter_context(Worker(side)) for side in (OURS, peer)]
        for worker in pair:
            worker.load(data)
        first = rounds_in_turns([(worker, TASK) for worker in pair], 1)
        later = rounds_in_turns([(worker, TASK) for worker in pair], rounds)
    for ours, theirs in zip(*later, strict=True):
        require_same_optimum(TASK, ours.found, peer.name, theirs.found, rtol=1e-3)
    what = f"{TASK}, {data}"
    took = [[tuple(done.took for done in way) for way in ways] for ways in (first, later)]
    search = tuple(Duration(done.parts["search"]) for done in later[1])
    return [
        Comparison(f"{what}, first fit", peer.name, *took[0], asked=1 / AT_LEAST),
        Comparison(f"{what}, later fit", peer.name, *took[1], asked=1 / AT_LEAST),
        Comparison(f"{what}, later fit", f"{peer.name}, search alone", took[1][0], search),
    ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
