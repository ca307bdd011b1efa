"""Room for what libraries try when they are imported, and remember for ever when it does not work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOM = 16 * 2**20
"""Bytes that must be free for shared memory (semaphores) and for temporary files."""
ROOM_OF_OUR_OWN = 2**20
"""In the runtime folder: for locks, logs and sockets."""


def lacking_room(runtime_folder: Path) -> str | None:
    """Which folder is too full for a fork server to load libraries in, in words; None when there is room."""
    needed = {"/dev/shm": ROOM, tempfile.gettempdir(): ROOM, str(runtime_folder): ROOM_OF_OUR_OWN}
    for folder, room in needed.items():
        try:
            about = os.statvfs(folder)
        except OSError:
            continue
        free = about.f_bavail * about.f_frsize
        if about.f_blocks and free < room:
            return f"only {free / 2**20:.1f} MB are free in {folder}, {room / 2**20:.0f} MB are needed"
    return None
