"""Claim: one notebook for 200 partitions with two workers takes an eighth of stock papermill's time, or less.

Either side is two processes that have imported papermill, each of which executes the notebook for every other
partition, which is a parameter. The notebook imports pandas, pyarrow and scikit-learn and fits the partition's rows.
Each round takes stock papermill minutes: `--partitions 20` makes a shorter trial.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.execution.outputs import printed
from benchmarks.execution.sides import Side, in_turns, ours_of, servers, stock_side, write_notebook

ROUNDS = 7
PARTITIONS = 200
WORKERS = 2
CELLS = (
    "partition = 0",
    "import numpy as np\nimport pandas as pd\nimport pyarrow as pa\nfrom sklearn.linear_model import LinearRegression",
    "x = np.arange(1000.0)\nframe = pd.DataFrame({'x': x, 'y': x * partition})",
    "model = LinearRegression().fit(frame[['x']], frame['y'])",
    "print(pa.Table.from_pandas(frame).num_rows, round(model.coef_[0]))",
)


def shared_out(
    sides: Sequence[Side], path: str, numbers: Sequence[int], kernel: str, engine: str | None
) -> Duration:
    """All workers of a side at once, until the last has done its share."""
    began = time.perf_counter()
    for first, side in enumerate(sides):
        share = list(numbers[first :: len(sides)])
        side.begin("partitions", path=path, numbers=share, kernel=kernel, engine=engine)
    for side in sides:
        side.answer()
    return Duration(time.perf_counter() - began)


def measure(rounds: int, partitions: int = PARTITIONS) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, ExitStack() as stack:
        ours = [stack.enter_context(ours_of(made)) for _ in range(WORKERS)]
        stock = [stack.enter_context(stock_side()) for _ in range(WORKERS)]
        mine, other = (_write(Path(folder) / f"{side}.ipynb") for side in ("ours", "stock"))

        def warm(numbers: Sequence[int]) -> Duration:
            return shared_out(ours, mine, numbers, "nbdataops", "nbdataops")

        def papermill(numbers: Sequence[int]) -> Duration:
            return shared_out(stock, other, numbers, "python3", None)

        everyone, numbers = range(WORKERS), range(partitions)
        in_turns((lambda: warm(everyone), lambda: papermill(everyone)), 1)
        took = in_turns((lambda: warm(numbers), lambda: papermill(numbers)), rounds)
        for number in numbers:
            for path in (mine, other):
                if "".join(printed(f"{path}.{number}.out")) != f"1000 {number}\n":
                    raise SystemExit(f"partition {number} is not right in {path}.{number}.out")
        what = f"{partitions} partitions, {WORKERS} workers"
        return [Comparison(what, f"papermill, {WORKERS} processes", *took, asked=1 / 8)]


def _write(path: Path) -> str:
    written = write_notebook(path, CELLS)
    content = json.loads(path.read_text())
    content["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(content))
    return written


def main() -> None:
    script(measure, ROUNDS, __doc__, partitions=PARTITIONS)


if __name__ == "__main__":
    main()
