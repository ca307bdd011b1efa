"""Which names a notebook binds, where, and to what: the ground for reading arguments without running code."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nbdataops.product.parsed_cells import ParsedCell

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_MUTATORS = frozenset(
    {"append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "add"}
)


@dataclass(frozen=True, slots=True)
class Binding:
    """One place that binds a name of the notebook. `value` is known only for a plain assignment at the top level."""

    cell: int
    node: ast.AST
    value: ast.expr | None = None


@dataclass(frozen=True, slots=True)
class Bindings:
    """All bindings of the notebook's own names (not those local to functions), and which are changed in place."""

    by_name: dict[str, tuple[Binding, ...]]
    mutated: dict[str, Binding]
    anywhere: frozenset[str]
    star_import: bool

    def once(self, name: str) -> Binding | None:
        """The binding of a name that is bound exactly once and never changed in place."""
        found = self.by_name.get(name, ())
        return found[0] if len(found) == 1 and name not in self.mutated else None


def read_bindings(cells: Sequence[ParsedCell]) -> Bindings:
    """Collect the bindings of all cells, in order."""
    found: dict[str, list[Binding]] = {}
    mutated: dict[str, Binding] = {}
    anywhere: set[str] = set()
    star = False
    for cell in cells:
        for statement in cell.tree.body:
            value = _plain(statement)
            for name, node in bound(statement):
                found.setdefault(name, []).append(Binding(cell.number, node, value))
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                anywhere |= local_names(node)
                body = node.body if isinstance(node.body, list) else [node.body]
                shared = _declared(node, ast.Global)
                for name, inner in _bound_all(body):
                    if name in shared:
                        found.setdefault(name, []).append(Binding(cell.number, inner))
            elif isinstance(node, ast.comprehension):
                anywhere |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
            elif isinstance(node, ast.ClassDef):
                anywhere |= {name for name, _ in _bound_all(node.body)}
            elif isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names):
                star = True
            for name in _changed(node):
                mutated.setdefault(name, Binding(cell.number, node))
    frozen = {name: tuple(bindings) for name, bindings in found.items()}
    return Bindings(frozen, mutated, frozenset(anywhere) | frozenset(frozen), star)


def local_names(function: Function) -> set[str]:
    """Names that belong to one call of a function: its arguments and what its body binds."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    names = {a.arg for a in every if a is not None}
    body = function.body if isinstance(function.body, list) else [function.body]
    names |= {name for name, _ in _bound_all(body)}
    return names - _declared(function, ast.Global) - _declared(function, ast.Nonlocal)


def bound(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Names that executing `node` binds in its own scope, with the node that does it."""
    children: Iterable[ast.AST]
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, node
            children = [*node.decorator_list, *node.args.defaults, *[d for d in node.args.kw_defaults if d]]
        case ast.ClassDef():
            yield node.name, node
            children = [*node.decorator_list, *node.bases, *[k.value for k in node.keywords]]
        case ast.Lambda():
            children = [*node.args.defaults, *[d for d in node.args.kw_defaults if d]]
        case ast.comprehension():
            children = [node.iter, *node.ifs]  # the target is the comprehension's own
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], node
            return
        case ast.AnnAssign(target=ast.Name(), value=None):
            return
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id, node
            return
        case _:
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                yield node.name, node
            if isinstance(node, ast.MatchMapping) and node.rest:
                yield node.rest, node
            children = ast.iter_child_nodes(node)
    yield from _bound_all(children)


def _bound_all(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for node in nodes:
        yield from bound(node)


def _declared(function: Function, kind: type[ast.Global] | type[ast.Nonlocal]) -> set[str]:
    if isinstance(function, ast.Lambda):
        return set()
    return {name for node in _own_statements(function.body) if isinstance(node, kind) for name in node.names}


def _own_statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _own_statements(ast.iter_child_nodes(node))


def _plain(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value):
            return value
        case ast.AnnAssign(target=ast.Name(), value=value):
            return value
        case _:
            return None


def _changed(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _MUTATORS:
            yield name
        case _:
            return
