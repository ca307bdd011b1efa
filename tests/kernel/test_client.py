"""The channel of the prompt client hands out every message once, in order, and waits no longer than it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from json import loads
from queue import Empty
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from nbdataops.kernel.client import TURN, PromptChannel
from nbdataops.kernel.quick_dates import read_dates_quickly

Say = Callable[[int], Any]
Talk = Callable[[PromptChannel, Say], Awaitable[None]]


@pytest.fixture(params=[(zmq.PAIR, zmq.PAIR), (zmq.SUB, zmq.XPUB)], ids=["two ways", "one way"])
def converse(request: pytest.FixtureRequest) -> Callable[[Talk], None]:
    """Run a coroutine with a channel, and a way to say a number at its other end."""
    here, there = request.param
    session = Session(key=b"secret")

    def run(talk: Talk) -> None:
        async def connected() -> None:
            with (
                zmq.asyncio.Context() as context,
                context.socket(here) as ours,
                zmq.Socket.shadow(context.socket(there)) as theirs,
            ):
                theirs.bind("inproc://channel")
                ours.connect("inproc://channel")
                if here == zmq.SUB:
                    ours.subscribe(b"")
                    theirs.recv()
                channel = PromptChannel(ours, session)
                await talk(channel, lambda n: session.send(theirs, "stream", {"text": n}))
                channel.stop()

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


def test_who_waits_gets_one_message_each_whether_it_waits_for_long_or_not(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        waiting = [asyncio.ensure_future(channel.get_msg(timeout)) for timeout in (None, None, 10, None)]
        for number in range(4):
            await asyncio.sleep(0.01 * number)
            say(number)

        heard = await asyncio.gather(*waiting)

        assert sorted(message["content"]["text"] for message in heard) == [0, 1, 2, 3]

    converse(talk)


def test_who_sends_takes_nothing_away_from_who_waits(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        waiting = asyncio.ensure_future(channel.get_msg())
        await asyncio.sleep(0.01)
        say(1)
        time.sleep(0.01)  # it has come, and the loop has not seen it
        if channel.socket.type != zmq.SUB:
            channel.send(channel.session.msg("execute_request"))

        assert (await asyncio.wait_for(waiting, 10))["content"]["text"] == 1

    converse(talk)


def test_who_is_cancelled_while_waiting_leaves_the_channel_to_others(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        given_up = asyncio.ensure_future(channel.get_msg())
        await asyncio.sleep(0.01)
        given_up.cancel()
        await asyncio.wait([given_up])
        waiting = asyncio.ensure_future(channel.get_msg())
        await asyncio.sleep(0.01)
        say(7)

        assert (await waiting)["content"]["text"] == 7

    converse(talk)


@pytest.mark.parametrize("has_rung", [False, True])
def test_who_waits_for_a_channel_that_is_closed_is_cancelled(converse: Any, has_rung: bool) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        waiting = [asyncio.ensure_future(channel.get_msg()) for _ in range(2)]
        await asyncio.sleep(0.01)
        if has_rung and channel._bell is not None:
            channel._bell.ring()
        channel.stop()
        await asyncio.wait(waiting, timeout=10)

        assert all(one.cancelled() for one in waiting)

    converse(talk)


def test_a_channel_can_be_closed_after_the_loop_of_who_waited() -> None:
    with zmq.asyncio.Context() as context:
        channel = PromptChannel(context.socket(zmq.SUB), Session(key=b"secret"))
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(channel.get_msg())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

        channel.stop()

        assert not channel.is_alive()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it was left waiting on purpose


def test_who_waited_in_a_loop_that_is_closed_keeps_nobody_from_waiting() -> None:
    session = Session(key=b"secret")
    with zmq.asyncio.Context() as context:
        theirs = zmq.Socket.shadow(context.socket(zmq.XPUB))
        theirs.bind("inproc://channel")
        ours = context.socket(zmq.SUB)
        ours.subscribe(b"")
        ours.connect("inproc://channel")
        theirs.recv()
        channel = PromptChannel(ours, session)
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(channel.get_msg())
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

        async def heard() -> Any:
            with pytest.raises(Empty):
                await channel.get_msg(0.01)
            later = asyncio.ensure_future(channel.get_msg())
            await asyncio.sleep(0.01)
            session.send(theirs, "stream", {"text": 1})
            return (await asyncio.wait_for(later, 10))["content"]["text"]

        assert asyncio.run(heard()) == 1
        channel.stop()
        theirs.close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it was left waiting on purpose


def test_a_channel_serves_one_loop_after_another() -> None:
    session = Session(key=b"secret")
    context = zmq.asyncio.Context()
    theirs = zmq.Socket.shadow(context.socket(zmq.XPUB))
    theirs.bind("inproc://channel")
    ours = context.socket(zmq.SUB)
    ours.subscribe(b"")
    ours.connect("inproc://channel")
    theirs.recv()
    channel = PromptChannel(ours, session)

    async def heard(number: int) -> int:
        waiting = asyncio.ensure_future(channel.get_msg())
        await asyncio.sleep(0.01)
        session.send(theirs, "stream", {"text": number})
        return int((await waiting)["content"]["text"])

    assert [asyncio.run(heard(number)) for number in range(3)] == [0, 1, 2]
    channel.stop()
    theirs.close()
    context.term()


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
