"""`nbdataops papermill` against papermill's own program: same words, same notebook, same exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nbdataops.cli import papermill as verb
from tests.conftest import REPOSITORY, Notebook

OURS = (sys.executable, "-m", "nbdataops", "papermill")
STOCK = (sys.executable, "-c", "from papermill.cli import papermill; papermill(prog_name='papermill')")
KERNEL = ("-k", "nbdataops")


def run(program: tuple[str, ...], *words: str, cwd: Path, typed: bytes | None = None) -> Any:
    """With the kernelspec of the checkout, its kernels started the ordinary way."""
    environment = os.environ | {"JUPYTER_PATH": str(REPOSITORY), "NBDATAOPS_KERNELS": "cold"}
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL} if typed is None else {"input": typed}
    return subprocess.run(
        [*program, *words], cwd=cwd, env=environment, capture_output=True, check=False, timeout=200, **streams
    )


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    Notebook.write(tmp_path / "in.ipynb", ["import sys\nprint(a + 1, file=sys.stderr)\na"], "a = 1")
    return tmp_path / "in.ipynb"


@pytest.mark.kernel  # none is started, but papermill is imported twice for each
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        (),
        ("--nope",),
        ("in.ipynb", "out.ipynb", "-p", "a"),
        ("in.ipynb", "--help-notebook"),
        ("in.ipynb", "out.ipynb", "-f", "missing.yaml"),
        ("in.ipynb", "prepared.ipynb", "--prepare-only", "-r", "a", "x"),
    ],
)
def test_what_executes_nothing_says_the_same(notebook: Path, words: tuple[str, ...]) -> None:
    ours, stock = (run(program, *words, cwd=notebook.parent) for program in (OURS, STOCK))

    assert ours.returncode == stock.returncode
    assert ours.stdout.replace(b"nbdataops papermill", b"papermill") == stock.stdout
    said, expected = (e.replace(b"nbdataops papermill", b"papermill") for e in (ours.stderr, stock.stderr))
    if b"Traceback" in expected:  # from where papermill was called: that is another place
        assert said.startswith(b"Traceback (most recent call last):\n")
        assert said[said.index(b"papermill/cli.py") :] == expected[expected.index(b"papermill/cli.py") :]
        assert b"nbdataops" not in said
    else:
        assert said == expected


def cells(notebook: bytes) -> list[tuple[str, Any]]:
    return [(c["source"], c.get("outputs")) for c in json.loads(notebook)["cells"]]


def papermills(said: bytes) -> list[bytes]:
    """Without what the kernel says, an ordinary one here: now and then that it was interrupted before it was killed."""
    return [line for line in said.splitlines() if not line.startswith(b"[IPKernelApp]")]


@pytest.mark.kernel
def test_the_notebook_is_executed_as_papermill_would(notebook: Path) -> None:
    words = ("-p", "a", "41", "--no-progress-bar")

    ours = run(OURS, "in.ipynb", "ours.ipynb", *words, cwd=notebook.parent)
    stock = run(STOCK, "in.ipynb", "stock.ipynb", *words, *KERNEL, cwd=notebook.parent)

    assert (ours.returncode, stock.returncode) == (0, 0), ours.stderr
    assert papermills(ours.stderr) == papermills(stock.stderr.replace(b"stock.ipynb", b"ours.ipynb"))
    made, expected = ((notebook.parent / name).read_bytes() for name in ("ours.ipynb", "stock.ipynb"))
    assert cells(made) == cells(expected)
    assert "42" in str(cells(made))


@pytest.mark.kernel
def test_a_notebook_comes_from_standard_input_and_goes_to_standard_output(notebook: Path) -> None:
    text = notebook.read_bytes()

    ours, stock = (run(p, "-", "-", *KERNEL, cwd=notebook.parent, typed=text) for p in (OURS, STOCK))
    implied = run(OURS, cwd=notebook.parent, typed=text)

    assert (ours.returncode, stock.returncode, implied.returncode) == (0, 0, 0), ours.stderr
    assert cells(ours.stdout) == cells(stock.stdout) == cells(implied.stdout)


@pytest.mark.kernel
@pytest.mark.parametrize(("source", "code"), [("1 / 0", 1), ("import os; os._exit(3)", 138)])
def test_a_notebook_that_fails_has_papermills_exit_code(notebook: Path, source: str, code: int) -> None:
    Notebook(notebook).append(source)

    ours, stock = (
        run(p, "in.ipynb", "out.ipynb", "--no-progress-bar", *KERNEL, cwd=notebook.parent)
        for p in (OURS, STOCK)
    )

    assert ours.returncode == stock.returncode == code
    assert ours.stderr.splitlines()[-1] == stock.stderr.splitlines()[-1]


@pytest.mark.kernel
def test_another_engine_is_taken_when_it_is_named(notebook: Path) -> None:
    done = run(OURS, "in.ipynb", "out.ipynb", "--engine", "steam", cwd=notebook.parent)

    assert done.returncode == 1
    assert b"No engine named 'steam' found" in done.stderr


@pytest.mark.parametrize(
    ("kernelspec", "named", "installed", "taken"),
    [
        ({"name": "python3", "language": "python"}, None, True, "nbdataops"),
        ({}, None, True, "nbdataops"),
        ({"name": "python3", "language": "python"}, None, False, "python3"),
        ({"name": "python3", "language": "python"}, "bare", True, "bare"),
        ({"name": "my-env", "language": "python"}, None, True, "my-env"),
        ({"name": "ir", "language": "R"}, None, True, "ir"),
    ],
)
def test_the_kernel_is_a_warm_one_unless_user_or_notebook_ask_for_another(
    monkeypatch: pytest.MonkeyPatch,
    kernelspec: dict[str, str],
    named: str | None,
    installed: bool,
    taken: str,
) -> None:
    monkeypatch.setattr(verb, "_is_installed", lambda: installed)
    metadata = {"kernelspec": kernelspec} if kernelspec else {}

    assert verb._WarmByDefault.nb_kernel_name(SimpleNamespace(metadata=metadata), named) == taken


def test_a_kernelspec_that_is_not_installed_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "NAME", "nbdataops-that-is-nowhere")

    assert not verb._is_installed()
    assert "nbdataops kernel install" in capsys.readouterr().err
