"""The per-user folder of sockets, locks and logs, and connections through it to processes of the same user only.

It is `nbdataops-kernels` in XDG_RUNTIME_DIR (emptied at logout or reboot), else `nbdataops-kernels-<uid>` in /tmp.
NBDATAOPS_KERNEL_DIR names another one. Nobody else may enter it (0700), and nobody else's is used.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path

from nbdataops.kernel.cold import NotWarmError

VARIABLE = "NBDATAOPS_KERNEL_DIR"
LONGEST = 107
"""Bytes in the path of a Unix socket, without the terminating zero (sun_path of sockaddr_un)."""
_ROOM = len("/1234567890abcdef.sock.1234567")


def runtime_folder() -> Path:
    """The folder, made when it is not there; NotWarmError when it cannot be had or is not safe."""
    folder = place()
    if len(os.fsencode(folder)) + _ROOM > LONGEST:
        raise NotWarmError(
            f"the path of {folder} is too long for a socket in it; set {VARIABLE} to a shorter one"
        )
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise NotWarmError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise NotWarmError(f"{folder} is not a folder of this user alone (0700); remove it or set {VARIABLE}")
    return folder


def place() -> Path:
    """Where the folder is or would be."""
    if named := os.environ.get(VARIABLE):
        return Path(named).absolute()
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and Path(session).is_dir() and Path(session).stat().st_uid == os.geteuid():
        return Path(session) / "nbdataops-kernels"
    return Path(f"/tmp/nbdataops-kernels-{os.geteuid()}")


def same_user(sock: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, as the kernel (not the process) says."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())


def connect(path: Path) -> socket.socket | None:
    """A blocking connection to a server of this user, or None when nobody listens there.

    Raises NotWarmError when somebody else does, or when this process cannot open a socket.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise NotWarmError(f"no socket can be opened: {error.strerror}") from error
    try:
        sock.settimeout(10)
        sock.connect(str(path))
        if not same_user(sock):
            raise NotWarmError(f"another user listens at {path}")
    except (ConnectionRefusedError, FileNotFoundError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        raise NotWarmError(f"the fork server at {path} cannot be reached: {error}") from error
    except BaseException:
        sock.close()
        raise
    return sock
