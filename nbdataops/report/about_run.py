"""What the report shows of a run: what it is of, its data, stages, notebooks, and how it was computed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nbdataops.report import words
from nbdataops.report.parts import Delivery, Gate, Headline, NotebookLink, NotebookLinks, RuleRow, StageRow

Plain = Mapping[str, Any]
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:")


def time_unit(run: Plain, study: Plain) -> str:
    contract = study.get("contract")
    declared = contract.get("time_unit") if isinstance(contract, Mapping) else None
    return str(declared or run.get("time_unit") or "period")


def title(study: Plain, span: str) -> str:
    """What the number is, in a line: revenue of 23,570 customers in the 39 weeks after 1998-06-30."""
    contract = study.get("contract")
    what = str(contract.get("value") or contract.get("name") or "") if isinstance(contract, Mapping) else ""
    n = (study.get("number") or {}).get("n")
    whom = f"of {words.number(float(n), 0)} {who(study)}" if n is not None else ""
    when = f"in the {span} after {study['as_of']}" if span and study.get("as_of") else ""
    line = " ".join(p for p in (what or "The number", whom, when) if p)
    return line[:1].upper() + line[1:]


def who(study: Plain) -> str:
    """Whom the metric counts, by the name of its entity: `customer_id` is customers."""
    contract = study.get("contract")
    entity = str(contract.get("entity") or "") if isinstance(contract, Mapping) else ""
    return f"{entity.removesuffix('_id').replace('_', ' ') or 'customer'}s"


def headline(study: Plain) -> Headline | None:
    n = study.get("number")
    if not isinstance(n, Mapping) or n.get("value") is None:
        return None
    return Headline(
        value=float(n["value"]), lower=n.get("lower"), upper=n.get("upper"), per_customer=n.get("per_customer"),
        unit=str(n.get("unit") or ""), method=str(n.get("method") or ""), resampling=str(n.get("resampling") or "none"),
        counted="" if n.get("n") is None else words.number(float(n["n"]), 0),
    )  # fmt: skip


def gate(candidate: Plain | None) -> Gate | None:
    if not candidate:
        return None
    decision = "accepted" if candidate.get("decision") == "accepted" else "refused"
    return Gate(
        decision, str(candidate.get("digest") or ""), tuple(str(r) for r in candidate.get("reasons") or ())
    )


def delivery(contract: Plain) -> Delivery:
    accepted = contract.get("accepted")
    told = [f"{contract['rows']:,} rows"] if isinstance(contract.get("rows"), int) else []
    if isinstance(accepted, bool):
        told.append("accepted" if accepted else "refused")
    elif isinstance(accepted, int):
        told.append(f"{accepted:,} accepted")
    if isinstance(contract.get("quarantined"), int):
        told.append(f"{contract['quarantined']:,} quarantined")
    rules = tuple(
        RuleRow(str(r.get("id") or ""), str(r.get("column") or ""), str(r.get("kind") or ""), str(r.get("severity") or ""),
                r.get("evaluated"), r.get("bad"), _rule_verdict(str(r.get("state") or "")), str(r.get("says") or ""))
        for r in contract.get("rules") or ()
    )  # fmt: skip
    tally = ((v, sum(r.verdict == v for r in rules)) for v in words.VERDICTS)
    return Delivery(
        str(contract.get("source") or ""), ", ".join(told), tuple((v, n) for v, n in tally if n), rules
    )


def _rule_verdict(state: str) -> str:
    """A rule that was not evaluated is never a pass."""
    return (
        state
        if state in words.VERDICTS
        else {"ok": "pass", "failed": "fail", "warning": "warn"}.get(state, "inconclusive")
    )


def stage_row(s: Plain, unit: str) -> StageRow:
    when = ", ".join(p for p in (str(s.get("as_of") or ""), words.horizon(s.get("horizon"), unit)) if p)
    spent = s.get("seconds")
    error = s.get("error")
    reasons = [str(r) for r in s.get("reasons") or ()]
    if isinstance(error, Mapping):
        reasons.insert(0, str(error.get("what") or ""))
    return StageRow(str(s.get("stage") or ""), when, str(s.get("action") or ""), str(s.get("state") or "").replace("_", " "),
                    words.seconds(spent) if isinstance(spent, (int, float)) and spent else "", "; ".join(reasons))  # fmt: skip


def safe_href(href: str) -> str:
    """A link to a file beside the report; empty when it leads anywhere else (a scheme, a host, an absolute path).

    >>> safe_href("notebooks/a b.html"), safe_href("javascript:alert(1)"), safe_href("//host/x")
    ('notebooks/a%20b.html', '', '')
    """
    plain = "".join(c for c in href if c.isprintable()).strip()
    if plain != href or not plain or plain[0] in "/\\" or "\\" in plain or _SCHEME.match(plain):
        return ""
    return quote(plain, safe="/#@=.,+-_~()[]%")


def links(notebooks: Sequence[Plain], unit: str) -> tuple[NotebookLinks, ...]:
    by_stage: dict[str, list[Plain]] = {}
    for n in notebooks:
        by_stage.setdefault(str(n.get("stage") or ""), []).append(n)
    made = []
    for stage, some in by_stage.items():
        spans = {n.get("horizon") for n in some}
        links = []
        for n in sorted(
            some, key=lambda n: (str(n.get("as_of") or ""), str(n.get("horizon") or "")), reverse=True
        ):
            when = str(n.get("as_of") or n.get("node") or "open")
            span = words.horizon(n.get("horizon"), unit) if len(spans) > 1 else ""
            links.append(
                NotebookLink(", ".join(p for p in (when, span) if p), safe_href(str(n.get("href") or "")))
            )
        made.append(NotebookLinks(stage, words.short(stage), tuple(links)))
    return tuple(made)


def provenance(run: Plain, study: Plain) -> tuple[tuple[str, str], ...]:
    """How it was computed, as pairs of a name and a value."""
    contract = study.get("contract")
    given: list[tuple[str, object]] = [
        ("Run", run.get("run")),
        ("Started", words.moment(str(run.get("started") or ""))),
        ("Took", words.seconds(run.get("seconds"))),
        ("Seed", study.get("seed")),
        ("Replicates", study.get("replicates")),
    ]
    if isinstance(contract, Mapping):
        given += [
            (str(k).replace("_", " ").capitalize(), v)
            for k, v in contract.items()
            if isinstance(v, (str, int, float))
        ]
    elif contract:
        given.append(("Metric contract", contract))
    versions = run.get("versions")
    if isinstance(versions, Mapping):
        given += [(str(k), v) for k, v in versions.items()]
    given.append(("nbdataops", run.get("version") or run.get("nbdataops")))
    return tuple((k, str(v)) for k, v in given if v not in (None, ""))
