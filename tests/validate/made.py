"""Measurements made by hand, for tests of the judgement: a product of two families whose evidence all passes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from nbdataops.validate.measurement import KINDS, Measurement

AS_OF = date(1998, 6, 30)
ORIGIN = date(1997, 9, 30)
FAMILIES = {
    "methods/bg_nbd": "latent-attrition",
    "methods/pareto_nbd": "latent-attrition",
    "methods/cohort": "empirical",
}
PRIMARY = "methods/bg_nbd"


def made(
    kind: str,
    subject: str = PRIMARY,
    estimate: float | None = 0.0,
    se: float | None = 0.01,
    **more: Any,
) -> Measurement:
    """A measurement with a symmetric 90 percent interval."""
    at = more.pop("as_of", ORIGIN if KINDS[kind][1] in ("outcome", "naive") else AS_OF)
    horizon = more.pop("horizon", 39)
    critical = more.get("critical", 1.6448536269514722)
    figures: dict[str, Any] = {"estimate": estimate, "se": se}
    if estimate is not None and se is not None:
        figures |= {"lower": estimate - critical * se, "upper": estimate + critical * se}
    given: dict[str, Any] = {
        "kind": kind, "code": KINDS[kind][0], "subject": subject, "against": KINDS[kind][1], "component": "value",
        "level": "total", "group": "", "statistic": "log_ratio", "as_of": at, "until": at + timedelta(weeks=horizon or 0),
        "horizon": horizon, "n": 2357, "resampling": "refit", "replicates": 50,
        "families": (FAMILIES.get(subject, ""),),
    }  # fmt: skip
    return Measurement(**(given | figures | more))


def of_method(subject: str, **more: Any) -> list[Measurement]:
    """What the checks find for one good method."""
    found = [
        made(
            "number",
            subject,
            1000.0,
            20.0,
            statistic="total",
            detail={"per_entity": 0.42, "label_windows": []},
        ),
        made("invariant", subject, 0.0, 0.0, against="finite", statistic="violations"),
    ]
    for component in ("value", "transactions"):
        found.append(made("holdout", subject, component=component, **more))
        found += [
            made("holdout", subject, component=component, level="cohort", group=c, **more)
            for c in ("01", "02")
        ]
        found += [
            made("calibration", subject, component=component, level="decile", group=str(d), **more)
            for d in range(1, 11)
        ]
        found.append(
            made("calibration", subject, 1.0, component=component, level="decile", statistic="slope", **more)
        )
    found.append(made("discrimination", subject, 0.05, statistic="gini_gain", level="customer", **more))
    return found


def pair(a: str, b: str, estimate: float = 0.02, **more: Any) -> Measurement:
    return made("triangulation", a, estimate, against=b, families=(FAMILIES[a], FAMILIES[b]), **more)


def good() -> list[Measurement]:
    """Everything passes: the label is `validated`."""
    found = [m for subject in FAMILIES for m in of_method(subject)]
    found.append(pair("methods/bg_nbd", "methods/pareto_nbd"))
    found.append(pair("methods/bg_nbd", "methods/cohort"))
    found.append(pair("methods/pareto_nbd", "methods/cohort"))
    found.append(reconciled())
    return found


def reconciled(estimate: float = 0.0, required: bool = True, against: str = "monthly revenue") -> Measurement:
    return made(
        "reconciliation", "checks/finance", estimate, 0.0, against=against, horizon=None, component="", families=(),
        detail={"required": required, "declared_margin": 0.02},
    )  # fmt: skip
