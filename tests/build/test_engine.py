"""The papermill engine by itself: `papermill --engine nbdataops`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nbdataops.build import saves
from nbdataops.build.engine_options import EngineOptions
from nbdataops.build.streams import joined_streams
from tests.conftest import Notebook
from tests.kernel.kernels import wait_for

pytestmark = pytest.mark.kernel


def test_plain_papermill_can_use_the_engine(tmp_path: Path) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["print(n + 1)"], parameters="n: int = 1").path
    command = [sys.executable, "-m", "papermill", "--engine", "nbdataops", "-k", "python3", str(source)]

    done = subprocess.run(
        [*command, str(tmp_path / "out.ipynb"), "-p", "n", "41"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    out = json.loads((tmp_path / "out.ipynb").read_text())
    assert out["cells"][-1]["outputs"][0]["text"] == ["42\n"]


def test_a_notebook_is_not_written_twice_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import papermill

    written: list[int] = []
    write = saves.atomic_write

    def counted(path: Path, data: bytes) -> None:
        written.append(len(data))
        write(path, data)

    monkeypatch.setattr(saves, "atomic_write", counted)
    source = Notebook.write(tmp_path / "in.ipynb", ["1 + 1"] * 40).path

    options = EngineOptions(output=tmp_path / "out.ipynb", save_every_s=3600)
    papermill.execute_notebook(
        str(source),
        None,
        engine_name="nbdataops",
        kernel_name="python3",
        progress_bar=False,
        nbdataops=options,
    )

    assert len(written) == 1, "stock papermill writes 82 times"
    assert len(json.loads((tmp_path / "out.ipynb").read_text())["cells"]) == 40


def test_what_papermill_writes_itself_is_not_written_by_the_engine_too(tmp_path: Path) -> None:
    done = manager(output=str(tmp_path / "out.ipynb"))
    done.notebook_start()
    done.notebook_complete()

    assert not (tmp_path / "out.ipynb").exists()
    assert done.nb.metadata.papermill["duration"] >= 0


def test_what_a_kernel_printed_before_it_died_is_in_papermills_output(tmp_path: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    source = Notebook.write(tmp_path / "in.ipynb", ["print(6 * 7)", "import os; os._exit(3)"]).path
    out = tmp_path / "out.ipynb"

    with pytest.raises(DeadKernelError):
        papermill.execute_notebook(
            str(source), str(out), engine_name="nbdataops", kernel_name="python3", progress_bar=False
        )

    assert json.loads(out.read_text())["cells"][0]["outputs"][0]["text"] == ["42\n"]


def with_engine(source: Path, out: str, *words: str) -> list[str]:
    command = [sys.executable, "-m", "papermill", "--engine", "nbdataops", "-k", "python3", str(source), out]
    return [*command, *words]


def test_what_a_running_cell_has_printed_is_saved_before_it_ends(tmp_path: Path) -> None:
    source = Notebook.write(
        tmp_path / "in.ipynb", ["print('done')", "print('going on')\nimport time; time.sleep(600)"]
    ).path
    out = tmp_path / "out.ipynb"
    with subprocess.Popen(with_engine(source, "out.ipynb"), cwd=tmp_path) as running:
        try:
            wait_for(lambda: out.exists() and "going on\\n" in out.read_text())
        finally:
            running.terminate()

    cells = json.loads(out.read_text())["cells"]
    assert [c["metadata"]["papermill"]["status"] for c in cells] == ["completed", "running"]
    assert cells[0]["outputs"][0]["text"] == ["done\n"]


def test_an_output_that_cannot_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["open('ran', 'w').close()"]).path

    done = subprocess.run(
        with_engine(source, "nowhere/out.ipynb"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "output folder" in done.stderr
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "nowhere").exists()


def test_the_output_lies_where_papermill_was_started_whatever_folder_the_notebook_runs_in(
    tmp_path: Path,
) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["print('x')\nimport time; time.sleep(600)"]).path
    (tmp_path / "other").mkdir()
    command = with_engine(source, "out.ipynb", "--cwd", str(tmp_path / "other"))
    with subprocess.Popen(command, cwd=tmp_path) as running:
        try:
            wait_for((tmp_path / "out.ipynb").exists)
        finally:
            running.terminate()

    assert list((tmp_path / "other").iterdir()) == []


def test_where_no_kernel_starts_no_cell_is_said_to_have_run(tmp_path: Path) -> None:
    import papermill

    def fail() -> Any:
        raise RuntimeError("no kernel today")

    source = Notebook.write(tmp_path / "in.ipynb", ["1", "2"]).path
    options = EngineOptions(output=tmp_path / "out.ipynb", new_manager=fail)

    with pytest.raises(RuntimeError, match="no kernel today"):
        papermill.execute_notebook(
            str(source), None, engine_name="nbdataops", kernel_name="python3",
            progress_bar=False, nbdataops=options,
        )  # fmt: skip

    left = json.loads((tmp_path / "out.ipynb").read_text())
    assert [cell["metadata"]["papermill"]["status"] for cell in left["cells"]] == ["pending", "pending"]
    assert left["metadata"]["papermill"]["exception"] is True


def manager(seconds: float = 30, output: str | None = None, **options: Any) -> saves.BoundedManager:
    nb = new_notebook(cells=[new_code_cell("1")], metadata={"papermill": {}})
    return saves.BoundedManager(nb, EngineOptions(**options), seconds, output_path=output, progress_bar=False)


def test_papermills_autosave_says_how_often_and_whether_a_notebook_is_saved_while_a_cell_runs(
    tmp_path: Path,
) -> None:
    local = {seconds: manager(seconds, str(tmp_path / "out.ipynb")) for seconds in (0, 1, 30)}

    assert [m.saves_during_cells for m in local.values()] == [False, True, True]
    assert local[1].due_s <= 1 < local[30].due_s <= 2
    assert 1 < local[0].due_s <= 2
    assert 29 < manager(30, "s3://bucket/out.ipynb").due_s <= 30, "each save is an upload"


@pytest.mark.parametrize("kind", ["a link", "a hard link", "a file in a folder that is not there"])
def test_what_cannot_be_replaced_is_written_by_papermill_itself(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out.ipynb"
    (tmp_path / "real.ipynb").touch()
    if kind == "a link":
        out.symlink_to("real.ipynb")
    elif kind == "a hard link":
        out.hardlink_to(tmp_path / "real.ipynb")
    else:
        out = tmp_path / "nowhere" / "out.ipynb"
        with pytest.raises(FileNotFoundError):
            manager(output=str(out)).save(always=True)
        assert not out.parent.exists()
        return

    manager(output=str(out)).save(always=True)

    assert out.samefile(tmp_path / "real.ipynb")
    assert out.read_text().startswith("{")


def test_a_save_keeps_the_mode_of_the_file(tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    out.touch()
    out.chmod(0o640)

    manager(output=str(out)).save(always=True)

    assert (out.stat().st_mode & 0o777, out.read_text()[0]) == (0o640, "{")


def test_after_a_save_that_fails_the_next_one_waits_as_ever(tmp_path: Path) -> None:
    full = manager(output=str(tmp_path / "out.ipynb"))
    (tmp_path / "out.ipynb").mkdir()  # nothing can take its place

    with pytest.raises(OSError, match="out"):
        full.save(always=True)

    assert full.due_s > 1


def test_a_notebook_that_runs_where_an_error_is_handled_has_not_failed() -> None:
    try:
        raise ValueError("of another attempt")
    except ValueError:
        inside = manager()
        inside.notebook_start()
        [cell] = inside.nb.cells
        inside.cell_start(cell, 0)
        inside.cell_complete(cell, 0)
        inside.notebook_complete()

    assert cell.metadata.papermill["status"] == "completed"
    assert not inside.nb.metadata.papermill["exception"]


def test_a_cells_times_are_papermills_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from papermill.engines import NotebookExecutionManager

    clock = [datetime(2026, 11, 28, 12, 0, 0, 5, UTC)]
    monkeypatch.setattr(NotebookExecutionManager, "now", lambda self: clock[0])

    def about(kind: type[Any], *more: Any) -> dict[str, Any]:
        clock[0] = clock[0].replace(second=1)
        made = kind(new_notebook(cells=[new_code_cell("1")], metadata={"papermill": {}}), *more)
        made.notebook_start()
        made.cell_start(made.nb.cells[0], 0)
        clock[0] = clock[0].replace(second=3, microsecond=0)
        made.cell_complete(made.nb.cells[0], 0)
        clock[0] = clock[0].replace(microsecond=5)
        return dict(made.nb.cells[0].metadata.papermill)

    ours = about(saves.BoundedManager, EngineOptions())

    assert ours["duration"] == pytest.approx(1.999995)
    assert ours == about(NotebookExecutionManager)


def test_a_secret_in_two_pieces_of_what_a_running_cell_prints_is_not_saved() -> None:
    running = new_code_cell("1", outputs=[new_output("stream", text=text) for text in ("hun", "ter22\n")])
    nb = new_notebook(cells=[running])

    assert b"ter22" not in saves.notebook_bytes(nb, ("hunter22",))
    assert len(running.outputs) == 2, "the notebook itself goes on as it was"


def test_what_cells_show_is_kept_as_by_papermills_own_engine(tmp_path: Path) -> None:
    import papermill

    cells = [
        "import sys; print('a'); print('b', file=sys.stderr); print('c'); 6 * 7",
        (
            "from IPython.display import clear_output, display, update_display\n"
            "print('gone'); clear_output(wait=True); print('kept')"
        ),
        "handle = display('one', display_id=True); print('between'); handle.update('two')",
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('inside')\nout",
        "print('10 %\\r100 %')",
    ]
    source = Notebook.write(tmp_path / "in.ipynb", cells).path

    def shown(engine: str | None) -> list[Any]:
        out = papermill.execute_notebook(
            str(source), None, engine_name=engine, kernel_name="python3", progress_bar=False
        )
        outputs = [[dict(o) for o in joined_streams(c.outputs)] for c in out.cells]
        for o in outputs[3]:
            o.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)  # a fresh number each
        return outputs

    assert shown("nbdataops") == shown(None)


def test_all_output_is_kept_where_no_product_bounds_it(tmp_path: Path) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["print('x' * 6_000_000)"]).path

    subprocess.run(with_engine(source, "out.ipynb"), cwd=tmp_path, check=True)

    assert (tmp_path / "out.ipynb").stat().st_size > 6_000_000


@pytest.mark.parametrize(
    "settings",
    [
        {"iopub_timeout": 30},
        {"startup_timeout": 30},
        {"timeout": 30, "execution_timeout": 20},
        {"resources": {}},
    ],
    ids=str,
)
def test_the_settings_of_nbclient_that_papermill_takes_are_taken(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    import papermill

    source = Notebook.write(tmp_path / "in.ipynb", []).path

    papermill.execute_notebook(
        str(source), str(tmp_path / "out.ipynb"), engine_name="nbdataops", kernel_name="python3",
        progress_bar=False, **settings,
    )  # fmt: skip

    assert json.loads((tmp_path / "out.ipynb").read_text())["cells"] == []
