"""`stage` as a notebook meets it: values of the scope, who may call, interactive sessions, what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nbdataops import stage
from nbdataops.errors import UsageError
from nbdataops.session.assignment import VARIABLE, Assignment
from nbdataops.session.current import forget
from nbdataops.session.scope import Scope
from tests.session.desk import Desk, answer


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(tmp_path, monkeypatch)
    made.assign()
    yield made
    forget()


def test_values_of_the_scope_are_typed(desk: Desk) -> None:
    assert desk.value("stage.as_of") == date(1997, 3, 31)
    assert type(desk.value("stage.as_of")) is date
    assert desk.value("stage.horizon") == 39


def test_until_belongs_to_outcomes(desk: Desk) -> None:
    with pytest.raises(UsageError, match="only where a notebook calls"):
        desk.value("stage.until")
    assert desk.value('hasattr(stage, "until")') is False

    desk.assign(scope=Scope(date(1997, 3, 31), 39, date(1997, 12, 29)))

    assert desk.value("stage.until") == date(1997, 12, 29)


def test_a_name_that_stage_has_not_is_an_attribute_error_that_helps(desk: Desk) -> None:
    with pytest.raises(AttributeError, match="stage has no 'raed': did you mean 'read'"):
        desk.value("stage.raed")
    with pytest.raises(AttributeError, match="did you mean 'as_of'"):
        desk.value("stage.asof")
    assert desk.value('hasattr(stage, "__wrapped__")') is False


CALLS = [
    'stage.read("rfm")',
    'stage.sql("select 1")',
    'stage.labelled("rfm", columns=[])',
    'stage.write("t", None, key="k")',
    'stage.estimate(None, family="x")',
    "stage.outcome(None)",
    'stage.evidence("x", bad=0, of=1)',
    "stage.validate()",
    'stage.secret("dsn")',
    'stage.here("x.ipynb")',
    "stage.as_of",
    "stage.horizon",
    "stage.until",
]


@pytest.mark.parametrize("call", CALLS)
def test_a_project_module_may_not_call_stage(desk: Desk, call: str) -> None:
    module = types.ModuleType("lib.features")
    exec(f"from nbdataops import stage\ndef feature():\n    return {call}", module.__dict__)

    with pytest.raises(UsageError, match=r"stage belongs to notebooks: stage\.\w+ was used in lib\.features"):
        desk.cell("feature()", feature=module.feature)
    assert not (desk.folder / "deposit").exists()


def test_functions_and_comprehensions_of_a_notebook_may(desk: Desk) -> None:
    made = desk.cell('def f():\n    return [len(stage.read(t)) for t in ["rfm"]]\nn = f()')

    assert made["n"] == [4]


def test_every_function_of_the_design_is_there_with_an_example() -> None:
    assert set(stage.__all__) == {
        "read",
        "sql",
        "labelled",
        "write",
        "estimate",
        "outcome",
        "evidence",
        "validate",
        "secret",
        "here",
    }
    without = [name for name in stage.__all__ if not getattr(stage, name).__doc__]
    assert without == []


def test_validate_marks_its_place_in_a_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Any, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options)))

    desk.cell("stage.validate()")

    ((data, options),) = shown
    assert set(data) == {"text/html", "text/plain"}
    assert "The evidence appears here when the study of this run exists" in data["text/plain"]
    assert options == {"raw": True, "metadata": {"nbdataops": {"validate": True}}}
    assert desk.record.validated


# --- interactive


class Opener:
    """Stands for `nbdataops.build.interactive`: opens sessions and counts them."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.asked = desk, []  # type: ignore[var-annotated]
        self.assignment = replace(
            desk.assignment,
            mode="interactive",
            messages={"rfm": "rfm: run 20261122-1, as of 1997-03-31"},
        )

    def open_session(self, notebook: Path | None, caller_globals: dict[str, Any]) -> tuple[Assignment, Path]:
        self.asked.append(notebook)
        scope = replace(self.assignment.scope, as_of=caller_globals.get("as_of", self.assignment.scope.as_of))
        parameters = {"as_of": scope.as_of}
        return replace(self.assignment, scope=scope, parameters=parameters), self.desk.folder / "dev"


@pytest.fixture
def opener(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Opener:
    made = Opener(desk)
    module = types.ModuleType("nbdataops.build.interactive")
    module.open_session = made.open_session  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nbdataops.build.interactive", module)
    monkeypatch.delenv(VARIABLE)
    forget()
    return made


def test_without_an_assignment_a_session_is_opened_once(desk: Desk, opener: Opener) -> None:
    desk.cell('stage.read("rfm")\nstage.read("purchases")\nstage.horizon')

    assert opener.asked == [None]


def test_each_interactive_read_says_where_its_data_came_from(
    desk: Desk, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.cell('stage.as_of\nstage.read("rfm")\nstage.read("purchases")\nstage.sql("select 1 from rfm")')

    assert capsys.readouterr().out.splitlines() == ["rfm: run 20261122-1, as of 1997-03-31"] * 2


def test_a_run_says_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.assign(messages={"rfm": "rfm: somewhere"})
    desk.cell('stage.read("rfm")')

    assert capsys.readouterr().out == ""


def test_a_changed_parameter_opens_the_session_anew(desk: Desk, opener: Opener) -> None:
    notebook = {"as_of": date(1997, 3, 31)}
    first = desk.value("stage.as_of", **notebook)
    again = desk.value("stage.as_of", **notebook)
    notebook["as_of"] = date(1997, 6, 30)
    moved = desk.value("stage.as_of", **notebook)

    assert (first, again, moved) == (date(1997, 3, 31), date(1997, 3, 31), date(1997, 6, 30))
    assert len(opener.asked) == 2


def test_a_table_that_was_not_there_is_looked_for_again(desk: Desk, opener: Opener) -> None:
    whole = opener.assignment
    opener.assignment = replace(whole, inputs={"rfm": desk.rfm})
    desk.cell('stage.read("rfm")')
    with pytest.raises(UsageError, match=r"stage\.read\('purchases'\) is not there"):
        desk.cell('stage.read("purchases")')

    opener.assignment = whole

    assert len(desk.value('stage.read("purchases")')) == 6


def test_here_fixes_the_notebook(desk: Desk, opener: Opener) -> None:
    desk.cell('stage.read("rfm")\nstage.here("methods/x.ipynb")\nstage.read("rfm")')

    assert opener.asked == [None, Path("methods/x.ipynb")]


def test_here_has_no_effect_in_a_run(desk: Desk) -> None:
    desk.cell('stage.read("rfm")\nstage.here("methods/x.ipynb")\nstage.read("rfm")')

    assert len(desk.record.reads) == 1


def test_what_an_earlier_kernel_wrote_stays(desk: Desk, opener: Opener) -> None:
    desk.cell('stage.write("t", f, key="customer_id")', f=answer())
    forget()
    desk.cell('stage.read("rfm")')

    record = json.loads((desk.folder / "dev" / "deposit.json").read_text())
    assert list(record["tables"]) == ["t"]
    assert [read["table"] for read in record["reads"]] == ["rfm"]


# --- what it imports


def imported(code: str, **environment: str) -> set[str]:
    """Top-level packages that a fresh interpreter has imported after running code."""
    ask = "import sys, json; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ask}"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_stage_costs_nothing() -> None:
    modules = imported("from nbdataops import stage")

    assert not modules & {
        "pandas",
        "numpy",
        "pyarrow",
        "duckdb",
        "xxhash",
        "IPython",
        "sqlalchemy",
        "pydantic",
        "yaml",
    }


def test_a_kernel_never_imports_what_only_a_runner_needs(desk: Desk) -> None:
    code = """
from nbdataops import stage
frame = stage.read("rfm", columns=[])
stage.sql("select count(*) as n from purchases where date <= $as_of")
stage.write("t", frame, key="customer_id")
stage.estimate(frame.assign(value=1.0, transactions=1.0), family="naive")
stage.evidence("x", bad=0, of=1)
"""
    modules = imported(code, **{VARIABLE: str(desk.folder / "assignment.json")})

    assert "pandas" in modules
    assert not modules & {
        "sqlalchemy",
        "pydantic",
        "yaml",
        "nbformat",
        "papermill",
        "nbclient",
        "jupyter_client",
    }
    assert desk.record.estimate is not None
