"""Code cells as syntax trees, IPython's magics understood; line numbers stay those of the cell."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nbdataops.product.cells import PARAMETERS_TAG, Cell, NotebookFile
from nbdataops.product.faults import Spot

_PYTHON_CELL_MAGICS = frozenset({"time", "timeit", "capture", "prun", "debug"})
_LINE_MAGIC = re.compile(r"^(?P<indent>[ \t]*)%(?P<name>[A-Za-z_]\w*)(?P<rest>[^\n]*)$")
_CELL_MAGIC = re.compile(r"\A%%(?P<name>[A-Za-z_][\w.]*)(?P<rest>[^\n]*)\n?")
_PLACEHOLDER = "__nbdataops_display_magic_{}__"


@dataclass(frozen=True, slots=True)
class ParsedCell:
    """A code cell as a tree whose line numbers are those of the cell; display magics are gone from it."""

    number: int
    tree: ast.Module
    is_parameters: bool


def parse_cells(notebook: NotebookFile) -> tuple[ParsedCell, ...]:
    """Every code cell as a tree. NotebookError at the line of a syntax error, or of a magic that hides code."""
    return tuple(
        ParsedCell(cell.number, _parse(cell, Spot(notebook.file, cell.number)), PARAMETERS_TAG in cell.tags)
        for cell in notebook.cells
    )


def parse_python(source: str | bytes) -> ast.Module:
    """`ast.parse`, silent about code that Python would warn of: it is not run here, and Jupyter shows the warning."""
    with _silent():
        return ast.parse(source)


@contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parse(cell: Cell, spot: Spot) -> ast.Module:
    source = cell.source
    tree = _try(source)
    if tree is None:
        tree = _without_display_lines(source)
    if tree is None:
        tree = _with_magics(source, spot)
    return tree


def _try(source: str) -> ast.Module | None:
    try:
        return parse_python(source)
    except (SyntaxError, ValueError):
        return None


def is_display(name: str, rest: str) -> bool:
    """Whether a line magic changes only how things look or reload; the one allow-list.

    >>> is_display("matplotlib", "inline"), is_display("config", "InlineBackend.figure_format = 'svg'")
    (True, True)
    >>> is_display("config", "Application.verbose = True"), is_display("time", "f()")
    (False, False)
    """
    words = rest.split()
    first = words[0] if words else ""
    if name in ("matplotlib", "autoreload"):
        return True
    if name == "config":
        return first.split(".")[0] == "InlineBackend"
    return name in ("load_ext", "reload_ext") and words == ["autoreload"]


def _without_display_lines(source: str) -> ast.Module | None:
    """The usual `%matplotlib inline`, without importing IPython; None when there is more to it."""
    count = 0
    lines = []
    for line in source.split("\n"):
        found = _LINE_MAGIC.match(line)
        if found and is_display(found["name"], found["rest"]):
            line = found["indent"] + _PLACEHOLDER.format(count)
            count += 1
        lines.append(line)
    tree = _try("\n".join(lines)) if count else None
    if tree is None:
        return None
    dropper = _DropDisplay()
    tree = dropper.visit(tree)
    return tree if dropper.placeholders == count else None


def _with_magics(source: str, spot: Spot) -> ast.Module:
    stripped = source.lstrip("\n \t")
    skipped = source[: len(source) - len(stripped)].count("\n")
    cell_magic = _CELL_MAGIC.match(stripped)
    if cell_magic is None:
        tree = _parse_transformed(source, skipped, spot)
        return _DropDisplay().visit(tree)  # type: ignore[no-any-return]
    name, rest = cell_magic["name"], cell_magic["rest"].strip()
    body = stripped[cell_magic.end() :]
    magic = parse_python("get_ipython().run_cell_magic(0, 0, 0)")
    call = magic.body[0].value  # type: ignore[attr-defined]
    call.args = [ast.Constant(name), ast.Constant(rest)]
    if name in _PYTHON_CELL_MAGICS:
        inner = Cell(spot.cell or 0, "\n" * (skipped + 1) + body, ())
        magic.body.extend(_parse(inner, spot).body)
    else:
        call.args.append(ast.Constant(body))
    ast.increment_lineno(call, skipped)
    return ast.fix_missing_locations(magic)


def _parse_transformed(source: str, skipped: int, spot: Spot) -> ast.Module:
    if not _may_hold_magics(source):
        transformed = (
            "\n" * skipped + textwrap.dedent(source.lstrip("\n")) if skipped else textwrap.dedent(source)
        )
    else:
        from IPython.core.inputtransformer2 import TransformerManager  # 0.3 s: only for cells with magics

        try:
            with _silent():
                transformer = TransformerManager()  # type: ignore[no-untyped-call]
                transformed = "\n" * skipped + transformer.transform_cell(source)
        except SyntaxError as error:
            raise _syntax(error, spot) from error
    try:
        return parse_python(transformed)
    except SyntaxError as error:
        raise _syntax(error, spot) from error
    except ValueError as error:
        raise spot.error(f"cannot be parsed: {error}", "delete the character that is no text") from error


def _may_hold_magics(source: str) -> bool:
    return (
        any(mark in source for mark in "%!?$")
        or re.search(r"^\s*(?:[,;/]|>>>|In \[)", source, re.M) is not None
    )


def _syntax(error: SyntaxError, spot: Spot) -> Exception:
    text = (error.text or "").strip()
    return spot.error(
        f"has a syntax error: {error.msg}",
        "run the cell in Jupyter and mend it" + (f"; the line reads: {text[:120]}" if text else ""),
        line=error.lineno,
    )


def magic_call(node: ast.AST) -> tuple[str, str, str] | None:
    """(kind, name, text) of `get_ipython().run_line_magic(...)`, `.system(...)`, ..., which magics turn into."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    base = node.func.value
    if not (isinstance(base, ast.Call) and isinstance(base.func, ast.Name) and base.func.id == "get_ipython"):
        return None
    texts = [a.value if isinstance(a, ast.Constant) and isinstance(a.value, str) else "" for a in node.args]
    return node.func.attr, texts[0] if texts else "", "\n".join(texts[1:])


class _DropDisplay(ast.NodeTransformer):
    """Takes display magics (and their placeholders) out of a tree."""

    def __init__(self) -> None:
        self.placeholders = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        if isinstance(value, ast.Name) and value.id.startswith("__nbdataops_display_magic_"):
            self.placeholders += 1
            return None
        magic = magic_call(value)
        if magic is not None and magic[0] == "run_line_magic" and is_display(magic[1], magic[2]):
            return None
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        fill_bodies(node)
        return node


def fill_bodies(node: ast.AST) -> None:
    """Put `pass` where taking statements out left a block empty."""
    if isinstance(node, ast.Module):
        return
    body: Sequence[ast.stmt] | Any = getattr(node, "body", None)
    if isinstance(body, list) and not body:
        node.body = [ast.copy_location(ast.Pass(), node)]  # type: ignore[attr-defined]
