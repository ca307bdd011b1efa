"""Progress from the events of a run."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from nbdataops.cli.progress import Tally, progress

STARTED: dict[str, Any] = {"event": "node_started", "node": "methods/a@2026-01-01+13", "kind": "stage"}
ENDED = STARTED | {
    "event": "node_ended",
    "action": "run",
    "state": "succeeded",
    "seconds": 1.5,
    "error": None,
}
PLANNED = {"event": "planned", "stages": 2, "checks": 3, "run": 5, "reuse": 0, "maybe": 0}


def test_stages_cells_and_what_runs_now_are_counted() -> None:
    tally = Tally()
    for event in (PLANNED, STARTED, {"event": "cell", "node": STARTED["node"], "done": 3, "total": 9}):
        tally.take(event)

    assert tally.counts == "0/2 stages, 0/3 checks"
    assert tally.now() == "methods/a@2026-01-01+13 (3/9 cells)"

    tally.take(ENDED)

    assert tally.counts == "1/2 stages, 0/3 checks"
    assert tally.share == pytest.approx(0.2)
    assert tally.now() == ""


def test_what_was_cancelled_has_neither_ended_nor_failed() -> None:
    tally = Tally()
    cancelled = ENDED | {"state": "cancelled", "error": {"what": "cancelled while it ran", "where": {}}}
    for event in (PLANNED, STARTED, cancelled, STARTED, ENDED):
        tally.take(event)

    assert tally.counts == "1/2 stages, 0/3 checks"
    assert (tally.failed, tally.cancelled, tally.now()) == (0, 1, "")


def test_without_a_terminal_there_are_plain_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as listener:
        for event in ({"event": "run_started", "run": "r1", "product": "p"}, PLANNED, STARTED, ENDED):
            listener(event)
        error = {"what": "ValueError: no", "where": {"file": "methods/b.ipynb", "cell": 3, "line": 2}}
        listener(ENDED | {"state": "failed", "error": error})

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "run r1 of p",
        "plan: 2 stages and 3 checks; 5 to run, 0 to reuse",
        "succeeded: methods/a@2026-01-01+13 (1.5 s)",
        "failed: methods/a@2026-01-01+13 cell 3, line 2: ValueError: no",
    ]


def test_progress_that_can_no_longer_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal that was closed."""

    def closed(*arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("click.echo", closed)
    heard = []

    with progress() as listener:
        for event in ({"event": "run_started", "run": "r1", "product": "p"}, PLANNED):
            listener(event)
            heard.append(event["event"])

    assert heard == ["run_started", "planned"]
