"""Published results as data: what a right implementation must reproduce, how closely, and who says so.

`published.csv` holds one number a row:

- `model`: a class of nbdataops.ltv; empty: the number is about the data themselves.
- `data`: a name in `datasets`; empty where none is needed.
- `parameters`: of the model; empty: it is fitted to the data.
- `quantity` and its `inputs`, see `quantities`. An input may be a fraction: t_x=216/7 is 216 days in weeks.
- `value`: as the source prints it. `tolerance`: the largest absolute difference that agrees. `source`.
- `grounds`: why that tolerance, one of `Grounds`. No tolerance is what we happen to reach: the tests derive each from
  the digits that were printed, and fail where the table is wider.

A number that only agrees with what this package computes is not here: each was seen at its source, or is a published
formula evaluated, or maximised, in 30-digit arithmetic. Left out on purpose: conditional expectations of BTYDplus for k > 1,
which are an approximation by its own account (ours are exact); expected spend in the README of CLVTools, which does not
print its Gamma-Gamma parameters; fits to data that cannot be shipped (so BG/CNBD-k has no row); GGompertz/NBD, which is
not in this package.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib import resources


class Grounds(StrEnum):
    """Why a tolerance is what it is."""

    EXACT = "exact"
    """A count: no tolerance."""
    DIGITS = "digits"
    """Half a unit of the last printed digit."""
    PARAMETERS = "parameters"
    """As `DIGITS`, and the parameters are printed rounded too: plus what half a unit of each can change, added up."""
    SEARCH = "search"
    """More digits are printed than the source's search for the maximum settled: a thousandth of the value for Pareto/NBD,
    whose likelihood is flat (CLVTools compares itself that closely), a ten-thousandth for BG/NBD."""
    SERIES = "series"
    """The source adds up 150 terms of a series (Hardie's spreadsheet): what the remaining ones add."""
    DOUBLE = "double"
    """All digits of a double are printed; 1e-12 of the value for the rounding of two different computations."""
    FORMULA = "formula"
    """A published formula in 30-digit arithmetic; 1e-9 of the value, as this package promises."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One published number. `parameters` and `inputs` map names to numbers; `printed` is `value` as it was printed."""

    model: str
    data: str
    parameters: dict[str, float]
    quantity: str
    inputs: dict[str, float]
    printed: str
    tolerance: float
    grounds: Grounds
    source: str

    @property
    def value(self) -> float:
        return float(self.printed)

    def agrees(self, computed: float) -> bool:
        """True if `computed` is the published value within its tolerance; never for NaN."""
        return bool(abs(computed - self.value) <= self.tolerance)

    def __str__(self) -> str:
        inside = " ".join(f"{name}={value:g}" for name, value in self.inputs.items())
        return " ".join(part for part in (self.model or self.data, self.quantity, inside) if part)


@cache
def references() -> tuple[Reference, ...]:
    """All published numbers, in the order of the file."""
    text = resources.files("nbdataops.ltv.reference").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(
        Reference(
            model=row["model"],
            data=row["data"],
            parameters=_named(row["parameters"]),
            quantity=row["quantity"],
            inputs=_named(row["inputs"]),
            printed=row["value"],
            tolerance=float(row["tolerance"]),
            grounds=Grounds(row["grounds"]),
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def _named(text: str) -> dict[str, float]:
    return {name: _number(value) for name, _, value in (part.partition("=") for part in text.split())}


def _number(text: str) -> float:
    """A number or a ratio of two: 216/7."""
    above, _, below = text.partition("/")
    return float(Fraction(above) / Fraction(below or "1"))
