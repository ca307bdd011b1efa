"""The channel of the prompt client hands out every message once, in order, and waits no longer than it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from nbdataops.kernel.prompt_channel import TURN, PromptChannel

Say = Callable[[int], Any]
Talk = Callable[[PromptChannel, Say], Awaitable[None]]


@contextmanager
def connected(here: int, there: int) -> Iterator[tuple[zmq.asyncio.Socket, zmq.Socket[bytes]]]:
    """(a socket, what speaks to it) of these kinds, of no event loop yet; a subscriber has subscribed."""
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
        yield ours, theirs


one_way = partial(connected, zmq.SUB, zmq.XPUB)
two_ways = partial(connected, zmq.PAIR, zmq.PAIR)


@pytest.fixture
def session() -> Session:
    return Session(key=b"secret")


@pytest.fixture(params=[one_way, two_ways])
def converse(request: pytest.FixtureRequest, session: Session) -> Callable[[Talk], None]:
    """Run a coroutine with a channel, and a way to say a number at its other end."""

    def run(talk: Talk) -> None:
        async def talking() -> None:
            with request.param() as (ours, theirs):
                channel = PromptChannel(ours, session)
                await talk(channel, lambda n: session.send(theirs, "stream", {"text": n}))
                channel.stop()

        asyncio.run(talking())

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


def test_who_takes_or_looks_leaves_the_rest_to_who_waits(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        for interfere, comes in ((channel.get_msg, [1, 2]), (channel.msg_ready, [1])):
            waiting = asyncio.ensure_future(channel.get_msg())
            await asyncio.sleep(0.01)
            for number in comes:
                say(number)
            time.sleep(0.01)  # they have come, and the loop has not seen it
            assert await interfere()

            assert (await asyncio.wait_for(waiting, 10))["content"]["text"] == comes[-1]

    converse(talk)


def test_who_lets_others_have_their_turn_meanwhile_is_cancelled_with_the_channel(converse: Any) -> None:
    async def talk(channel: PromptChannel, say: Say) -> None:
        for number in range(TURN - 1):
            say(number)
            await channel.get_msg()
        turning = asyncio.ensure_future(channel.get_msg())
        await asyncio.sleep(0)
        channel.stop()
        await asyncio.wait([turning], timeout=10)

        assert turning.cancelled()

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


def leave_waiting(channel: PromptChannel) -> asyncio.Task[Any]:
    """A task that waits in a loop that is closed."""
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(channel.get_msg())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it is left waiting on purpose
    return waiting


async def heard(channel: PromptChannel, say: Callable[[], object]) -> Any:
    """What comes to who waits already."""
    waiting = asyncio.ensure_future(channel.get_msg())
    await asyncio.sleep(0.01)
    say()
    return (await asyncio.wait_for(waiting, 10))["content"]["text"]


def test_a_channel_can_be_closed_after_the_loop_of_who_waited(session: Session) -> None:
    with one_way() as (ours, _):
        channel = PromptChannel(ours, session)
        waiting = leave_waiting(channel)

        channel.stop()

        assert not channel.is_alive()
        assert not waiting.done()


def test_who_waited_in_a_loop_that_is_closed_keeps_nobody_from_waiting(session: Session) -> None:
    with one_way() as (ours, theirs):
        channel = PromptChannel(ours, session)
        waiting = leave_waiting(channel)

        async def in_another_loop() -> Any:
            with pytest.raises(Empty):
                await channel.get_msg(0.01)
            return await heard(channel, lambda: session.send(theirs, "stream", {"text": 1}))

        assert asyncio.run(in_another_loop()) == 1
        assert not waiting.done()
        channel.stop()


def test_a_channel_serves_one_loop_after_another(session: Session) -> None:
    with one_way() as (ours, theirs):
        channel = PromptChannel(ours, session)

        numbers = [
            asyncio.run(heard(channel, lambda n=n: session.send(theirs, "stream", {"text": n})))  # type: ignore[misc]
            for n in range(3)
        ]

        assert numbers == [0, 1, 2]
        channel.stop()


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
