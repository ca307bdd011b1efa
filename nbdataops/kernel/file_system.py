"""Of what kind the file system is that a path lies on: statfs(2), by way of the C library."""

from __future__ import annotations

import ctypes
import os

TOLD_ALL = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # xfs
        0x9123683E,  # btrfs
        0xF2F52010,  # f2fs
        0xCA451A4E,  # bcachefs
        0x2FC12FC1,  # zfs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlayfs
        0x73717368,  # squashfs
        0xE0F5E1E2,  # erofs
    }
)
"""Numbers (linux/magic.h) of file systems that nobody changes but through this machine's kernel. On those of a network
or of a host (nfs, cifs, fuse, 9p, virtiofs) others do, and the kernel tells only of what was done here."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def tells_all(path: str) -> bool:
    """Whether the kernel tells of every change on the file system of an existing path. Raises OSError."""
    return kind(path) in TOLD_ALL


def kind(path: str) -> int:
    """The file system's number. Raises OSError."""
    # A struct statfs begins with the number, and is smaller than this everywhere.
    about = ctypes.create_string_buffer(512)
    if _LIBC.statfs(os.fsencode(path), about):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return ctypes.c_long.from_buffer(about).value
