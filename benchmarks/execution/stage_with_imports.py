"""Claim: a stage that imports pandas, scikit-learn and pyarrow takes a fifteenth of stock papermill's time, or less.

Both sides are programs that have imported papermill and call its API. Ours names the kernelspec and the engine
`nbdataops`; a standby kernel may be ready, as it is between the stages of a run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, script
from benchmarks.execution.sides import API, as_fast, both, servers, write_notebook

ROUNDS = 7
CELLS = (
    "import numpy as np\nimport pandas as pd\nimport pyarrow as pa\nfrom sklearn.linear_model import LinearRegression",
    "frame = pd.DataFrame({'x': np.arange(1000.0), 'y': np.arange(1000.0) * 2})",
    "model = LinearRegression().fit(frame[['x']], frame['y'])",
    "pa.Table.from_pandas(frame).num_rows",
)


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        path = write_notebook(Path(folder) / "stage.ipynb", CELLS)
        return [
            as_fast(
                "one stage with imports",
                lambda: ours.does("notebook", path=path, kernel="nbdataops", engine="nbdataops"),
                API,
                lambda: stock.does("notebook", path=path, kernel="python3"),
                rounds,
                at_least=15,
            )
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
