"""Under which names a notebook knows `nbdataops.stage`: imports are followed, anything else is refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbdataops.errors import NotebookError
from nbdataops.product.faults import Spot
from nbdataops.product.parsed_cells import ParsedCell


@dataclass(frozen=True, slots=True)
class StageNames:
    """Local names under which a notebook knows `nbdataops.stage`, and `nbdataops` itself."""

    stage: frozenset[str]
    package: frozenset[str]

    def is_stage(self, node: ast.AST) -> bool:
        """Whether the expression is the stage module."""
        if isinstance(node, ast.Name):
            return node.id in self.stage
        return (
            isinstance(node, ast.Attribute)
            and node.attr == "stage"
            and isinstance(node.value, ast.Name)
            and node.value.id in self.package
        )


_FOR_NOTEBOOKS = frozenset({"stage", "ltv", "errors", "__version__"})
"""What a notebook may import of nbdataops; the rest sees more than the scope of a node."""


def _check_import(node: ast.Import | ast.ImportFrom, spot: Spot) -> None:
    if isinstance(node, ast.Import):
        rooms = [a.name.split(".")[1] for a in node.names if a.name.startswith("nbdataops.")]
    elif node.level or not (node.module or "").startswith("nbdataops"):
        return
    elif node.module == "nbdataops":
        rooms = [a.name for a in node.names if a.name != "*"]
    else:
        parts = (node.module or "").split(".")
        rooms = [parts[1]] if parts[0] == "nbdataops" else []
    for room in rooms:
        if room not in _FOR_NOTEBOOKS:
            raise spot.error(
                f"imports nbdataops.{room}, which sees more than this notebook's scope",
                "notebooks use `from nbdataops import stage` and `nbdataops.ltv`",
                node=node,
            )


def check_path(cell: ParsedCell, spot: Spot) -> None:
    """NotebookError for code that changes `sys.path`: what it imports then could not be told."""
    for node in ast.walk(cell.tree):
        match node:
            case ast.Attribute(value=ast.Name(id="sys"), attr="path"):
                raise spot.error(
                    "uses sys.path: which modules it imports cannot be told",
                    "modules are found from the product's folder: `from lib.features import ...`",
                    node=node,
                )
            case ast.ImportFrom(module="sys", names=names) if any(a.name == "path" for a in names):
                raise spot.error(
                    "imports sys.path: which modules it imports cannot be told",
                    "modules are found from the product's folder: `from lib.features import ...`",
                    node=node,
                )
            case _:
                continue


def stage_names(cells: Sequence[ParsedCell], file: str) -> StageNames:
    """Follow the imports of `nbdataops.stage`. NotebookError when single functions of it are imported."""
    stage: set[str] = set()
    package: set[str] = set()
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                _check_import(node, Spot(file, cell.number))
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == "nbdataops.stage" and alias.asname:
                        stage.add(alias.asname)
                    elif alias.name.split(".")[0] == "nbdataops" and (
                        alias.name == "nbdataops" or not alias.asname
                    ):
                        package.add(alias.asname or "nbdataops")
            elif isinstance(node, ast.ImportFrom) and not node.level:
                if node.module == "nbdataops":
                    stage |= {a.asname or a.name for a in node.names if a.name == "stage"}
                elif node.module == "nbdataops.stage":
                    name = node.names[0].name
                    raise Spot(file, cell.number).error(
                        f"imports `{name}` out of nbdataops.stage",
                        f"write `from nbdataops import stage` and `stage.{'read' if name == '*' else name}(...)`",
                        node=node,
                    )
    return StageNames(frozenset(stage), frozenset(package))


def uses_stage(cells: Sequence[ParsedCell], names: StageNames) -> bool:
    """Whether the code does anything with `stage` but import it."""
    return any(
        names.is_stage(node) and isinstance(getattr(node, "ctx", None), ast.Load)
        for cell in cells
        for node in ast.walk(cell.tree)
    )


def check_not_rebound(cell: ParsedCell, names: StageNames, spot: Spot) -> None:
    """NotebookError when a name of `stage` is bound to something else, in whatever scope."""
    known = names.stage | names.package
    for node in ast.walk(cell.tree):
        for name in _binds(node, names):
            if name in known:
                raise _rebound(name, spot, node)


def _binds(node: ast.AST, names: StageNames) -> Iterator[str]:
    """Names that this very node binds, in whatever scope, but for the imports that make `names`."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            base = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
            for alias in aliases:
                local = alias.asname or alias.name.split(".")[0]
                dotted = f"{base}{alias.name}" if base or alias.asname else local
                wanted = "nbdataops.stage" if local in names.stage else "nbdataops"
                if dotted != wanted:
                    yield local
        case _:
            return


def _rebound(name: str, spot: Spot, node: ast.AST) -> NotebookError:
    return spot.error(
        f"{name!r} is re-bound: it is the name of nbdataops' stage here",
        f"call the other thing something else; `{name}` must stay what was imported",
        node=node,
    )
