"""What verbs print for people. The same objects print as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from nbdataops.cli.unchanged import near

if TYPE_CHECKING:
    from nbdataops.build.execution import Execution
    from nbdataops.build.plan import Plan
    from nbdataops.verbs import BuildReport, Released, RunReport, Status

MARKS = {
    "pass": ("✓", "green"),
    "warn": ("!", "yellow"),
    "fail": ("✗", "red"),
    "inconclusive": ("?", "cyan"),
    "error": ("✗", "red"),
}
ACTIONS = {"run": "green", "maybe": "yellow", "reuse": "bright_black", "skip": "cyan"}
LABELS = {"validated": ("✓", "green"), "corroborated": ("◐", "yellow"), "unverified": ("◇", "red")}


def run_summary(report: RunReport) -> None:
    """The number first, then why to believe it or not, then what was done."""
    _echo((*run_lines(report), f"Report   {near(str(report.report))}"))


def run_lines(report: RunReport) -> tuple[str, ...]:
    """The summary of a run without its last line, which depends on the folder one is in."""
    study = report.study.to_dict()
    return (
        "",
        *_number(study, report),
        *_verdicts(study),
        *_gate(report.decision.to_dict(), report.candidate.digest),
        *_executed(report.execution),
    )


def study_summary(report: RunReport) -> None:
    study = report.study.to_dict()
    _echo(("", *_number(study, report), *_verdicts(study), *_executed(report.execution)))


def build_summary(report: BuildReport) -> None:
    _echo(("", *_executed(report.execution)))


def release_summary(released: Released) -> None:
    _echo(_gate(released.decision.to_dict(), released.digest))
    if released.number is not None:
        click.echo(f"Release  {released.number}")


def plan_summary(plan: Plan, *, show_all: bool) -> None:
    spec = plan.world.spec
    click.echo(f"{spec.product}  as of {plan.world.as_of}")
    counts = Counter(n.action.value for n in plan.nodes)
    for planned in plan.nodes:
        action = planned.action.value
        if action == "reuse" and not show_all:
            continue
        cost = f"  ~{planned.seconds:.1f} s" if planned.seconds and action in ("run", "maybe") else ""
        click.echo(f"  {click.style(f'{action:6}', fg=ACTIONS[action])} {planned.node.id}{cost}")
        for reason in planned.reasons:
            click.echo(click.style(f"         {reason}", dim=True))
    low, high = plan.cost
    click.echo(", ".join(f"{counts.get(a, 0)} {a}" for a in ACTIONS))
    if high:
        click.echo(f"work by history: {low:.0f} s at least, {high:.0f} s at most, over all cores")
    for file, reason in plan.world.declared.ignored:
        click.echo(click.style(f"  not a stage: {file} ({reason})", dim=True))
    for name in plan.world.may_leak:
        click.echo(
            click.style(f"  source {name} has no event time: at past origins it may leak", fg="yellow")
        )


def status_summary(status: Status) -> None:
    if not status.runs:
        click.echo("no runs yet: nbdataops run")
        return
    for run in status.runs:
        summary = run["summary"]
        label = f"  {summary['label']}, candidate {summary['decision']}" if summary.get("label") else ""
        click.echo(f"{run['id']}  {run['state']:10}{label}")
    counts = Counter((n["state"], n["action"]) for n in status.nodes)
    click.echo(
        "  " + ", ".join(f"{count} {state} ({action})" for (state, action), count in sorted(counts.items()))
    )
    for node in status.nodes:
        if node["error"]:
            _echo(_error(node["node"], node["state"], node["error"]))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _number(study: dict[str, Any], report: RunReport) -> Iterator[str]:
    number = study.get("number") or {}
    glyph, colour = LABELS.get(study["label"], ("?", "red"))
    chip = click.style(f"{glyph} {study['label']}", fg=colour, bold=True)
    if number.get("value") is not None:
        unit = number.get("unit", "")
        interval = ""
        if number.get("lower") is not None:
            interval = f" (90 % interval {number['lower']:,.0f} to {number['upper']:,.0f})"
        yield (
            click.style(f"{number['value']:,.0f} {unit}", bold=True)
            + f"{interval}, {number['per_customer']:.2f} {unit} per customer   {chip}"
        )
    else:
        yield f"no number   {chip}"
    by = f", {number['method']}" if number.get("method") else ""
    yield click.style(f"  as of {report.as_of}{by}", dim=True)
    for reason in study.get("reasons", []):
        yield f"  {reason}"


def _verdicts(study: dict[str, Any]) -> Iterator[str]:
    records = study.get("evidence", [])
    if not records:
        return
    kinds: dict[str, Counter[str]] = {}
    for record in records:
        kinds.setdefault(f"{record['code']} {record['kind']}", Counter())[record["verdict"]] += 1
    yield "Evidence"
    for kind, counts in sorted(kinds.items()):
        shown = "  ".join(
            click.style(f"{MARKS[v][0]} {counts[v]} {v}", fg=MARKS[v][1]) for v in MARKS if counts.get(v)
        )
        yield f"  {kind:22} {shown}"


def _gate(decision: dict[str, Any], digest: str) -> Iterator[str]:
    accepted = decision["decision"] == "accepted"
    yield (
        f"Gate     {click.style(decision['decision'], fg='green' if accepted else 'red', bold=True)}"
        f"  candidate {digest[:12]}"
    )
    reasons = decision["reasons"]
    for reason in reasons[:6]:
        yield f"  {reason}"
    if len(reasons) > 6:
        yield click.style(f"  and {len(reasons) - 6} more: see the report", dim=True)


def _executed(execution: Execution) -> Iterator[str]:
    stages = Counter(
        n.action.value if n.state.value == "succeeded" else n.state.value for n in execution.nodes
    )
    shown = ", ".join(
        f"{count} {'executed' if a == 'run' else 'reused' if a == 'reuse' else a}"
        for a, count in sorted(stages.items())
    )
    idle = "nothing to do: " if all(n.action.value in ("reuse", "skip") for n in execution.nodes) else ""
    yield f"Nodes    {idle}{shown} in {execution.seconds:.0f} s"
    for failed in execution.failures:
        assert failed.error is not None
        yield from _error(failed.node.id, failed.state.value, failed.error.to_dict())


def _error(node: str, state: str, error: dict[str, Any]) -> Iterator[str]:
    where = error["where"]
    place = " ".join(f"{k} {where[k]}" for k in ("cell", "line") if k in where)
    yield click.style(f"{state}: {node}", fg="red", bold=True) + (f", {place}" if place else "")
    yield f"  {error['what']}"
    for line in error["detail"].splitlines()[-14:]:
        yield click.style(f"    {line}", dim=True)
    if error["todo"]:
        yield f"  {error['todo']}"
