"""docs/validation.md is a contract: every kind, statistic, verdict and label is in it, and its figures are those of the code."""

from __future__ import annotations

import dataclasses
import math
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from nbdataops.product import spec
from nbdataops.validate.evidence import Verdict
from nbdataops.validate.judge import ratio_band
from nbdataops.validate.label import Label
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import KINDS, Z90, Measurement, State
from nbdataops.validate.pool import POWER
from nbdataops.validate.resample import LEVEL
from nbdataops.validate.study import COVERS
from tests.validate.sample_study import measurements

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "validation.md").read_text(encoding="utf-8")
PROSE = " ".join(TEXT.split())


def rows(head: str) -> dict[str, list[str]]:
    """The rows of the table that begins with a line, by the first word of their first cell."""
    body = re.search(rf"^{re.escape(head)}\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.M)[1]  # type: ignore[index]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()]
    return {first.strip("`").split("`")[0]: rest for first, *rest in cells}


EVIDENCE = rows("| code | kind | asks | against | statistics |")
STATISTICS = rows("| statistic | is | margin |")


@pytest.fixture(scope="module")
def measured() -> list[Measurement]:
    """What every kind of check measures in a small market."""
    return list(measurements(n=400, replicates=6))


def test_the_documented_kinds_are_those_of_the_code() -> None:
    assert {code: kind.strip("`") for code, (kind, *_) in EVIDENCE.items()} == {
        code: kind for kind, (code, _) in KINDS.items()
    }


def test_a_kind_has_the_documented_statistics_and_no_others(measured: list[Measurement]) -> None:
    documented = {code: set(re.findall(r"`(\w+)`", rest[-1])) for code, rest in EVIDENCE.items()}
    found: dict[str, set[str]] = {code: set() for code in documented}
    for m in measured:
        found[m.code] |= {m.statistic} - {""}

    assert found == documented
    assert set(STATISTICS) == set().union(*documented.values())


def test_levels_resamplings_states_verdicts_and_labels_are_named(measured: list[Measurement]) -> None:
    named = set(re.findall(r"`(\w+)`", TEXT))

    assert {m.level for m in measured} - {""} <= named
    assert {m.resampling for m in measured} | {"none"} <= named
    assert set(rows("| a check at an origin | and then |")) == set(State)
    assert set(rows("| verdict | when |")) == set(Verdict)
    assert set(rows("| label | says |")) == set(Label)


def test_every_margin_is_that_of_a_statistic_and_has_one_default() -> None:
    names = {field.name for field in dataclasses.fields(Margins)}
    documented = {name for _, margin in STATISTICS.values() for name in re.findall(r"`(\w+)`", margin)}

    assert documented == names
    assert spec.Margins().model_dump() == Margins().to_dict()


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    low, high = (100 * math.expm1(edge or 0.0) for edge in (ratio_band(0.10).low, ratio_band(0.10).high))

    assert (
        f"A margin of .10 on a ratio is symmetric in logarithms: allowed is {low:.1f} to {high:+.1f} percent"
        in PROSE
    )
    assert f"{Z90 + POWER:.2f} standard errors where there is one origin" in PROSE
    assert f"The interval is a {LEVEL:.0%} one".replace("%", " percent") in PROSE
    assert COVERS in PROSE


def test_the_declaration_of_the_page_is_one() -> None:
    declared: dict[str, Any] = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)[1])  # type: ignore[index]

    assert spec.Validation.model_validate(declared["validation"]).origins == 4


def test_the_picture_has_one_interval_for_each_verdict_and_is_the_scripts() -> None:
    script = runpy.run_path(str(DOCS / "img" / "verdicts.py"))
    drawn = script["draw"]()

    assert sorted(script["judged"](percent, se) for _, percent, se in script["CASES"]) == sorted(Verdict)
    assert (DOCS / "img" / "verdicts.svg").read_text(encoding="utf-8") == drawn, (
        "run: python docs/img/verdicts.py"
    )
