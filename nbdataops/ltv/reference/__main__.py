"""`python -m nbdataops.ltv.reference`: recompute every published number and say which agree."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from nbdataops.ltv.reference.published import references
from nbdataops.ltv.reference.recompute import Recomputed, check

HEAD = ("model", "quantity", "published", "computed", "tolerance", "verdict", "source")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all numbers agree, 1 otherwise."""
    rows = references()
    models = sorted({r.model for r in rows if r.model})
    parser = argparse.ArgumentParser(
        prog="python -m nbdataops.ltv.reference",
        description="Recompute published numbers of lifetime value models. Exit code 0: all agree; 1: some do not.",
    )
    parser.add_argument("--model", choices=models, help="numbers of this model only")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    found = check(r for r in rows if options.model in (None, r.model))
    agree = sum(one.agrees for one in found)
    if options.json:
        print(json.dumps({"agree": agree, "of": len(found), "rows": [_as_json(one) for one in found]}))
    else:
        print("\n".join(_table(found)))
        print(f"\n{agree} of {len(found)} published numbers agree")
    return 0 if agree == len(found) else 1


def _cells(one: Recomputed) -> tuple[str, ...]:
    row = one.reference
    return (
        row.model or row.data,
        _quantity(one),
        row.printed,
        f"{one.computed:.9g}",
        f"{row.tolerance:.2g}",
        "agrees" if one.agrees else "DIFFERS",
        row.source if not one.failure else f"{row.source} [{one.failure.splitlines()[0]}]",
    )


def _quantity(one: Recomputed) -> str:
    """The quantity with its inputs, and the parameters where they are given."""
    row = one.reference
    parts = [row.quantity, *(f"{k}={v:.7g}" for k, v in row.inputs.items())]
    if row.parameters:
        parts.append("at " + ",".join(f"{v:g}" for v in row.parameters.values()))
    return " ".join(parts)


def _table(found: Sequence[Recomputed]) -> list[str]:
    lines = [HEAD, *(_cells(one) for one in found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD) - 1)]
    return ["  ".join([*map(str.ljust, line[:-1], widths), line[-1]]) for line in lines]


def _as_json(one: Recomputed) -> dict[str, Any]:
    row = one.reference
    return {
        "model": row.model,
        "data": row.data,
        "parameters": row.parameters,
        "quantity": row.quantity,
        "inputs": row.inputs,
        "published": row.value,
        "computed": one.computed if one.computed == one.computed else None,
        "tolerance": row.tolerance,
        "grounds": str(row.grounds),
        "agrees": one.agrees,
        "failure": one.failure or None,
        "source": row.source,
    }


if __name__ == "__main__":
    sys.exit(main())
