"""The channel of the prompt client hands out every message once, in order, and waits no longer than it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from json import loads
from queue import Empty
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from nbdataops.kernel.client import TURN, PromptChannel, read_dates_quickly

Say = Callable[[int], Any]
Talk = Callable[[PromptChannel, Say], Awaitable[None]]


@pytest.fixture
def converse() -> Callable[[Talk], None]:
    """Run a coroutine with a channel, and a way to say a number at its other end."""
    session = Session(key=b"secret")

    def run(talk: Talk) -> None:
        async def connected() -> None:
            with (
                zmq.asyncio.Context() as context,
                context.socket(zmq.PAIR) as ours,
                zmq.Socket.shadow(context.socket(zmq.PAIR)) as theirs,
            ):
                theirs.bind("inproc://channel")
                ours.connect("inproc://channel")
                await talk(
                    PromptChannel(ours, session), lambda n: session.send(theirs, "stream", {"text": n})
                )

        asyncio.run(connected())

    return run


async def texts(channel: PromptChannel, count: int) -> list[int]:
    return [(await channel.get_msg())["content"]["text"] for _ in range(count)]


def test_messages_that_wait_and_messages_that_come_are_handed_out_in_order(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        for number in range(3):
            say(number)
        waiting = asyncio.ensure_future(texts(channel, 5))
        await asyncio.sleep(0)
        say(3)
        say(4)

        assert await waiting == [0, 1, 2, 3, 4]

    converse(talk)


def test_nothing_comes_in_time(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        with pytest.raises(Empty):
            await channel.get_msg(timeout=0.001)
        say(1)

        assert (await channel.get_msg(timeout=60))["content"]["text"] == 1

    converse(talk)


@pytest.mark.parametrize("timeout", [None, 60])
def test_who_gives_up_waiting_takes_no_message_away(converse: Any, timeout: float | None) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        given_up = asyncio.ensure_future(channel.get_msg(timeout))
        await asyncio.sleep(0)
        given_up.cancel()
        say(1)
        with pytest.raises(asyncio.CancelledError):
            await given_up

        assert await texts(channel, 1) == [1]

    converse(talk)


def test_others_get_their_turn_while_messages_are_always_there(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        for number in range(2 * TURN):
            say(number)
        seen: list[int] = []
        asyncio.get_running_loop().call_soon(lambda: seen.append(channel._in_a_row))

        await texts(channel, 2 * TURN)

        assert seen == [TURN]

    converse(talk)


def test_who_is_cancelled_at_any_turn_takes_no_message_away(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        for number in range(2 * TURN):
            say(number)
        heard = []
        for _ in range(2 * TURN):
            given_up = asyncio.ensure_future(texts(channel, 1))
            await asyncio.sleep(0)
            given_up.cancel()
            try:
                heard += await given_up
            except asyncio.CancelledError:
                heard.append((await channel.get_msg(10))["content"]["text"])  # Empty when one was lost

        assert heard == list(range(2 * TURN))

    converse(talk)


@pytest.mark.parametrize(
    "date",
    ["2026-11-28T12:00:00.123456Z", "2026-11-28T12:00:00+01:00", "2026-11-28T12:00:00", "no date", None],
)
def test_dates_are_read_as_by_the_stock_client(date: str | None) -> None:
    ours, stock = Session(key=b"secret"), Session(key=b"secret")
    message = stock.msg("status", {"date": "2026-11-28T12:00:00Z", "msg_id": "x"})
    message["header"]["date"] = date
    message["parent_header"] = message["header"] | {"date": "2026-11-28T12:00:00Z"}
    _, packed = stock.feed_identities(stock.serialize(message))
    read_dates_quickly(ours)

    quick, slow = ours.deserialize(packed), stock.deserialize(packed)

    assert quick == slow
    assert ours.unpack != stock.unpack
    assert [type(m["header"]["date"]) for m in (quick, slow)] == [type(slow["header"]["date"])] * 2


def test_a_session_with_an_unpacker_of_its_own_keeps_it() -> None:
    session = Session(key=b"secret", unpack=loads)

    read_dates_quickly(session)

    assert session.unpack is loads
