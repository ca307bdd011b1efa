"""Work that nobody waits for but the end of the run: to remove a folder, to sign a notebook."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Afterwards:
    """Does one piece of work after another in a thread of its own.

    >>> done = []
    >>> afterwards = Afterwards()
    >>> afterwards.do(lambda: done.append(1))
    >>> afterwards.finish(); done
    [1]
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "afterwards")
        self._begun: list[Future[None]] = []

    def do(self, work: Callable[[], None]) -> None:
        """Do it soon."""
        self._begun.append(self._pool.submit(work))

    def finish(self) -> None:
        """Wait until all is done; what the work raised is raised here."""
        self._pool.shutdown()
        for one in self._begun:
            one.result()
