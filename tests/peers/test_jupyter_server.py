"""JupyterLab's own server starts, interrupts, restarts and ends warm kernels, and restarts one that died."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import websocket

from nbdataops.kernel.status import statuses
from tests.browser.jupyter_lab import TOKEN, running
from tests.kernel.kernels import PATIENCE_S, Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel


class Server:
    """JupyterLab's server, asked as its page asks."""

    def __init__(self, url: str) -> None:
        self.url = url
        assert wait_for(self._is_up)

    def _is_up(self) -> bool:
        """It says its address before it listens there."""
        try:
            return bool(self.ask("GET", "") == [])
        except URLError:
            return False

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = Request(
            f"{self.url}/api/kernels{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
        )
        with urlopen(request, timeout=PATIENCE_S) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def channels(self, kernel: str) -> Channels:
        return Channels(f"{self.url.replace('http', 'ws')}/api/kernels/{kernel}/channels?token={TOKEN}")


class Channels:
    """A kernel's channels as one websocket."""

    def __init__(self, url: str) -> None:
        self.socket = websocket.create_connection(url, timeout=PATIENCE_S)

    def send(self, code: str) -> str:
        identity = uuid.uuid4().hex
        header = {
            "msg_id": identity,
            "msg_type": "execute_request",
            "session": "s",
            "username": "",
            "version": "5.3",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        self.socket.send(json.dumps(message))
        return identity

    def until(self, kind: str, identity: str | None = None) -> dict[str, Any]:
        """The content of the next message of this kind (as an answer to that request)."""
        while True:
            message = json.loads(self.socket.recv())
            parent = message["parent_header"].get("msg_id")
            if message["msg_type"] == kind and identity in (None, parent):
                return dict(message["content"])

    def text(self, code: str) -> str:
        """What a cell prints."""
        return str(self.until("stream", self.send(code))["text"])

    def close(self) -> None:
        self.socket.close()


@pytest.fixture(scope="module")
def server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.variables.items():
            patch.setenv(name, value)
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        home: Path = tmp_path_factory.mktemp("lab-home")
        root: Path = tmp_path_factory.mktemp("lab-root")
        with running(root, home) as lab:
            yield Server(lab.url)


def test_a_kernel_lives_in_jupyterlabs_server(server: Server, servers: Servers) -> None:
    kernel = server.ask("POST", "", {"name": "nbdataops"})["id"]
    channels = server.channels(kernel)
    first = int(channels.text("import os, sys\nprint(os.getpid())\nx = 1"))
    assert channels.text("print('pandas' in sys.modules)") == "True\n"
    assert first in [k["pid"] for s in statuses(servers.folder) for k in s["kernels"]]

    sleeping = channels.send("print('asleep')\nimport time\ntime.sleep(600)")
    channels.until("stream", sleeping)
    server.ask("POST", f"/{kernel}/interrupt")
    assert channels.until("execute_reply", sleeping)["ename"] == "KeyboardInterrupt"
    assert channels.text("print(x)") == "1\n"

    server.ask("POST", f"/{kernel}/restart")
    channels.close()
    channels = server.channels(kernel)
    second = int(channels.text("import os\nprint(os.getpid())"))
    assert second != first
    assert not is_alive(first)
    assert channels.text("print('x' in globals())") == "False\n"

    os.kill(second, 9)  # the server looks every few seconds, and starts another one at the same addresses
    assert wait_for(lambda: [k for s in statuses(servers.folder) for k in s["kernels"] if k["pid"] != second])
    channels.close()
    channels = server.channels(kernel)
    third = int(channels.text("import os\nprint(os.getpid())"))
    assert third not in (first, second)
    channels.close()

    server.ask("DELETE", f"/{kernel}")
    assert wait_for(lambda: not is_alive(third))
    assert server.ask("GET", "") == []


def test_the_kernels_of_a_server_that_is_shut_down_end(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in servers.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    (tmp_path / "root").mkdir()
    with running(tmp_path / "root", tmp_path / "home") as lab:
        server = Server(lab.url)
        kernel = server.ask("POST", "", {"name": "nbdataops"})["id"]
        channels = server.channels(kernel)
        pid = int(channels.text("import os\nprint(os.getpid())"))
        assert is_alive(pid)
        channels.close()

    assert wait_for(lambda: not is_alive(pid))
