"""A study: all evidence on one set of snapshots, with its label. A pure function of measurements and margins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from nbdataops.errors import UsageError
from nbdataops.validate import charts
from nbdataops.validate.evidence import Evidence, Verdict, finite
from nbdataops.validate.families import Method, short
from nbdataops.validate.judge import band_for, verdict
from nbdataops.validate.label import Label, rule
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import KINDS, Measurement, State
from nbdataops.validate.pool import Pooled, count, pool
from nbdataops.validate.ruling import Ruling, is_decisive

COVERS = "sampling error only: not the method's bias, nor changes of the market"
"""What the interval of a study's number means."""


class Contract(Protocol):
    """What a study needs to know of the metric contract (`nbdataops.product.metric.MetricContract`)."""

    @property
    def name(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def components(self) -> Mapping[str, str]: ...
    @property
    def time_unit(self) -> str: ...
    @property
    def horizon(self) -> int: ...
    @property
    def discount_rate(self) -> float: ...
    @property
    def primary(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NumberFigure:
    """The number: the primary method's total over the population, with the interval of its replicates."""

    value: float
    lower: float | None
    upper: float | None
    per_customer: float | None
    n: int
    unit: str
    method: str
    resampling: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": finite(self.value),
            "lower": finite(self.lower),
            "upper": finite(self.upper),
            "per_customer": finite(self.per_customer),
            "n": self.n,
            "unit": self.unit,
            "method": self.method,
            "resampling": self.resampling,
            "covers": COVERS,
        }


@dataclass(frozen=True, slots=True)
class Study:
    """`reasons` say in words why the label is what it is, the decisive first. `summary` counts families, methods and
    verdicts; `charts` holds the aggregates that pictures are made of (see `nbdataops.validate.charts`)."""

    label: Label
    reasons: tuple[str, ...]
    contract: Mapping[str, Any]
    as_of: date
    horizon: int
    number: NumberFigure | None
    evidence: tuple[Evidence, ...]
    families: Mapping[str, tuple[str, ...]]
    margins: Margins
    seed: int
    replicates: int
    summary: Mapping[str, Any]
    charts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The `study` of `nbdataops run --json`."""
        return {
            "label": self.label.value,
            "reasons": list(self.reasons),
            "contract": dict(self.contract),
            "as_of": self.as_of.isoformat(),
            "horizon": self.horizon,
            "number": self.number.to_dict() if self.number is not None else None,
            "evidence": [e.to_dict() for e in self.evidence],
            "families": {family: list(methods) for family, methods in self.families.items()},
            "margins": self.margins.to_dict(),
            "seed": self.seed,
            "replicates": self.replicates,
            "summary": dict(self.summary),
            **self.charts,
        }


def judge(
    measurements: Iterable[Measurement],
    margins: Mapping[str, Any] | Margins,
    contract: Contract,
    *,
    as_of: date | None = None,
    seed: int = 0,
    replicates: int = 0,
) -> Study:
    """Hold measurements against margins. `as_of` is the product's; default: the latest for which there is a number.

    Pure: other margins give another study of the same measurements. UsageError when there is no date to judge at.
    """
    everything = tuple(measurements)
    declared = margins if isinstance(margins, Margins) else Margins.of(margins)
    at = as_of or max((m.as_of for m in everything if m.kind in ("number", "triangulation")), default=None)
    if at is None:
        raise UsageError("a study needs measurements or a date", todo="pass as_of, or run the checks first")
    methods = _methods(everything, at, contract.horizon)
    number = _number(everything, contract, at)
    order = _reading_order(contract)
    evidence = tuple(sorted(_evidence(everything, declared, contract, at, methods), key=order))
    ruling = Ruling.of(evidence, methods, contract, has_number=number is not None)
    label, reasons = rule(ruling)
    families: dict[str, tuple[str, ...]] = {}
    for method in methods.values():
        families[method.family] = (*families.get(method.family, ()), method.stage)
    return Study(
        label=label,
        reasons=(*reasons, f"The interval of the number covers {COVERS}."),
        contract=_describe(contract),
        as_of=at,
        horizon=contract.horizon,
        number=number,
        evidence=evidence,
        families=families,
        margins=declared,
        seed=seed,
        replicates=replicates,
        summary=_summary(evidence, ruling),
        charts=charts.aggregates(everything, evidence, methods, contract.primary, at, contract.horizon),
    )


def _evidence(
    everything: Sequence[Measurement],
    margins: Margins,
    contract: Contract,
    at: date,
    methods: Mapping[str, Method],
) -> Iterable[Evidence]:
    for key, members in _statistics(everything, at).items():
        kind = key[0]
        pooled = count(members) if kind in ("invariant", "reconciliation") else pool(members)
        yield _judged(pooled, margins, contract, methods)


def _statistics(everything: Sequence[Measurement], at: date) -> dict[tuple[Any, ...], list[Measurement]]:
    """Measurements by what they are of, over origins. A check that did not run stands in every statistic that it
    gave at other origins, or in one of its own when it never ran."""
    found: dict[tuple[Any, ...], list[Measurement]] = defaultdict(list)
    gaps: list[Measurement] = []
    for m in everything:
        if m.kind == "number" or (m.kind == "triangulation" and m.as_of != at):
            continue  # methods are compared where the number is; at past origins they meet what happened
        if m.statistic == "":
            gaps.append(m)
        else:
            found[
                (m.kind, m.subject, m.against, m.horizon, m.component, m.level, m.group, m.statistic)
            ].append(m)
    measured = list(found)
    for gap in gaps:
        usual = KINDS[gap.kind][1]
        hit = [
            k
            for k in measured
            if (k[0], k[1], k[3]) == (gap.kind, gap.subject, gap.horizon) and gap.against in (k[2], usual)
        ]
        for key in hit:
            if all(m.as_of != gap.as_of for m in found[key]):
                found[key].append(gap)
        if not hit:
            found[(gap.kind, gap.subject, gap.against, gap.horizon, "value", "total", "", "")].append(gap)
    return found


def _judged(pooled: Pooled, margins: Margins, contract: Contract, methods: Mapping[str, Method]) -> Evidence:
    m = pooled.like
    same_family = len(m.families) == 2 and m.families[0] == m.families[1]
    band = band_for(pooled, margins, same_family)
    judgement = verdict(pooled, band)
    exact = m.kind == "invariant" or m.statistic == "violations"
    made = Evidence(
        kind=m.kind, code=m.code, subject=m.subject, against=m.against, component=m.component or ("value" if not m.statistic else ""),
        level=m.level or "total", group=m.group, horizon=m.horizon, statistic=m.statistic or "log_ratio",
        verdict=judgement.verdict, why=judgement.why, n=pooled.n, estimate=pooled.estimate, lower=pooled.lower,
        upper=pooled.upper, margin=0.0 if exact else band.margin, allowed=(band.low, band.high), mdd=pooled.mdd,
        resampling=pooled.resampling, replicates=pooled.replicates, origins=pooled.origins, clusters=pooled.clusters,
        between_origin_sd=pooled.between_origin_sd, families=m.families,
        supporting=m.horizon is not None and m.horizon != contract.horizon,
        skipped=pooled.state is State.SKIPPED,
    )  # fmt: skip
    declared = bool(m.detail.get("required", True)) if m.kind == "reconciliation" else None
    return replace(made, required=is_decisive(made, contract, methods, declared))


def _methods(everything: Iterable[Measurement], at: date, horizon: int) -> dict[str, Method]:
    found: dict[str, Method] = {}
    for m in everything:
        if m.kind == "reconciliation" or not m.families:
            continue
        known = found.get(m.subject)
        windows = (
            tuple(
                (date.fromisoformat(a), date.fromisoformat(b)) for a, b in m.detail.get("label_windows", ())
            )
            if m.kind == "number" and (m.as_of, m.horizon) == (at, horizon)
            else ()
        )
        if known is None or windows:
            found[m.subject] = Method(m.subject, m.families[0], windows)
    return dict(sorted(found.items()))


def _reading_order(contract: Contract) -> Callable[[Evidence], tuple[Any, ...]]:
    """Kinds in the order of the evidence model, the contract's horizon and the primary method first."""
    kinds, levels = list(KINDS), ["total", "cohort", "decile", "customer"]
    components = ["value", *contract.components]

    def order(e: Evidence) -> tuple[Any, ...]:
        component = components.index(e.component) if e.component in components else len(components)
        level = levels.index(e.level) if e.level in levels else len(levels)
        group = (int(e.group), "") if e.group.isdigit() else (0, e.group)
        return (
            e.supporting, kinds.index(e.kind), e.horizon or 0, e.subject != contract.primary, e.subject, e.against,
            component, level, e.statistic, group,
        )  # fmt: skip

    return order


def _number(everything: Iterable[Measurement], contract: Contract, at: date) -> NumberFigure | None:
    for m in everything:
        wanted = (m.kind, m.subject, m.component, m.as_of, m.horizon)
        if (
            wanted == ("number", contract.primary, "value", at, contract.horizon)
            and finite(m.estimate) is not None
        ):
            assert m.estimate is not None
            return NumberFigure(
                m.estimate,
                m.lower,
                m.upper,
                m.detail.get("per_entity"),
                m.n,
                contract.unit,
                m.subject,
                m.resampling,
            )
    return None


def _summary(evidence: Sequence[Evidence], ruling: Ruling) -> dict[str, Any]:
    together: dict[tuple[str, str, str, str, int | None], list[Evidence]] = defaultdict(list)
    for e in evidence:
        pair = e.against if e.kind == "triangulation" else ""
        together[(e.kind, e.code, e.subject, pair, e.horizon)].append(e)
    kinds = []
    for (kind, code, subject, pair, horizon), members in together.items():
        decisive = [e.verdict for e in members if ruling.weighs(e)]
        counts = {v.value: sum(e.verdict is v for e in members) for v in Verdict}
        kinds.append({
            "kind": kind, "code": code, "subject": subject, "against": pair, "horizon": horizon,
            "supporting": members[0].supporting, "verdict": Verdict.worst(decisive).value, "decisive": len(decisive),
            "counts": counts,
        })  # fmt: skip
    return {
        "methods": len(ruling.methods),
        "independent": [[m.stage for m in group] for group in ruling.groups],
        "agreeing": [short(m.stage) for m in ruling.agreeing],
        "evidence": {v.value: sum(e.verdict is v for e in evidence) for v in Verdict},
        "kinds": kinds,
    }


def _describe(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.name,
        "entity": contract.entity,
        "value": contract.value,
        "unit": contract.unit,
        "components": {str(k): str(v) for k, v in contract.components.items()},
        "time_unit": str(contract.time_unit),
        "horizon": contract.horizon,
        "discount_rate": contract.discount_rate,
        "primary": contract.primary,
    }
