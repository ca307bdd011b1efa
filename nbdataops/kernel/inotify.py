"""The Linux kernel's notices of changes in directories: inotify(7), by way of the C library."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MODIFY, ATTRIB = 0x2, 0x4
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
ONLY_DIRECTORY, ADD_TO_MASK = 0x01000000, 0x20000000
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC  # IN_NONBLOCK and IN_CLOEXEC are defined as these
_HEAD = struct.Struct("iIII")
_AT_ONCE = 65536
"""Bytes of a read. An event takes 16, and its name's length up to the next multiple of 16."""


@dataclass(frozen=True, slots=True)
class Event:
    watch: int
    """Number of the watch; -1 when events were lost because there were too many."""
    mask: int
    name: str
    """Of the entry in the directory; empty for the watched thing itself."""


class Inotify:
    """One instance, and its watches. Raises OSError when this user has no instance left."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._checked(self._libc.inotify_init1(_NONBLOCK | _CLOEXEC))

    def watch(self, path: str, mask: int) -> int:
        """Number of the watch on a path, the same for all paths of one thing. Raises OSError: ENOSPC when this user has
        none left."""
        return self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask))

    def events(self) -> Iterator[Event]:
        """All that have come. Never waits."""
        while True:
            try:
                read = os.read(self.descriptor, _AT_ONCE)
            except BlockingIOError:
                return
            at = 0
            while at < len(read):
                watch, mask, _, length = _HEAD.unpack_from(read, at)
                at += _HEAD.size
                yield Event(watch, mask, os.fsdecode(read[at : at + length].rstrip(b"\0")))
                at += length

    def close(self) -> None:
        os.close(self.descriptor)

    @staticmethod
    def _checked(result: int) -> int:
        if result >= 0:
            return result
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {errno.errorcode.get(number, number)}: {os.strerror(number)}")
