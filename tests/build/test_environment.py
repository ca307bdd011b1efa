"""What of the installed packages counts, and that a change of it is seen in the same process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nbdataops.build import environment as module
from nbdataops.build.environment import environment


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with `one` 1.0, which needs `two`."""
    install(tmp_path, "one", "1.0", "two")
    install(tmp_path, "two", "2.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(place: Path, name: str, version: str, *needs: str) -> Path:
    record = place / f"{name}.dist-info" / "METADATA"
    record.parent.mkdir(exist_ok=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    record.write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
    (record.parent / "top_level.txt").write_text(f"{name}\n")
    return record


def test_what_is_imported_counts_with_what_it_needs(place: Path) -> None:
    packages = dict(environment(["one"]).packages)

    assert (packages["one"], packages["two"]) == ("1.0", "2.0")
    assert "one" not in dict(environment(["two"]).packages)


def test_an_upgrade_in_place_is_seen_by_the_same_process(place: Path) -> None:
    before = environment(["one"])
    assert environment(["one"]) is before

    install(place, "two", "2.1")
    after = environment(["one"])

    assert dict(after.packages)["two"] == "2.1"
    assert after.digest != before.digest


def test_the_next_process_need_not_read_it_again_unless_something_changed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = tmp_path / "store" / "environment.json"
    remembered.parent.mkdir()
    read = _counted(monkeypatch)

    before = environment(["one"], remembered)
    next_process(monkeypatch)
    assert environment(["one"], remembered) == before
    assert len(read) == 1

    install(place, "two", "2.1")
    next_process(monkeypatch)
    after = environment(["one"], remembered)
    assert (dict(after.packages)["two"], len(read)) == ("2.1", 2)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"imports": ["one"], "machine": []}', "of another"])
def test_what_cannot_be_trusted_is_read_again(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    remembered = tmp_path / "store" / "environment.json"
    remembered.parent.mkdir()
    if content == "of another":
        environment(["two"], remembered)
    else:
        remembered.write_text(content)
    next_process(monkeypatch)

    assert dict(environment(["one"], remembered).packages)["one"] == "1.0"


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    calls: list[object] = []
    read = module._read
    monkeypatch.setattr(module, "_read", lambda imports: (calls.append(imports), read(imports))[1])
    return calls


def next_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_known", {})


def test_a_package_found_earlier_on_the_path_is_seen(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment(["one"])
    first = place / "first"
    first.mkdir()
    install(first, "two", "3.0")

    monkeypatch.setattr(sys, "path", [str(first), *sys.path])

    assert dict(environment(["one"]).packages)["two"] == "3.0"
    assert dict(before.packages)["two"] == "2.0"


def test_everything_it_was_read_from_is_named(place: Path) -> None:
    paths = {path for path, _ in environment(["one"]).stamps}

    assert {str(place), *(str(place / f"{name}.dist-info" / "METADATA") for name in ("one", "two"))} <= paths
    assert set(sys.path) - {""} <= paths


def test_what_is_no_longer_searched_no_longer_counts(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it stood at the end, as the system's packages do for a virtual environment that sees them."""
    remembered = tmp_path_factory.mktemp("store") / "environment.json"
    monkeypatch.setattr(sys, "path", [*sys.path[1:], str(place)])
    assert "one" in dict(environment(["one"], remembered).packages)

    monkeypatch.setattr(sys, "path", sys.path[:-1])
    assert "one" not in dict(environment(["one"], remembered).packages)
    monkeypatch.setattr(module, "_known", {})
    assert "one" not in dict(environment(["one"], remembered).packages)
