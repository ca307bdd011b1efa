"""Pages that are kept from one report to the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nbdataops.report import pages as module
from nbdataops.report.pages import Pages

AROUND = {"title": "rate", "subtitle": "run 1", "back": "../report.html"}


def made(folder: Path, notebook: Mapping[str, object], around: Mapping[str, str] = AROUND) -> bool:
    """Whether a report had to make the page; what it gives is always right."""
    count = 0

    def make() -> str:
        nonlocal count
        count += 1
        return f"{notebook} {around}"

    report = Pages(folder)
    assert report.page(notebook, around, make) == f"{notebook} {around}".encode()
    report.forget_unused()
    return bool(count)


def test_a_page_is_made_once_for_the_same_notebook_under_the_same_title(tmp_path: Path) -> None:
    assert made(tmp_path / "pages", {"cells": ["a"]})
    assert not made(tmp_path / "pages", {"cells": ["a"]})
    assert made(tmp_path / "pages", {"cells": ["b"]})
    assert made(tmp_path / "pages", {"cells": ["b"]}, {**AROUND, "title": "other"})


def test_another_version_of_the_code_makes_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(tmp_path / "pages", {"cells": ["a"]})
    monkeypatch.setattr(module, "_maker", lambda: "another")
    assert made(tmp_path / "pages", {"cells": ["a"]})


def test_only_the_last_reports_pages_are_kept(tmp_path: Path) -> None:
    for cells in (["a"], ["b"]):
        made(tmp_path / "pages", {"cells": cells})

    assert len(list((tmp_path / "pages").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("a file")
    assert made(tmp_path / "pages", {"cells": ["a"]})
