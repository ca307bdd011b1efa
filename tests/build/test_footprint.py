"""The footprint is complete: whatever a run opens or lists is in its witness, or is the run's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nbdataops.store.witness import read_witness
from tests.cli.settled import CommandLine, built, settled

__all__ = ["built", "settled"]

_listening: list[list[tuple[str, str]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if not _listening or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0]
    if isinstance(path, str | os.PathLike):
        writes = event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1])
        _listening[-1].append(("write" if writes else "read", os.path.realpath(path)))


def test_every_file_and_folder_that_is_read_is_stamped(settled: CommandLine) -> None:
    sys.addaudithook(_hear)  # stays for the process; deaf while nobody listens
    heard: list[tuple[str, str]] = []
    _listening.append(heard)
    try:
        settled.run()
    finally:
        _listening.clear()
    witness = read_witness(str(settled.root / ".nbdataops"))
    assert witness is not None
    stamped = {os.path.realpath(f + name) for f, names in witness.stamps.items() for name in names}
    store = settled.root / ".nbdataops"

    mine = {Path(p) for kind, p in heard if kind == "read" and Path(p).is_relative_to(settled.root)}
    told = {p for p in mine if p.exists() and str(p) not in stamped}
    new_in_this_run = {p for p in told if p.is_relative_to(store / "runs") and p.name == "events.jsonl"}
    folders_of_the_store = {p for p in told if p.is_relative_to(store) and p.is_dir()}

    assert len(mine & set(map(Path, stamped))) > 8
    assert told - new_in_this_run - folders_of_the_store == set()
