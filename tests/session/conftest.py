from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdataops.session.current import forget
from tests.session.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A kernel with the tables purchases and rfm; its assignment is in force."""
    made = Desk(tmp_path, monkeypatch)
    made.assign()
    yield made
    forget()
