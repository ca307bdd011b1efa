"""`python -m benchmarks [NAME]... [--rounds N] [--save FILE]`: all benchmarks, or those named, in one table."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import benchmarks
import benchmarks.execution
import benchmarks.ltv
from benchmarks.comparison import Comparison, PeerMissingError, show
from benchmarks.figures import Figures

GROUPS = {"execution": benchmarks.execution.NAMES, "ltv": benchmarks.ltv.NAMES}
PARTITIONS = "execution.partitions"


def main() -> None:
    names = (*benchmarks.NAMES, *GROUPS, *(name for group in GROUPS.values() for name in group))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="rounds of each; default: the benchmark's own number")
    parser.add_argument("--partitions", type=int, help=f"of {PARTITIONS}; default: its own number")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="put what is measured into this JSON file, too"
    )
    parser.add_argument(
        "--add", action="store_true", help="with --save: beside the rounds that the file has of the same"
    )
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(names))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(names)}")
    asked = given.names or benchmarks.NAMES
    found: list[Comparison] = []
    missing = []
    try:
        for name in (name for each in asked for name in GROUPS.get(each, (each,))):
            module = importlib.import_module(f"benchmarks.{name}")
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                sizes = {"partitions": given.partitions} if name == PARTITIONS and given.partitions else {}
                measured = module.measure(given.rounds or module.ROUNDS, **sizes)
                found += measured
                if given.save:  # at once: the next one may end this process
                    figures = Figures.read(given.save)
                    put = figures.with_rounds if given.add else figures.with_rows
                    put(name, measured).write(given.save)
            except PeerMissingError as error:
                print(f"{name} SKIPPED: {error}", file=sys.stderr, flush=True)
                missing.append(name)
    finally:  # what was measured before one of them ended is worth reading
        if found:
            show(found)
    if set(missing) & set(asked):
        sys.exit(1)


if __name__ == "__main__":
    main()
