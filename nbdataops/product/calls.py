"""What a notebook asks of `stage`: every call of the stage API, found in the code without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from nbdataops.errors import NotebookError, did_you_mean
from nbdataops.product.bindings import Function, bound, local_names
from nbdataops.product.call_arguments import CallArguments
from nbdataops.product.constants import Constants
from nbdataops.product.declared import (
    SCOPE_NAMES,
    Evidence,
    Labelled,
    Literal,
    Read,
    ScopeRef,
    Sql,
    Write,
)
from nbdataops.product.faults import Spot
from nbdataops.product.parsed_cells import ParsedCell, magic_call
from nbdataops.product.sql_text import read_sql
from nbdataops.product.stage_names import StageNames, check_not_rebound, check_path

_OTHER_LANGUAGES = frozenset(
    [
        "bash",
        "sh",
        "script",
        "system",
        "sx",
        "cmd",
        "perl",
        "ruby",
        "html",
        "svg",
        "javascript",
        "js",
        "latex",
        "markdown",
        "sql",
        "writefile",
        "file",
    ]
)
_INTO = ("pandas", "arrow", "polars", "duckdb")


@dataclass
class StageCalls:
    """What was found; filled while the cells are walked."""

    reads: list[Read] = field(default_factory=list)
    sqls: list[Sql] = field(default_factory=list)
    labelled: list[Labelled] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    family: str | None = None
    is_fit: bool | None = None
    outcome: bool = False
    validates: bool = False
    secrets: list[str] = field(default_factory=list)
    uses: set[str] = field(default_factory=set)
    fixed: set[str] = field(default_factory=set)
    count: int = 0


def find_calls(cells: Sequence[ParsedCell], names: StageNames, constants: Constants, file: str) -> StageCalls:
    """All calls of the stage API. NotebookError, with cell and line, for any other use of `stage`."""
    for cell in cells:
        check_not_rebound(cell, names, Spot(file, cell.number))
        check_path(cell, Spot(file, cell.number))
    calls = StageCalls()
    for cell in cells:
        _Finder(names, constants, calls, Spot(file, cell.number)).visit(cell.tree)
    if calls.outcome and calls.writes:
        write = calls.writes[0]
        raise Spot(file, write.cell).error(
            f"this notebook publishes an outcome and writes the table {write.table!r}: whoever reads that table would "
            "see what happened after its as_of",
            "write the table in a notebook of its own",
            line=write.line,
        )
    calls.fixed |= constants.parameters_used
    return calls


class _Finder(ast.NodeVisitor):
    def __init__(self, names: StageNames, constants: Constants, calls: StageCalls, spot: Spot) -> None:
        self.names = names
        self.constants = constants
        self.calls = calls
        self.spot = spot
        self.locals: list[set[str]] = []
        self.handlers: Mapping[str, Callable[[CallArguments], None]] = {
            "read": self._read,
            "sql": self._sql,
            "labelled": self._labelled,
            "write": self._write,
            "estimate": self._estimate,
            "outcome": self._outcome,
            "evidence": self._evidence,
            "validate": self._validate,
            "secret": self._secret,
            "here": self._here,
        }

    # --- scopes: a name local to a function is no constant of the notebook

    @contextmanager
    def _inside(self, names: set[str]) -> Iterator[None]:
        self.locals.append(names)
        yield
        self.locals.pop()

    def _function(self, node: Function) -> None:
        arguments = node.args
        for outer in (*getattr(node, "decorator_list", ()), *arguments.defaults, *arguments.kw_defaults):
            if outer is not None:
                self.visit(outer)
        with self._inside(local_names(node)):
            for inner in node.body if isinstance(node.body, list) else [node.body]:
                self.visit(inner)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        with self._inside({name for statement in node.body for name, _ in bound(statement)}):
            self.generic_visit(node)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        targets = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        with self._inside(targets):
            self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    # --- uses of stage

    def visit_Call(self, node: ast.Call) -> None:
        func = node.func
        self._check_magic(node)
        if isinstance(func, ast.Attribute) and self.names.is_stage(func.value):
            handler = self.handlers.get(func.attr)
            if handler is None and func.attr not in SCOPE_NAMES:
                self._unknown(func)
            if handler is None:
                raise self._error(
                    f"stage.{func.attr} is a value, not a function", "leave the brackets out", func
                )
            self.calls.count += 1
            handler(CallArguments(node, func.attr, self.spot, self.names, self.constants, tuple(self.locals)))
            for inner in (*node.args, *(k.value for k in node.keywords)):
                self.visit(inner)
            return
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self.names.is_stage(node):
            raise self._passed_on(node)
        if not self.names.is_stage(node.value):
            if not (isinstance(node.value, ast.Name) and node.value.id in self.names.package):
                self.generic_visit(node)
            return
        if not isinstance(node.ctx, ast.Load):
            raise self._error(f"stage.{node.attr} is assigned to", "stage is read only", node)
        if node.attr in SCOPE_NAMES:
            self.calls.count += 1
            self.calls.uses.add(node.attr)
            return
        if node.attr in self.handlers:
            raise self._error(
                f"stage.{node.attr} is re-bound or passed on, not called",
                f"call it where it is needed: stage.{node.attr}(...)",
                node,
            )
        self._unknown(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.names.stage:
            raise self._passed_on(node)
        if node.id in self.names.package and isinstance(node.ctx, ast.Load):
            raise self._error(
                f"{node.id!r} is re-bound or passed on, so its stage could not be followed",
                "use it only as `nbdataops.something`",
                node,
            )

    def _check_magic(self, node: ast.Call) -> None:
        magic = magic_call(node)
        if magic is None:
            return
        kind, name, text = magic
        if kind == "run_line_magic" and name == "run":
            raise self._error(
                "%run executes code that nobody can follow", "put the code into a module and import it", node
            )
        used = any(re.search(rf"\b{re.escape(alias)}\.\w", text) for alias in self.names.stage)
        if used and kind in ("run_line_magic", "run_cell_magic") and name not in _OTHER_LANGUAGES:
            raise self._error(
                f"stage is used inside the magic %{name}, where it cannot be followed",
                "write the call as plain code" + ("; %%time on the cell is fine" if name == "time" else ""),
                node,
            )

    def _passed_on(self, node: ast.expr) -> NotebookError:
        return self._error(
            "stage is re-bound or passed on",
            "call it in the notebook (`stage.read(...)`) and pass on what it returns",
            node,
        )

    def _unknown(self, node: ast.Attribute) -> None:
        todo = did_you_mean(node.attr, [*self.handlers, *SCOPE_NAMES])
        raise self._error(f"there is no stage.{node.attr}", todo, node)

    def _error(self, what: str, todo: str, node: ast.AST) -> NotebookError:
        return self.spot.error(what, todo, node=node)

    # --- one method a call of the API

    def _read(self, call: CallArguments) -> None:
        call.accept("name", "columns", "into")
        call.choice("into", _INTO)
        read = Read(call.table("name"), call.columns("columns"), call.cell, call.line)
        self.calls.reads.append(read)

    def _sql(self, call: CallArguments) -> None:
        call.accept("text", options=("into",), frames=True)
        call.choice("into", _INTO)
        text = call.text("text")
        frames = tuple(k for k in call.keywords if k not in ("text", "into"))
        parsed = read_sql(text, self.spot, call.node)
        unknown = [v for v in parsed.values if v not in SCOPE_NAMES and v not in self.constants.parameters]
        if unknown:
            known = [*SCOPE_NAMES, *self.constants.parameters]
            raise call.error(
                f"nothing is bound to ${unknown[0]} in this query", did_you_mean(unknown[0], known)
            )
        lower = {f.lower() for f in frames}
        tables = tuple(t for t in parsed.tables if t.lower() not in lower)
        unused = [f for f in frames if f.lower() not in {t.lower() for t in parsed.tables}]
        if unused:
            raise call.error(
                f"the frame {unused[0]!r} is not used in this query", did_you_mean(unused[0], parsed.tables)
            )
        self.calls.uses |= set(parsed.values) & set(SCOPE_NAMES)
        self.calls.sqls.append(Sql(text, frames, tables, call.cell, call.line, parsed.values))

    def _labelled(self, call: CallArguments) -> None:
        call.accept("name", "columns", "horizon", "origins")
        columns = call.columns("columns")
        if columns is None:
            raise call.error("stage.labelled needs its columns", 'name them: columns=["x", "t_x"]')
        horizon = call.whole_number("horizon", ScopeRef("horizon"))
        origins = call.whole_number("origins", Literal(1))
        self.calls.uses |= {a.name for a in (horizon, origins) if isinstance(a, ScopeRef)}
        table = call.table("name")
        self.calls.labelled.append(Labelled(table, columns, horizon, origins, call.cell, call.line))

    def _write(self, call: CallArguments) -> None:
        call.accept("name", "frame", options=("key", "event_time", "by"))
        call.need("frame")
        call.need("key", 'name the columns that tell rows apart: key="customer_id"')
        key = call.names("key")
        if not key:
            raise call.error(
                "stage.write has an empty key", 'name the columns that tell rows apart: key="customer_id"'
            )
        event_time = call.optional_text("event_time")
        table = call.table("name")
        if any(w.table == table for w in self.calls.writes):
            raise call.error(
                f"table {table!r} is written twice in this notebook",
                "bind the frame in the branches, and write it once",
            )
        if call.has("by"):
            raise call.error(
                "stage.write(by=...) is not supported in this version",
                "leave it out: tables with an event time are kept by month",
            )
        self.calls.writes.append(Write(table, key, event_time, call.cell, call.line))

    def _estimate(self, call: CallArguments) -> None:
        call.accept("frame_or_fit", options=("family",))
        given = call.need("frame_or_fit")
        family = call.text("family", 'name it: family="latent-attrition"')
        if not family:
            raise call.error("stage.estimate has an empty family", 'name it: family="latent-attrition"')
        if self.calls.is_fit is not None:
            raise call.error("this notebook publishes two estimates", "one notebook is one method: split it")
        if self.calls.outcome:
            raise call.error(*_ESTIMATE_AND_OUTCOME)
        self.calls.family = family
        self.calls.is_fit = isinstance(given, ast.Lambda) or (
            isinstance(given, ast.Name) and self.constants.is_function(given.id, self.locals)
        )

    def _outcome(self, call: CallArguments) -> None:
        call.accept("frame")
        call.need("frame")
        if self.calls.outcome:
            raise call.error("this notebook publishes two outcomes", "there is one outcome: keep one call")
        if self.calls.is_fit is not None:
            raise call.error(*_ESTIMATE_AND_OUTCOME)
        self.calls.outcome = True

    def _evidence(self, call: CallArguments) -> None:
        call.accept("name", options=("bad", "of", "ours", "theirs", "margin", "required"))
        name = call.text("name")
        counts, series = call.has("bad") or call.has("of"), call.has("ours") or call.has("theirs")
        whole = (call.has("bad") and call.has("of")) if counts else (call.has("ours") and call.has("theirs"))
        if counts == series or not whole:
            raise call.error(
                "stage.evidence takes either `bad` and `of`, or `ours` and `theirs`",
                'for example stage.evidence("negative amounts", bad=n, of=N)',
            )
        if any(e.name == name for e in self.calls.evidence):
            raise call.error(
                f"evidence {name!r} is given twice in this notebook", "give each check its own name"
            )
        self.calls.evidence.append(Evidence(name, call.flag("required"), call.cell, call.line))

    def _validate(self, call: CallArguments) -> None:
        call.accept()
        self.calls.validates = True

    def _secret(self, call: CallArguments) -> None:
        call.accept("name")
        name = call.text("name")
        if name not in self.calls.secrets:
            self.calls.secrets.append(name)

    def _here(self, call: CallArguments) -> None:
        call.accept("path")
        call.need("path")


_ESTIMATE_AND_OUTCOME = (
    "this notebook publishes an estimate and an outcome",
    "what will happen and what did happen are two notebooks: split it",
)
