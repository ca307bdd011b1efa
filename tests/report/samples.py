"""A study and a run in the shape in which `nbdataops run --json` prints them, with figures like CDNOW's."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

METHODS = {
    "methods/bg_nbd": "latent-attrition",
    "methods/pareto_nbd": "latent-attrition",
    "methods/cohort": "cohort",
    "methods/gradient_boosting": "supervised",
    "methods/naive": "naive",
}
MISS = {
    "methods/bg_nbd": -0.21,
    "methods/pareto_nbd": -0.17,
    "methods/cohort": 0.04,
    "methods/gradient_boosting": 0.16,
    "methods/naive": 0.33,
}
COHORTS = ("1997-01", "1997-02", "1997-03")
MARGINS = {
    "holdout_total": 0.10, "holdout_cohort": 0.20, "calibration_decile": 0.25, "triangulation": 0.20,
    "triangulation_same_family": 0.10, "cohort_ccc": 0.90, "rank_correlation": 0.6,
}  # fmt: skip


def judged(estimate: float, half: float, margin: float) -> str:
    if -margin < estimate - half and estimate + half < margin:
        return "pass"
    if estimate - half > margin or estimate + half < -margin:
        return "fail"
    return "warn" if half * 1.7 <= margin else "inconclusive"


def record(code: str, kind: str, subject: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": "", "kind": kind, "code": code, "subject": subject, "against": "outcome", "component": "value",
        "level": "total", "group": "", "horizon": 39, "supporting": False, "required": True, "n": 23570,
        "statistic": "log_ratio", "estimate": None, "lower": None, "upper": None, "margin": None, "mdd": None,
        "percent": None, "resampling": "refit", "replicates": 50, "origins": [], "clusters": 1,
        "between_origin_sd": None, "families": [METHODS.get(subject, "")], "verdict": "pass", "why": "",
    }  # fmt: skip
    made.update(more)
    made["id"] = "/".join(
        str(made[k]) for k in ("code", "subject", "against", "component", "level", "group", "horizon")
    )
    return made


def ratio(
    code: str, kind: str, subject: str, estimate: float, half: float, margin: float, **more: Any
) -> dict[str, Any]:
    verdict = judged(estimate, half, margin)
    why = {
        "pass": "the whole interval lies inside the margin",
        "fail": "the whole interval lies outside the margin",
        "warn": "the interval straddles the margin",
        "inconclusive": "too little data to tell: the smallest detectable difference is larger than the margin",
    }[verdict]
    return record(
        code, kind, subject, estimate=round(estimate, 4), lower=round(estimate - half, 4),
        upper=round(estimate + half, 4), margin=margin, mdd=round(1.7 * half, 4),
        percent=round(100 * math.expm1(estimate), 2), verdict=verdict, why=why, **more,
    )  # fmt: skip


def evidence() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for i, m in enumerate(METHODS):
        rows.append(record("E1", "invariant", m, against="", statistic="violations", estimate=0.0, margin=0.0,
                           resampling="none", replicates=0, why="no violation in 23,570 customers"))  # fmt: skip
        for component, shift in (("transactions", 0.03), ("value", 0.0)):
            for horizon, damp in ((39, 1.0), (13, 0.6)):
                at = MISS[m] * damp + shift
                origins = [
                    {
                        "as_of": d,
                        "estimate": at + (k - 1) * 0.05,
                        "lower": at - 0.06,
                        "upper": at + 0.06,
                        "n": 23570,
                    }
                    for k, d in enumerate(
                        ("1997-04-01", "1997-07-01", "1997-09-30")[: 3 if horizon == 13 else 1]
                    )
                ]
                rows.append(ratio("E5", "holdout", m, at, 0.035 + 0.01 * i, MARGINS["holdout_total"], component=component,
                                  horizon=horizon, supporting=horizon != 39, origins=origins,
                                  clusters=len(origins), between_origin_sd=0.05 if horizon == 13 else None))  # fmt: skip
        for k, c in enumerate(COHORTS):
            rows.append(ratio("E5", "holdout", m, MISS[m] + (k - 1) * 0.07, 0.06, MARGINS["holdout_cohort"],
                              level="cohort", group=c, n=7800))  # fmt: skip
        for d in range(1, 11):
            rows.append(ratio("E6", "calibration", m, MISS[m] + (d - 6) * 0.035 * (i - 1.5), 0.5 / d + 0.03,
                              MARGINS["calibration_decile"], level="decile", group=str(d), n=2357))  # fmt: skip
        if i < 4:
            rows.append(record("E7", "discrimination", m, against="naive", statistic="gini_gain", estimate=0.06 - 0.02 * i,
                               lower=0.03 - 0.02 * i, upper=0.09 - 0.02 * i, margin=0.0, level="customer",
                               verdict="pass" if i < 2 else "warn", required=False, why="ranks customers"))  # fmt: skip
    for a, b in combinations(METHODS, 2):
        same = METHODS[a] == METHODS[b]
        margin = MARGINS["triangulation_same_family" if same else "triangulation"]
        gap = MISS[a] - MISS[b]
        fam = [METHODS[a]] if same else [METHODS[a], METHODS[b]]
        for component in ("transactions", "value"):
            rows.append(ratio("E8", "triangulation", a, gap, 0.02 if same else 0.05, margin, against=b, component=component,
                              families=fam, required=not same))  # fmt: skip
        for k, c in enumerate(COHORTS):
            rows.append(ratio("E8", "triangulation", a, gap * (1 + 0.3 * k), 0.07, margin, against=b, level="cohort", group=c,
                              families=fam, required=False))  # fmt: skip
        for d in (1, 5, 10):
            rows.append(ratio("E8", "triangulation", a, gap * (2 - d / 8), 0.1, margin, against=b, level="decile",
                              group=str(d), families=fam, required=False))  # fmt: skip
        rows.append(record("E8", "triangulation", a, against=b, level="customer", statistic="spearman",
                           estimate=0.9 if same else 0.55, lower=0.5, upper=0.95, margin=0.6, families=fam, required=False,
                           verdict="pass" if same else "warn", why="rank correlation"))  # fmt: skip
    rows.append(record("E10", "reconciliation", "checks/reconciliation", against="monthly revenue", estimate=0.0, margin=0.02,
                       percent=0.0, resampling="none", replicates=0, why="worst month 1997-03: 0.0 %"))  # fmt: skip
    return rows


def study() -> dict[str, Any]:
    families: dict[str, list[str]] = {}
    for m, f in METHODS.items():
        families.setdefault(f, []).append(m)
    return {
        "label": "unverified",
        "reasons": [
            "holdout of methods/bg_nbd (value, 39 weeks): predicted 19 % less than happened; allowed is 10 %.",
            "cohort and bg_nbd differ by 22 % in total value; allowed is 20 %.",
        ],
        "contract": {"name": "revenue", "entity": "customer_id", "value": "revenue", "unit": "USD", "time_unit": "week",
                     "horizon": 39, "discount_rate": 0.0},
        "as_of": "1998-06-30",
        "horizon": 39,
        "number": {"value": 742318.4, "lower": 701204.0, "upper": 786950.0, "per_customer": 31.49, "unit": "USD",
                   "method": "methods/bg_nbd", "resampling": "refit"},
        "evidence": evidence(),
        "families": families,
        "margins": MARGINS,
        "seed": 20260101,
        "replicates": 50,
        "methods": methods(),
        "calibration": calibration(),
    }  # fmt: skip


def methods() -> list[dict[str, Any]]:
    return [
        {"stage": m, "name": m.rsplit("/", 1)[-1], "family": METHODS[m], "value": 742318.4 * math.exp(MISS[m] + 0.21),
         "per_customer": 31.49, "lower": 700000 * math.exp(MISS[m] + 0.21), "upper": 790000 * math.exp(MISS[m] + 0.21),
         "components": {"transactions": 18000.0}, "n": 23570, "resampling": "refit", "primary": m == "methods/bg_nbd",
         "why": ""}
        for m in METHODS
    ]  # fmt: skip


def calibration() -> list[dict[str, Any]]:
    made = []
    for m in METHODS:
        for component, scale in (("value", 36.0), ("transactions", 1.0)):
            bars = []
            for d in range(1, 11):
                actual = scale * 0.05 * math.exp(0.48 * d)
                bars.append({"decile": d, "predicted": actual * math.exp(MISS[m] * d / 7), "actual": actual,
                             "lower": actual * 0.85, "upper": actual * 1.18, "n": 2357})  # fmt: skip
            made.append(
                {"subject": m, "horizon": 39, "as_of": "1997-09-30", "component": component, "deciles": bars}
            )
    return made


def stages() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def add(
        stage: str,
        role: str,
        seconds: float,
        after: list[str],
        as_of: str = "1998-06-30",
        action: str = "run",
    ) -> None:
        made.append({"stage": stage, "node": f"{stage}@{as_of}", "action": action, "role": role, "as_of": as_of, "horizon": 39,
                     "state": "succeeded", "seconds": seconds if action == "run" else 0.0, "after": after,
                     "reasons": ["never ran" if action == "run" else "nothing changed"]})  # fmt: skip

    for as_of, action in (
        ("1998-06-30", "run"),
        ("1997-09-30", "run"),
        ("1997-07-01", "reuse"),
        ("1997-04-01", "reuse"),
    ):
        add("prepare/clean", "prepare", 1.9, ["orders"], as_of, action)
        add("prepare/rfm", "prepare", 1.4, [f"prepare/clean@{as_of}"], as_of, action)
        for k, m in enumerate(METHODS):
            more = [f"checks/outcome@{as_of}"] if m.endswith("boosting") else []
            add(m, "method", 2.1 + 3 * k, [f"prepare/rfm@{as_of}", *more], as_of, action)
        add(
            "checks/outcome",
            "outcome",
            1.1,
            [f"prepare/clean@{as_of}", f"prepare/rfm@{as_of}"],
            as_of,
            action,
        )
    add("checks/reconciliation", "check", 0.8, ["prepare/clean@1998-06-30", "orders"])
    return made


def run() -> dict[str, Any]:
    return {"run": "20261122-213045-3f9c", "product": "cdnow-ltv", "as_of": "1998-06-30", "horizon": 39,
            "started": "2026-11-22T21:30:45+00:00", "seconds": 128.4, "version": "0.1.0"}  # fmt: skip


def contracts() -> list[dict[str, Any]]:
    def rule(id: str, column: str, kind: str, bad: int, severity: str = "error") -> dict[str, Any]:
        state = "pass" if not bad else ("warn" if severity == "warning" else "fail")
        return {
            "id": id,
            "column": column,
            "kind": kind,
            "severity": severity,
            "evaluated": 69659,
            "bad": bad,
            "state": state,
        }

    rules = [rule("customer_id.required", "customer_id", "required", 0), rule("date.required", "date", "required", 0),
             rule("amount.range", "amount", "range", 0), rule("amount.positive", "amount", "minimum", 80, "warning")]  # fmt: skip
    return [{"source": "orders", "rows": 69659, "accepted": 69659, "quarantined": 0, "rules": rules}]


def candidate() -> dict[str, Any]:
    return {"digest": "sha256:4be1c02f7a11d9a0c34a55e0bd1f2b6a", "decision": "refused",
            "reasons": ["label is unverified; the policy asks for validated"]}  # fmt: skip


def notebooks() -> list[dict[str, Any]]:
    return [{"stage": m, "node": f"{m}@1998-06-30", "as_of": "1998-06-30", "horizon": 39,
             "href": f"notebooks/{m.replace('/', '-')}.html", "title": m.rsplit("/", 1)[-1]} for m in METHODS]  # fmt: skip
