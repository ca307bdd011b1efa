"""Dates in the headers of messages, read by Python's own parser.

By dateutil, jupyter_client's way, the dates of the two headers of a message take longer than all the rest of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from jupyter_client import session as of_sessions
from jupyter_client.session import Session

_STOCK_UNPACKERS = [
    unpack for name in ("json_unpacker", "orjson_unpacker") if (unpack := getattr(of_sessions, name, None))
]


def read_dates_quickly(session: Session) -> None:
    """Have a session's dates read so, where it unpacks as jupyter_client does."""
    if session.unpack in _STOCK_UNPACKERS:
        session.unpack = partial(_with_date, session.unpack)


def _with_date(unpack: Callable[[bytes], Any], packed: bytes) -> Any:
    unpacked = unpack(packed)
    if (
        isinstance(unpacked, dict) and {"msg_id", "msg_type", "session", "date"} <= unpacked.keys()
    ):  # a header
        with contextlib.suppress(ValueError, TypeError):
            date = datetime.fromisoformat(unpacked["date"])
            if date.tzinfo is not None:  # else dateutil's way, which takes it for local time
                unpacked["date"] = date
    return unpacked
