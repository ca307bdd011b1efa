"""The floors of the house: a package imports only from lower floors, late imports included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "nbdataops"
FLOORS = [
    {"errors"},
    {"finding"},
    {"store", "product"},
    {"session"},
    {"ingest"},
    {"build"},
    {"validate"},
    {"release"},
    {
        "cli",
        "lab",
        "report",
        "stage",
        "workspace",
        "verbs",
        "second_look",
        "doctor",
        "reference_products",
        "__main__",
        "__init__",
    },
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
APART = {"ltv", "kernel"}  # know nothing of products
NOT_IN_A_KERNEL = {"session": {"kernel"}}  # what a kernel imports of us must not know how it was started
EXCEPT = {"stage"}  # what a notebook calls: imports lower floors late

MODULES = sorted(p for p in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> set[str]:
    """Rooms of the house that a file imports, at any depth, outside of TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.level:
                names = ["relative." + node.module]
            else:
                names = (
                    [node.module]
                    if node.module != "nbdataops"
                    else [f"nbdataops.{a.name}" for a in node.names]
                )
        for name in names:
            parts = name.split(".")
            assert parts[0] != "relative", f"{path}: relative import; the house imports absolutely"
            if parts[0] == "nbdataops" and len(parts) > 1 and parts[1] != "__version__":
                found.add(parts[1])
    return found


def test_every_room_stands_on_a_floor() -> None:
    assert {room(p) for p in MODULES} - set(LEVEL) - APART == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downstairs(path: Path) -> None:
    here = room(path)
    used = imports(path) - {here}
    if here in APART:
        assert used <= {"errors", "finding"}
        return
    if here in EXCEPT:
        return
    assert used & NOT_IN_A_KERNEL.get(here, set()) == set()
    upstairs = {u for u in used if u not in APART and LEVEL[u] > LEVEL[here]}
    assert upstairs == set()
    beside = {u for u in used if u not in APART and LEVEL[u] == LEVEL[here] and LEVEL[u] < len(FLOORS) - 1}
    assert beside == set(), "rooms of one floor do not import each other"


def test_the_floor_test_sees_an_import_upstairs(tmp_path: Path) -> None:
    guilty = tmp_path / "guilty.py"
    guilty.write_text("def late():\n    from nbdataops.build import plan\n    import nbdataops.cli.run\n")

    assert imports(guilty) == {"build", "cli"}
