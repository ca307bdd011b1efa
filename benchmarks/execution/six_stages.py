"""The same pipeline of six stages in three forms: notebooks for papermill, one Python script, a product.

A stage imports pandas, pyarrow and scikit-learn, reads the table of the stage before it, fits a line, and writes the
table with what the line says. Notebooks and script read and write Parquet; the product's stages read and write its
tables. The code between is the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.execution.sides import write_notebook

STAGES = 6
ROWS = 20_000
IMPORTS = "import numpy as np\nimport pandas as pd\nimport pyarrow as pa\nfrom sklearn.linear_model import LinearRegression"
FIT = (
    "columns = ['x1', 'x2', 'x3', 'x4', 'before']\n"
    "model = LinearRegression().fit(frame[columns], frame['y'])\n"
    "frame['before'] = np.round(model.predict(frame[columns]), 6)"
)
DECLARATION = """\
product: six-stages
metric:
  name: ltv
  entity: id
  population: {table: step6}
  value: revenue
  unit: EUR
  time_unit: week
  horizon: 4
  primary: methods/reading
as_of: 2026-01-31
sources:
  step0: {path: data/step0.parquet}
"""


def write_readings(path: Path) -> None:
    """The first table: four columns, and a fifth that depends on them; the same every time."""
    draw = np.random.default_rng(6)
    x = np.round(draw.normal(size=(ROWS, 4)), 6)
    y = np.round(x @ [1.0, -2.0, 0.5, 3.0] + draw.normal(size=ROWS), 6)
    frame = pd.DataFrame(x, columns=["x1", "x2", "x3", "x4"]).assign(y=y, before=0.0)
    frame.insert(0, "id", np.arange(ROWS))
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)


def write_notebooks(folder: Path) -> tuple[str, ...]:
    """Notebooks for papermill, in their order; what they read and write lies in the same folder."""
    write_readings(folder / "step0.parquet")
    return tuple(
        write_notebook(
            folder / f"step{number}.ipynb",
            [
                IMPORTS,
                f"frame = {_read(folder, number)}",
                FIT,
                f"frame.to_parquet({str(_table(folder, number))!r})",
            ],
        )
        for number in range(1, STAGES + 1)
    )


def write_script(folder: Path) -> Path:
    """One program with a function a stage."""
    write_readings(folder / "step0.parquet")
    functions = [
        [f"def step{n}():", f"    frame = {_read(folder, n)}", *_indented(FIT),
         f"    frame.to_parquet({str(_table(folder, n))!r})"]
        for n in range(1, STAGES + 1)
    ]  # fmt: skip
    calls = [f"step{number}()" for number in range(1, STAGES + 1)]
    path = folder / "pipeline.py"
    path.write_text("\n".join([IMPORTS, *(line for lines in functions for line in lines), *calls]) + "\n")
    return path


def write_product(root: Path) -> tuple[str, ...]:
    """A product's folder; returns the names of the six stages in their order.

    A product declares a method, too, which publishes its number. It is not among the six.
    """
    write_readings(root / "data" / "step0.parquet")
    (root / "dataproduct.yaml").write_text(DECLARATION)
    (root / "steps").mkdir()
    (root / "methods").mkdir()
    estimate = f'stage.estimate(stage.read("step{STAGES}", columns=["y"]).rename(columns={{"y": "value"}}), family="naive")'
    write_notebook(root / "methods" / "reading.ipynb", ["from nbdataops import stage", estimate])
    for number in range(1, STAGES + 1):
        read = (
            f'frame = stage.read("step{number - 1}", columns=["id", "x1", "x2", "x3", "x4", "y", "before"])'
        )
        write_notebook(
            root / "steps" / f"step{number}.ipynb",
            [
                f"{IMPORTS}\nfrom nbdataops import stage",
                read,
                FIT,
                f'stage.write("step{number}", frame, key="id")',
            ],
        )
    return tuple(f"steps/step{number}" for number in range(1, STAGES + 1))


def last_table(folder: Path) -> pd.DataFrame:
    """What the notebooks or the script of a folder came to."""
    return pd.read_parquet(_table(folder, STAGES))


def _read(folder: Path, number: int) -> str:
    return f"pd.read_parquet({str(_table(folder, number - 1))!r})"


def _table(folder: Path, number: int) -> Path:
    return folder / f"step{number}.parquet"


def _indented(source: str) -> Sequence[str]:
    return [f"    {line}" for line in source.splitlines()]
