"""The arguments of one call of the stage API, read from the notebook's text."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from nbdataops.errors import NotebookError, did_you_mean
from nbdataops.product.constants import Constants, NotConstantError
from nbdataops.product.declared import Argument, Literal, ParameterRef, ScopeRef
from nbdataops.product.faults import Spot
from nbdataops.product.stage_names import StageNames


class CallArguments:
    """The arguments of one call of the stage API, by name; every complaint names the call's cell and line."""

    def __init__(
        self,
        node: ast.Call,
        function: str,
        spot: Spot,
        names: StageNames,
        constants: Constants,
        locals_: Sequence[set[str]],
    ) -> None:
        self.node = node
        self.function = function
        self.spot = spot
        self.names_of_stage = names
        self.constants = constants
        self.locals = locals_
        self.cell = spot.cell or 0
        self.line = node.lineno
        self.keywords: dict[str, ast.expr] = {}

    def error(self, what: str, todo: str, node: ast.AST | None = None) -> NotebookError:
        return self.spot.error(what, todo, node=node or self.node)

    def accept(self, *positional: str, options: Sequence[str] = (), frames: bool = False) -> None:
        """Bind the arguments to names; `options` are keywords only, `frames` lets any further keyword pass."""
        function = f"stage.{self.function}"
        for name, argument in zip(positional, self.node.args, strict=False):
            if isinstance(argument, ast.Starred):
                raise self.error(
                    f"{function} is called with *{ast.unparse(argument.value)}", "write the arguments out"
                )
            self.keywords[name] = argument
        if len(self.node.args) > len(positional):
            extra = ast.unparse(self.node.args[len(positional)])[:60]
            todo = f"give it by name: {', '.join(f'{o}=' for o in options)}" if options else "leave it out"
            raise self.error(
                f"{function} takes no {_nth(len(positional))} positional argument (`{extra}`)", todo
            )
        for keyword in self.node.keywords:
            if keyword.arg is None:
                raise self.error(
                    f"{function} is called with **{ast.unparse(keyword.value)}", "write the arguments out"
                )
            known = (*positional, *options)
            if keyword.arg not in known and not frames:
                todo = did_you_mean(keyword.arg, known) if known else "leave it out"
                raise self.error(f"{function} has no argument {keyword.arg!r}", todo)
            if keyword.arg in self.keywords:
                raise self.error(f"{function} gets {keyword.arg!r} twice", "give it once")
            self.keywords[keyword.arg] = keyword.value

    def has(self, name: str) -> bool:
        return name in self.keywords

    def need(self, name: str, todo: str = "") -> ast.expr:
        if name not in self.keywords:
            raise self.error(f"stage.{self.function} needs {name!r}", todo or f"give it: {name}=...")
        return self.keywords[name]

    def constant(self, name: str, wanted: str) -> Any:
        node = self.keywords[name]
        try:
            return self.constants.value(node, self.locals)
        except NotConstantError as fault:
            raise self.error(
                f"{name} of stage.{self.function} {fault.why}",
                f"write {wanted}, or a name that the notebook binds once to such",
                node,
            ) from None

    def text(self, name: str, todo: str = "") -> str:
        self.need(name, todo)
        value = self.constant(name, "a literal text")
        if not isinstance(value, str):
            raise self.error(f"{name} of stage.{self.function} is no text", todo or "write a literal text")
        return value

    def optional_text(self, name: str) -> str | None:
        if not self.has(name) or self.constant(name, "a literal text") is None:
            return None
        return self.text(name)

    def table(self, name: str) -> str:
        table = self.text(name)
        if not table.isidentifier() or not table.isascii():
            raise self.error(
                f"{table!r} is no name of a table",
                "use ASCII letters, digits and underscores, such as 'purchases'",
            )
        return table

    def names(self, name: str) -> tuple[str, ...]:
        """A text, or a list of texts."""
        value = self.constant(name, "a literal list of texts")
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, tuple) or not all(isinstance(v, str) for v in value):
            raise self.error(
                f"{name} of stage.{self.function} is no list of texts", 'write for example ["x", "t_x"]'
            )
        return tuple(dict.fromkeys(value))

    def columns(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; None when it is not given, or given as None."""
        if not self.has(name):
            return None
        value = self.constant(name, "a literal list of texts")
        if value is None:
            return None
        if isinstance(value, str):
            raise self.error(
                f"{name} of stage.{self.function} is a text", f"write a list: {name}=[{value!r}]"
            )
        return self.names(name)

    def choice(self, name: str, options: Sequence[str]) -> None:
        if self.has(name):
            value = self.text(name)
            if value not in options:
                raise self.error(
                    f"stage.{self.function} has no {name}={value!r}", did_you_mean(value, options)
                )

    def flag(self, name: str) -> bool:
        if not self.has(name):
            return False
        value = self.constant(name, "True or False")
        if not isinstance(value, bool):
            raise self.error(
                f"{name} of stage.{self.function} is neither True nor False", "write True or False"
            )
        return value

    def whole_number(self, name: str, default: Argument) -> Argument:
        """A literal, a parameter, or a value of the scope."""
        if not self.has(name):
            return default
        node = self.keywords[name]
        todo = f"write a whole number from 1, stage.horizon, or a parameter `{name}: int`"
        if isinstance(node, ast.Attribute) and self.names_of_stage.is_stage(node.value):
            if node.attr != "horizon":
                raise self.error(f"{name} of stage.{self.function} is stage.{node.attr}", todo, node)
            return ScopeRef("horizon")
        parameter = self.constants.parameter(node, self.locals)
        if parameter is not None:
            if parameter.name == "horizon":
                return ScopeRef("horizon")
            if parameter.type.kind != "int" or parameter.type.optional:
                raise self.error(
                    f"{name} of stage.{self.function} is a parameter of type {parameter.type}", todo, node
                )
            return ParameterRef(parameter.name)
        value = self.constant(name, "a whole number")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.error(f"{name} of stage.{self.function} is {value!r}", todo, node)
        return Literal(value)


def _nth(count: int) -> str:
    return ("first", "second", "third")[count] if count < 3 else f"{count + 1}th"
