"""What client, server and kernel say to each other over a Unix socket: JSON objects, each after its length.

A client's first frame may carry open files (standard streams, and what else a command inherits).

| from | frame | means |
|---|---|---|
| client | `{"do": "launch", ...}` and three files | start a kernel; this connection becomes its lease |
| client | `{"do": "command", ...}` and its open files | run a command; this connection becomes its lease |
| client | `{"done": true}` | on a lease: the exit code has come, the lease is given back |
| client | `{"do": "status"}`, `{"do": "retire"}`, `{"do": "stop"}` | a question or an order to the server itself |
| server | `{"fresh": true}` | what it has loaded is what lies on the disk; comes before or after `ready` |
| kernel | `{"ready": {"pid", "connection"}}` | its sockets are bound |
| command | `{"started": {"pid"}}` | the command runs: from now on nothing is refused |
| server, kernel, command | `{"refused": {"why", ...}}` | nothing from here; a kernel that was started is ended |
| server, kernel, command | `{"exit": code}` | the kernel or the command has ended; negative: by that signal |

`refused` may say `stale` (ask once more: another server starts) or `environment` (names of variables that were read
when libraries were loaded and whose values differ: ask the server that is for them).
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

LONGEST = 16 * 2**20
"""Bytes. An environment may hold 2 MB on Linux; nothing else is large."""
_HEAD = struct.Struct("!I")


class FrameError(Exception):
    """What came over the socket is no frame."""


def send(sock: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Write one frame, and hand over open files with its first byte. Raises OSError when the other end is gone."""
    body = json.dumps(message).encode()
    packet = _HEAD.pack(len(body)) + body
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
    sent = sock.sendmsg([packet], ancillary, socket.MSG_NOSIGNAL)
    if sent < len(packet):
        sock.sendall(packet[sent:], socket.MSG_NOSIGNAL)


class Receiver:
    """Collects what arrives on a socket without ever waiting, and cuts it into frames.

    `files` are the open files that came along, close-on-exec; whoever takes them closes them.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.files: list[int] = []
        self.ended = False
        self._buffer = bytearray()
        self._frames: deque[dict[str, Any]] = deque()

    def pump(self) -> None:
        """Take everything that is there; `ended` is True when the other end has closed. Raises FrameError."""
        while not self.ended:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(
                    65536, socket.CMSG_SPACE(16 * 4), socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
                )
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.ended = True
                return
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    handed = array.array("i")
                    handed.frombytes(content[: len(content) // handed.itemsize * handed.itemsize])
                    self.files += handed
            if not data:
                self.ended = True
            self._buffer += data
            self._cut()

    def next(self) -> dict[str, Any] | None:
        """The oldest frame that has arrived whole, or None."""
        return self._frames.popleft() if self._frames else None

    def close_files(self) -> None:
        """Close what was handed over and not taken."""
        for descriptor in self.files:
            os.close(descriptor)
        self.files = []

    def _cut(self) -> None:
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > LONGEST:
                raise FrameError(f"a frame of {length} bytes; the longest has {LONGEST}")
            if len(self._buffer) < _HEAD.size + length:
                return
            body = bytes(self._buffer[_HEAD.size : _HEAD.size + length])
            del self._buffer[: _HEAD.size + length]
            try:
                frame = json.loads(body)
            except ValueError as error:
                raise FrameError(f"a frame that is no JSON: {body[:40]!r}") from error
            if not isinstance(frame, dict):
                raise FrameError(f"a frame that is no object: {body[:40]!r}")
            self._frames.append(frame)
