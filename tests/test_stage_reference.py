"""docs/stage.md is a contract: every call with its signature, every role and value, and examples that are what it says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from nbdataops import stage
from nbdataops.errors import NotebookError
from nbdataops.product.declared import SCOPE_NAMES, NotebookStage, Role
from nbdataops.product.notebook import read_notebook
from nbdataops.session.into import KINDS
from tests.conftest import Notebook

TEXT = (Path(__file__).parent.parent / "docs" / "stage.md").read_text(encoding="utf-8")
CALLS = dict(re.findall(r"^### `stage\.(\w+)`\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S))
FUNCTIONS = [
    name
    for name, function in inspect.getmembers(stage, inspect.isfunction)
    if not name.startswith("_") and function.__module__ == stage.__name__
]
PARAMETERS = "from datetime import date\nweeks: int = 13\n"


def table(head: str) -> list[tuple[str, str]]:
    """The rows of the tables that begin with a line, as (first cell, second cell)."""
    found = re.findall(rf"^{re.escape(head)}\n\|---\|---\|\n((?:\|.*\n)+)", TEXT, re.M)
    rows = [line.strip("|").split("|") for body in found for line in body.splitlines()]
    return [(left.strip(), right.strip()) for left, right in rows]


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]  # type: ignore[index]


def read(folder: Path, code: str, parameters: str = PARAMETERS) -> NotebookStage | None:
    path = folder / "methods" / "mine.ipynb"
    Notebook.write(path, ["from nbdataops import stage", code.replace("; ", "\n")], parameters)
    return read_notebook(folder, path)


def test_every_public_name_is_documented_and_no_other() -> None:
    values = {name for name, _ in table("| value | is |")}

    assert set(CALLS) == set(FUNCTIONS) == set(stage.__all__)
    assert values == {f"`stage.{name}`" for name in SCOPE_NAMES}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_signature_is_that_of_the_function(name: str) -> None:
    (written,) = re.findall(r"^```python\nstage\.(.*)\n```", CALLS[name], re.M)
    made: dict[str, Any] = {}
    exec(f"from __future__ import annotations\ndef {written}: ...", made)

    assert inspect.signature(made[name]) == inspect.signature(getattr(stage, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_call_says_what_it_records(name: str) -> None:
    assert re.search(r"^- Records: ", CALLS[name], re.M)
    assert name == "here" or re.search(r"^- Errors: ", CALLS[name], re.M)


def test_every_role_and_every_kind_of_frame_is_named() -> None:
    roles = {name for line in TEXT.splitlines() for name in re.findall(r"^\| `(\w+)` \| .* \| .* \|$", line)}

    assert roles == set(get_args(Role))
    assert all(f"`{kind}`" in CALLS["read"] for kind in KINDS)


def test_the_first_example_is_a_method(tmp_path: Path) -> None:
    code = re.search(r"A method, for example:\n\n```python\n(.*?)```", TEXT, re.S)[1]  # type: ignore[index]
    path = Notebook.write(tmp_path / "rate.ipynb", [code]).path

    found = read_notebook(tmp_path, path)

    assert found is not None
    assert (found.role, found.family) == ("method", "rate")


@pytest.mark.parametrize("example", [example for _, example in table("| argument | example |")])
def test_an_argument_that_is_documented_is_understood(tmp_path: Path, example: str) -> None:
    found = read(tmp_path, example.strip("`"))

    assert found is not None
    assert {use.table for use in (*found.reads, *found.labelled)} == {"rfm"}


REFUSED = re.findall(
    r"^\| `(.*)` \| (.*) \|$", section("What is read from the text").split("| refused |")[1], re.M
)


@pytest.mark.parametrize(("example", "because"), REFUSED)
def test_a_use_that_is_documented_as_refused_is_refused_with_these_words(
    tmp_path: Path, example: str, because: str
) -> None:
    with pytest.raises(NotebookError) as error:
        read(tmp_path, example)

    assert because in str(error.value)
    assert error.value.where is not None
    assert error.value.where.cell is not None


def test_the_parameters_cell_of_the_page_is_one(tmp_path: Path) -> None:
    cell = re.search(r"^```python parameters\n(.*?)^```", TEXT, re.M | re.S)[1]  # type: ignore[index]

    found = read(tmp_path, 'stage.read("rfm")', cell)

    assert found is not None
    assert [p.name for p in found.parameters] == re.findall(r"^(\w+)(?=:| =)", cell, re.M)


@pytest.mark.parametrize(
    ("example", "because"),
    re.findall(r"^\| `(.*)` \| (.*) \|$", section("The parameters cell"), re.M),
)
def test_a_parameter_that_is_documented_as_refused_is_refused_with_these_words(
    tmp_path: Path, example: str, because: str
) -> None:
    with pytest.raises(NotebookError, match=re.escape(because)):
        read(tmp_path, 'stage.read("rfm")', f"from datetime import date\n{example}\n")


def test_the_tables_of_refused_uses_are_not_empty() -> None:
    assert len(REFUSED) > 10
    assert len(table("| refused | because |")) > len(REFUSED)
