"""What a notebook declares by its calls of `stage`, as frozen data. Cells and lines count from 1."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Role: TypeAlias = typing.Literal["prepare", "method", "outcome", "check", "view"]
ScopeName: TypeAlias = typing.Literal["as_of", "until", "horizon"]
Kind: TypeAlias = typing.Literal["int", "float", "bool", "str", "date", "datetime", "literal", "list"]

SCOPE_NAMES: tuple[ScopeName, ...] = ("as_of", "until", "horizon")
"""Names whose values come from the scope of a node, never from a declaration."""


@dataclass(frozen=True, slots=True)
class ParameterType:
    """The type of a parameter, from its annotation or else from its default.

    `options` belong to `literal`, `item` to `list`; `constructor` is the notebook's own text for `date` or
    `datetime` (`dt.date` after `import datetime as dt`), with which a value is written back into the notebook.
    """

    kind: Kind
    optional: bool = False
    options: tuple[str | int | bool, ...] = ()
    item: ParameterType | None = None
    constructor: str = ""

    def __str__(self) -> str:
        text: str = self.kind
        if self.kind == "literal":
            text = f"Literal[{', '.join(map(repr, self.options))}]"
        elif self.item is not None:
            text = f"list[{self.item}]"
        return f"{text} | None" if self.optional else text


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name of the parameters cell. `annotation` is its text in the notebook; `default` is already of `type`."""

    name: str
    annotation: str | None
    type: ParameterType
    default: Any
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Literal:
    """An argument that is known from the text of the notebook."""

    value: Any


@dataclass(frozen=True, slots=True)
class ParameterRef:
    """An argument that is a parameter of the notebook."""

    name: str


@dataclass(frozen=True, slots=True)
class ScopeRef:
    """An argument that is `stage.horizon`, or a parameter of that name (`as_of`, `until` alike)."""

    name: ScopeName


Argument: TypeAlias = Literal | ParameterRef | ScopeRef


@dataclass(frozen=True, slots=True)
class Read:
    """`stage.read(table, columns=...)`; None means all columns, () only the key."""

    table: str
    columns: tuple[str, ...] | None
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Sql:
    """`stage.sql(text, frame=...)`. `tables` are the product's tables in it, `values` the names bound as `$name`."""

    text: str
    frames: tuple[str, ...]
    tables: tuple[str, ...]
    cell: int
    line: int
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelled:
    """`stage.labelled(table, columns, horizon=..., origins=...)`."""

    table: str
    columns: tuple[str, ...]
    horizon: Argument
    origins: Argument
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Write:
    """`stage.write(table, frame, key=..., event_time=...)`."""

    table: str
    key: tuple[str, ...]
    event_time: str | None
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """`stage.evidence(name, ..., required=...)`."""

    name: str
    required: bool
    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class NotebookStage:
    """A notebook as a stage. `name` is its path in the product without `.ipynb`, posix; `path` is the file itself.

    `code_digest` covers the code as the interpreter understands it: markdown, outputs, comments, formatting,
    docstrings, the split into cells, display magics and the defaults of parameters do not count.
    `modules` are the project's own modules that it imports, directly or indirectly; `module_digests` pairs their
    path in the product with a digest of the same kind; `imports` are all top-level names that it or they import.
    `fixed` are parameters that name tables or columns: the graph hangs on them, so nothing may override them.
    """

    name: str
    path: Path
    role: Role
    parameters: tuple[Parameter, ...] = ()
    reads: tuple[Read, ...] = ()
    sqls: tuple[Sql, ...] = ()
    labelled: tuple[Labelled, ...] = ()
    writes: tuple[Write, ...] = ()
    family: str | None = None
    is_fit: bool | None = None
    outcome: bool = False
    evidence: tuple[Evidence, ...] = ()
    validates: bool = False
    secrets: tuple[str, ...] = ()
    uses: frozenset[str] = field(default_factory=frozenset)
    modules: tuple[Path, ...] = ()
    code_digest: str = ""
    module_digests: tuple[tuple[str, str], ...] = ()
    imports: tuple[str, ...] = ()
    fixed: frozenset[str] = field(default_factory=frozenset)

    @property
    def file(self) -> str:
        """The notebook's path in the product, as errors name it.

        >>> NotebookStage("methods/naive", Path("naive.ipynb"), "method").file
        'methods/naive.ipynb'
        """
        return f"{self.name}.ipynb"

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name, or None."""
        return next((p for p in self.parameters if p.name == name), None)
