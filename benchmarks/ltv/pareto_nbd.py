"""Claim: Pareto/NBD of 100,000 customers is fitted 50 times as fast as by lifetimes, at the same optimum.

The peer searches by Nelder-Mead without gradients and returns no errors of its parameters; ours do include them. Its
tolerance is looser than ours, so its optimum agrees to three digits.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.ltv import peers
from benchmarks.ltv.customers import customers
from benchmarks.ltv.turns import Fit, against_peer

ROUNDS = 3
SIZE = 100_000
TASK = "ParetoNBD"


def measure(rounds: int) -> list[Comparison]:
    data, small = customers("pareto_nbd", SIZE), customers("pareto_nbd", 2_000)
    return [
        against_peer(
            Fit(TASK, TASK),
            data,
            small,
            peers.lifetimes(),
            rounds,
            rtol=5e-3,
            at_least=50,
            with_memory=True,
        )
    ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
