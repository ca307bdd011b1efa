"""Notebooks as stages: which file of a product is one, and what it declares.

A notebook is a stage because it calls `stage`; where it lies does not matter. Nothing is executed: cells are parsed
with `ast`, IPython's magics understood.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from nbdataops.errors import NotebookError
from nbdataops.product.bindings import Bindings, read_bindings
from nbdataops.product.calls import StageCalls, find_calls
from nbdataops.product.cells import read_cells
from nbdataops.product.code_digest import code_digest, notebook_trees
from nbdataops.product.constants import Constants
from nbdataops.product.declared import (
    SCOPE_NAMES,
    Argument,
    Evidence,
    Kind,
    Labelled,
    Literal,
    NotebookStage,
    Parameter,
    ParameterRef,
    ParameterType,
    Read,
    Role,
    ScopeName,
    ScopeRef,
    Sql,
    Write,
)
from nbdataops.product.faults import Spot
from nbdataops.product.modules import find_modules
from nbdataops.product.parameter_cell import read_parameters
from nbdataops.product.parsed_cells import ParsedCell, parse_cells
from nbdataops.product.places import candidates
from nbdataops.product.stage_names import stage_names, uses_stage

__all__ = [
    "SCOPE_NAMES",
    "Argument",
    "Evidence",
    "Kind",
    "Labelled",
    "Literal",
    "NotebookStage",
    "Parameter",
    "ParameterRef",
    "ParameterType",
    "Read",
    "Role",
    "ScopeName",
    "ScopeRef",
    "Sql",
    "Write",
    "find_notebooks",
    "read_notebook",
]

_NO_STAGE = "does not call stage"


def read_notebook(root: Path, path: Path) -> NotebookStage | None:
    """What a notebook declares; None when it is no stage (it does not call `stage`, or is not Python).

    NotebookError, with notebook, cell and line, when it is one but cannot be understood.
    """
    found = _read(root, path)
    return found if isinstance(found, NotebookStage) else None


def find_notebooks(
    root: Path, *, store: Path | None = None
) -> tuple[tuple[NotebookStage, ...], tuple[tuple[str, str], ...]]:
    """All stages under the product's folder, by name, and the notebooks and folders left out: (path, reason).

    Left out are names that start with `.` or `_`, `Untitled*`, `*-Copy*`, the `store`, other products inside this
    one, virtual environments, and notebooks that do not call `stage`. (Folders that start with `.` are not listed.)
    When several notebooks are broken, the first is the error and the others are its detail.
    """
    stages: list[NotebookStage] = []
    ignored: list[tuple[str, str]] = []
    broken: list[NotebookError] = []
    for path, reason in candidates(root, store):
        name = path.relative_to(root).as_posix()
        if not reason:
            try:
                found = _read(root, path)
            except NotebookError as error:
                broken.append(error)
                continue
            if isinstance(found, NotebookStage):
                stages.append(found)
                continue
            reason = found
        ignored.append((_printable(name), reason))
    if broken:
        first, *others = _unique(broken)
        if others:
            first.detail = "\n".join([first.detail, "also:", *map(str, others)]).strip()
        raise first
    return tuple(sorted(stages, key=lambda s: s.name)), tuple(sorted(ignored))


def _read(root: Path, path: Path) -> NotebookStage | str:
    """The stage, or why the notebook is none."""
    if not path.is_relative_to(root):
        raise Spot(path.name).error(
            f"does not lie in the product {root}", "move it into the product's folder"
        )
    file = path.relative_to(root).as_posix()
    _check_file_name(file)
    try:
        return _analyse(root, path, file)
    except (RecursionError, MemoryError) as error:
        raise Spot(_printable(file)).error(
            "has code that is nested too deeply to be analysed", "break the deepest expression into parts"
        ) from error


def _analyse(root: Path, path: Path, file: str) -> NotebookStage | str:
    notebook = read_cells(path, file)
    if notebook.language not in ("python", "python3", "ipython"):
        return f"is written in {_printable(notebook.language)}"
    if not notebook.mentions("nbdataops"):
        return _NO_STAGE
    cells = parse_cells(notebook)
    names = stage_names(cells, file)
    if not uses_stage(cells, names):
        return _NO_STAGE
    parameters = read_parameters(cells, file)
    bindings = read_bindings(cells)
    _check_scope_names(cells, bindings, bool(parameters), file)
    constants = Constants(bindings, {p.name: p for p in parameters})
    calls = find_calls(cells, names, constants, file)
    modules = find_modules(root, (cell.tree for cell in cells))
    uses = frozenset(calls.uses | ({p.name for p in parameters} & set(SCOPE_NAMES)))
    return NotebookStage(
        name=file.removesuffix(".ipynb"),
        path=path,
        role=_role(calls),
        parameters=parameters,
        reads=tuple(calls.reads),
        sqls=tuple(calls.sqls),
        labelled=tuple(calls.labelled),
        writes=tuple(calls.writes),
        family=calls.family,
        is_fit=calls.is_fit,
        outcome=calls.outcome,
        evidence=tuple(calls.evidence),
        validates=calls.validates,
        secrets=tuple(calls.secrets),
        uses=uses | {"horizon"} if "until" in uses else uses,
        modules=modules.files,
        code_digest=code_digest(notebook_trees(cells)),
        module_digests=modules.digests,
        imports=modules.imports,
        fixed=frozenset(calls.fixed),
    )


def _role(calls: StageCalls) -> Role:
    if calls.is_fit is not None:
        return "method"
    if calls.outcome:
        return "outcome"
    if calls.writes:
        return "prepare"
    return "check" if calls.evidence else "view"


def _check_file_name(file: str) -> None:
    if any(c in "[]@\\" or not c.isprintable() for c in file):
        raise Spot(_printable(file)).error(
            "has a name that a stage cannot have", "rename it: no [ ] @ \\ and nothing that does not print"
        )


def _check_scope_names(
    cells: Iterable[ParsedCell], bindings: Bindings, has_parameters: bool, file: str
) -> None:
    """A notebook that uses `as_of` or `horizon` as a name must declare it in its parameters cell."""
    if bindings.star_import:
        return
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Name) and node.id in SCOPE_NAMES and node.id not in bindings.anywhere:
                hint = f"`{node.id}: {'int = 39' if node.id == 'horizon' else 'date = date(1997, 9, 30)'}`"
                what = f"{node.id!r} is used but never bound"
                raise Spot(file, cell.number).error(
                    what if has_parameters else f"{what}: the notebook has no cell tagged 'parameters'",
                    f"declare {hint} in the parameters cell, or use stage.{node.id}",
                    node=node,
                )


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _unique(errors: list[NotebookError]) -> list[NotebookError]:
    """A broken module is found once for every notebook that imports it."""
    return list({str(error): error for error in errors}.values())
