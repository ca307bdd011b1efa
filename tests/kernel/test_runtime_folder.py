"""The folder of sockets is this user's alone, and what is in it is found, recorded and removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbdataops.kernel.cold import KEPT, NotWarmError, record, recorded
from nbdataops.kernel.installed_state import InstalledState
from nbdataops.kernel.leftovers import sweep
from nbdataops.kernel.runtime_folder import connect, place, runtime_folder
from nbdataops.kernel.third_party import Installed


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the folder whose path is short enough for sockets, wherever the tests run."""
    short = Path(tempfile.mkdtemp(prefix="nbdk-"))
    monkeypatch.setenv("NBDATAOPS_KERNEL_DIR", str(short / "run"))
    yield short / "run"
    shutil.rmtree(short)


def test_it_is_made_for_this_user_alone(folder: Path) -> None:
    assert runtime_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_open_folder_is_not_used(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)

    with pytest.raises(NotWarmError, match="this user alone"):
        runtime_folder()


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(NotWarmError, match="this user alone"):
        runtime_folder()


def test_a_path_too_long_for_sockets_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDATAOPS_KERNEL_DIR", "/tmp/" + "x" * 100)

    with pytest.raises(NotWarmError, match="too long"):
        runtime_folder()


def test_the_sessions_folder_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBDATAOPS_KERNEL_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert place() == tmp_path / "nbdataops-kernels"

    monkeypatch.setenv("XDG_RUNTIME_DIR", "/there/is/none")
    assert place() == Path(f"/tmp/nbdataops-kernels-{os.geteuid()}")


def test_nobody_listening_is_none_and_no_error(folder: Path) -> None:
    runtime_folder()
    assert connect(folder / "none.sock") is None

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "dead.sock"))
    assert connect(folder / "dead.sock") is None


def test_a_socket_of_another_user_is_not_talked_to(folder: Path) -> None:
    """As whoever could write into the folder would try to pass for a server."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    runtime_folder()
    for opened in (folder.parent, folder):
        opened.chmod(0o777)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as impostor:
            impostor.bind(str(folder / "impostor.sock"))
            impostor.listen()
            os.write(writing, b"listening")
            impostor.accept()[0].recv(1)
        os._exit(0)
    try:
        assert os.read(reading, 9) == b"listening"

        with pytest.raises(NotWarmError, match="another user listens"):
            connect(folder / "impostor.sock")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_the_dead_are_swept_and_the_living_are_not(folder: Path) -> None:
    runtime_folder()
    with socket.socket(socket.AF_UNIX) as living, socket.socket(socket.AF_UNIX) as dead:
        living.bind(str(folder / "kalive-1"))
        living.listen()
        dead.bind(str(folder / "kdead-1"))
        dead.close()
        for name in ("held", "free"):
            for end in ("lock", "log"):
                (folder / f"{name}.{end}").touch()
        with (folder / "held.lock").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            sweep(folder)

    assert {p.name for p in folder.iterdir()} == {"kalive-1", "held.lock", "held.log"}


def test_cold_starts_are_remembered_up_to_a_number(tmp_path: Path) -> None:
    for number in range(3 * KEPT):
        record(tmp_path, f"reason {number} {'x' * 400}", "/here")
    kept = recorded(tmp_path)

    assert [start.reason.split()[1] for start in kept] == [str(n) for n in range(2 * KEPT, 3 * KEPT)]
    assert (tmp_path / "cold-starts.jsonl").stat().st_size < 3 * KEPT * 500
    assert [p.name for p in tmp_path.iterdir()] == ["cold-starts.jsonl"]


def test_a_line_that_cannot_be_read_and_a_folder_that_is_not_there_are_no_error(tmp_path: Path) -> None:
    record(tmp_path / "none", "reason", "/here")
    assert recorded(tmp_path / "none") == ()

    record(tmp_path, "good", "/here")
    with (tmp_path / "cold-starts.jsonl").open("a") as file:
        file.write("half a li")

    assert [start.reason for start in recorded(tmp_path)] == ["good"]


# ------------------------------------------------------------------ the state of what is installed
@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    (folder / "a-1.dist-info").mkdir(parents=True)
    (folder / "a-1.dist-info" / "RECORD").write_text("a.py,,\n")
    (folder / "a.pth").write_text("/x\n")
    return folder


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda p: (p / "a-1.dist-info" / "RECORD").write_text("a.py,,\nb.py,,\n"), "RECORD changed"),
        (lambda p: (p / "a.pth").write_text("/another\n"), "a.pth changed"),
        (lambda p: (p / "b.py").touch(), "b.py came or went"),
        (lambda p: (p / "a.pth").unlink(), "a.pth came or went"),
    ],
    ids=["upgraded", "path changed", "installed", "removed"],
)
def test_a_change_of_what_is_installed_is_seen_and_named(packages: Path, change: object, what: str) -> None:
    state = InstalledState.of(Installed((), (str(packages),)), [])
    assert state.difference() is None

    change(packages)  # type: ignore[operator]

    assert what in str(state.difference())


def test_compiled_files_are_no_change(packages: Path) -> None:
    state = InstalledState.of(Installed((), (str(packages),)), [])

    (packages / "__pycache__").mkdir()

    assert state.difference() is None


def test_the_file_of_a_loaded_module_is_watched(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    module = types.ModuleType("loaded_for_the_test")
    module.__file__ = str(packages / "loaded_for_the_test.py")
    Path(module.__file__).write_text("A = 1")
    monkeypatch.setitem(__import__("sys").modules, "loaded_for_the_test", module)
    state = InstalledState.of(Installed((), (str(packages),)), ["loaded_for_the_test"])
    assert state.difference() is None

    Path(module.__file__).write_text("A = 22")

    assert "loaded_for_the_test.py changed" in str(state.difference())


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("matplotlibrc", lambda path: path.write_text("lines.linewidth: 7.5")),
        ("stylelib/new.mplstyle", lambda path: path.write_text("lines.linewidth: 7.5")),
        ("stylelib/old.mplstyle", lambda path: path.write_text("lines.linewidth: 7.5")),
        ("fontlist-v1.json", lambda path: path.unlink()),
    ],
)
def test_settings_styles_and_fonts_of_matplotlib_are_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, change: Callable[[Path], object]
) -> None:
    import matplotlib

    for name in ("get_configdir", "get_cachedir"):
        monkeypatch.setattr(matplotlib, name, lambda: str(tmp_path))
    (tmp_path / "stylelib").mkdir()
    for name in ("stylelib/old.mplstyle", "fontlist-v1.json"):
        (tmp_path / name).touch()
    state = InstalledState.of(Installed((), ()), [])
    assert state.difference() is None

    change(tmp_path / path)

    assert str(tmp_path) in str(state.difference())
