"""Cells that are sent ahead are executed once, in order, and only after one that has succeeded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from nbdataops.build.engine_options import EngineOptions
from nbdataops.build.next_request import NextRequest
from nbdataops.build.saves import BoundedManager
from tests.kernel.conftest import alone, servers, warm
from tests.kernel.kernels import Servers, wait_for

__all__ = ["alone", "servers", "warm"]
OPTIONS = {"store_history": True, "stop_on_error": True}


class Client:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def execute(self, code: str, **options: Any) -> str:
        code.encode()
        self.sent.append(f"{code} {options}")
        return f"id {len(self.sent)}"


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_request_that_was_sent_is_not_sent_again(client: Client) -> None:
    request = NextRequest(client)
    first = client.execute("one", **OPTIONS)

    request.send("two")
    request.send("two")
    assert request.sent
    second = client.execute("two", **OPTIONS)

    assert (first, second) == ("id 1", "id 2")
    assert client.sent == [f"one {OPTIONS}", f"two {OPTIONS}"]
    assert not request.sent
    assert client.execute("two", **OPTIONS) == "id 3", "another cell with the same code"


@pytest.mark.parametrize(
    ("code", "given", "options"),
    [
        ("2", [], OPTIONS),
        ("two", [], {"store_history": False, "stop_on_error": True}),
        ("two", [True], OPTIONS),
    ],
)
def test_what_was_sent_cannot_be_changed(
    client: Client, code: str, given: list[Any], options: dict[str, Any]
) -> None:
    request = NextRequest(client)
    client.execute("one", **OPTIONS)
    request.send("two")

    with pytest.raises(RuntimeError, match="was changed"):
        client.execute(code, *given, **options)


def test_nothing_is_sent_in_a_way_that_is_not_known(client: Client) -> None:
    request = NextRequest(client)
    request.send("one")
    client.execute("one", cell_id="of a newer nbclient")
    request.send("two")

    assert client.sent == ["one {'cell_id': 'of a newer nbclient'}"]
    assert not request.sent


def test_code_that_cannot_be_sent_is_an_error_of_its_own_cell(client: Client) -> None:
    request = NextRequest(client)
    client.execute("one", **OPTIONS)

    request.send("\ud800")

    assert not request.sent
    with pytest.raises(UnicodeEncodeError):
        client.execute("\ud800", **OPTIONS)


# ---------------------------------------------------------------------- with kernels
def execute(path: Path, cells: list[Any], settings: dict[str, Any] | None = None, **options: Any) -> Any:
    """The notebook of these cells, executed by the engine with a warm kernel."""
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(new_notebook(cells=cells), path / "in.ipynb")
    engine = EngineOptions(**options)
    out = path / "out.ipynb"
    return papermill.execute_notebook(
        str(path / "in.ipynb"), str(out), engine_name="nbdataops", kernel_name="bare",
        progress_bar=False, nbdataops=engine, cwd=str(path), **(settings or {}),
    )  # fmt: skip


def papermills(cells: list[Any], what: str) -> list[Any]:
    return [cell["metadata"]["papermill"][what] for cell in cells]


def outputs(nb: Any) -> list[str]:
    return ["".join(o.get("text", "") for o in cell.get("outputs", [])) for cell in nb.cells]


@pytest.mark.kernel
@pytest.mark.parametrize(("due_s", "sent"), [(1.0, ["2", "3"]), (0.0, [])])
def test_no_cell_begins_before_what_is_to_be_saved_is_saved(
    warm: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, due_s: float, sent: list[str]
) -> None:
    codes: list[str] = []
    monkeypatch.setattr(NextRequest, "send", lambda self, code: codes.append(code))
    monkeypatch.setattr(BoundedManager, "due_s", due_s)

    execute(tmp_path, ["1", "2", "3"])

    assert codes == sent


@pytest.mark.kernel
@pytest.mark.parametrize("between", [["2"], ["2", new_markdown_cell("text")]], ids=["next", "after a text"])
def test_a_cell_that_had_begun_when_its_client_gave_up_has_failed(
    warm: Servers, tmp_path: Path, between: list[Any]
) -> None:
    def on_cell(done: int, total: int) -> None:
        if done == 2:
            wait_for((tmp_path / "begun").exists)
            raise KeyboardInterrupt

    out = tmp_path / "kept.ipynb"
    with pytest.raises(KeyboardInterrupt):
        execute(tmp_path, ["1", *between, "open('begun', 'w')", "4"], on_cell=on_cell, output=out)

    seen = json.loads(out.read_text())["cells"]
    assert papermills(seen, "status") == (
        ["completed"] * 2 + ["pending"] * (len(between) - 1) + ["failed", "pending"]
    )
    assert papermills(seen, "exception") == [False] * 2 + [None] * (len(between) - 1) + [True, None]


@pytest.mark.kernel
def test_what_a_client_answers_to_a_widget_is_known_in_the_next_cell(warm: Servers, tmp_path: Path) -> None:
    cells = [
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('inside')",
        "print(out.outputs)",
    ]

    assert "inside" in outputs(execute(tmp_path, [*cells, cells[1]]))[1]


@pytest.mark.kernel
def test_each_cell_is_executed_once_whatever_lies_between(warm: Servers, tmp_path: Path) -> None:
    def tagged(source: str, *tags: str) -> Any:
        return new_code_cell(source, metadata={"tags": list(tags)})

    def note(name: str) -> str:
        return f"open('order', 'a').write('{name} ');"

    cells = [
        note("a"),
        new_markdown_cell("between"),
        " \n",
        note("b"),
        tagged(note("skipped"), "skip-execution"),
        note("c"),
        tagged(note("d") + "1/0", "raises-exception"),
        tagged(note("e"), "raises-exception"),
        tagged(note("f") + "1/0", "raises-exception"),
        note("g"),
        note("h"),
        note("h"),
        note("i"),
    ]

    with pytest.raises(PapermillExecutionError):  # papermill tells of errors in the end, whatever is allowed
        execute(tmp_path, cells)

    assert (tmp_path / "order").read_text().split() == list("abcdefghhi")
    left = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    assert [c["execution_count"] for c in left if c.get("execution_count")] == list(range(1, 11))


@pytest.mark.kernel
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_nothing_is_executed_after_a_cell_that_fails(warm: Servers, tmp_path: Path, at: int) -> None:
    cells = [f"open('order', 'a').write('{n} ');" for n in range(8)]
    cells[at] += " 1/0"

    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        execute(tmp_path, cells)

    assert (tmp_path / "order").read_text().split() == [str(n) for n in range(at + 1)]


@pytest.mark.kernel
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_kernel_that_dies_takes_nothing_of_an_earlier_cell_with_it(
    warm: Servers, tmp_path: Path, at: int
) -> None:
    cells = [f"print({n})" for n in range(6)]
    cells[at] = "import os; os._exit(3)"

    with pytest.raises(DeadKernelError):
        execute(tmp_path, cells)

    left = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    statuses = papermills(left, "status")
    assert papermills(left, "exception")[at] is True
    printed = ["".join(o["text"][0] for o in cell["outputs"]) for cell in left]
    assert statuses == ["completed"] * at + ["failed"] + ["pending"] * (5 - at)
    assert printed == [f"{n}\n" for n in range(at)] + [""] * (6 - at)


@pytest.mark.kernel
@pytest.mark.parametrize("settings", [{"allow_errors": True}, {"on_cell_execute": lambda **about: None}])
def test_nothing_is_sent_ahead_where_somebody_has_a_say_in_what_is_next(
    warm: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    codes: list[str] = []
    monkeypatch.setattr(NextRequest, "send", lambda self, code: codes.append(code))

    execute(tmp_path, ["1", "2", "3"], settings=settings)

    assert codes == []


@pytest.mark.kernel
def test_a_cell_begins_while_the_client_is_busy_with_the_last_one_and_its_times_say_so(
    warm: Servers, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"

    def on_cell(done: int, total: int) -> None:
        if done == 1:
            wait_for(begun.exists)

    nb = execute(
        tmp_path,
        [
            "print(1)",
            new_markdown_cell("text"),
            "import time; open('begun', 'w').write(str(time.time())); print(3)",
        ],
        on_cell=on_cell,
    )

    assert outputs(nb) == ["1\n", "", "3\n"]
    first, _, last = (cell.metadata.papermill for cell in nb.cells)
    started = datetime.fromisoformat(last["start_time"])
    assert datetime.fromisoformat(first["start_time"]) <= started
    assert started <= datetime.fromtimestamp(float(begun.read_text()), UTC)
    assert last["duration"] == (datetime.fromisoformat(last["end_time"]) - started).total_seconds()
