"""Live progress of a run: one moving block on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import click

PLAIN_EVERY_S = 10.0


@dataclass
class Tally:
    """What has happened so far, from the events of a run."""

    started: float = field(default_factory=time.monotonic)
    total: dict[str, int] = field(default_factory=lambda: {"stage": 0, "check": 0})
    ended: dict[str, int] = field(default_factory=lambda: {"stage": 0, "check": 0})
    reused: int = 0
    failed: int = 0
    cancelled: int = 0
    running: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        node = event.get("node", "")
        match event["event"]:
            case "planned":
                self.total = {"stage": event["stages"], "check": event["checks"]}
            case "node_started":
                self.running[node] = (0, 0)
            case "cell":
                self.running[node] = (event["done"], event["total"])
            case "node_ended":
                self.running.pop(node, None)
                if event["state"] == "cancelled":
                    self.cancelled += 1
                    return
                self.ended[event["kind"]] += 1
                self.reused += event["action"] == "reuse"
                self.failed += event["error"] is not None

    @property
    def share(self) -> float:
        """How much has ended, from 0 to 1."""
        total = sum(self.total.values())
        return sum(self.ended.values()) / total if total else 0.0

    @property
    def counts(self) -> str:
        """Stages and checks that have ended, of all."""
        return ", ".join(f"{self.ended[kind]}/{self.total[kind]} {kind}s" for kind in self.total)

    @property
    def elapsed(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def now(self) -> str:
        shown = [
            f"{n} ({d}/{t} cells)" if t else n
            for n, (d, t) in list(self.running.items())
            if "check:" not in n
        ]
        return ", ".join(shown[:4])


@contextmanager
def progress() -> Iterator[Callable[[dict[str, Any]], None]]:
    """A listener for a run's events. That nobody can be shown them, as when a terminal is closed, stops no run."""
    if sys.stderr.isatty():
        with _live() as listener:
            yield _if_it_can(listener)
    else:
        yield _if_it_can(_plain())


def _if_it_can(listener: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def listen(event: dict[str, Any]) -> None:
        with suppress(OSError):
            listener(event)

    return listen


def _plain() -> Callable[[dict[str, Any]], None]:
    tally = Tally()
    last = time.monotonic()

    def listen(event: dict[str, Any]) -> None:
        nonlocal last
        tally.take(event)
        line = _line(event)
        if line is None and event["event"] == "node_ended" and time.monotonic() - last > PLAIN_EVERY_S:
            line = f"{tally.counts}, {tally.elapsed} elapsed"
        if line is not None:
            last = time.monotonic()
            click.echo(line, err=True)

    return listen


def _line(event: dict[str, Any]) -> str | None:
    """The plain line of an event; None when it deserves none."""
    match event["event"]:
        case "run_started":
            return f"run {event['run']} of {event['product']}"
        case "message":
            return str(event["text"])
        case "planned":
            maybe = f", {event['maybe']} maybe" if event["maybe"] else ""
            nodes = f"{event['stages']} stages and {event['checks']} checks"
            return f"plan: {nodes}; {event['run']} to run, {event['reuse']} to reuse{maybe}"
        case "node_ended" if event["error"] is not None:
            error = event["error"]
            where = error["where"]
            place = ", ".join(f"{k} {where[k]}" for k in ("cell", "line") if k in where)
            return f"{event['state']}: {event['node']} {place}: {error['what']}"
        case "node_ended" if event["kind"] == "stage" and event["action"] == "run":
            return f"{event['state']}: {event['node']} ({event['seconds']:.1f} s)"
        case _:
            return None


@contextmanager
def _live() -> Iterator[Callable[[dict[str, Any]], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    tally = Tally()
    console = Console(stderr=True)

    class Block:
        def __rich__(self) -> Text:
            width = 24
            done = int(width * tally.share)
            bar = "━" * done + "╌" * (width - done)
            text = Text.assemble((bar, "green"), f"  {tally.counts}")
            if tally.reused:
                text.append(f"  {tally.reused} reused", "dim")
            if tally.failed:
                text.append(f"  {tally.failed} failed", "bold red")
            if tally.cancelled:
                text.append(f"  {tally.cancelled} cancelled", "yellow")
            text.append(f"  {tally.elapsed}", "cyan")
            if tally.running:
                text.append(f"\n  now: {tally.now()}", "dim")
            return text

    live = Live(Block(), console=console, refresh_per_second=8, transient=True)

    def listen(event: dict[str, Any]) -> None:
        tally.take(event)
        failed = event["event"] == "node_ended" and event["error"] is not None
        if event["event"] in ("run_started", "message") or failed:
            live.console.print(Text(_line(event) or "", "red" if failed else "dim"))

    with suppress(OSError):
        live.start(refresh=True)
    try:
        yield listen
    finally:
        with suppress(OSError):
            live.stop()
