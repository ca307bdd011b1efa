"""What an expression of a notebook is, when that can be told without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbdataops.product.bindings import Bindings
from nbdataops.product.declared import Parameter


class NotConstantError(Exception):
    """An expression whose value only running the code would tell; `why` continues a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class Constants:
    """Values of literals, of names bound once to such, of `A + ["x"]` and `[*A, "x"]`.

    Lists come out as tuples. `parameters_used` collects the parameters whose default was taken for a constant.
    `locals_` below are the names of the functions and comprehensions around an expression, outermost first.
    """

    bindings: Bindings
    parameters: Mapping[str, Parameter]
    parameters_used: set[str] = field(default_factory=set)

    def value(self, node: ast.expr, locals_: Sequence[set[str]] = ()) -> Any:
        """The value; NotConstantError when it cannot be told."""
        return self._value(node, locals_, frozenset())

    def parameter(self, node: ast.expr, locals_: Sequence[set[str]] = ()) -> Parameter | None:
        """The parameter that a bare name is, if it is bound nowhere else."""
        if not isinstance(node, ast.Name) or any(node.id in names for names in locals_):
            return None
        return self.parameters.get(node.id) if self.bindings.once(node.id) else None

    def is_function(self, name: str, locals_: Sequence[set[str]] = ()) -> bool:
        """Whether a name is that of a function of the notebook: a `def`, or a lambda bound to it."""
        if any(name in names for names in locals_):
            return False
        return any(
            isinstance(b.node, ast.FunctionDef | ast.AsyncFunctionDef) or isinstance(b.value, ast.Lambda)
            for b in self.bindings.by_name.get(name, ())
        )

    def _value(self, node: ast.expr, locals_: Sequence[set[str]], seen: frozenset[str]) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return tuple(self._items(items, locals_, seen))
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return self._sum(node, self._value(left, locals_, seen), self._value(right, locals_, seen))
            case ast.JoinedStr(values=parts) if all(isinstance(p, ast.Constant) for p in parts):
                return "".join(str(p.value) for p in parts if isinstance(p, ast.Constant))
            case ast.JoinedStr():
                raise NotConstantError("is an f-string, whose text only running the code would tell")
            case ast.Name(id=name):
                return self._named(name, locals_, seen)
            case _:
                raise NotConstantError(
                    f"is `{ast.unparse(node)[:60]}`, which only running the code would tell"
                )

    def _items(
        self, items: Iterable[ast.expr], locals_: Sequence[set[str]], seen: frozenset[str]
    ) -> Iterable[Any]:
        for item in items:
            if isinstance(item, ast.Starred):
                inner = self._value(item.value, locals_, seen)
                if not isinstance(inner, tuple):
                    raise NotConstantError(f"spreads `{ast.unparse(item.value)[:60]}`, which is no list")
                yield from inner
            else:
                yield self._value(item, locals_, seen)

    def _sum(self, node: ast.BinOp, left: Any, right: Any) -> Any:
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
        raise NotConstantError(f"is `{ast.unparse(node)[:60]}`, which is neither a list nor a text")

    def _named(self, name: str, locals_: Sequence[set[str]], seen: frozenset[str]) -> Any:
        if any(name in names for names in locals_):
            raise NotConstantError(f"is {name!r}, which is local to a function or loop")
        places = self.bindings.by_name.get(name, ())
        if not places:
            raise NotConstantError(f"is {name!r}, which this notebook does not bind")
        binding = self.bindings.once(name)
        if binding is None:
            changed = self.bindings.mutated.get(name)
            if len(places) > 1:
                cells = ", ".join(str(b.cell) for b in places)
                raise NotConstantError(f"is {name!r}, which is bound {len(places)} times (in cells {cells})")
            raise NotConstantError(
                f"is {name!r}, which is changed in place in cell {changed.cell if changed else '?'}"
            )
        if name in self.parameters:
            self.parameters_used.add(name)
            default = self.parameters[name].default
            return tuple(default) if isinstance(default, list) else default
        if binding.value is None or name in seen:
            raise NotConstantError(f"is {name!r}, which is not bound to a literal")
        return self._value(binding.value, (), seen | {name})
