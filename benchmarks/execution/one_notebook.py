"""One notebook, executed by papermill's API: with our kernel and engine, and by stock papermill."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import Comparison
from benchmarks.execution.outputs import require_same_text
from benchmarks.execution.sides import API, as_fast, both, servers, write_notebook


def as_fast_as_papermill(
    what: str, sources: Sequence[str], rounds: int, *, at_least: float, warm_up: Sequence[str] | None = None
) -> list[Comparison]:
    """The cells `sources` in turns, after `warm_up` (default: all of them); both must have printed the same."""
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        mine, other = (write_notebook(Path(folder) / f"{side}.ipynb", sources) for side in ("ours", "stock"))
        first = write_notebook(Path(folder) / "first.ipynb", sources if warm_up is None else warm_up)
        ours.does("notebook", path=first, kernel="nbdataops", engine="nbdataops")
        stock.does("notebook", path=first, kernel="python3")
        compared = as_fast(
            what,
            lambda: ours.does("notebook", path=mine, kernel="nbdataops", engine="nbdataops"),
            API,
            lambda: stock.does("notebook", path=other, kernel="python3"),
            rounds,
            at_least=at_least,
            warm_up=False,
        )
        require_same_text(mine, other)
        return [compared]
