"""`stage.evidence`: a check of one's own. Counted violations, or two series of figures that should agree.

What is recorded are measurements; the verdict is passed over them when a study is read.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from nbdataops.errors import UsageError
from nbdataops.session.current import Session

if TYPE_CHECKING:
    import pandas as pd

MAY_BE_PERSONS = 100
"""Elements beyond which an index that has no name is taken for one of persons."""

MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Element:
    """One element of two series: both figures (None: missing), log(ours / theirs) where both have the same sign, and
    the difference as a share of theirs."""

    label: str
    ours: float | None
    theirs: float | None
    log_ratio: float | None
    relative: float | None

    def __str__(self) -> str:
        if self.ours is None or self.theirs is None:
            return f"{self.label} (missing in {'ours' if self.ours is None else 'theirs'})"
        return f"{self.label} ({self.ours:,.6g} against {self.theirs:,.6g})"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was measured; a cell shows it.

    `kind` is "counts" (`bad` of `of`) or "series". `n` is what was compared. For series `log_ratio` is that of the
    totals (ours over theirs; None where there is none), `worst` the element that is furthest off, `off` how many
    differ by more than `margin` or are missing on one side.
    """

    name: str
    kind: str
    n: int
    margin: float
    required: bool
    bad: int | None = None
    of: int | None = None
    log_ratio: float | None = None
    worst: Element | None = None
    off: int = 0
    missing: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        if not self.n:
            return f"{self.name}: nothing was compared, which counts as an error"
        if self.bad is not None:
            return f"{self.name}: {self.bad:,} of {self.n:,} are bad ({self.bad / self.n:.2%})"
        total = "" if self.log_ratio is None else f"totals differ by {math.expm1(self.log_ratio):+.2%}; "
        worst = "" if self.worst is None else f"; worst: {self.worst}"
        return f"{self.name}: {total}{self.off:,} of {self.n:,} differ by more than {self.margin:.2%}{worst}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def evidence(
    session: Session,
    name: str,
    *,
    bad: Any,
    of: Any,
    ours: Any,
    theirs: Any,
    margin: float | None,
    required: bool,
) -> CheckResult:
    """Measures and records. UsageError for a call that mixes or lacks arguments, or series that cannot be aligned."""
    if not isinstance(name, str) or not re.fullmatch(r"\S(.{0,98}\S)?", name):
        raise UsageError(
            f"evidence cannot be named {name!r}", todo="a name is one line of text, up to 100 characters"
        )
    record = session.deposit.record
    there = any(one["name"] == name for one in record.evidence)
    session.once(there, f"evidence {name!r} was recorded", "give each check a name of its own")
    if margin is not None and not (
        isinstance(margin, int | float) and not isinstance(margin, bool) and 0 <= margin < math.inf
    ):
        raise UsageError(f"evidence {name!r}: margin={margin!r}", todo="a share such as .02, at least 0")
    counted, compared = (bad, of) != (None, None), ours is not None or theirs is not None
    if (
        counted == compared
        or (counted and None in (bad, of))
        or (compared and (ours is None or theirs is None))
    ):
        raise UsageError(
            f"evidence {name!r} needs either bad= and of=, or ours= and theirs=",
            todo="stage.evidence(name, bad=3, of=1000) or stage.evidence(name, ours=series, theirs=series)",
        )
    if counted:
        result = _counts(name, bad, of, margin or 0.0, required)
    else:
        result = _series(name, ours, theirs, MARGIN if margin is None else float(margin), required)
    stored = result.to_dict()
    names = (_index_name(ours), _index_name(theirs))
    named = session.contract.entity in names
    if stored["worst"] is not None and (named or (None in names and result.n > MAY_BE_PERSONS)):
        # the screen may name a person, the record may not; a long index without a name may hold persons
        noun = session.contract.noun if named else "element of an index without a name"
        stored["worst"] |= {"label": f"one {noun}", "ours": None, "theirs": None}
    others = tuple(one for one in record.evidence if one["name"] != name)
    session.deposit.update(replace(record, evidence=(*others, stored)))
    return result


def _counts(name: str, bad: Any, of: Any, margin: float, required: bool) -> CheckResult:
    numbers = []
    for what, value in (("bad", bad), ("of", of)):
        number = value.item() if hasattr(value, "item") else value
        whole = (
            isinstance(number, int | float) and not isinstance(number, bool) and float(number).is_integer()
        )
        if not whole or number < 0:
            raise UsageError(
                f"evidence {name!r}: {what}={value!r} is no count", todo="counts are whole numbers"
            )
        numbers.append(int(number))
    if numbers[0] > numbers[1]:
        raise UsageError(
            f"evidence {name!r}: {numbers[0]} bad of only {numbers[1]}",
            todo="of= counts all, the bad ones too",
        )
    return CheckResult(name, "counts", numbers[1], margin, required, bad=numbers[0], of=numbers[1])


def _series(name: str, ours: Any, theirs: Any, margin: float, required: bool) -> CheckResult:
    import numpy as np

    left, right = (_figures(name, what, one) for what, one in (("ours", ours), ("theirs", theirs)))
    try:
        labels = left.index.union(right.index, sort=None)
        a, b = left.reindex(labels).to_numpy(), right.reindex(labels).to_numpy()
    except TypeError as error:
        raise UsageError(
            f"evidence {name!r}: the indexes of ours and theirs cannot be compared: {error}",
            todo="give both an index of the same type",
        ) from error
    ratios = [_log_ratio(x, y) for x, y in zip(a, b, strict=True)]
    distance = np.array([math.inf if ratio is None else abs(ratio) for ratio in ratios])
    absent = ~(np.isfinite(a) & np.isfinite(b))
    distance[absent] = math.nan  # further off than any figure
    worst = None
    if len(labels):
        at = int(np.argmax(absent)) if absent.any() else int(np.argmax(distance))
        if absent[at] or distance[at] > 0:
            worst = _element(_label(labels[at]), float(a[at]), float(b[at]), ratios[at])
    within = np.array(
        [not gone and _close(x, y, margin) for x, y, gone in zip(a, b, absent, strict=True)], dtype=bool
    )
    return CheckResult(
        name,
        "series",
        n=len(labels),
        margin=margin,
        required=required,
        log_ratio=_log_ratio(float(a[np.isfinite(a)].sum()), float(b[np.isfinite(b)].sum())),
        worst=worst,
        off=int((~within).sum()),
        missing=int(absent.sum()),
    )


def _log_ratio(ours: float, theirs: float) -> float | None:
    """log(ours / theirs); 0 for equal figures, None where there is no ratio."""
    if ours == theirs:
        return 0.0
    if not (math.isfinite(ours) and math.isfinite(theirs)) or ours * theirs <= 0:
        return None
    return math.log(ours / theirs)


def _close(ours: float, theirs: float, margin: float) -> bool:
    return abs(ours - theirs) <= margin * abs(theirs)


def _element(label: str, ours: float, theirs: float, log_ratio: float | None) -> Element:
    here = [x if math.isfinite(x) else None for x in (ours, theirs)]
    both = None not in here and theirs != 0
    return Element(label, here[0], here[1], log_ratio, (ours - theirs) / abs(theirs) if both else None)


def _figures(name: str, what: str, figures: Any) -> pd.Series[Any]:
    import pandas as pd

    if isinstance(figures, pd.DataFrame):
        raise UsageError(
            f"evidence {name!r}: {what} is a frame", todo="take one column of it: a series of figures"
        )
    if isinstance(figures, Mapping):
        figures = pd.Series(dict(figures))
    elif isinstance(figures, int | float) or (
        hasattr(figures, "item") and getattr(figures, "ndim", None) == 0
    ):
        figures = pd.Series({"total": float(figures)})
    if not isinstance(figures, pd.Series):
        raise UsageError(
            f"evidence {name!r}: {what} is {type(figures).__name__}, and must be a Series",
            todo="index it by what it is of",
        )
    if not figures.index.is_unique:
        twice = figures.index[figures.index.duplicated()][0]
        raise UsageError(
            f"evidence {name!r}: {what} has {_label(twice)} more than once", todo="sum it per label first"
        )
    try:
        return figures.astype("float64")
    except (TypeError, ValueError) as error:
        raise UsageError(f"evidence {name!r}: {what} holds something else than numbers: {error}") from error


def _index_name(figures: Any) -> Any:
    return getattr(getattr(figures, "index", None), "name", None)


def _label(label: Any) -> str:
    text = label.isoformat() if hasattr(label, "isoformat") else str(label)
    return text.removesuffix("T00:00:00")
