"""The type of a parameter, from its annotation or its default: what of Python's typing is understood."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from nbdataops.product.declared import Kind, ParameterType
from nbdataops.product.faults import Spot

_SCALARS: dict[str, Kind] = {
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "datetime.date": "date",
    "datetime.datetime": "datetime",
}
_KNOWN = "int, float, bool, str, date, datetime, Literal[...], Optional[...] or `X | None`, list[...]"


@dataclass(frozen=True, slots=True)
class Names:
    """What the imports of a notebook mean: local name -> dotted name, e.g. `dt` -> `datetime`."""

    imported: Mapping[str, str]

    @staticmethod
    def of(trees: Iterable[ast.AST]) -> Names:
        found: dict[str, str] = {}
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    for alias in node.names:
                        name = alias.asname or alias.name.split(".")[0]
                        found[name] = alias.name if alias.asname else name
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    for alias in node.names:
                        found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return Names(found)

    def dotted(self, node: ast.AST) -> str | None:
        """The full name of a name or an attribute: `dt.date` -> `datetime.date`; None for anything else."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            return f"{base}.{node.attr}" if base else None
        return None


def read_annotation(node: ast.expr, names: Names, spot: Spot) -> ParameterType:
    """The type that an annotation declares. NotebookError when it is none that parameters can have."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            inner = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise _unknown(node, spot) from None
        ast.copy_location(inner, node)
        for child in ast.walk(inner):
            ast.copy_location(child, node)
        return read_annotation(inner, names, spot)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right], node, names, spot)
    if isinstance(node, ast.Subscript):
        return _subscript(node, names, spot)
    dotted = names.dotted(node)
    if dotted in _SCALARS:
        kind = _SCALARS[dotted]
        if kind in ("date", "datetime"):
            return ParameterType(kind, constructor=ast.unparse(node))
        return ParameterType(kind)
    if dotted in ("date", "datetime.datetime.date"):
        raise spot.error(
            f"the annotation `{ast.unparse(node)}` is not imported before it is used",
            "write `from datetime import date` in the parameters cell",
            node=node,
        )
    raise _unknown(node, spot)


def infer(value: Any, node: ast.expr, spot: Spot) -> ParameterType:
    """The type of a parameter without annotation, from its default."""
    if isinstance(value, bool):
        return ParameterType("bool")
    if isinstance(value, int):
        return ParameterType("int")
    if isinstance(value, float):
        return ParameterType("float")
    if isinstance(value, str):
        return ParameterType("str")
    if isinstance(value, date):
        kind: Kind = "datetime" if isinstance(value, datetime) else "date"
        return ParameterType(kind, constructor=constructor(node))
    if isinstance(value, list) and value and isinstance(node, ast.List):
        items = {infer(v, n, spot) for v, n in zip(value, node.elts, strict=True)}
        if {i.kind for i in items} == {"int", "float"}:
            items = {ParameterType("float")}
        if len(items) == 1:
            return ParameterType("list", item=items.pop())
    raise spot.error(
        f"the default `{ast.unparse(node)[:60]}` does not tell the parameter's type",
        f"annotate it: {_KNOWN}",
        node=node,
    )


def constructor(node: ast.expr) -> str:
    """The text before the bracket of `date(...)` or `dt.date.fromisoformat(...)`, without `fromisoformat`."""
    if not isinstance(node, ast.Call):
        return ""
    func = node.func
    if isinstance(func, ast.Attribute) and func.attr == "fromisoformat":
        func = func.value
    return ast.unparse(func)


def _subscript(node: ast.Subscript, names: Names, spot: Spot) -> ParameterType:
    outer = names.dotted(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if outer in ("typing.Optional", "typing_extensions.Optional") and len(inner) == 1:
        return replace(read_annotation(inner[0], names, spot), optional=True)
    if outer in ("typing.Union", "typing_extensions.Union"):
        return _union(inner, node, names, spot)
    if outer in ("typing.Literal", "typing_extensions.Literal"):
        return _literal(inner, node, spot)
    if outer in ("list", "typing.List") and len(inner) == 1:
        return ParameterType("list", item=read_annotation(inner[0], names, spot))
    raise _unknown(node, spot)


def _literal(inner: list[ast.expr], node: ast.expr, spot: Spot) -> ParameterType:
    options: list[str | int | bool] = []
    optional = False
    for option in inner:
        try:
            value = ast.literal_eval(option)
        except ValueError:
            raise _unknown(node, spot) from None
        if value is None:
            optional = True
        elif isinstance(value, str | int):
            options.append(value)
        else:
            raise _unknown(node, spot)
    return ParameterType("literal", optional=optional, options=tuple(options))


def _union(members: list[ast.expr], node: ast.expr, names: Names, spot: Spot) -> ParameterType:
    rest = [m for m in members if not (isinstance(m, ast.Constant) and m.value is None)]
    if len(rest) != 1 or len(rest) == len(members):
        raise _unknown(node, spot)
    return replace(read_annotation(rest[0], names, spot), optional=True)


def _unknown(node: ast.expr, spot: Spot) -> Exception:
    return spot.error(
        f"the annotation `{ast.unparse(node)[:80]}` is no type that a parameter can have",
        f"use one of {_KNOWN}",
        node=node,
    )
