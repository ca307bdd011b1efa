"""What runs again and what does not: keys over what a node would be handed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbdataops.build.nodes import Action
from nbdataops.workspace import Product
from tests.conftest import Notebook

Open = Callable[[], Product]


def ran(product: Product) -> set[str]:
    """Stages that a run executed, by name."""
    return {node.split("@")[0] for node in product.executor.executed}  # type: ignore[attr-defined]


def test_the_first_run_executes_everything_and_the_second_nothing(opened: Open) -> None:
    first, second = opened(), opened()

    one = first.run()
    two = second.run()

    assert one.execution.failures == ()
    assert ran(first) == {"prepare/customers", "methods/rate", "methods/average", "checks/outcome"}
    assert second.executor.executed == []  # type: ignore[attr-defined]
    assert {n.action for n in two.execution.nodes} <= {Action.REUSE, Action.SKIP}
    assert two.candidate.digest == one.candidate.digest


def test_markdown_comments_outputs_and_formatting_run_nothing_again(opened: Open, blank: Path) -> None:
    opened().run()
    notebook = Notebook(blank / "methods" / "rate.ipynb")
    notebook.replace("Every customer goes on", "Each customer carries on")
    notebook.replace(
        'weeks = customers["age"].clip(lower=4)', "weeks = customers['age'].clip( lower = 4 )  # at least"
    )

    product = opened()
    product.run()

    assert product.executor.executed == []  # type: ignore[attr-defined]


def test_changed_code_of_a_method_runs_that_method_only_and_says_why(opened: Open, blank: Path) -> None:
    opened().run()
    Notebook(blank / "methods" / "rate.ipynb").replace("lower=4", "lower=5")

    plan = opened().plan()
    product = opened()
    product.run()

    reasons = {
        n.node.stage: n.reasons for n in plan.nodes if n.action is Action.RUN and n.node.kind == "stage"
    }
    assert reasons == {"methods/rate": ("code changed",)}
    assert ran(product) == {"methods/rate"}


def test_days_appended_to_the_log_run_nothing_again_at_an_old_origin(opened: Open, blank: Path) -> None:
    before = opened().run()
    log = blank / "data" / "orders.csv"
    log.write_text(log.read_text() + "2026-01-20,c001,12.50\n2026-02-01,c002,8.00\n")
    fixed = ("as_of: latest", "as_of: 2026-01-04")
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text().replace(*fixed))

    product = opened()
    after = product.run()

    assert product.executor.executed == []  # type: ignore[attr-defined]
    assert after.as_of == before.as_of


def test_a_new_month_executes_the_new_as_of_only(opened: Open, blank: Path) -> None:
    opened().run()
    log = blank / "data" / "orders.csv"
    log.write_text(log.read_text() + "2026-01-20,c001,12.50\n2026-04-05,c002,8.00\n")

    product = opened()
    report = product.run()

    # Thirteen weeks later: last time's as_of is an origin now. Its table and estimates are there already.
    executed = product.executor.executed  # type: ignore[attr-defined]
    assert str(report.as_of) == "2026-04-05"
    assert not {n for n in executed if n.startswith(("prepare", "methods")) and "2026-01-04" in n}
    assert "prepare/customers@2026-04-05" in executed


def test_an_input_that_turns_out_equal_stops_there(opened: Open, blank: Path) -> None:
    opened().run()
    # Other code, equal table: whoever reads it is `maybe` in the plan and reused by the run.
    Notebook(blank / "prepare" / "customers.ipynb").replace(".dt.days / 7", ".dt.days / 7.0")

    plan = opened().plan()
    product = opened()
    product.run()

    methods = [n for n in plan.nodes if n.node.stage == "methods/rate"]
    assert {n.action for n in methods} == {Action.MAYBE}
    assert ran(product) == {"prepare/customers"}


def test_a_column_that_a_method_does_not_declare_runs_it_not_again(opened: Open, blank: Path) -> None:
    opened().run()
    Notebook(blank / "prepare" / "customers.ipynb").replace(
        'customers["age"] =', 'customers["new"] = 1\ncustomers["age"] ='
    )

    product = opened()
    product.run()

    assert ran(product) == {"prepare/customers"}


def test_a_changed_project_module_runs_who_imports_it(opened: Open, blank: Path) -> None:
    (blank / "lib").mkdir()
    module = blank / "lib" / "bounds.py"
    module.write_text("LEAST = 4\n")
    notebook = Notebook(blank / "methods" / "rate.ipynb")
    notebook.replace(
        "from nbdataops import stage", "from lib.bounds import LEAST\nfrom nbdataops import stage"
    )
    notebook.replace("lower=4", "lower=LEAST")
    import sys

    sys.path.insert(0, str(blank))
    try:
        opened().run()
        module.write_text("# at least a month\nLEAST = 5\n")
        plan = opened().plan()
    finally:
        sys.path.remove(str(blank))
        sys.modules.pop("lib.bounds", None)
        sys.modules.pop("lib", None)

    run = {n.node.stage: n.reasons for n in plan.nodes if n.action is Action.RUN and n.node.kind == "stage"}
    assert set(run) == {"methods/rate"}
    assert any("lib/bounds.py" in reason for reason in run["methods/rate"])


def test_force_runs_a_stage_again(opened: Open) -> None:
    from nbdataops.workspace import Options

    opened().run()

    product = opened()
    product.run(Options(force=frozenset({"methods/average"})))

    assert ran(product) == {"methods/average"}


def test_a_changed_margin_judges_again_and_recomputes_nothing(opened: Open, blank: Path) -> None:
    opened().run()
    spec = blank / "dataproduct.yaml"
    spec.write_text(
        spec.read_text().replace("  replicates: 20", "  replicates: 20\n  margins: {holdout_total: 0.9}")
    )

    product = opened()
    report = product.run()

    assert product.executor.executed == []  # type: ignore[attr-defined]
    assert {n.action for n in report.execution.nodes} <= {Action.REUSE, Action.SKIP}
    assert report.study.to_dict()["margins"]["holdout_total"] == 0.9


def test_files_of_a_result_that_are_gone_are_made_again(opened: Open, blank: Path) -> None:
    opened().run()
    import shutil

    shutil.rmtree(blank / ".nbdataops" / "snapshots")

    product = opened()
    report = product.run()

    assert report.execution.failures == ()
    assert "methods/rate" in ran(product)
