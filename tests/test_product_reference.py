"""docs/product.md is a contract: it has every key of dataproduct.yaml with its type and default, and no other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nbdataops.product.durations import Duration
from nbdataops.product.schema import PATH
from nbdataops.product.spec import ProductSpec, load_spec

TEXT = (Path(__file__).parent.parent / "docs" / "product.md").read_text(encoding="utf-8")
SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))
ROWS = {
    cells[0].strip("`"): [cell.strip("`") if cell.count("`") == 2 else cell for cell in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.M | re.S)
NOTHING = object()


def keys(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(dotted path, schema, default) of every key below a node of the schema; `NOTHING` where a key is of one's own."""
    for part in alternatives(node):
        for name, inner in part.get("properties", {}).items():
            default = "required" if name in part.get("required", ()) else inner.get("default", "unsaid")
            yield f"{path}{name}", inner, default
            yield from keys(inner, f"{path}{name}.")
        own = [part["additionalProperties"]] if isinstance(part.get("additionalProperties"), dict) else []
        for inner in (*own, *part.get("patternProperties", {}).values()):
            yield f"{path}<name>", inner, NOTHING
            yield from keys(inner, f"{path}<name>.")


def alternatives(node: dict[str, Any]) -> list[dict[str, Any]]:
    """What a node of the schema may be, references followed; null is left out."""
    if "$ref" in node:
        return [SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[-1]]]
    found = [part for choice in node["anyOf"] for part in alternatives(choice)] if "anyOf" in node else [node]
    return [part for part in found if part.get("type") != "null"]


def type_in_words(node: dict[str, Any]) -> str:
    return " or ".join(one_type(part) for part in alternatives(node))


def one_type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(f"`{word}`" for word in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    match part["type"]:
        case "string":
            if part.get("format") == "date":
                return "date"
            return "duration" if "day|week|month|year" in part.get("pattern", "") else "text"
        case "object":
            return "section" if "properties" in part else "names"
        case "array":
            return f"list of {one_type(part['items'])}s"
        case list():
            return "value"
        case simple:
            return {"integer": "whole number", "number": "number"}[simple]


def default_in_words(node: dict[str, Any], default: Any) -> str:
    if default is NOTHING:
        return ""
    if default == "unsaid":
        return {"section": "as below", "names": "empty"}[type_in_words(node)]
    if default is None:
        return "none"
    if isinstance(default, dict):
        return str(Duration(**default))
    return default if isinstance(default, str) else json.dumps(default)


KEYS = {path: (node, default) for path, node, default in keys(SCHEMA)}
LEAVES = [path for path in KEYS if not any(other.startswith(f"{path}.") for other in KEYS)]


def test_the_documented_keys_are_those_of_the_schema() -> None:
    assert set(ROWS) == set(KEYS)


@pytest.mark.parametrize("path", KEYS)
def test_type_and_default_of_a_key_are_those_of_the_schema(path: str) -> None:
    node, default = KEYS[path]
    documented_type, documented_default, *_ = ROWS[path]

    assert documented_type.replace("`", "") == type_in_words(node).replace("`", "")
    assert documented_default == default_in_words(node, default)


FULL: dict[str, Any] = yaml.safe_load(next(body for language, body in BLOCKS if language == "yaml"))


@pytest.mark.parametrize("path", [path for path, row in ROWS.items() if row[3]])
def test_an_example_is_accepted_where_it_stands(path: str) -> None:
    document = json.loads(json.dumps(FULL))
    inner, names = document, path.split(".")
    for depth, name in enumerate(names[:-1]):
        named = "own" if name == "<name>" else name
        needed = {"path": "data/own.csv"} if names[: depth + 1] == ["sources", "<name>"] else {}
        inner = inner.setdefault(named, needed)
    inner["own" if names[-1] == "<name>" else names[-1]] = yaml.safe_load(ROWS[path][3])

    ProductSpec.model_validate(document)


def test_every_key_that_holds_a_value_has_an_example() -> None:
    assert [path for path in LEAVES if not ROWS[path][3]] == []


def test_every_key_says_what_it_is_for() -> None:
    assert [path for path, row in ROWS.items() if len(row) != 4 or len(row[2]) < 8] == []


def test_the_smallest_product_is_one(tmp_path: Path) -> None:
    (tmp_path / "dataproduct.yaml").write_text(next(body for language, body in BLOCKS if language == "yaml"))

    assert load_spec(tmp_path).product == "my-ltv"


def test_the_command_prints_the_path_of_the_schema() -> None:
    (command,) = [body.strip().removeprefix("$ ") for language, body in BLOCKS if language == "console"]
    program, flag, code = re.fullmatch(r'(python) (-c) "(.*)"', command).groups()  # type: ignore[union-attr]
    assert (program, flag) == ("python", "-c")

    printed = subprocess.run([sys.executable, flag, code], capture_output=True, text=True, check=True).stdout

    assert json.loads(Path(printed.strip()).read_text(encoding="utf-8"))["title"] == "dataproduct.yaml"
