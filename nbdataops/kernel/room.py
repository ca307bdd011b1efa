"""Room for what libraries try when they are imported, and remember for ever when it does not work."""

from __future__ import annotations

import os
import tempfile

ROOM = 16 * 2**20
"""Bytes that must be free for shared memory (semaphores) and for temporary files."""


def lacking_room() -> str | None:
    """Which folder is too full for a fork server to load libraries in, in words; None when there is room."""
    for folder in ("/dev/shm", tempfile.gettempdir()):
        try:
            about = os.statvfs(folder)
        except OSError:
            continue
        free = about.f_bavail * about.f_frsize
        if about.f_blocks and free < ROOM:
            return f"only {free / 2**20:.0f} MB are free in {folder}, {ROOM / 2**20:.0f} MB are needed"
    return None
