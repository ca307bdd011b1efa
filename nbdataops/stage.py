"""What a notebook calls: `from nbdataops import stage`.

A notebook is a stage because it calls these functions. In a run they read the frozen assignment of the kernel and
fill its deposit; in a notebook at work they find the product by walking up, and each read says where its data came
from. The calls are found before anything runs, by reading the notebook: their arguments are literals, names that are
bound once to literals, or parameters.

`stage.as_of` (date), `stage.horizon` (int) and, in a notebook that publishes an outcome, `stage.until` (date) are the
typed values of the scope.

Importing this module imports nothing else of the package but its errors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from nbdataops.session.assignment import Assignment
    from nbdataops.session.current import Session
    from nbdataops.session.estimate import Estimate
    from nbdataops.session.evidence import CheckResult
    from nbdataops.session.outcome import Outcome
    from nbdataops.session.write import Written

    as_of: date
    until: date
    horizon: int

_CALLS = (
    "read",
    "sql",
    "labelled",
    "write",
    "estimate",
    "outcome",
    "evidence",
    "validate",
    "secret",
    "here",
)
_VALUES = ("as_of", "horizon", "until")

__all__ = sorted(_CALLS)


def read(name: str, columns: Sequence[str] | None = None, into: str = "pandas") -> Any:
    """A table, cut by the scope. `columns` are all that this notebook depends on; the key always comes along, first.

    `into`: "pandas" (dates are datetime64 at midnight), "arrow", "polars", "duckdb" (a relation).

    >>> rfm = stage.read("rfm", columns=["x", "t_x", "T"])  # doctest: +SKIP
    """
    from nbdataops.session.read import read as read_table

    return read_table(_session("read", name), name, columns, into)


def sql(text: str, *, into: str = "pandas", **frames: Any) -> Any:
    """DuckDB over the product's tables: one SELECT as a literal text.

    `$as_of`, `$horizon`, `$until` and the notebook's parameters are bound; frames are passed by name; nothing is taken
    from the surrounding scope, and no file can be read.

    >>> stage.sql("select customer_id, sum(amount) as value from purchases where date > $as_of group by 1")  # doctest: +SKIP
    """
    from nbdataops.session.sql import query

    return query(_session("sql"), text, frames, into)


def labelled(name: str, columns: Sequence[str], horizon: int | None = None, origins: int = 1) -> pd.DataFrame:
    """The only door to labels: rows of `name` at `as_of - horizon` (then one further back each), joined with what
    happened in the `horizon` after that: `value` and the metric's components, zero where nothing did.

    Columns: entity key, `origin`, the columns asked for, the labels. `horizon` is the stage's own if not given.

    >>> past = stage.labelled("rfm", columns=["x", "t_x"], horizon=13, origins=2)  # doctest: +SKIP
    """
    from nbdataops.session.labelled import labelled as labelled_rows

    return labelled_rows(_session("labelled"), name, columns, horizon, origins)


def write(
    name: str, frame: Any, *, key: str | Sequence[str], event_time: str | None = None, by: Any = None
) -> Written:
    """Publishes a table. `key` makes a row unique; `event_time` says when a row happened, so that origins can cut it.

    >>> stage.write("purchases", day, key=["customer_id", "date"], event_time="date")  # doctest: +SKIP
    """
    from nbdataops.session.write import write as write_table

    return write_table(_session("write"), name, frame, key, event_time, by)


def estimate(frame_or_fit: Any, *, family: str) -> Estimate:
    """A method's answer: a frame, or `fit(weights=None)` that gives one. Entity key, `value`, the metric's components,
    and `lower` and `upper` if the method has an interval; every entity of the population once.

    With a function, refits under Poisson weights (a Series by entity) give the total its interval. Methods that share
    a likelihood or a label window are one `family`.

    >>> stage.estimate(fit, family="latent-attrition")  # doctest: +SKIP
    """
    from nbdataops.session.estimate import estimate as publish

    return publish(_session("estimate"), frame_or_fit, family)


def outcome(frame: Any) -> Outcome:
    """What happened in (as_of, until]: entity key, `value`, the metric's components. Who is missing did nothing.

    >>> stage.outcome(bought)  # doctest: +SKIP
    """
    from nbdataops.session.outcome import outcome as publish

    return publish(_session("outcome"), frame)


def evidence(
    name: str,
    *,
    bad: Any = None,
    of: Any = None,
    ours: Any = None,
    theirs: Any = None,
    margin: float | None = None,
    required: bool = False,
) -> CheckResult:
    """A check of one's own: `bad` of `of` rows (at most the share `margin`, 0 if not given), or two series of figures
    that are aligned by index and may differ by `margin` (.02 if not given). `of=0` is an error, never a pass.

    >>> stage.evidence("finance", ours=ours, theirs=theirs, margin=.02, required=True)  # doctest: +SKIP
    """
    from nbdataops.session.evidence import evidence as record

    return record(
        _session("evidence"), name, bad=bad, of=of, ours=ours, theirs=theirs, margin=margin, required=required
    )


def validate() -> None:
    """How this estimate stands against the others: live in a notebook at work; in a run it marks the place, which the
    report fills in once the study exists."""
    session = _session("validate")
    if session.interactive:
        from nbdataops.lab.inline import show

        show(session.assignment, session.deposit)
        return
    from nbdataops.session.mark import mark

    mark(session)


def secret(name: str) -> str:
    """The value of a secret that dataproduct.yaml declares (environment, file, keyring). Never recorded.

    >>> stage.secret("dsn")  # doctest: +SKIP
    """
    from nbdataops.session.secrets import secret as value_of

    return value_of(_session("secret").assignment, name)


def here(path: str | Path) -> None:
    """Says which notebook this is, where it cannot be found out. No effect in a run.

    >>> stage.here("methods/bg_nbd.ipynb")  # doctest: +SKIP
    """
    _require_notebook(sys._getframe(1).f_globals, "here")
    from nbdataops.session.current import fix_notebook

    fix_notebook(Path(path))


def __getattr__(name: str) -> Any:
    """`as_of`, `until`, `horizon`; for anything else an AttributeError that helps."""
    if name in _VALUES:
        caller = sys._getframe(1).f_globals
        _require_notebook(caller, name)
        return _open(caller, None).assignment.scope.value(name)
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise AttributeError(f"stage has no {name!r}: {did_you_mean(name, (*_CALLS, *_VALUES))}", name=name)


def _session(call: str, table: str | None = None) -> Session:
    """The session for the notebook that called the function that calls this."""
    caller = sys._getframe(2).f_globals
    _require_notebook(caller, call)
    return _open(caller, table)


def _open(caller: dict[str, Any], table: str | None) -> Session:
    from nbdataops.session.current import session_of

    return session_of(caller, _interactive, table)


def _interactive(notebook: Path | None, caller_globals: dict[str, Any]) -> tuple[Assignment, Path]:
    from nbdataops.build.interactive import open_session

    opener: Callable[[Path | None, dict[str, Any]], tuple[Assignment, Path]] = open_session
    return opener(notebook, caller_globals)


def _require_notebook(caller: dict[str, Any], call: str) -> None:
    """A project module takes frames and returns frames; that is what makes the graph readable from notebooks."""
    name = caller.get("__name__")
    if name != "__main__":
        raise UsageError(
            f"stage belongs to notebooks: stage.{call} was used in {name or 'another namespace'}",
            todo="call it in a cell, and pass what it gives to your function",
        )
