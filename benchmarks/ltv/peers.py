"""The peers of nbdataops.ltv, each in an environment of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.ltv.turns import Side
from benchmarks.peer_environments import python_with

REQUIREMENTS = Path(__file__).parent / "requirements"


def lifetimes() -> Side:
    return Side("lifetimes 0.11.3", "lifetimes", python_with(REQUIREMENTS / "lifetimes.txt"))


def pymc_marketing() -> Side:
    return Side("pymc-marketing 0.19.2", "pymc_marketing", python_with(REQUIREMENTS / "pymc_marketing.txt"))
