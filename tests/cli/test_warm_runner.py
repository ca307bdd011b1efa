"""Commands that a fork server runs: they say, return and leave what the same commands do in a process of their own."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
from pathlib import Path

import pytest

from nbdataops.cli.warm_runner import PRELOAD
from nbdataops.kernel.cold import recorded
from nbdataops.kernel.status import statuses
from tests.cli.warm_commands import Commands, nbdataops
from tests.conftest import REPOSITORY, Notebook
from tests.kernel.commands import run
from tests.kernel.conftest import alone, servers
from tests.kernel.environments import Environment
from tests.kernel.kernels import Servers, wait_for

__all__ = ["alone", "nbdataops", "servers"]
pytestmark = pytest.mark.kernel
COLD = {"NBDATAOPS_RUNNER": "cold"}


def untimed(text: str) -> str:
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    return re.sub(r"\d+(\.\d+)? s\b", "N s", text)


def test_what_is_built_is_what_an_ordinary_command_builds(nbdataops: Commands, blank: Path) -> None:
    other = shutil.copytree(blank, blank.parent / "other" / "my-ltv")
    before = nbdataops.served()

    warm = nbdataops("build", "methods/rate", "--json", cwd=blank)
    cold = nbdataops("build", "methods/rate", "--json", cwd=other, env=COLD)

    assert nbdataops.served() == before + 1
    assert (warm.returncode, untimed(warm.stderr)) == (cold.returncode, untimed(cold.stderr))
    stages = [
        [{k: v for k, v in s.items() if k != "seconds"} for s in json.loads(done.stdout)["stages"]]
        for done in (warm, cold)
    ]
    assert stages[0] == stages[1]
    kept = [sorted(p.name for p in (root / ".nbdataops").iterdir()) for root in (blank, other)]
    assert kept[0] == kept[1], "the ledger is closed as ever"


def test_the_main_job_and_the_look_that_finds_nothing_to_do(nbdataops: Commands, blank: Path) -> None:
    before = nbdataops.served()

    first, second = (nbdataops("run", "--json", cwd=blank) for _ in range(2))
    cold = nbdataops("run", "--json", cwd=blank, env=COLD)

    assert first.returncode == 0, first.stderr
    assert nbdataops.served() == before + 1, "the witness answers before any server is asked"
    assert second.stderr == "nothing to do: nothing changed since the last run\n"
    assert (cold.stdout, cold.stderr) == (second.stdout, second.stderr)


def test_a_stage_that_fails_is_told_in_the_same_words(nbdataops: Commands, blank: Path) -> None:
    Notebook(blank / "methods" / "rate.ipynb").append("1 / 0")
    other = shutil.copytree(blank, blank.parent / "other" / "my-ltv")

    warm = nbdataops("build", "methods/rate", cwd=blank)
    cold = nbdataops("build", "methods/rate", cwd=other, env=COLD)

    assert warm.returncode == cold.returncode == 1
    assert "ZeroDivisionError" in warm.stderr + warm.stdout
    assert untimed(warm.stderr) == untimed(cold.stderr)
    assert untimed(warm.stdout) == untimed(cold.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ("build", "--nope"),
        ("build", "--horizon", "0", "--json"),
        ("run", "--as-of", "1997-13-01"),
        ("validate", "--product", "/nowhere"),
        ("plan", "-p", "horizont", "13"),
        ("report",),
        ("papermill",),
        ("papermill", "--nope"),
        ("papermill", "--version"),
        ("papermill", "missing.ipynb", "out.ipynb"),
    ],
)
def test_errors_and_what_takes_no_time_are_the_same(
    nbdataops: Commands, blank: Path, words: tuple[str, ...]
) -> None:
    before = nbdataops.served()

    warm, cold = (nbdataops(*words, cwd=blank, env=env) for env in ({}, COLD))

    assert nbdataops.served() == before + 1
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


def test_it_does_not_matter_how_the_program_is_called(nbdataops: Commands, blank: Path) -> None:
    before = nbdataops.served()

    module = nbdataops("plan", cwd=blank, command=[sys.executable, "-m", "nbdataops"])
    cold = nbdataops("plan", cwd=blank, command=[sys.executable, "-m", "nbdataops"], env=COLD)

    assert nbdataops.served() == before + 1
    assert module.stdout == cold.stdout


@pytest.mark.parametrize("switch", ["NBDATAOPS_RUNNER", "NBDATAOPS_KERNELS"])
def test_a_switch_turns_it_off(nbdataops: Commands, blank: Path, switch: str) -> None:
    before = nbdataops.served()

    done = nbdataops("plan", cwd=blank, env={switch: "cold"})

    assert done.returncode == 0
    assert nbdataops.served() == before


def test_everything_that_a_build_imports_of_packages_is_there_before(
    nbdataops: Commands, blank: Path
) -> None:
    source = (
        "import json, sys\nbefore = set(sys.modules)\nfrom nbdataops.cli.commands import run_command\n"
        "sys.argv = ['nbdataops', 'build', 'methods/rate']\nassert run_command() == 0\n"
        "late = [n for n in set(sys.modules) - before"
        " if 'site-packages' in (getattr(sys.modules[n], '__file__', None) or '')]\n"
        "print(json.dumps(sorted(late)))"
    )
    before = nbdataops.served()

    _, out, error = run(nbdataops.servers, source, cwd=blank, env={"WARM": " ".join(PRELOAD)})

    assert nbdataops.served() == before + 1
    assert json.loads(out.splitlines()[-1]) == [], error.decode()


# ------------------------------------------------------------------ when no server is started
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("build", "--help"),
        ("plan",),
        ("status",),
        ("build", "--nope"),
        ("papermill", "missing.ipynb", "out.ipynb"),
        ("papermill", "--help"),
    ],
)
def test_a_command_that_executes_nothing_starts_no_server(
    alone: Servers, blank: Path, words: tuple[str, ...]
) -> None:
    Commands(alone)(*words, cwd=blank)

    assert not alone.folder.exists()


@pytest.mark.parametrize("folder", ["a file", "open to others", "too long"])
def test_without_a_safe_folder_a_command_runs_as_ever(
    nbdataops: Commands, blank: Path, tmp_path: Path, folder: str
) -> None:
    place = tmp_path / ("x" * 120 if folder == "too long" else "x")
    if folder == "a file":
        place.write_text("")
    else:
        place.mkdir(mode=0o755)

    done = nbdataops("build", "prepare/customers", cwd=blank, env={"NBDATAOPS_KERNEL_DIR": str(place)})

    assert done.returncode == 0, done.stderr
    assert not place.is_dir() or [p.name for p in place.iterdir()] in ([], ["cold-starts.jsonl"])


def test_a_command_that_is_refused_runs_as_ever_and_the_reason_is_on_record(
    alone: Servers, blank: Path
) -> None:
    """Where the server would be somebody listens, hears the request, and hangs up."""
    commands = Commands(alone)
    assert commands("build", "prepare/customers", cwd=blank).returncode == 0
    server = wait_for(lambda: commands.server)
    alone.stop()
    mute = socket.socket(socket.AF_UNIX)
    mute.bind(str(alone.folder / server["socket"]))
    mute.listen()

    def hang_up() -> None:
        connection, _ = mute.accept()
        with connection:
            connection.recv(1)

    thread = threading.Thread(target=hang_up)
    thread.start()
    done = commands("plan", cwd=blank)
    thread.join()
    mute.close()
    (alone.folder / server["socket"]).unlink()

    assert done.returncode == 0
    last = recorded(alone.folder)[-1]
    assert last.reason.startswith(
        "runner: the fork server "
    )  # it did not answer, or hung up while it was asked
    assert last.cwd == str(blank)


def test_stop_ends_a_server_that_is_still_loading(alone: Servers, blank: Path) -> None:
    commands = Commands(alone)

    assert commands("build", "prepare/customers", cwd=blank).returncode == 0
    of_kernels = {Path(s["socket"]).stem for s in statuses(alone.folder) if s["serves"] == "kernels"}
    [lock] = wait_for(
        lambda: [p for p in alone.folder.glob("*.lock") if p.read_text() and p.stem not in of_kernels]
    )
    said = commands("kernel", "stop", "--json", cwd=blank)

    assert json.loads(said.stdout)["servers"] == 2
    assert not lock.exists()
    assert alone.left() == []


# ------------------------------------------------------------------ never stale
@pytest.mark.parametrize("where", ["a checkout", "an installed package"])
def test_an_edit_of_nbdataops_is_seen_by_the_very_next_command(
    alone: Servers, blank: Path, tmp_path: Path, where: str
) -> None:
    made = Environment(tmp_path / "venv", alone)
    packages = made.packages if where == "an installed package" else tmp_path / "checkout"
    ours = shutil.copytree(
        REPOSITORY / "nbdataops", packages / "nbdataops", ignore=shutil.ignore_patterns("__pycache__")
    )
    borrowed = (made.packages / "borrowed.pth").read_text().replace(str(REPOSITORY) + "\n", "")
    (made.packages / "borrowed.pth").write_text(f"{packages}\n{borrowed}")
    commands = Commands(alone)
    python = [tmp_path / "venv" / "bin" / "python", "-m", "nbdataops"]

    def build() -> str:
        done = commands(
            "build", "prepare/customers", "--force", "prepare/customers", cwd=blank, command=python
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    build()
    assert wait_for(lambda: commands.server), recorded(alone.folder)
    build()
    assert commands.served() == 1
    source = ours / "cli" / "progress.py"
    source.write_text(source.read_text().replace('return f"plan: ', 'return f"edited plan: '))

    edited = build()

    assert "edited plan: " in edited
    served = commands.server or {"forks": 0}
    assert served["forks"] == (2 if where == "a checkout" else 0)
