"""The label and its reasons: a study whose evidence all passes, and everything that can be wrong with it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from nbdataops.errors import UsageError
from nbdataops.validate.evidence import Verdict
from nbdataops.validate.label import Label
from nbdataops.validate.measurement import Measurement, State, absent
from nbdataops.validate.study import Study, judge
from tests.validate.made import AS_OF, ORIGIN, PRIMARY, good, made, pair, reconciled
from tests.validate.synthetic import Terms


def study(measurements: list[Measurement], **margins: float) -> Study:
    return judge(measurements, margins, Terms(), as_of=AS_OF)


def change(what: Callable[[Measurement], bool], **fields: object) -> list[Measurement]:
    """The good measurements, some of them changed; an interval moves with its estimate."""
    found = []
    for m in good():
        if what(m):
            m = replace(m, **fields)  # type: ignore[arg-type]
            if "estimate" in fields and m.estimate is not None and m.se is not None:
                m = replace(m, lower=m.estimate - 1.645 * m.se, upper=m.estimate + 1.645 * m.se)
        found.append(m)
    return found


def of(
    kind: str, component: str = "value", level: str | None = "total", group: str | None = None
) -> Callable[[Measurement], bool]:
    return lambda m: (
        (m.kind, m.subject, m.component) == (kind, PRIMARY, component)
        and (level is None or m.level == level)
        and (group is None or m.group == group)
    )


def without(what: Callable[[Measurement], bool]) -> list[Measurement]:
    return [m for m in good() if not what(m)]


def test_a_study_whose_evidence_all_passes_is_validated() -> None:
    found = study(good())
    assert found.label is Label.VALIDATED
    assert found.reasons[0].startswith("bg_nbd met the 39-week holdout: value 0 % (90 % interval")
    assert "Independent families agree" in found.reasons[1]
    assert "sampling error only" in found.reasons[-1]


MISS = math.log(0.81)


@pytest.mark.parametrize(
    ("measurements", "reason"),
    [
        (change(of("holdout"), estimate=MISS), "bg_nbd misses the 39-week holdout: value -19 % (90 % interval -20 to -18 %; allowed -9.1 to +10 %)."),
        (change(of("holdout", "transactions"), estimate=MISS), "bg_nbd misses the 39-week holdout: transactions -19 %"),
        (change(of("holdout"), estimate=0.09), "at the edge of what is allowed in the 39-week holdout: value +9.4 %"),
        (change(of("holdout"), se=0.2, lower=-0.3, upper=0.3), "The 39-week holdout cannot tell whether bg_nbd is right: value 0 %"),
        (change(of("holdout"), estimate=None, state=State.ERROR, reason="boom"), "holdout of bg_nbd could not be evaluated"),
        (change(of("holdout"), estimate=None, state=State.UNDEFINED, reason="zero"), "The 39-week holdout cannot tell"),
        (without(of("holdout", "transactions", None)), "There is no 39-week holdout of transactions for bg_nbd."),
        (without(of("holdout", level=None)), "There is no 39-week holdout of value for bg_nbd."),
        (change(of("holdout", level="cohort", group="02"), estimate=-0.5), "1 acquisition cohort is outside of what is allowed"),
        (change(of("calibration", level="decile", group="10"), estimate=0.5), "the worst the decile 10, +65 %"),
        (change(lambda m: of("calibration", level=None)(m) and m.statistic == "slope", estimate=2.0), "bg_nbd is not calibrated: 1 of 4 required figures of value do not pass, the worst the slope of actual on predicted, 2.00"),
        (without(of("calibration", level=None)), "The calibration of value was not checked for bg_nbd."),
        (change(of("discrimination", level=None), estimate=-0.2), "ranks customers worse than the naive ranking"),
        (without(of("discrimination", level=None)), "Nobody checked whether bg_nbd ranks better"),
        (change(of("invariant"), estimate=3.0), "bg_nbd breaks an invariant, finite: 3 of 2,357 violate it."),
        (without(of("number")), "There is no number of bg_nbd to judge."),
        (without(of("invariant")), "No invariant of bg_nbd was checked."),
        (without(lambda m: m.kind == "triangulation"), "bg_nbd stands alone"),
        (change(lambda m: m.kind == "triangulation" and "empirical" in m.families, estimate=0.4), "No independent family agrees with bg_nbd on total value; bg_nbd against cohort +49 %"),
        (change(lambda m: m.kind == "reconciliation", estimate=0.3, lower=0.3, upper=0.3), "finance: monthly revenue does not add up"),
        (change(lambda m: m.kind == "reconciliation", state=State.ERROR, estimate=None, reason="evaluated zero rows"), "evaluated zero rows"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_takes_the_label_away_and_is_the_first_reason(
    measurements: list[Measurement], reason: str
) -> None:
    found = study(measurements)
    assert found.label is Label.UNVERIFIED
    assert reason in found.reasons[0]


@pytest.mark.parametrize(
    "measurements",
    [
        change(of("calibration", level="decile", group="1"), estimate=0.9),
        change(of("discrimination", level=None), estimate=0.0),
        change(lambda m: m.kind == "holdout" and m.subject == "methods/pareto_nbd", estimate=0.9),
        [*good(), reconciled(0.3, required=False, against="another")],
        [*good(), made("holdout", estimate=-0.9, horizon=13)],
    ],
    ids=["low decile", "no better than naive", "another method", "not required", "supporting horizon"],
)
def test_what_the_label_does_not_depend_on_leaves_it(measurements: list[Measurement]) -> None:
    assert study(measurements).label is Label.VALIDATED


def test_siblings_agree_only_once() -> None:
    alone = without(lambda m: "methods/cohort" in (m.subject, m.against))
    found = study(alone)
    assert found.label is Label.UNVERIFIED
    assert any(
        r == "Agreement of bg_nbd and pareto_nbd counts once: they are one family (latent-attrition)."
        for r in found.reasons
    )
    assert found.summary["independent"] == [["methods/bg_nbd", "methods/pareto_nbd"]]


def test_agreement_with_a_method_that_learnt_from_the_same_outcomes_counts_once() -> None:
    windows = {"per_entity": 1.0, "label_windows": [["1997-01-01", "1997-06-01"]]}
    found = study(change(lambda m: m.kind == "number", detail=windows))
    assert found.label is Label.UNVERIFIED
    assert any("learnt from the same outcomes" in r for r in found.reasons)


def test_agreement_with_a_method_that_breaks_an_invariant_does_not_count() -> None:
    found = study(change(lambda m: m.kind == "invariant" and m.subject == "methods/cohort", estimate=5.0))
    assert found.label is Label.UNVERIFIED


def test_the_pair_may_be_measured_either_way_round() -> None:
    rest = without(lambda m: m.kind == "triangulation" and "empirical" in m.families)
    assert study([*rest, pair("methods/cohort", PRIMARY)]).label is Label.VALIDATED
    far = study([*rest, pair("methods/cohort", PRIMARY, 0.4)])
    assert "bg_nbd against cohort -33 %" in far.reasons[0]


def skipped(kind: str) -> Measurement:
    return absent(kind, PRIMARY, as_of=ORIGIN, until=None, horizon=39, reason="the outcome has not matured", suffices=date(1999, 3, 30), families=("latent-attrition",))  # fmt: skip


def test_without_a_matured_holdout_a_number_on_which_families_agree_is_corroborated() -> None:
    rest = without(lambda m: m.kind in ("holdout", "calibration", "discrimination"))
    found = study([*rest, *map(skipped, ("holdout", "calibration", "discrimination"))])
    assert found.label is Label.CORROBORATED
    assert "1999-03-30" in found.reasons[0]
    assert all(e.verdict is Verdict.INCONCLUSIVE for e in found.evidence if e.skipped)


def test_without_a_matured_holdout_and_without_agreement_nothing_is_corroborated() -> None:
    rest = without(lambda m: m.kind in ("holdout", "calibration", "discrimination", "triangulation"))
    found = study([*rest, skipped("holdout")])
    assert found.label is Label.UNVERIFIED
    assert "stands alone" in found.reasons[0]


def test_a_holdout_that_nobody_tried_is_not_the_same_as_one_that_has_not_matured() -> None:
    rest = without(lambda m: m.kind in ("holdout", "calibration", "discrimination"))
    assert study(rest).label is Label.UNVERIFIED


def test_no_evidence_at_all_is_unverified() -> None:
    assert study([]).label is Label.UNVERIFIED
    with pytest.raises(UsageError):
        judge([], {}, Terms())


def test_a_changed_margin_judges_the_same_measurements_anew() -> None:
    measurements = change(of("holdout"), estimate=MISS)
    before = [m.to_dict() for m in measurements]
    assert study(measurements).label is Label.UNVERIFIED
    assert study(measurements, holdout_total=0.30).label is Label.VALIDATED
    assert [m.to_dict() for m in measurements] == before


def test_a_study_does_not_depend_on_the_order_of_measurements() -> None:
    forward, backward = study(good()), study(good()[::-1])
    assert {e.id: e for e in forward.evidence} == {e.id: e for e in backward.evidence}
    assert (forward.label, forward.reasons) == (backward.label, backward.reasons)


def test_ids_are_unique_and_stay_when_figures_change() -> None:
    ids = [e.id for e in study(good()).evidence]
    assert len(ids) == len(set(ids))
    assert ids == [e.id for e in study(change(of("holdout"), estimate=MISS)).evidence]


def test_the_number_is_that_of_the_primary_at_the_products_as_of() -> None:
    number = study(good()).to_dict()["number"]
    assert (number["value"], number["method"], number["per_customer"]) == (1000.0, PRIMARY, 0.42)
    assert "sampling error only" in number["covers"]


def test_overlapping_origins_count_as_one_in_the_study() -> None:
    more = [m for m in good() if m.kind == "holdout" and m.level == "total"]
    earlier = [replace(m, as_of=date(1997, 7, 1), until=date(1998, 3, 31)) for m in more]
    total = next(e for e in study([*good(), *earlier]).evidence if of("holdout")(e))  # type: ignore[arg-type]
    assert (total.clusters, len(total.origins)) == (1, 2)


def test_the_json_of_a_study_is_strict_and_has_every_declared_key() -> None:
    data = json.loads(json.dumps(study(good()).to_dict(), allow_nan=False))
    assert set(data) >= {"label", "reasons", "contract", "as_of", "horizon", "number", "evidence", "families", "margins",
                         "seed", "replicates", "calibration", "cohorts", "methods", "agreement", "holdout", "summary"}  # fmt: skip
    wanted = {"id", "kind", "code", "subject", "against", "component", "level", "group", "horizon", "supporting", "required",
              "n", "statistic", "estimate", "lower", "upper", "margin", "mdd", "percent", "resampling", "replicates",
              "origins", "clusters", "between_origin_sd", "families", "verdict", "why"}  # fmt: skip
    assert all(wanted <= set(e) for e in data["evidence"])
