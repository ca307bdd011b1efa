"""States of stages, errors, and what is kept, without kernels."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nbdataops.build.executors import Cancel, StageJob
from nbdataops.build.executors.fake import FakeKernel
from nbdataops.build.nodes import Action, State
from nbdataops.errors import (
    CancelledError,
    ExitCode,
    GraphError,
    NbdataopsError,
    RefusedError,
    SpecError,
    StageError,
    StoreError,
)
from nbdataops.workspace import Options, Product, open_product
from tests.conftest import Notebook

Open = Callable[[], Product]


def failing(blank: Path, stage: str, error: Exception) -> Product:
    def fail(job: StageJob) -> None:
        raise error

    product = open_product(blank)
    product.executor = FakeKernel(before={stage: fail})
    return product


GO_ON = Options(keep_going=True)


def test_what_needs_a_failed_stage_is_skipped_and_its_evidence_is_an_error(blank: Path) -> None:
    product = failing(blank, "methods/average", StageError("boom"))

    report = product.run(GO_ON)

    states = {n.node.id: n.state for n in report.execution.nodes}
    assert states["methods/average@2026-01-04+13"] is State.FAILED
    assert states["methods/rate@2026-01-04+13"] is State.SUCCEEDED
    assert states["check:triangulation:methods/average:methods/rate@2026-01-04+13"] is State.SKIPPED
    assert report.exit_code is ExitCode.STAGE_FAILED
    verdicts = {
        e.verdict.value
        for e in report.study.evidence
        if e.kind == "triangulation" and "methods/average" in (e.subject, e.against)
    }
    assert verdicts == {"error"}
    assert not report.decision.accepted


def test_what_succeeded_before_a_failure_is_kept(blank: Path, opened: Open) -> None:
    failing(blank, "methods/average", StageError("boom")).run(GO_ON)

    again = opened()
    report = again.run()

    assert {n.split("@")[0] for n in again.executor.executed} == {"methods/average"}  # type: ignore[attr-defined]
    assert report.exit_code is ExitCode.OK


def test_after_a_failure_nothing_more_is_executed_and_what_is_there_is_reused(
    blank: Path, opened: Open
) -> None:
    opened().build(["methods/rate"])
    told: list[dict[str, Any]] = []
    product = failing(blank, "methods/average", StageError("boom"))

    report = product.run(Options(jobs=1), listener=told.append)

    nodes = {n.node.id: n for n in report.execution.nodes}
    first = next(n for n in report.execution.nodes if n.error is not None)
    assert product.executor.executed[-1] == first.node.id  # type: ignore[attr-defined]
    assert len(report.execution.failures) == 1
    assert nodes["methods/rate@2026-01-04+13"].action is Action.REUSE
    assert nodes["methods/rate@2026-01-04+13"].state is State.SUCCEEDED
    left = [n for n in nodes.values() if n.state is State.SKIPPED and not n.node.unavailable]
    assert left
    assert all(first.node.id in n.reasons[0] for n in left)
    assert any("--keep-going goes on" in n.reasons[0] for n in left)
    assert report.exit_code is ExitCode.STAGE_FAILED
    assert not report.decision.accepted
    said = [e["text"] for e in told if e["event"] == "message" and "--keep-going" in e["text"]]
    assert len(said) == 1


def test_a_failure_is_told_while_other_stages_still_run(blank: Path) -> None:
    """The other method waits, at the same time, until the failure has been told."""
    told = threading.Event()

    class Both:
        def execute(self, job: StageJob, cancel: Cancel) -> None:
            if job.stage == "methods/average":
                raise StageError("boom")
            if job.stage == "methods/rate":
                assert told.wait(60)
            kernel.execute(job, cancel)

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "node_ended" and event["error"] is not None:
            told.set()

    kernel = FakeKernel()
    product = open_product(blank)
    product.executor = Both()

    report = product.build(["methods/rate", "methods/average"], Options(jobs=2), listener=listen)

    states = {n.node.stage: n.state for n in report.execution.nodes}
    assert (states["methods/average"], states["methods/rate"]) == (State.FAILED, State.SUCCEEDED)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGHUP, ExitCode.HUNG_UP)]
)
def test_a_signal_while_the_report_is_written_cancels_the_run(
    opened: Open, number: signal.Signals, code: ExitCode
) -> None:
    product = opened()

    def listen(event: dict[str, Any]) -> None:
        if event.get("text") == "writing the report":
            signal.raise_signal(number)

    with pytest.raises(CancelledError) as cancelled:
        product.run(listener=listen)

    assert cancelled.value.exit_code is code
    assert [run["state"] for run in product.journal.runs()] == [State.CANCELLED.value]
    assert opened().run().exit_code is ExitCode.OK


def test_a_hangup_that_is_ignored_as_after_nohup_stays_ignored(opened: Open) -> None:
    product = opened()
    seen = []

    def listen(event: dict[str, Any]) -> None:
        if event.get("text") == "writing the report":
            signal.raise_signal(signal.SIGHUP)
            seen.append(signal.getsignal(signal.SIGHUP))

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        report = product.run(listener=listen)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert report.exit_code is ExitCode.OK
    assert seen == [signal.SIG_IGN]


def test_what_was_left_is_done_by_the_next_run(blank: Path, opened: Open) -> None:
    failing(blank, "methods/average", StageError("boom")).run(Options(jobs=1))

    report = opened().run()

    assert report.exit_code is ExitCode.OK
    assert {n.state for n in report.execution.nodes if not n.node.unavailable} == {State.SUCCEEDED}


def test_too_short_a_history_is_skipped_with_the_date_that_would_suffice(opened: Open) -> None:
    report = opened().run()

    (node,) = [n for n in report.execution.nodes if n.node.id == "methods/average@2025-04-06+13"]
    assert (node.action, node.state) == (Action.SKIP, State.SKIPPED)
    assert "2025-04-07 would suffice" in node.reasons[0]
    assert report.exit_code is ExitCode.OK
    skipped = [e for e in report.study.evidence if e.subject == "methods/average" and e.kind == "holdout"]
    assert all(o.note for e in skipped for o in e.origins if str(o.as_of) == "2025-04-06")


def test_a_variant_is_a_method_of_the_same_family_with_other_parameters(blank: Path, opened: Open) -> None:
    notebook = Notebook(blank / "methods" / "rate.ipynb")
    notebook.replace("horizon: int = 13", "horizon: int = 13\nleast: int = 4")
    notebook.replace("lower=4", "lower=least")
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text() + "variants:\n  methods/rate: {old: {least: 12}}\n")

    report = opened().run()

    assert report.study.families["naive"] == ("methods/rate", "methods/rate[old]")
    (node,) = [n for n in report.execution.nodes if n.node.id == "methods/rate[old]@2026-01-04+13"]
    assert dict(node.node.parameters)["least"] == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame = estimate.iloc[:-1]", "missing"),
        ("frame = estimate.iloc[[0, *range(len(estimate))]]", "more than"),
        ("frame = estimate.assign(customer_id='nobody')", "customer_id"),
        ("frame = estimate.assign(value=float('nan'))", "NaN"),
        ("frame = estimate.assign(value=float('inf'))", "infin"),
        ("frame = estimate.assign(value=-1.0)", "negative"),
        ("frame = estimate.rename(columns={'value': 'valeu'})", "value"),
        ("frame = estimate.assign(value='$3')", "value"),
    ],
)
def test_a_bad_estimate_fails_its_stage_with_the_cell_and_publishes_nothing(
    blank: Path, opened: Open, text: str, message: str
) -> None:
    notebook = Notebook(blank / "methods" / "rate.ipynb")
    notebook.replace("stage.estimate(estimate,", f"{text}\nstage.estimate(frame,")

    product = opened()
    report = product.build(["methods/rate"])

    (failed,) = report.execution.failures
    assert failed.error is not None
    assert failed.error.where is not None
    assert message in failed.error.what
    assert failed.error.where.cell == 5
    assert report.exit_code is ExitCode.STAGE_FAILED
    assert not [r for r in product.journal.results() if r.stage == "methods/rate"]


def test_a_method_that_reads_more_than_the_file_declares_is_refused(blank: Path, opened: Open) -> None:
    Notebook(blank / "methods" / "rate.ipynb").replace(
        'columns=["days", "total", "age"]', 'columns=["days", "total"]'
    )

    report = opened().build(["methods/rate"])

    (failed,) = report.execution.failures
    assert failed.error is not None
    assert "age" in failed.error.what


def change_orders(blank: Path, change: Callable[[str], str]) -> None:
    path = blank / "data" / "orders.csv"
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: "", "empty"),
        (lambda text: text + "2026-01-04,c001\n", "line 858"),
        (lambda text: text.replace(",c001,", ",,", 1), "customer_id"),
        (lambda text: text + "2026-01-04,c001,-5\n", "amount"),
        (lambda text: text + "2026-01-04,c001,much\n", "amount"),
        (lambda text: text.replace("amount", "sum", 1), "amount"),
    ],
)
def test_a_delivery_that_breaks_its_contract_stops_the_run_and_nothing_is_lost(
    blank: Path, opened: Open, change: Callable[[str], str], told: str
) -> None:
    before = opened().run()
    good = (blank / "data" / "orders.csv").read_text()
    change_orders(blank, change)

    with pytest.raises(RefusedError) as refused:
        opened().run()

    assert refused.value.exit_code is ExitCode.REFUSED
    assert told in str(refused.value)
    (blank / "data" / "orders.csv").write_text(good)
    product = opened()
    after = product.run()
    assert product.executor.executed == []  # type: ignore[attr-defined]
    assert after.candidate.digest == before.candidate.digest


def test_a_missing_source_is_a_broken_declaration(blank: Path, opened: Open) -> None:
    (blank / "data" / "orders.csv").rename(blank / "data" / "order.csv")

    with pytest.raises(SpecError) as refused:
        opened().run()

    assert "orders.csv" in str(refused.value)
    assert "order.csv" in str(refused.value)


def test_an_error_is_the_same_object_in_events_ledger_and_result(blank: Path) -> None:
    product = failing(blank, "prepare/customers", StageError("boom", todo="mend it"))

    report = product.build(["prepare/customers"])

    (failed,) = report.execution.failures
    assert failed.error is not None
    shown = failed.error.to_dict()
    (node,) = open_product(blank).status().nodes
    events = [
        json.loads(line) for line in next((blank / ".nbdataops" / "runs").glob("*/events.jsonl")).open()
    ]
    (ended,) = [e for e in events if e["event"] == "node_ended"]
    assert shown["code"] == "stage"
    assert shown["todo"] == "mend it"
    assert node["error"] == shown == ended["error"] == report.to_dict()["stages"][0]["error"]


def test_errors_survive_a_process_border() -> None:
    import pickle

    error = StoreError("no space", todo="free some", detail="x")

    again = pickle.loads(pickle.dumps(error))

    assert isinstance(again, NbdataopsError)
    assert again.to_dict() == error.to_dict()


def replaced(blank: Path, old: str, new: str) -> None:
    spec = blank / "dataproduct.yaml"
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))


def test_a_product_that_tests_nothing_is_unverified_however_its_methods_agree(
    blank: Path, opened: Open
) -> None:
    text = (blank / "dataproduct.yaml").read_text()
    before, _, rest = text.partition("validation:")
    (blank / "dataproduct.yaml").write_text(before + "release:" + rest.partition("release:")[2])
    other = Notebook(blank / "methods" / "average.ipynb")
    other.path.write_text((blank / "methods" / "rate.ipynb").read_text())
    other.replace('family="naive"', 'family="other"')

    study = opened().run().study

    assert study.label.value == "unverified"
    assert not any("would suffice" in reason for reason in study.reasons)


def test_a_history_shorter_than_the_horizon_is_said_with_the_date_that_would_suffice(
    blank: Path, opened: Open
) -> None:
    replaced(blank, "  horizon: 13", "  horizon: 104")
    replaced(blank, "  horizons: [13]\n", "")

    study = opened().run().study

    holdouts = [e for e in study.evidence if e.kind == "holdout" and e.subject == "methods/rate"]
    assert {e.verdict.value for e in holdouts} == {"inconclusive"}
    assert any("2027-01-04 would suffice" in e.why for e in holdouts)


def test_a_column_that_the_population_lacks_is_a_broken_declaration(blank: Path, opened: Open) -> None:
    opened().run()
    replaced(blank, "cohort: cohort", "cohort: cohrt")

    with pytest.raises(GraphError) as refused:
        opened().plan()

    assert refused.value.exit_code is ExitCode.USAGE
    assert "did you mean 'cohort'?" in refused.value.todo


def test_an_event_after_today_does_not_move_latest(blank: Path, opened: Open) -> None:
    change_orders(blank, lambda text: text + "2062-01-02,c001,10\n")

    with pytest.raises(RefusedError) as refused:
        opened().run()

    assert "2062-01-02, which is after today" in refused.value.what
    assert "complete_to" in refused.value.todo


def test_an_as_of_before_the_data_is_refused(opened: Open) -> None:
    from datetime import date

    with pytest.raises(RefusedError, match="the data begin on 2025-01-06"):
        opened().run(Options(as_of=date(2020, 1, 1)))
