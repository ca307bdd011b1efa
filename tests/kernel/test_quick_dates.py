"""Dates of messages are read as by jupyter_client, only sooner."""

from __future__ import annotations

from json import loads

import pytest
from jupyter_client.session import Session

from nbdataops.kernel.quick_dates import read_dates_quickly


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
