"""Speed claims of nbdataops, each against a peer or a floor in the same run.

`python -m benchmarks` runs all of them, `python -m benchmarks no_op_run --rounds 9` one of them with more rounds. Each
module states its claim in its docstring and is a script of its own, too: `python -m benchmarks.no_op_run`. They are
no tests and fail on no figure: a shared machine has no reliable seconds, only ratios of what ran in turns.

`python -m benchmarks ltv` runs those of `benchmarks.ltv`, which take longer and install peers; see there.
"""

NAMES = ("notebook_saves", "no_op_run", "snapshot_read", "refits")
