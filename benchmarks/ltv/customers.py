"""Customers with known parameters in Parquet files, drawn in a process of its own so that its memory is not measured.

Day grain, weeks as the unit, 27 to 39 weeks since the first purchase (12 weeks of acquisition), purchases and leaving
as BG/NBD, MBG/NBD or Pareto/NBD have it at the optimum published for CDNOW, spend as Gamma-Gamma. Columns: `x` int16,
`t_x`, `T` and `spend` float64. The same kind, size and seed are the same customers.

`python -m benchmarks.ltv.customers bg_nbd 1000000 FILE` writes one file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

ROOT = Path(__file__).parent.parent.parent
Process: TypeAlias = Literal["bg_nbd", "mbg_nbd", "pareto_nbd"]
TRUTH: dict[Process, dict[str, float]] = {
    "bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "pareto_nbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}
SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.44}
SEED = 20240501
CHUNK = 500_000


@dataclass(frozen=True, slots=True)
class Customers:
    """A file of so many customers."""

    file: Path
    process: Process
    size: int

    def __str__(self) -> str:
        return f"{self.size:,} customers"


@cache
def customers(process: Process, size: int) -> Customers:
    """The file with these customers, written once a process and removed at its end."""
    file = Path(_folder().name) / f"{process}-{size}.parquet"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.ltv.customers", process, str(size), str(file)],
        cwd=ROOT,
        check=True,
    )
    return Customers(file, process, size)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="customers-")


def main() -> None:
    # late: who only wants a file needs no numpy
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.ltv.draws import draw

    process, size, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    sizes = [min(CHUNK, size - start) for start in range(0, size, CHUNK)]
    writer = None
    for stream, rows in zip(np.random.SeedSequence(SEED).spawn(len(sizes)), sizes, strict=True):
        table = pa.table(draw(process, rows, np.random.default_rng(stream)))  # type: ignore[arg-type]
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


if __name__ == "__main__":
    main()
