"""`stage.labelled`: the only door to labels. Rows of a table at past origins, joined with what happened after them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbdataops.errors import UsageError, did_you_mean
from nbdataops.session.current import Session
from nbdataops.session.into import to_pandas
from nbdataops.session.read import ordered, record_read

if TYPE_CHECKING:
    import pandas as pd

    from nbdataops.session.assignment import LabelledInput, LabelledOrigin


def labelled(
    session: Session, name: str, columns: Sequence[str] | None, horizon: int | None, origins: int
) -> pd.DataFrame:
    """Entity key, `origin` (its as_of), the columns, then `value` and the contract's components as they came true.

    The latest origin first; an entity that did nothing has zeros.
    """
    import pandas as pd

    wanted = int(session.assignment.scope.value("horizon")) if horizon is None else horizon  # type: ignore[arg-type]
    given = _input(session, name, columns, wanted, origins)
    frames = [_one(session, given, origin, columns) for origin in given.origins]
    return pd.concat(frames, ignore_index=True)


def _input(
    session: Session, name: str, columns: Sequence[str] | None, horizon: int, origins: int
) -> LabelledInput:
    inputs = session.assignment.labelled
    if name not in {one.table for one in inputs}:
        raise UsageError(
            f"stage.labelled({name!r}) was not found when the notebook was planned",
            todo=did_you_mean(str(name), [one.table for one in inputs]),
        )
    asked = None if columns is None else set(columns)
    for one in (one for one in inputs if one.table == name and one.origins):
        fits = one.columns is None or (
            asked is not None and asked <= set(one.columns) | set(one.origins[0].table.key)
        )
        if one.horizon == horizon and len(one.origins) == origins and fits:
            return one
    had = "; ".join(
        f"horizon={one.horizon}, origins={len(one.origins)}, columns={list(one.columns) if one.columns is not None else None}"
        for one in inputs
        if one.table == name
    )
    raise UsageError(
        f"stage.labelled({name!r}, horizon={horizon}, origins={origins}) was not planned with these arguments",
        todo=f"planned: {had}. Arguments are literals or parameters of the notebook",
    )


def _one(
    session: Session, given: LabelledInput, origin: LabelledOrigin, columns: Sequence[str] | None
) -> pd.DataFrame:
    import pandas as pd

    from nbdataops.store.snapshots import load

    contract, root = session.contract, Path(session.assignment.store_root)
    asked = ordered(origin.table, columns, "stage.labelled")
    if origin.table.key != (contract.entity,):
        raise UsageError(
            f"stage.labelled needs a table with one row per {contract.entity}; "
            f"the key of {given.table!r} is {', '.join(origin.table.key) or 'not declared'}",
            todo="aggregate it per entity first, in a notebook of its own",
        )
    taken = sorted({"origin", *contract.measures} & set(asked))
    if taken:
        raise UsageError(
            f"stage.labelled adds {', '.join(taken)}, which {given.table!r} has as well",
            todo="leave these columns out, or rename them where the table is written",
        )
    rows = to_pandas(load(root, origin.table, asked).select(list(asked)))
    rows.insert(1, "origin", _midnight(origin, len(rows)))
    record_read(session, given.table, asked, "labelled")
    outcome = to_pandas(load(root, origin.outcome, None)).set_index(contract.entity)
    found = outcome.index.get_indexer(pd.Index(rows[contract.entity]))
    for measure in contract.measures:
        values = outcome[measure].to_numpy(dtype="float64", na_value=0.0)
        rows[measure] = [0.0] * len(rows) if not len(values) else values[found] * (found >= 0)
    return rows


def _midnight(origin: LabelledOrigin, rows: int) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex([pd.Timestamp(origin.as_of)] * rows).as_unit("us")
