"""A watch on paths: whether anything may have changed that `stat` of them, or the list of a folder, would show.

The kernel tells of changes in directories, so every directory is watched that is passed on the way to a path, from the
root and through all symbolic links; for what is not there, the last directory that is. Only names on the way count:
what else happens in those directories does not. A file that can be written by another way (a hard link, as uv and conda
make them, or a mount) is watched itself, and the table of mounts, too. What the kernel does not tell of is left to
`stat`: `unseen_files`, `unseen_folders`. It never tells of what is written through mmap.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from nbdataops.kernel import file_system, inotify
from nbdataops.kernel.inotify import Event, Inotify
from nbdataops.kernel.installed_state import COMPILED

_NAMES = inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO
_ITSELF = inotify.ATTRIB | inotify.DELETE_SELF | inotify.MOVE_SELF
_DIRECTORY = _NAMES | _ITSELF | inotify.ONLY_DIRECTORY
_LINKS = 40
"""Symbolic links on the way to one path; Linux follows no more."""
_SHARE = 4
"""One watch takes at most this part of what the user may watch: editors need theirs."""
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


class _UnseenError(Exception):
    """The kernel does not tell of all changes on the way to a path."""


class DiskWatch:
    """Set up when it is made, before what it watches is read; good until it is no longer quiet.

    Raises OSError when this user can watch nothing more.
    """

    def __init__(self, files: Iterable[str], folders: Iterable[str]) -> None:
        self.unseen_files: list[str] = []
        self.unseen_folders: list[str] = []
        self._names: dict[int, set[str]] = {}
        """By the number of a watched directory: the names in it that count."""
        self._listed: set[int] = set()
        """Directories in which every name counts when it comes or goes."""
        self._watches: dict[str, tuple[int, int, int]] = {}
        """By the real path of a directory: number of the watch, what is told of it, device."""
        self._ways: dict[str, str | None] = {}
        """Where a path leads; None when nothing is there."""
        self._blind: set[str] = set()
        """Directories of whose changes the kernel does not tell."""
        self._left = int(_LIMIT.read_text()) // _SHARE
        self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._inotify = Inotify()
        except OSError:
            os.close(self._table)
            raise
        try:
            self._mounted = _mount_points(self._table)
            self._poll = select.poll()
            self._poll.register(self._inotify.descriptor, select.POLLIN)
            self._poll.register(self._table, select.POLLPRI)  # the table has changed
            self.unseen_files += [path for path in files if not _seen(self._watch_file, path)]
            self.unseen_folders += [path for path in folders if not _seen(self._watch_listed, path)]
        except BaseException:
            self.close()
            raise

    def is_quiet(self) -> bool:
        """Whether nothing that matters has happened since it was set up. Never waits."""
        ready = [descriptor for descriptor, _ in self._poll.poll(0)]
        if not ready:
            return True
        return self._table not in ready and not any(map(self._matters, self._inotify.events()))

    def close(self) -> None:
        """Also in a forked process, where it ends nothing but this process's part in it."""
        self._inotify.close()
        os.close(self._table)

    def _matters(self, event: Event) -> bool:
        if not event.name or event.watch not in self._names:
            return True  # the directory itself was changed, moved or removed; or events were lost
        if event.name in self._names[event.watch]:
            return True
        return bool(event.watch in self._listed and event.mask & _NAMES and event.name != COMPILED)

    # ------------------------------------------------------------------ setting up
    def _watch_file(self, path: str) -> None:
        real = self._way(path)
        if real is None or real == "/":
            return
        try:
            about = os.stat(real)
        except FileNotFoundError:
            return  # it has just gone, which the watch has seen
        if stat.S_ISDIR(about.st_mode):
            self._list(real)  # its time of modification is that of its entries
            return
        folder, name = os.path.split(real)
        _, _, device = self._look_for(folder, name, inotify.MODIFY)
        if about.st_nlink > 1 or about.st_dev != device or real in self._mounted:
            if not file_system.tells_all(real):
                raise _UnseenError
            self._names.setdefault(self._add(real, inotify.MODIFY | _ITSELF), set())

    def _watch_listed(self, folder: str) -> None:
        real = self._way(folder)
        if real is not None:
            self._list(real)

    def _list(self, folder: str) -> None:
        number, _, _ = self._look_for(folder, "", 0)
        self._listed.add(number)

    def _way(self, path: str, links: int = 0) -> str | None:
        """Where a path leads, None when nothing is there; each directory on the way is watched before it is read."""
        if not path.strip("/"):
            return "/"
        if path not in self._ways:
            folder, name = os.path.split(path)
            real = self._way(folder, links)
            self._ways[path] = None if real is None else self._step(real, name, links)
        return self._ways[path]

    def _step(self, folder: str, name: str, links: int) -> str | None:
        if name in ("", "."):
            return folder
        if name == "..":
            return os.path.dirname(folder)
        path = os.path.join(folder, name)
        try:
            self._look_for(folder, name, 0)
            if not stat.S_ISLNK(os.lstat(path).st_mode):
                return path
            target = os.readlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if links == _LINKS:
            raise _UnseenError
        return self._way(os.path.join(folder, target), links + 1)

    def _look_for(self, folder: str, name: str, more: int) -> tuple[int, int, int]:
        """Watch a directory, by its real path, for a name in it."""
        known = self._watches.get(folder)
        if known is None:
            if folder in self._blind or not file_system.tells_all(folder):
                self._blind.add(folder)
                raise _UnseenError
            known = self._add(folder, _DIRECTORY | more), more, os.stat(folder).st_dev
        elif more & ~known[1]:
            self._add(folder, _DIRECTORY | more | inotify.ADD_TO_MASK)
            known = known[0], more | known[1], known[2]
        self._watches[folder] = known
        self._names.setdefault(known[0], set()).add(name)
        return known

    def _add(self, path: str, mask: int) -> int:
        if not self._left:
            raise _UnseenError
        number = self._inotify.watch(path, mask)
        if number not in self._names:
            self._left -= 1
        return number


def _seen(watch: Callable[[str], None], path: str) -> bool:
    """Whether all on the way to a path is watched. Raises OSError when the user can watch nothing more."""
    if not os.path.isabs(path):
        return False
    try:
        watch(path)
    except _UnseenError:
        return False
    except OSError as error:  # a directory that may not be read, say
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            raise
        return False
    return True


def _mount_points(table: int) -> frozenset[str]:
    """Of proc_pid_mountinfo(5), where blanks and the like are written as octal numbers."""
    text = b""
    while piece := os.read(table, 65536):
        text += piece
    points = (line.split()[4] for line in text.splitlines())
    return frozenset(os.fsdecode(re.sub(rb"\\([0-7]{3})", _character, point)) for point in points)


def _character(octal: re.Match[bytes]) -> bytes:
    return bytes([int(octal[1], 8)])
