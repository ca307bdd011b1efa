"""With a watch, nothing is compared while nothing happens, and every change is seen that is seen without one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbdataops.kernel import disk_watch, file_system, installed_state
from nbdataops.kernel.disk_watch import DiskWatch
from nbdataops.kernel.inotify import Inotify
from nbdataops.kernel.installed_state import InstalledState
from nbdataops.kernel.third_party import Installed
from nbdataops.kernel.watched_state import ALARMS, SWITCH, WatchedState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
NFS = 0x6969


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a distribution, .pth files, and loaded modules: one linked, one with another hard link."""
    packages = tmp_path / "env" / "lib" / "site-packages"
    (packages / "a-1.dist-info").mkdir(parents=True)
    (packages / "a-1.dist-info" / "RECORD").write_text("a.py,,\n")
    (packages / "a.pth").write_text(f"{tmp_path}/not/yet/there\n")
    (packages / "a" / "deep").mkdir(parents=True)
    (packages / "a" / "deep" / "one.py").write_text("A = 1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "two.py").write_text("A = 1")
    (packages / "a" / "linked").symlink_to("../../../../elsewhere")
    (tmp_path / "cache").write_text("A = 1")
    (packages / "a" / "three.py").hardlink_to(tmp_path / "cache")
    for name in ("deep/one", "linked/two", "three"):
        module = types.ModuleType("loaded_for_the_test")
        module.__file__ = str(packages / "a" / f"{name}.py")
        monkeypatch.setitem(sys.modules, f"loaded_for_the_test_{Path(name).name}", module)
    return tmp_path / "env"


def read(env: Path) -> InstalledState:
    loaded = [name for name in sys.modules if name.startswith("loaded_for_the_test_")]
    return InstalledState.of(Installed((), (str(env / "lib" / "site-packages"),)), loaded)


@pytest.fixture
def states() -> Iterator[Callable[[InstalledState], WatchedState]]:
    """Watched states whose descriptors are closed at the end."""
    made: list[WatchedState] = []

    def one(state: InstalledState, watch: bool = True) -> WatchedState:
        made.append(WatchedState(state, watch))
        return made[-1]

    yield one
    for state in made:
        state.close()


Watched = Callable[..., WatchedState]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that are looked at from now on."""
    seen: list[str] = []
    stamp = installed_state.stamp

    def noted(path: str) -> installed_state.Stamp:
        seen.append(path)
        return stamp(path)

    monkeypatch.setattr(installed_state, "stamp", noted)
    return seen


def replaced(folder: Path) -> None:
    """Rename a folder away, and a copy to its place."""
    shutil.copytree(folder, folder.with_name("copy"), symlinks=True)
    folder.rename(folder.with_name("before"))
    folder.with_name("copy").rename(folder)


def saved(file: Path) -> None:
    """As editors do: another file takes the name."""
    file.with_name("new").write_text("A = 22")
    file.with_name("new").replace(file)


def switched(link: Path, target: Path) -> None:
    link.unlink()
    link.symlink_to(target)


CHANGES: dict[str, Callable[[Path], object]] = {
    "upgraded": lambda p: (p / "a-1.dist-info" / "RECORD").write_text("a.py,,\nb.py,,\n"),
    "a .pth changed": lambda p: (p / "a.pth").write_text("/another\n"),
    "a .pth added": lambda p: (p / "b.pth").touch(),
    "a .pth removed": lambda p: (p / "a.pth").unlink(),
    "installed": lambda p: (p / "b").mkdir(),
    "edited in place": lambda p: (p / "a" / "deep" / "one.py").write_text("A = 22"),
    "saved by an editor": lambda p: saved(p / "a" / "deep" / "one.py"),
    "touched": lambda p: os.utime(p / "a" / "deep" / "one.py", (1, 1)),
    "appended": lambda p: (p / "a" / "deep" / "one.py").open("a").write(" "),
    "a folder replaced": lambda p: replaced(p / "a"),
    "a folder above replaced": lambda p: replaced(p.parent.parent),
    "a folder removed": lambda p: shutil.rmtree(p / "a"),
    "all removed": lambda p: shutil.rmtree(p.parent.parent),
    "edited behind a link": lambda p: (p.parents[2] / "elsewhere" / "two.py").write_text("A = 22"),
    "replaced behind a link": lambda p: replaced(p.parents[2] / "elsewhere"),
    "a link switched": lambda p: switched(p / "a" / "linked", p / "a" / "deep"),
    "edited by another name": lambda p: (p.parents[2] / "cache").write_text("A = 22"),
    "a folder of the path appeared": lambda p: (p.parents[2] / "not" / "yet" / "there").mkdir(parents=True),
}


@pytest.mark.parametrize("watch", [True, False], ids=["watched", "compared"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_is_seen(
    env: Path, states: Watched, change: Callable[[Path], object], watch: bool
) -> None:
    state = states(read(env), watch)
    assert (state.difference(), state.is_watched) == (None, watch)

    change(env / "lib" / "site-packages")

    assert state.difference() is not None
    assert state.difference() is not None, "it is still so when it is looked at again"


def test_a_linked_environment_that_is_switched_is_seen(tmp_path: Path, env: Path, states: Watched) -> None:
    shutil.copytree(env, tmp_path / "other", symlinks=True)
    current = tmp_path / "current"
    current.symlink_to("env")
    state = states(InstalledState.of(Installed((), (str(current / "lib" / "site-packages"),)), []))
    assert state.difference() is None

    current.with_name("next").symlink_to("other")
    current.with_name("next").replace(current)

    assert "RECORD changed" in str(state.difference())


def test_while_nothing_happens_nothing_is_compared(env: Path, states: Watched, looks: list[str]) -> None:
    state = states(read(env))
    looks.clear()

    assert [state.difference() for _ in range(3)] == [None, None, None]

    assert looks == []


def test_what_does_not_matter_is_not_compared(env: Path, states: Watched, looks: list[str]) -> None:
    """Reading, compiling, and whatever happens beside what is watched."""
    state = states(read(env))
    module = env / "lib" / "site-packages" / "a" / "deep" / "one.py"
    looks.clear()

    module.read_bytes()
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(module.parent)], check=True)
    (env / "lib" / "site-packages" / "__pycache__").mkdir()
    (module.parent / "unloaded.py").write_text("A = 1")
    (env / "beside").write_text("")
    (env.parent / "beside").mkdir()

    assert (module.parent / "__pycache__").is_dir()
    assert state.difference() is None
    assert looks == []


def test_a_change_between_the_reading_and_the_watch_is_seen(env: Path, states: Watched) -> None:
    state = read(env)
    (env / "lib" / "site-packages" / "a.pth").write_text("/another\n")

    watched = states(state)

    assert "a.pth changed" in str(watched.difference())


def test_a_change_between_the_watch_and_the_comparison_is_seen(
    env: Path, states: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what the comparison has passed already, too."""
    compare = InstalledState.difference

    def while_it_is_edited(self: InstalledState) -> str | None:
        found = compare(self)
        (env / "lib" / "site-packages" / "a.pth").write_text("/another\n")
        return found

    monkeypatch.setattr(InstalledState, "difference", while_it_is_edited)
    state = states(read(env))
    monkeypatch.undo()

    assert state.is_watched
    assert "a.pth changed" in str(state.difference())


def test_a_change_is_seen_although_more_has_happened_than_is_remembered(env: Path, states: Watched) -> None:
    state = states(read(env))
    remembered = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(remembered // 2 + 1):
        path = f"{env}/{number}"
        os.mknod(path)
        os.unlink(path)  # noqa: PTH108

    (env / "lib" / "site-packages" / "a" / "deep" / "one.py").write_text("A = 22")

    assert "one.py changed" in str(state.difference())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENOMEM])
@pytest.mark.parametrize("after", [0, 5])
def test_where_no_watches_are_left_everything_is_compared(
    env: Path, states: Watched, monkeypatch: pytest.MonkeyPatch, after: int, number: int
) -> None:
    watch, numbers = Inotify.watch, iter(range(1000))

    def until_none_are_left(self: Inotify, path: str, mask: int) -> int:
        if next(numbers) >= after:
            raise OSError(number, os.strerror(number))
        return watch(self, path, mask)

    monkeypatch.setattr(Inotify, "watch", until_none_are_left)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    state = states(read(env))
    assert (state.is_watched, state.difference()) == (False, None)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    (env / "lib" / "site-packages" / "a.pth").write_text("/another\n")

    assert "a.pth changed" in str(state.difference())


def test_what_is_above_its_share_of_the_watches_is_compared(
    env: Path, states: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit = tmp_path / "max_user_watches"
    above = len(env.parts) + 2  # the folders on the way to site-packages
    limit.write_text(f"{above * 4}\n")
    monkeypatch.setattr(disk_watch, "_LIMIT", limit)
    state = states(read(env))
    assert (state.is_watched, state.difference()) == (True, None)

    (env / "lib" / "site-packages" / "a" / "deep" / "one.py").write_text("A = 22")

    assert "one.py changed" in str(state.difference())


def test_what_lies_on_a_disk_of_others_is_compared_and_the_rest_is_not(
    env: Path, states: Watched, monkeypatch: pytest.MonkeyPatch, looks: list[str], tmp_path: Path
) -> None:
    kind, other = file_system.kind, str(tmp_path / "elsewhere")
    monkeypatch.setattr(file_system, "kind", lambda path: NFS if path.startswith(other) else kind(path))
    # As if another machine had written: nobody tells.
    monkeypatch.setattr(DiskWatch, "is_quiet", lambda self: True)
    state = states(read(env))
    looks.clear()
    assert state.difference() is None
    assert [Path(path).name for path in looks] == ["two.py"]

    (tmp_path / "elsewhere" / "two.py").write_text("A = 22")

    assert "two.py changed" in str(state.difference())


def test_a_listed_folder_on_a_disk_of_others_is_listed_each_time(
    env: Path, states: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, other = file_system.kind, str(env / "lib")
    monkeypatch.setattr(file_system, "kind", lambda path: NFS if path.startswith(other) else kind(path))
    monkeypatch.setattr(DiskWatch, "is_quiet", lambda self: True)
    state = states(read(env))
    assert (state.is_watched, state.difference()) == (True, None)

    (env / "lib" / "site-packages" / "b.py").touch()

    assert "b.py came or went" in str(state.difference())


def test_a_watch_that_is_alarmed_each_time_for_nothing_is_given_up(env: Path, states: Watched) -> None:
    state = states(read(env))
    for _ in range(ALARMS + 1):
        assert state.is_watched
        (env / "lib" / "site-packages" / "a.pth").chmod(0o600)
        assert state.difference() is None
    assert not state.is_watched

    (env / "lib" / "site-packages" / "a.pth").write_text("/another\n")

    assert "a.pth changed" in str(state.difference())


def test_one_false_alarm_is_forgotten(env: Path, states: Watched, looks: list[str]) -> None:
    state = states(read(env))
    for _ in range(2 * ALARMS):
        (env / "lib" / "site-packages" / "a.pth").chmod(0o600)
        assert state.difference() is None
        looks.clear()
        assert state.difference() is None
        assert looks == []


def test_the_switch_turns_it_off(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "off")

    assert not WatchedState.as_set(read(env)).is_watched


def test_a_path_that_is_not_absolute_or_leads_in_a_circle_is_compared(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    unseen = ["relative/a.py", str(tmp_path / "round" / "a.py")]

    watch = DiskWatch([*unseen, "//", f"{tmp_path}/./..//a.py"], ["relative"])

    assert (watch.unseen_files, watch.unseen_folders) == (unseen, ["relative"])
    watch.close()


MOUNTING = """
import subprocess, sys
from nbdataops.kernel.disk_watch import DiskWatch
folder = sys.argv[1]
watch = DiskWatch([folder + "/a.py"], [])
assert watch.is_quiet()
subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
print(watch.is_quiet())
"""


def test_a_mount_over_a_folder_is_seen(tmp_path: Path) -> None:
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("this user may not mount anything")
    (tmp_path / "a.py").touch()

    ran = subprocess.run(
        [*apart, sys.executable, "-c", MOUNTING, str(tmp_path)], capture_output=True, text=True
    )

    assert (ran.stdout, ran.stderr) == ("False\n", "")
