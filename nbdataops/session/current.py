"""Which session is in force: the assignment of this kernel and the deposit it fills."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nbdataops.errors import UsageError, did_you_mean
from nbdataops.session.assignment import VARIABLE, Assignment, read_assignment
from nbdataops.session.contract import Contract
from nbdataops.session.deposit import Deposit
from nbdataops.session.population import Population, population_of


@dataclass(slots=True)
class Session:
    """One notebook at work."""

    assignment: Assignment
    deposit: Deposit
    _population: Population | None = field(default=None, repr=False)

    @property
    def contract(self) -> Contract:
        return Contract.of(self.assignment.metric)

    @property
    def interactive(self) -> bool:
        return self.assignment.mode == "interactive"

    @property
    def population(self) -> Population:
        if self._population is None:
            self._population = population_of(self.assignment)
        return self._population

    def once(self, already: bool, what: str, todo: str) -> None:
        """In a run a thing is published once; interactively a cell may be executed again."""
        if already and not self.interactive:
            raise UsageError(f"{what} twice in this run", todo=todo)


class Opener(Protocol):
    """How an interactive session comes about; the build package knows."""

    def __call__(self, notebook: Path | None, caller_globals: dict[str, Any]) -> tuple[Assignment, Path]: ...


@dataclass(slots=True)
class _Kept:
    session: Session | None = None
    source: str | None = None
    notebook: Path | None = None
    seen: dict[str, str] = field(default_factory=dict)


_kept = _Kept()


def session_of(caller_globals: dict[str, Any], opener: Opener, table: str | None = None) -> Session:
    """The session of this kernel: that of the run's assignment, else an interactive one by `opener`.

    An interactive session is opened anew when the values of the notebook's parameters have changed since, or when
    the notebook asks for a `table` that was not there when it was last looked at.
    """
    path = os.environ.get(VARIABLE)
    if path:
        if _kept.session is None or _kept.source != path:
            assignment = read_assignment(Path(path))
            _kept.session = Session(assignment, Deposit(Path(assignment.deposit)))
            _kept.source = path
        return _kept.session
    session = _kept.session if _kept.source is None else None
    fresh = session is not None and _kept.seen == _values(session.assignment.parameters, caller_globals)
    if session is not None and fresh and (table is None or table in session.assignment.inputs):
        return session
    assignment, folder = opener(_kept.notebook, caller_globals)
    same = session is not None and session.deposit.folder == Path(folder)
    deposit = session.deposit if session is not None and same else Deposit(Path(folder), resume=True)
    _kept.session, _kept.source = Session(assignment, deposit), None
    _kept.seen = _values(assignment.parameters, caller_globals)
    return _kept.session


def fix_notebook(notebook: Path) -> None:
    """Says which notebook an interactive session is of; in a run it has no effect."""
    if not os.environ.get(VARIABLE):
        _kept.notebook, _kept.session = notebook, None


def forget() -> None:
    """Drops the session, as a new kernel would."""
    _kept.session, _kept.source, _kept.notebook, _kept.seen = None, None, None, {}


def input_of(session: Session, table: str, call: str) -> Any:
    """The snapshot that was handed over for a table; UsageError with "did you mean" if none was."""
    inputs = session.assignment.inputs
    if table not in inputs:
        when = "is not there" if session.interactive else "was not found when the notebook was planned"
        raise UsageError(
            f"{call}({table!r}) {when}",
            todo=f"{did_you_mean(str(table), inputs)} Save the notebook if the call is new"
            if session.interactive
            else did_you_mean(str(table), inputs),
        )
    return inputs[table]


def report_origin(session: Session, table: str) -> None:
    """Interactively, one line says where a table comes from."""
    message = session.assignment.messages.get(table) if session.interactive else None
    if message:
        print(message)


def _values(parameters: Mapping[str, Any], caller_globals: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(caller_globals[name]) for name in parameters if name in caller_globals}
