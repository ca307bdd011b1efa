"""A digest of code that only a change of meaning changes."""

from __future__ import annotations

import ast
import copy
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from nbdataops.product.parameter_cell import is_declaration
from nbdataops.product.parsed_cells import ParsedCell, fill_bodies


def code_digest(trees: Iterable[ast.Module]) -> str:
    """SHA-256 over the syntax of all statements in order, split into cells or modules as they may be.

    Formatting, comments, docstrings and other bare texts do not count; type annotations do.

    >>> code_digest([ast.parse("x = 1\\ny = f( x )")]) == code_digest([ast.parse("x=1 # one"), ast.parse("y = f(x)")])
    True
    >>> code_digest([ast.parse("x = 1")]) == code_digest([ast.parse("x = 1.0")])
    False
    """
    digest = hashlib.sha256()
    for tree in trees:
        for statement in _normal(tree).body:
            digest.update(
                ast.dump(statement, include_attributes=False).encode("utf-8", "surrogatepass") + b"\n"
            )
    return digest.hexdigest()


def notebook_trees(cells: Sequence[ParsedCell]) -> tuple[ast.Module, ...]:
    """The cells' trees without the defaults of parameters, which enter a key by their resolved values."""
    return tuple(_without_defaults(cell.tree) if cell.is_parameters else cell.tree for cell in cells)


def _without_defaults(tree: ast.Module) -> ast.Module:
    copied = copy.deepcopy(tree)
    for statement in copied.body:
        if is_declaration(statement) and isinstance(statement, ast.Assign | ast.AnnAssign):
            statement.value = ast.Constant(value=...)
    return copied


def _normal(node: Any) -> Any:
    """A copy without what does not count. (To copy all and change the copy takes twice as long.)"""
    if not node._fields:
        return node
    if isinstance(node, ast.Constant):
        return ast.Constant(value=node.value)  # without the mark of u"..."
    fields = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            kept = (part for part in value if not _is_bare_text(part))
            value = [_normal(part) if isinstance(part, ast.AST) else part for part in kept]
        elif isinstance(value, ast.AST):
            value = _normal(value)
        fields[name] = value
    normal = type(node)(**fields)
    fill_bodies(normal)
    return normal


def _is_bare_text(node: Any) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
