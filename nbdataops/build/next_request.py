"""The request for the next cell is sent when the last one has succeeded and all it said has been read, but before
the client has done with it: made up its outputs, counted it, and begun the next.

Short cells otherwise wait for that as long as they take. As before, a cell begins only after one that has succeeded, and
whatever the client had to say to the kernel about that one was said before.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

KNOWN = {"store_history", "stop_on_error"}
"""What nbclient says of a cell beside its code."""


class NextRequest:
    """Stands in for a client's `execute`. `sent` tells whether there is a request that it has not been asked for yet."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent = False
        self.sent_at = datetime.min
        """When the last request that was sent ahead was sent, in UTC."""
        self._execute = client.execute
        self._code = self._id = ""
        self._options: dict[str, Any] | None = None
        client.execute = self.execute

    def execute(self, code: str, *given: Any, **options: Any) -> Any:
        """Send a request, unless that has been done. Returns its id.

        RuntimeError if something else was sent instead, which cannot be taken back.
        """
        if self.sent:
            self.sent = False
            if given or (code, options) != (self._code, self._options):
                raise RuntimeError("a cell was changed after the kernel had begun to execute it")
            return self._id
        self._options = options if not given and set(options) <= KNOWN else None
        return self._execute(code, *given, **options)

    def send(self, code: str) -> None:
        """Send what `execute` will be asked for, in the same way as the last time. Does nothing if that is not known."""
        if self._options is None or self.sent:
            return
        now = datetime.now(UTC)
        try:
            self._id = self._execute(code, **self._options)
        except Exception:  # no text for a message, say: `execute` will tell, of the right cell
            return
        self._code, self.sent, self.sent_at = code, True, now
