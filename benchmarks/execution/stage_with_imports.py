"""Claim: a stage that imports pandas, scikit-learn and pyarrow takes a fifteenth of stock papermill's time, or less.

Both sides are programs that have imported papermill and call its API. Ours names the kernelspec and the engine
`nbdataops`; a standby kernel may be ready, as it is between the stages of a run.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.execution.one_notebook import as_fast_as_papermill

ROUNDS = 7
CELLS = (
    "import numpy as np\nimport pandas as pd\nimport pyarrow as pa\nfrom sklearn.linear_model import LinearRegression",
    "frame = pd.DataFrame({'x': np.arange(1000.0), 'y': np.arange(1000.0) * 2})",
    "model = LinearRegression().fit(frame[['x']], frame['y'])",
    "pa.Table.from_pandas(frame).num_rows",
)


def measure(rounds: int) -> list[Comparison]:
    return as_fast_as_papermill("one stage with imports", CELLS, rounds, at_least=15)


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
