"""How the readers of notebooks point at what is wrong: a node of a cell becomes notebook, cell and line."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from nbdataops.errors import NotebookError, Place


@dataclass(frozen=True, slots=True)
class Spot:
    """A notebook (its path in the product) and one of its cells, counted from 1 over all cells."""

    file: str
    cell: int | None = None

    def at(self, node: ast.AST | None = None, line: int | None = None) -> Place:
        """The place of a node, or of a line, in this cell."""
        return Place(file=self.file, cell=self.cell, line=line or getattr(node, "lineno", None))

    def error(
        self, what: str, todo: str, *, node: ast.AST | None = None, line: int | None = None, detail: str = ""
    ) -> NotebookError:
        """A NotebookError at that place."""
        return NotebookError(what, where=self.at(node, line), todo=todo, detail=detail)
