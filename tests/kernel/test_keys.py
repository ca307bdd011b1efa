"""Which kernels may share a server: pure functions, no kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from nbdataops.kernel.circumstances import Handed, circumstances
from nbdataops.kernel.cold import NotWarmError
from nbdataops.kernel.environment_reads import different, read_at_load, watched
from nbdataops.kernel.server_key import KernelCommand, ServerKey

COMMAND = KernelCommand.of(["/env/bin/python", "-m", "ipykernel_launcher", "-f", "k.json", "--quiet"])
ENVIRONMENT = {"HOME": "/of/me", "PATH": "/bin", "LANG": "C.UTF-8", "MINE": "1"}


def name(
    command: KernelCommand = COMMAND,
    preload: Iterable[str] = ("numpy",),
    further: Iterable[str] = (),
    **variables: str,
) -> str:
    return ServerKey.of(command, preload, ENVIRONMENT | variables, further).name


@pytest.mark.parametrize(
    "variable",
    ["LD_PRELOAD", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONHASHSEED", "PYTHONPATH",
     "LC_ALL", "MALLOC_ARENA_MAX", "ARROW_DEFAULT_MEMORY_POOL", "NUMPY_MADVISE_HUGEPAGE", "OPENSSL_CONF", "HOME",
     "MPLBACKEND"],
)  # fmt: skip
def test_a_variable_that_is_read_at_load_makes_another_server(variable: str) -> None:
    assert name(**{variable: "other"}) != name()


@pytest.mark.parametrize(
    "variable", ["MINE", "PATH", "NBDATAOPS_ASSIGNMENT", "JPY_SESSION_NAME", "TZ", "PWD"]
)
def test_a_variable_that_a_kernel_can_be_given_does_not(variable: str) -> None:
    assert name(**{variable: "other"}) == name()


def test_a_preloaded_packages_own_variables_count() -> None:
    assert name(preload=["polars.io"], POLARS_MAX_THREADS="2") != name(preload=["polars.io"])
    assert name(POLARS_MAX_THREADS="2") == name()


def test_a_stages_assignment_does_not_although_nbdataops_is_preloaded() -> None:
    preload = ["nbdataops.stage"]

    assert name(preload=preload, NBDATAOPS_ASSIGNMENT="/run/1") == name(preload=preload)


def test_a_variable_that_a_server_said_it_had_read_counts_set_or_not() -> None:
    assert name(further=["MINE"], MINE="2") != name(further=["MINE"])
    assert len({name(further=["UNSET"]), name(further=["UNSET"], UNSET=""), name()}) == 3


def test_interpreter_flags_and_list_make_another_server() -> None:
    other = KernelCommand.of(["/env/bin/python3", "-m", "ipykernel_launcher", "-f", "k.json"])
    flagged = KernelCommand.of(["/env/bin/python", "-X", "dev", "-m", "ipykernel_launcher", "-f", "k.json"])

    assert len({name(), name(other), name(flagged), name(preload=["numpy", "pandas"])}) == 4


def test_another_name_of_the_same_interpreter_does_not(tmp_path: Path) -> None:
    there = [tmp_path / name for name in ("python3", "python", "python3.11")]
    there[0].touch()
    for link in there[1:]:
        link.symlink_to("python3")
    (tmp_path / "pypy").touch()

    names = [
        name(KernelCommand.of([str(path), "-m", "ipykernel_launcher", "-f", "k.json"]))
        for path in (*there, tmp_path / "pypy")
    ]

    assert names[0] == names[1] == names[2] != names[3]


def test_the_connection_file_and_further_arguments_do_not() -> None:
    other = KernelCommand.of(["/env/bin/python", "-m", "ipykernel_launcher", "--quiet", "-f", "other.json"])

    assert name(other) == name()
    assert other.connection_file == Path("other.json")
    assert other.further == COMMAND.further == ("--quiet",)


@pytest.mark.parametrize(
    "words",
    [["python"], ["julia", "kernel.jl"], ["python", "-c", "pass"], ["python", "-m", "xeus"]],
)
def test_a_command_of_another_kind_is_not_warm(words: list[str]) -> None:
    with pytest.raises(NotWarmError):
        KernelCommand.of(words)


def test_a_command_without_a_connection_file_is_not_warm() -> None:
    with pytest.raises(NotWarmError):
        _ = KernelCommand.of(["python", "-m", "ipykernel_launcher", "-f"]).connection_file


def test_an_empty_backend_is_the_inline_one() -> None:
    assert read_at_load({"MPLBACKEND": ""}, []) == read_at_load({}, [])
    assert different({"MPLBACKEND"}, {}, {"MPLBACKEND": ""}) == ()


def test_reads_of_the_environment_are_seen_whatever_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    before = type(os.environ)

    with watched() as names:
        seen = (os.environ["A"], os.environ.get("B"), os.getenv("C"), "D" in os.environ)

    assert seen == ("1", None, None, False)
    assert names == {"A", "B", "C", "D"}
    assert type(os.environ) is before


def test_a_read_after_the_watch_is_not_seen() -> None:
    with watched() as names:
        pass
    os.environ.get("LATER")

    assert names == set()


def test_circumstances_change_with_what_a_process_cannot_hand_over() -> None:
    import json
    import subprocess

    code = (
        "import json, os, resource\nfrom nbdataops.kernel.circumstances import circumstances\n"
        "before = dict(circumstances())\nos.nice(1)\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))\n"
        "after = dict(circumstances())\n"
        "print(json.dumps(sorted(n for n in after if after[n] != before.get(n))))"
    )
    changed = json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )

    assert {"nice", "limit STACK"} <= set(changed)
    assert ("affinity" in changed) == (len(os.sched_getaffinity(0)) > 1)
    assert circumstances() == circumstances()


def test_the_mask_is_read_without_changing_it() -> None:
    before = os.umask(0o037)
    try:
        assert Handed.of_this_process().umask == 0o037
    finally:
        os.umask(before)
