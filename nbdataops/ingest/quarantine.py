"""Set bad rows aside: they are kept as they were delivered, with the rules that they broke, and the others go on.

A contract asks for it with `customProperties: [{property: onViolation, value: quarantine}]` on a rule, a column, a
table or as a whole (`odcs` says which setting counts). ODCS leaves this point to extensions. What a rule leads to:

| onViolation  | rows that break the rule | the delivery |
|---|---|---|
| `stop` (default of severity `error`)            | stay where they are | refused, with all reasons; nothing is ingested |
| `quarantine`                                    | in the quarantine table | goes on without them |
| `keep` (default of severity `warning`, `info`)  | go on with the others, counted | goes on |

Only rows that break a violated rule are set aside: while a rule allows 2 percent and 1 percent is bad, nothing is. If
every row would be set aside the delivery is refused. The quarantine table of a source is a snapshot in the store's
`quarantine` folder: the delivered columns, `nbdataops_row` (position in the delivery, from 1) and `nbdataops_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from nbdataops.store.locations import Store
from nbdataops.store.snapshots import Snapshot, SnapshotStore


def split(typed: pa.Table, set_aside: Sequence[tuple[int, str]]) -> pa.Table:
    """The rows that go on."""
    keep = np.ones(typed.num_rows, dtype=np.bool_)
    keep[[row for row, _ in set_aside]] = False
    return typed.filter(pa.array(keep))


def write_quarantine(
    source: str, delivered: pa.Table, set_aside: Sequence[tuple[int, str]], locations: Store
) -> Snapshot:
    """Stores the rows that were set aside, as delivered. StoreError when the disk refuses."""
    rows = [row for row, _ in set_aside]
    table = delivered.take(pa.array(rows, pa.int64()))
    added = {
        "nbdataops_row": pa.array([row + 1 for row in rows], pa.int64()),
        "nbdataops_rules": pa.array([rules for _, rules in set_aside], pa.string()),
    }
    for name, values in added.items():
        while name in table.column_names:
            name += "_"
        table = table.append_column(name, values)
    return SnapshotStore(locations.quarantine).write(source, table, key=())
