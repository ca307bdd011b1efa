"""Speed and memory of nbdataops.ltv against the libraries that practitioners use, and against one grouping in DuckDB.

`python -m benchmarks ltv` runs all of them, `python -m benchmarks ltv.bg_nbd ltv.imports --rounds 5` some. They are
not among what `python -m benchmarks` runs by default: they take a quarter of an hour, 5 GB each of memory and of disk
in the system's temporary folder, and environments with the peers, which they make under `.venv-peers/` from the lists
in `requirements/`.

Every side is a process of its own that holds the same Parquet file as a frame (`worker`), warms up, and is then told
to fit in turns; it reports the seconds by its own clock. A side that ends at another optimum ends the benchmark.
"""

NAMES = (
    "ltv.bg_nbd",
    "ltv.pareto_nbd",
    "ltv.maximum_a_posteriori",
    "ltv.ten_million",
    "ltv.bootstrap",
    "ltv.growth",
    "ltv.summary",
    "ltv.imports",
)
