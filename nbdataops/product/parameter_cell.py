"""The parameters cell: imports, and names with literal values; nothing derived, since papermill injects after it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from nbdataops.errors import ParameterError
from nbdataops.product.declared import SCOPE_NAMES, Parameter, ParameterType
from nbdataops.product.faults import Spot
from nbdataops.product.parameter_types import Names, infer, read_annotation
from nbdataops.product.parameter_values import coerce
from nbdataops.product.parsed_cells import ParsedCell

_DERIVED = "write the value out; derive others from it in a later cell (papermill injects after this one)"


def read_parameters(cells: Sequence[ParsedCell], file: str) -> tuple[Parameter, ...]:
    """The parameters that the cell tagged `parameters` declares; none when there is no such cell.

    NotebookError when there are two such cells, or when the cell holds anything but imports and names with
    literal values of their annotated type.
    """
    tagged = [cell for cell in cells if cell.is_parameters]
    if not tagged:
        return ()
    if len(tagged) > 1:
        numbers = " and ".join(str(cell.number) for cell in tagged)
        raise Spot(file, tagged[1].number).error(
            f"is a second parameters cell (cells {numbers} are tagged 'parameters')",
            "keep one: papermill injects only after the first",
        )
    cell = tagged[0]
    spot = Spot(file, cell.number)
    names = Names.of(c.tree for c in cells if c.number <= cell.number)
    found: dict[str, Parameter] = {}
    for statement in cell.tree.body:
        parameter = _parameter(statement, names, spot)
        if parameter is None:
            continue
        if parameter.name in found:
            raise spot.error(
                f"parameter {parameter.name!r} is declared twice", "keep one of the two lines", node=statement
            )
        found[parameter.name] = parameter
    return tuple(found.values())


def is_declaration(statement: ast.stmt) -> bool:
    """Whether a statement of the parameters cell declares a parameter (and is not an import or a text)."""
    return isinstance(statement, ast.AnnAssign | ast.Assign)


def _parameter(statement: ast.stmt, names: Names, spot: Spot) -> Parameter | None:
    annotation: ast.expr | None = None
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return None
        case ast.Expr(value=ast.Constant()):
            return None
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=None):
            raise spot.error(
                f"parameter {name!r} has no default", f"give it one: `{name}: ... = ...`", node=statement
            )
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            pass
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case _:
            raise spot.error(
                f"`{_shown(statement)}` does not belong into the parameters cell",
                "only imports and names with literal values; move the rest into a later cell",
                node=statement,
            )
    default = _value(value, name, names, spot)
    kind = read_annotation(annotation, names, spot) if annotation is not None else infer(default, value, spot)
    _check_scope_name(name, kind, statement, spot)
    text = ast.unparse(annotation) if annotation is not None else None
    parameter = Parameter(name, text, kind, default, spot.cell or 0, statement.lineno)
    try:
        typed = coerce(parameter, default)
    except ParameterError as error:
        raise spot.error(
            f"the default of {error.what}", "mend the default or the annotation", node=statement
        ) from None
    return Parameter(name, text, kind, typed, spot.cell or 0, statement.lineno)


def _value(node: ast.expr, name: str, names: Names, spot: Spot) -> Any:
    if isinstance(node, ast.Call):
        return _called(node, name, names, spot)
    if isinstance(node, ast.List):
        return [_value(item, name, names, spot) for item in node.elts]
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise _derived(node, name, spot) from None
    if isinstance(value, tuple | set | dict | bytes | complex) or value is ...:
        raise spot.error(
            f"parameter {name!r} is a {type(value).__name__}, which parameters cannot be",
            "use int, float, bool, str, date, datetime, None or a list of such",
            node=node,
        )
    return value


def _called(node: ast.Call, name: str, names: Names, spot: Spot) -> Any:
    dotted = names.dotted(node.func)
    try:
        args = [ast.literal_eval(a) for a in node.args]
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords if k.arg}
    except (ValueError, TypeError, SyntaxError):
        raise _derived(node, name, spot) from None
    builders: dict[str | None, Any] = {
        "datetime.date": date,
        "datetime.datetime": datetime,
        "datetime.date.fromisoformat": date.fromisoformat,
        "datetime.datetime.fromisoformat": datetime.fromisoformat,
    }
    if dotted == "float" and not keywords and args and args[0] in ("nan", "inf", "-inf"):
        return float(args[0])
    if dotted not in builders or len(keywords) != len(node.keywords):
        raise _derived(node, name, spot)
    try:
        return builders[dotted](*args, **keywords)
    except (TypeError, ValueError, OverflowError) as error:
        raise spot.error(
            f"the default of parameter {name!r} is no date: {error}", "write a date that exists", node=node
        ) from None


def _check_scope_name(name: str, kind: ParameterType, statement: ast.stmt, spot: Spot) -> None:
    wanted = ("int", "float") if name == "horizon" else ("date", "str")
    if name in SCOPE_NAMES and kind.kind not in wanted:
        raise spot.error(
            f"parameter {name!r} is {kind}; the scope gives it as {wanted[0]}",
            f"annotate it: `{name}: {wanted[0]} = ...`",
            node=statement,
        )


def _derived(node: ast.expr, name: str, spot: Spot) -> Exception:
    return spot.error(f"parameter {name!r} has a derived value: `{_shown(node)}`", _DERIVED, node=node)


def _shown(node: ast.AST) -> str:
    text = ast.unparse(node).split("\n")[0]
    return f"{text[:77]}..." if len(text) > 80 else text
