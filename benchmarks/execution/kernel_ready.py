"""Claim: a kernel is ready in a twentieth of a cold start's time from standby, and in a fifth by a fork.

Ready means that it has answered: `start_kernel` and `wait_for_ready` of jupyter_client, on either side.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.execution.sides import as_fast, both, servers

ROUNDS = 11
COLD = "a cold start"


def measure(rounds: int) -> list[Comparison]:
    with servers() as made, both(made) as (ours, stock):

        def standby() -> Duration:
            made.wait_for_standby()
            return ours.does("ready", kernel="nbdataops")

        def fork() -> Duration:
            return ours.does("ready", kernel="forked")

        def cold() -> Duration:
            return stock.does("ready", kernel="python3")

        ours.does("ready", kernel="nbdataops")  # the server loads, and forks the first standby
        # One after the other: in turns a fork would be given the standby kernel.
        return [
            as_fast("a kernel from standby", standby, COLD, cold, rounds, at_least=20),
            as_fast("a kernel by a fork", fork, COLD, cold, rounds, at_least=5),
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
