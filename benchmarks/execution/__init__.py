"""Speed and memory of warm kernels against stock papermill and against ordinary kernels.

`python -m benchmarks execution` runs all of them, `python -m benchmarks execution.one_cell_notebook --rounds 9` one;
`make bench-execution` keeps what they measure in figures.json, of which docs/performance.md is made. Stock papermill
runs in an environment of its own, made under `.venv-peers/` from the list in `requirements/`. Each side is a process
that has imported everything and is told to work in turns; the seconds are those of its own clock. Commands are timed
from outside, from their start to their end.
"""

NAMES = (
    "execution.stage_with_imports",
    "execution.stage_parts",
    "execution.command_line",
    "execution.one_cell_notebook",
    "execution.many_cells",
    "execution.large_output",
    "execution.per_cell",
    "execution.pipeline",
    "execution.kernel_ready",
    "execution.kernel_memory",
    "no_op_run",
    "execution.partitions",
)
