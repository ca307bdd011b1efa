"""The gate is closed unless everything it needs is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nbdataops.release.gate import Policy, decide

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def record(**changes: Any) -> dict[str, Any]:
    passed = {
        "code": "E5", "kind": "holdout", "subject": "methods/a", "against": "outcome", "component": "value",
        "level": "total", "group": "", "statistic": "log_ratio", "verdict": "pass", "why": "inside", "required": True,
    }  # fmt: skip
    return passed | changes


def study(*records: dict[str, Any], label: str = "validated") -> dict[str, Any]:
    return {"label": label, "reasons": [], "number": {"value": 1.0}, "evidence": list(records) or [record()]}


STAGE = {"node": "methods/a@2026-01-01+13", "state": "succeeded"}
DEFAULT = Policy()
CONTRACT = {"source": "orders", "accepted": True}


def reasons(policy: Policy = DEFAULT, **given: Any) -> tuple[str, ...]:
    known = {"study": study(), "stages": [STAGE], "contracts": [CONTRACT]} | given
    decision = decide(policy, **known)
    assert decision.accepted == (not decision.reasons)
    return decision.reasons


def test_a_candidate_that_meets_everything_is_accepted() -> None:
    assert reasons() == ()


def test_no_study_refuses() -> None:
    assert reasons(study=None) == ("there is no study: nothing was measured",)


def test_a_study_without_required_evidence_refuses() -> None:
    assert reasons(study=study(record(required=False))) == ("no required evidence was measured",)


@pytest.mark.parametrize(
    ("label", "accepted"), [("validated", True), ("corroborated", True), ("unverified", False)]
)
def test_the_label_must_reach_the_policy(label: str, accepted: bool) -> None:
    assert (reasons(Policy("corroborated"), study=study(label=label)) == ()) is accepted


def test_an_unknown_label_refuses() -> None:
    assert "not known" in reasons(study=study(label="great"))[0]


@pytest.mark.parametrize("verdict", ["fail", "inconclusive", "error", "something new"])
def test_required_evidence_that_is_no_pass_refuses_and_is_named(verdict: str) -> None:
    (why,) = reasons(study=study(record(verdict=verdict, why="too little data")))

    assert why.startswith(f"E5 holdout of a against outcome, value: {verdict}")
    assert why.endswith("too little data")


@pytest.mark.parametrize("state", ["failed", "timed_out", "cancelled", "lost", "running", "queued"])
def test_a_stage_that_did_not_succeed_refuses(state: str) -> None:
    assert reasons(stages=[STAGE | {"state": state}]) == (f"{STAGE['node']} {state}",)


def test_a_stage_that_was_skipped_for_want_of_history_does_not_refuse_by_itself() -> None:
    assert reasons(stages=[STAGE, STAGE | {"state": "skipped"}]) == ()


def test_a_source_that_breaks_its_contract_refuses() -> None:
    assert reasons(contracts=[CONTRACT | {"accepted": False}]) == ("source orders breaks its contract",)


def test_a_contract_result_that_does_not_say_refuses() -> None:
    assert reasons(contracts=[{"source": "orders"}]) == ("source orders breaks its contract",)


def test_stale_evidence_refuses_with_what_is_stale() -> None:
    assert reasons(stale=["prepare/rfm@2026-01-01 (code changed)"]) == (
        "the evidence is stale: prepare/rfm@2026-01-01 (code changed)",
    )


def test_evidence_beyond_the_allowed_age_refuses() -> None:
    policy = Policy(evidence_max_age=timedelta(days=30))

    assert reasons(policy, studied=NOW - timedelta(days=30), now=NOW) == ()
    assert reasons(policy, studied=NOW - timedelta(days=32), now=NOW) == (
        "the evidence is 32 days old; the policy allows 30",
    )


def test_an_unknown_age_refuses_where_age_matters() -> None:
    assert reasons(Policy(evidence_max_age=timedelta(days=30))) == ("the age of the evidence is not known",)


def test_every_reason_is_given_not_only_the_first() -> None:
    found = reasons(
        Policy("validated"),
        study=study(record(verdict="fail"), label="unverified"),
        stages=[STAGE | {"state": "failed"}],
        contracts=[CONTRACT | {"accepted": False}],
        stale=["x"],
    )

    assert len(found) == 5


def test_one_independent_method_that_agrees_is_enough() -> None:
    agrees = record(kind="triangulation", code="E8", against="methods/b")
    differs = record(kind="triangulation", code="E8", against="methods/c", verdict="fail")

    assert reasons(study=study(record(), agrees, differs)) == ()
    assert len(reasons(study=study(record(), differs, differs | {"against": "methods/d"}))) == 2


def test_a_holdout_that_is_too_early_refuses_only_where_validated_is_required() -> None:
    early = record(verdict="inconclusive", skipped=True)
    agrees = record(kind="triangulation", code="E8", against="methods/b")
    corroborated = study(early, agrees, label="corroborated")

    assert reasons(Policy("corroborated"), study=corroborated) == ()
    assert len(reasons(Policy("validated"), study=corroborated)) == 1


@pytest.mark.parametrize("kind", ["invariant", "triangulation", "reconciliation", "holdout"])
def test_skipped_evidence_refuses_where_the_label_does_not_say_that_it_may_be_missing(kind: str) -> None:
    skipped = record(kind=kind, verdict="inconclusive", skipped=True)

    assert len(reasons(Policy("unverified"), study=study(record(), skipped, label="unverified"))) == 1


def test_no_number_refuses() -> None:
    assert reasons(study=study() | {"number": None}) == (
        "there is no number: the primary method has no estimate",
    )
