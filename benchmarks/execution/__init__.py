"""Speed and memory of warm kernels against stock papermill and against ordinary kernels.

`python -m benchmarks execution` runs all of them, `python -m benchmarks execution.one_cell_notebook --rounds 9` one.
Stock papermill runs in an environment of its own, made under `.venv-peers/` from the list in `requirements/`. Each
side is a process that has imported everything and is told to work in turns; the seconds are those of its own clock.
`python -m benchmarks.execution.kernel_memory` compares memory, and prints its own table.
"""

NAMES = ("execution.stage_with_imports", "execution.one_cell_notebook", "execution.kernel_ready")
