"""A notebook file as code cells: JSON, cell numbers, tags."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdataops.errors import InfrastructureError
from nbdataops.product.faults import Spot

PARAMETERS_TAG = "parameters"
_INJECTED_TAG = "injected-parameters"


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell as written; `number` counts from 1 over all cells of the notebook."""

    number: int
    source: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotebookFile:
    """The code cells of a notebook and the language that it is written in."""

    file: str
    language: str
    cells: tuple[Cell, ...]

    def mentions(self, word: str) -> bool:
        """Whether any code cell contains that text."""
        return any(word in cell.source for cell in self.cells)


def read_cells(path: Path, file: str) -> NotebookFile:
    """Read the code cells of a notebook. NotebookError when the file is no notebook of format 4.

    `file` is what errors call it. Cells that papermill injected into an executed copy are left out.
    """
    spot = Spot(file)
    raw = _load(path, spot)
    metadata = raw.get("metadata")
    cells = []
    for number, cell in enumerate(raw["cells"], start=1):
        here = Spot(file, number)
        if not isinstance(cell, dict):
            raise here.error("is no cell but something else", "open and save the notebook in Jupyter")
        tags = _tags(cell)
        kind = cell.get("cell_type")
        if kind != "code":
            if PARAMETERS_TAG in tags:
                raise here.error(
                    f"the tag 'parameters' is on a {kind} cell",
                    "move the tag to the code cell that declares the parameters",
                )
            continue
        if _INJECTED_TAG not in tags:
            cells.append(Cell(number, _text(cell.get("source", ""), here), tags))
    return NotebookFile(file, _language(metadata), tuple(cells))


def _load(path: Path, spot: Spot) -> dict[str, Any]:
    resave = "open the file in Jupyter and save it, or restore it from version control"
    try:
        raw = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InfrastructureError(
            f"{spot.file} cannot be read: {error.strerror}",
            where=spot.at(),
            todo="check the file's permissions",
        ) from error
    except UnicodeDecodeError as error:
        raise spot.error(f"is not text in UTF-8 (byte {error.start})", resave) from error
    except json.JSONDecodeError as error:
        raise spot.error(f"is not valid notebook JSON: {error.msg}", resave, line=error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise spot.error(
            "is not valid notebook JSON: it is nested too deeply or holds no sane number", resave
        ) from error
    if not isinstance(raw, dict):
        raise spot.error("is not a notebook: the JSON is no object", resave)
    version = raw.get("nbformat")
    if not isinstance(version, int) or isinstance(version, bool):
        raise spot.error("is not a notebook: it has no `nbformat` number", resave)
    if version < 4:
        raise spot.error(
            f"has the old notebook format {version}; format 4 is needed",
            f"convert it: jupyter nbconvert --to notebook --inplace {spot.file}",
        )
    if version > 4:
        raise spot.error(
            f"has notebook format {version}, which this version does not know", "save it in notebook format 4"
        )
    if not isinstance(raw.get("cells"), list):
        raise spot.error("is not a notebook: it has no list `cells`", resave)
    return raw


def _tags(cell: dict[str, Any]) -> tuple[str, ...]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else ()


def _language(metadata: Any) -> str:
    if not isinstance(metadata, dict):
        return "python"
    for section, key in (("kernelspec", "language"), ("language_info", "name")):
        part = metadata.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str) and part[key]:
            return str(part[key]).lower()
    return "python"


def _text(source: Any, spot: Spot) -> str:
    lines = [source] if isinstance(source, str) else source
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise spot.error("has a source that is no text", "open and save the notebook in Jupyter")
    text = "".join(lines)
    for line, part in enumerate(text.split("\n"), start=1):
        if "\0" in part or any("\ud800" <= c <= "\udfff" for c in part):
            raise spot.error(
                "holds a character that is no text (NUL or half a surrogate pair)",
                "delete it, or write it as an escape in a string",
                line=line,
            )
    return text.replace("\r\n", "\n").replace("\r", "\n")
