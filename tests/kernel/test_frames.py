"""Frames: what goes in comes out, whatever the pieces it arrives in; what is no frame is refused."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdataops.kernel.frames import LONGEST, FrameError, Receiver, send

Pair = tuple[socket.socket, socket.socket]
OBJECTS = st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans()))


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def received(receiver: Receiver) -> list[dict[str, Any]]:
    receiver.pump()
    return list(iter(receiver.next, None))


@settings(max_examples=40, deadline=None)
@given(st.lists(OBJECTS, max_size=4), st.integers(1, 9))
def test_frames_arrive_whole_and_in_order_whatever_the_pieces(sent: list[dict[str, Any]], size: int) -> None:
    writing, reading = socket.socketpair()
    through, out = socket.socketpair()
    with writing, reading, through, out:
        for message in sent:
            send(writing, message)
        writing.close()
        stream = b"".join(iter(lambda: reading.recv(65536), b""))
        receiver, got = Receiver(out), []
        for at in range(0, len(stream), size):
            through.sendall(stream[at : at + size])
            got += received(receiver)

    assert got == sent


def test_bytes_of_an_environment_that_are_no_text_survive(pair: Pair) -> None:
    name = os.fsdecode(b"\xff\xfe")
    send(pair[0], {"environment": {name: name}})

    assert received(Receiver(pair[1])) == [{"environment": {name: name}}]


def test_open_files_come_along_and_are_not_inherited(pair: Pair) -> None:
    reading, writing = os.pipe()
    send(pair[0], {"do": "launch"}, [writing, writing, writing])
    os.close(writing)
    receiver = Receiver(pair[1])

    assert received(receiver) == [{"do": "launch"}]
    assert len(receiver.files) == 3
    assert not any(os.get_inheritable(descriptor) for descriptor in receiver.files)
    os.write(receiver.files[2], b"through")
    assert os.read(reading, 99) == b"through"

    receiver.close_files()
    assert os.read(reading, 99) == b""  # nobody can write any more
    os.close(reading)


def test_the_end_is_seen_after_the_last_frame(pair: Pair) -> None:
    receiver = Receiver(pair[1])
    receiver.pump()
    assert not receiver.ended
    send(pair[0], {"a": 1})
    pair[0].close()

    assert received(receiver) == [{"a": 1}]
    assert receiver.ended


@pytest.mark.parametrize(
    "stream",
    [
        struct.pack("!I", LONGEST + 1),
        struct.pack("!I", 4) + b"no!!",
        struct.pack("!I", 2) + b"[]",
    ],
    ids=["too long", "no JSON", "no object"],
)
def test_what_is_no_frame_is_refused(pair: Pair, stream: bytes) -> None:
    pair[0].sendall(stream)

    with pytest.raises(FrameError):
        Receiver(pair[1]).pump()


def test_a_frame_larger_than_the_sockets_buffer_arrives(pair: Pair) -> None:
    import threading

    large = {"environment": {"BIG": "x" * 3_000_000}}
    thread = threading.Thread(target=send, args=(pair[0], large))
    thread.start()
    receiver = Receiver(pair[1])
    got: list[dict[str, Any]] = []
    while not got:
        got = received(receiver)
    thread.join()

    assert got == [large]
