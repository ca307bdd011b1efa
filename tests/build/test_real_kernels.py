"""What ends how, with real kernels: the right state, exit code and a readable error, and nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.build.execution import NodeRun
from nbdataops.build.nodes import State
from nbdataops.errors import ExitCode, LeaseError
from nbdataops.kernel.status import statuses
from nbdataops.workspace import Options, open_product
from tests.conftest import Notebook

pytestmark = pytest.mark.kernel

VIEW = "views/plot"


def view(root: Path, *cells: str, parameters: str | None = None) -> Notebook:
    """A notebook that publishes nothing, with these cells."""
    first = 'from nbdataops import stage\norders = stage.read("orders", columns=["amount"])'
    return Notebook.write(root / f"{VIEW}.ipynb", [first, *cells], parameters)


def build(root: Path, **options: Any) -> NodeRun:
    report = open_product(root).build([VIEW], Options(**options))
    (node,) = report.execution.nodes
    return node


def executed(root: Path, node: NodeRun) -> dict[str, Any]:
    folder = root / ".nbdataops" / "runs"
    (path,) = folder.glob(f"*/notebooks/{node.node.id.replace('/', '--')}.ipynb")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def limits(root: Path, **seconds: int) -> None:
    spec = root / "dataproduct.yaml"
    shown = ", ".join(f"{k}: {v}" for k, v in seconds.items())
    spec.write_text(spec.read_text() + f"execution: {{{shown}}}\n")


def test_an_error_names_cell_and_line_and_shows_the_traceback(blank: Path) -> None:
    view(blank, "x = 1", "y = 2\nz = x / 0")

    node = build(blank)

    assert node.state is State.FAILED
    assert node.error is not None
    assert node.error.where is not None
    assert node.error.what == "ZeroDivisionError: division by zero"
    assert (node.error.where.cell, node.error.where.line) == (3, 2)
    assert "z = x / 0" in node.error.detail
    statuses = [c["metadata"]["papermill"]["status"] for c in executed(blank, node)["cells"]]
    assert statuses == ["completed", "completed", "failed"]


def test_cells_are_counted_as_in_the_file_though_papermill_injects_one(blank: Path) -> None:
    view(blank, "1 / 0", parameters="horizon: int = 13")

    node = build(blank)

    assert node.error is not None
    assert node.error.where is not None
    assert node.error.where.cell == 3


def test_parameters_arrive_as_the_type_that_the_notebook_annotates(blank: Path) -> None:
    declared = (
        "from datetime import date\nfrom typing import Literal\n"
        "as_of: date = date(2000, 1, 1)\nhorizon: int = 1\nrate: float = 1\nname: str = ''\n"
        "kinds: list[str] = []\nway: Literal['up', 'down'] = 'up'\nlimit: int | None = 3"
    )
    check = (
        "assert (as_of, horizon) == (date(2026, 1, 4), 13), (as_of, horizon)\n"
        "assert type(rate) is float and rate == 2.0\n"
        "assert name == 'a\"b\\'c\\n{x}' and kinds == ['p', 'q'] and way == 'down' and limit is None"
    )
    view(blank, check, parameters=declared)

    overrides = {"rate": 2.0, "name": "a\"b'c\n{x}", "kinds": ["p", "q"], "way": "down", "limit": None}
    node = build(blank, parameters=overrides)

    assert node.error is None


def test_a_cell_that_never_ends_is_stopped_at_its_timeout(blank: Path) -> None:
    limits(blank, cell_timeout_s=2)
    view(blank, "import time\nwhile True:\n    time.sleep(0.1)")

    node = build(blank)

    assert node.state is State.TIMED_OUT
    assert node.error is not None
    assert node.error.exit_code is ExitCode.INFRASTRUCTURE
    assert node.error.where is not None
    assert node.error.where.cell == 2
    assert "cell_timeout_s" in node.error.todo
    assert kernels_of(blank) == []


def test_a_stage_that_takes_too_long_is_stopped_with_all_it_started(blank: Path, tmp_path: Path) -> None:
    view(blank)
    assert build(blank).state is State.SUCCEEDED  # now the fork server is there, which takes its time to load
    limits(blank, stage_timeout_s=6)
    pid = tmp_path / "pid"
    child = f"import subprocess, time\np = subprocess.Popen(['sleep', '300'])\nopen({str(pid)!r}, 'w').write(str(p.pid))"
    view(blank, child, "time.sleep(300)")

    node = build(blank)

    assert node.state is State.TIMED_OUT
    assert kernels_of(blank) == []
    assert not psutil.pid_exists(int(pid.read_text())) or (
        psutil.Process(int(pid.read_text())).status() == psutil.STATUS_ZOMBIE
    )


def test_a_killed_kernel_is_infrastructure_and_names_the_cell(blank: Path) -> None:
    view(blank, "x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    node = build(blank)

    assert node.state is State.FAILED
    assert node.error is not None
    assert node.error.exit_code is ExitCode.INFRASTRUCTURE
    assert "kernel died" in node.error.what
    assert node.error.where is not None
    assert node.error.where.cell == 3


def test_printed_megabytes_are_capped_with_a_notice(blank: Path) -> None:
    limits(blank, output_limit_mb=1)
    view(blank, "for _ in range(300):\n    print('x' * 100_000)", "print('after')")

    node = build(blank)

    assert node.state is State.SUCCEEDED
    text = json.dumps(executed(blank, node))
    assert len(text) < 2_000_000
    assert "further output is not kept" in text


def test_one_long_printed_line_costs_nothing_and_progress_bars_end_as_one_line(blank: Path) -> None:
    limits(blank, cell_timeout_s=20, stage_timeout_s=60)
    view(
        blank,
        "print('x' * 2_000_000)",
        "for n in range(3):\n    print(n, end='\\r', flush=True)\nprint('done')",
    )

    node = build(blank)

    assert node.state is State.SUCCEEDED
    texts = ["".join(o["text"]) for c in executed(blank, node)["cells"] for o in c.get("outputs", [])]
    assert texts == ["x" * 2_000_000 + "\n", "done\n"]


def test_a_failed_stage_publishes_nothing_and_what_does_not_need_it_is_finished(blank: Path) -> None:
    Notebook(blank / "methods" / "rate.ipynb").append("raise RuntimeError('after the estimate')")

    report = open_product(blank).build(options=Options(keep_going=True))

    states = {n.node.stage: n.state for n in report.execution.nodes if n.node.scope.as_of == report.as_of}
    assert states["methods/rate"] is State.FAILED
    assert states["methods/average"] is State.SUCCEEDED
    assert report.exit_code is ExitCode.STAGE_FAILED
    assert not [r for r in open_product(blank).journal.results() if r.stage == "methods/rate"]


def test_an_output_that_is_declared_but_not_written_fails_the_stage(blank: Path) -> None:
    notebook = Notebook(blank / "prepare" / "customers.ipynb")
    notebook.replace('stage.write("customers"', 'if False:\n    stage.write("customers"')

    report = open_product(blank).build()

    failed = [n for n in report.execution.failures if n.node.stage == "prepare/customers"]
    assert failed
    assert "without writing customers" in failed[0].error.what


def test_secrets_are_redacted_wherever_a_notebook_prints_them(
    blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_DSN", "postgresql://me:hunter22@host")
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text() + "secrets: {dsn: {env: MY_DSN}}\n")
    view(blank, 'dsn = stage.secret("dsn")\nprint(str(dsn))', "raise RuntimeError(str(dsn))")

    node = build(blank)

    assert node.error is not None
    written = "".join(
        p.read_text(errors="replace") for p in (blank / ".nbdataops" / "runs").rglob("*.*") if p.is_file()
    )
    assert "hunter22" not in written + json.dumps(node.error.to_dict())
    assert "[secret]" in written


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_cancels_the_run_and_leaves_no_kernel(blank: Path, number: int, code: int) -> None:
    view(blank, "import time\ntime.sleep(300)")
    command = [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    family = wait_for(lambda: kernels_of(blank))

    process.send_signal(number)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert json.loads(out)["error"]["code"] == "cancelled"
    assert wait_for(lambda: not [p for p in family if alive(p)])
    status = open_product(blank).status()
    assert status.runs[0]["state"] == "cancelled"
    assert {n["state"] for n in status.nodes} == {"cancelled"}


def test_a_run_whose_terminal_is_closed_ends_as_cancelled_though_it_can_tell_nobody(blank: Path) -> None:
    view(blank, "import time\ntime.sleep(300)")
    command = [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank)]
    terminal, inside = os.openpty()
    process = subprocess.Popen(
        command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
        env=os.environ | {"NBDATAOPS_RUNNER": "cold"}, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(inside)
    family = wait_for(lambda: kernels_of(blank))

    os.close(terminal)

    assert process.wait(60) == 129
    assert wait_for(lambda: not [p for p in family if alive(p)])
    status = open_product(blank).status()
    assert (status.runs[0]["state"], {n["state"] for n in status.nodes}) == ("cancelled", {"cancelled"})


def test_a_run_under_nohup_goes_on_when_its_terminal_is_closed(blank: Path) -> None:
    notebook = view(blank, "from pathlib import Path\nPath('begun').touch()\nPath('go').open().read()")
    os.mkfifo(blank / "go")
    process = subprocess.Popen(
        [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"NBDATAOPS_RUNNER": "cold"}, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert wait_for((blank / "begun").exists), notebook

    process.send_signal(signal.SIGHUP)
    (blank / "go").write_text("on")
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert open_product(blank).status().runs[0]["state"] == "succeeded"


def test_what_a_cell_prints_can_be_followed_while_it_runs_and_is_in_the_notebook_at_the_end(
    blank: Path,
) -> None:
    view(blank, "import time\nprint('epoch 1', flush=True)\ntime.sleep(300)")
    command = [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    notebooks = blank / ".nbdataops" / "runs"

    def log() -> str:
        return "".join(path.read_text() for path in notebooks.glob("*/notebooks/*.log"))

    try:
        assert wait_for(lambda: log().endswith("epoch 1\n")), log()
        assert "cell 2 of 2" in log()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)

    assert list(notebooks.rglob("*.log")) == []
    (written,) = notebooks.rglob("*.ipynb")
    assert json.loads(written.read_text())["cells"][1]["outputs"][0]["text"] == ["epoch 1\n"]


def test_two_runs_at_once_on_one_product_are_refused(blank: Path) -> None:
    view(blank, "import time\ntime.sleep(300)")
    command = [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: kernels_of(blank))

        with pytest.raises(LeaseError) as refused:
            open_product(blank).build()

        assert str(process.pid) in refused.value.what
        assert refused.value.exit_code is ExitCode.INFRASTRUCTURE
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_a_runner_that_was_killed_is_lost_and_the_next_run_takes_over(blank: Path) -> None:
    notebook = view(blank, "import time\ntime.sleep(300)")
    command = [sys.executable, "-m", "nbdataops", "build", VIEW, "--product", str(blank)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = wait_for(lambda: kernels_of(blank))
    process.kill()
    process.wait()
    notebook.replace("time.sleep(300)", "time.sleep(0)")

    node = build(blank)

    runs = open_product(blank).status().runs
    assert node.state is State.SUCCEEDED
    assert [r["state"] for r in runs] == ["succeeded", "lost"]
    assert wait_for(lambda: not [p for p in family if alive(p)]), "a kernel outlived its runner"


def test_the_memory_that_a_kernel_took_at_its_peak_is_remembered(blank: Path) -> None:
    taken = 200_000_000
    view(blank, f"x = b'1' * {taken}", "del x")

    node = build(blank)

    product = open_product(blank)
    peak = product.journal.peaks().of(node.node.id, node.node.stage)
    assert peak is not None
    assert taken < peak < taken + 400_000_000


def test_independent_stages_run_at_the_same_time(blank: Path, tmp_path: Path) -> None:
    """Each waits for the other's mark: one after the other they would wait for ever."""
    for mine, other in (("one", "two"), ("two", "one")):
        wait = (
            "import pathlib, time\n"
            f"pathlib.Path({str(tmp_path / mine)!r}).touch()\n"
            f"while not pathlib.Path({str(tmp_path / other)!r}).exists():\n    time.sleep(0.02)"
        )
        first = 'from nbdataops import stage\nstage.read("orders", columns=["amount"])'
        Notebook.write(blank / "views" / f"{mine}.ipynb", [first, wait])
    limits(blank, stage_timeout_s=60)
    report = open_product(blank).build(["views/one", "views/two"], Options(jobs=2))

    assert report.exit_code is ExitCode.OK


def kernels_of(root: Path) -> list[psutil.Process]:
    """Kernels whose folder is this product's, forked ones and ordinary ones."""
    folder = Path(os.environ["NBDATAOPS_KERNEL_DIR"])
    pids = [
        k["pid"] for server in statuses(folder) for k in server.get("kernels", ()) if k["cwd"] == str(root)
    ]
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            ordinary = "ipykernel_launcher" in " ".join(process.cmdline()) and process.cwd() == str(root)
            if ordinary or process.pid in pids:
                found.append(process)
    return found


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(found: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Poll until `found` gives something true; that, or what it gave last."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not (value := found()) and time.monotonic() < deadline:
        pause.wait(0.05)
    return value
