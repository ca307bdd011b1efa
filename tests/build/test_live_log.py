"""What a stage prints, as it prints it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbdataops.build.live_log import LONGEST, LiveLog
from nbdataops.build.redaction import pieces


def lines(log: LiveLog) -> list[str]:
    return re.sub(r"\d\d:\d\d:\d\d", "NOW", log.path.read_text()).splitlines()


def test_each_whole_line_is_there_at_once_and_the_rest_when_its_cell_ends(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "stage.log")

    log.cell(2, 3)
    log.text("one\ntw")
    assert lines(log) == ["--- NOW cell 2 of 3", "one"]

    log.text("o\r\nthree")
    assert lines(log)[2:] == ["two"]

    log.ended(2, "completed")
    assert lines(log)[3:] == ["three", "--- NOW cell 2 completed"]


def test_a_progress_bar_appears_once_a_second_and_as_it_ended(tmp_path: Path) -> None:
    now = 0.0
    log = LiveLog(tmp_path / "stage.log", clock=lambda: now)

    for percent in range(100):
        now = percent / 20
        log.text(f"\r{percent} %")
    log.ended(1, "completed")

    shown = [line for line in lines(log) if line.endswith("%")]
    assert 5 <= len(shown) <= 7
    assert shown[-1] == "99 %"


@pytest.mark.parametrize("size", [1, 3, 7, 4000])
def test_a_secret_never_appears_however_it_is_cut(tmp_path: Path, size: int) -> None:
    log = LiveLog(tmp_path / "stage.log", redact=pieces(["hunter22", "first line\nsecond line"]))
    text = "a hunter22 b\nfirst line\nsecond line\n" + "x" * (LONGEST - 4) + "hunter22 and on" + "y" * LONGEST

    for at in range(0, len(text), size):
        log.text(text[at : at + size])
    log.ended(1, "completed")

    written = log.path.read_text()
    assert not [
        word for word in ("hunter22", "first line", "second line") if word in written.replace("\n", "")
    ]
    assert written.count("[secret]") == 4
    assert written.count("y") == LONGEST, "and nothing else is lost"


def test_a_disk_that_takes_nothing_disturbs_nobody(tmp_path: Path) -> None:
    log = LiveLog(tmp_path / "there is no such folder" / "stage.log")

    log.cell(1, 1)
    log.text("one\n")
    log.remove()

    assert list(tmp_path.iterdir()) == []
