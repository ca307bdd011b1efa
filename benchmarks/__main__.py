"""`python -m benchmarks [NAME]... [--rounds N]`: all benchmarks, or those named, in one table."""

from __future__ import annotations

import argparse
import importlib
import sys

import benchmarks
from benchmarks.comparison import Comparison, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(benchmarks.NAMES)}")
    parser.add_argument("--rounds", type=int, help="rounds of each; default: the benchmark's own number")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(benchmarks.NAMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks.NAMES)}")
    found: list[Comparison] = []
    for name in given.names or benchmarks.NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"{name} ...", file=sys.stderr, flush=True)
        found += module.measure(given.rounds or module.ROUNDS)
    show(found)


if __name__ == "__main__":
    main()
