"""`python -m benchmarks [NAME]... [--rounds N]`: all benchmarks, or those named, in one table."""

from __future__ import annotations

import argparse
import importlib
import sys

import benchmarks
import benchmarks.ltv
from benchmarks.comparison import Comparison, PeerMissingError, show

GROUPS = {"ltv": benchmarks.ltv.NAMES}


def main() -> None:
    names = (*benchmarks.NAMES, *GROUPS, *(name for group in GROUPS.values() for name in group))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="rounds of each; default: the benchmark's own number")
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
                found += module.measure(given.rounds or module.ROUNDS)
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
