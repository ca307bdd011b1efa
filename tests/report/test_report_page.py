"""The report is one page that needs no network, runs no script, and lets nothing from data come alive."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from nbdataops.errors import StoreError
from nbdataops.report.html import to_html, to_json, write_report
from nbdataops.report.view import ReportView
from tests.report import samples
from tests.report.pages import Page


def view(**changed: Any) -> ReportView:
    given = {
        "run": samples.run(),
        "study": samples.study(),
        "contracts": samples.contracts(),
        "stages": samples.stages(),
        "candidate": samples.candidate(),
        "notebooks": samples.notebooks(),
    }
    return ReportView.from_run(**{**given, **changed})


@pytest.fixture(scope="module")
def html() -> str:
    return to_html(view())


def hostile(value: Any, poison: str) -> Any:
    """The same data with poison in every text that is no vocabulary of ours."""
    known = {
        "kind",
        "verdict",
        "label",
        "level",
        "statistic",
        "decision",
        "action",
        "state",
        "component",
        "severity",
    }
    if isinstance(value, dict):
        return {k: v if k in known else hostile(v, poison) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(v, poison) for v in value]
    return value + poison if isinstance(value, str) else value


def test_the_number_comes_first_then_the_gate_then_the_evidence(html: str) -> None:
    order = ["742,318", "unverified", "release refused", "Evidence at a glance", "Did past predictions come true?",
             "Method against method", "Is it right for the right customers?", "By acquisition cohort",
             "Where they disagree", "All evidence", "Data and contracts", "Stages", "Executed notebooks"]  # fmt: skip
    text = Page(html.split("<body>")[1]).text
    places = [text.index(part) for part in [order[0], order[1], order[2]]]
    headings = [html.index(f"<h2>{part}") for part in order[3:]]
    assert places == sorted(places)
    assert headings == sorted(headings)


def test_the_number_has_its_interval_unit_and_label_as_glyph_and_word(html: str) -> None:
    text = Page(html).text
    assert "701,204 to 786,950" in text
    assert "31.49 USD" in text
    assert '<span class="stamp unverified"><i aria-hidden="true">○</i>unverified</span>' in html


def test_the_page_runs_and_loads_nothing(html: str) -> None:
    page = Page(html)
    assert page.live() == []
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy


@pytest.mark.parametrize(
    "poison",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title></style></script><svg onload=alert(1)>",
        "javascript:alert(1)",
        "'\" onmouseover=alert(1) x='",
        "</text></svg><iframe src=//evil.example></iframe>",
        "{{ 7 * 7 }}{% raw %}",
    ],
)
def test_nothing_from_data_comes_alive(poison: str) -> None:
    bad = {
        name: hostile(getattr(samples, name)(), poison)
        for name in ("run", "study", "contracts", "stages", "candidate")
    }
    page = Page(to_html(view(**bad, notebooks=hostile(samples.notebooks(), poison))))
    assert page.live() == []
    assert poison.split("<")[0] in page.text
    assert page.tags() <= Page(to_html(view())).tags()


def test_a_link_that_leaves_the_folder_is_shown_without_a_link() -> None:
    away = [
        {"stage": "methods/a", "as_of": "1998-06-30", "href": h}
        for h in ("javascript:alert(1)", "https://x/y", "/etc/passwd", "ok.html")
    ]
    page = Page(to_html(view(notebooks=away)))
    assert [h for h in page.values("href") if not h.startswith("#")] == ["ok.html", "report.json"]


def test_text_that_no_encoding_knows_is_replaced_and_not_fatal(tmp_path: Path) -> None:
    study = {**samples.study(), "reasons": ["half \ud83d a pair, a bell \x07"]}
    html_path, json_path = write_report(tmp_path, view(study=study))
    assert "a pair" in html_path.read_text(encoding="utf-8")
    assert json.loads(json_path.read_text(encoding="utf-8"))["study"]["reasons"]


def test_a_run_without_a_study_says_so_and_is_unverified() -> None:
    html = to_html(view(study={}, candidate=None, notebooks=[], contracts=[], stages=[]))
    text = Page(html).text
    assert "This run has no number" in text
    assert "unverified" in text
    assert "release" not in text.split("A verdict")[0]


def test_an_unknown_label_is_shown_as_unverified() -> None:
    assert view(study={**samples.study(), "label": "excellent"}).label == "unverified"


def test_an_unknown_decision_is_shown_as_refused() -> None:
    made = view(candidate={"digest": "x", "decision": "perhaps", "reasons": []}).gate
    assert made is not None
    assert made.decision == "refused"


def test_rules_that_did_not_pass_stand_before_the_list_of_all() -> None:
    data = to_html(view()).split('id="data"')[1].split("</section>")[0]
    first, rest = data.split("Every rule")
    assert "amount.positive" in first
    assert "date.required" not in first
    assert "date.required" in rest


def test_a_rule_that_was_not_evaluated_is_not_shown_as_passed() -> None:
    rule = {
        "id": "r",
        "column": "c",
        "kind": "range",
        "severity": "error",
        "evaluated": 0,
        "bad": 0,
        "state": "skipped",
    }
    html = to_html(view(contracts=[{"source": "orders", "rows": 0, "rules": [rule]}]))
    data = html.split('id="data"')[1].split("</section>")[0]
    assert "inconclusive" in data
    assert "v-pass" not in data


def test_every_record_is_in_the_table_and_every_filter_has_its_rule(html: str) -> None:
    rows = [a for t, a in Page(html).elements if t == "tr" and "data-v" in a]
    assert len(rows) == len(samples.evidence())
    assert {a["data-v"] for a in rows} == {r["verdict"] for r in samples.evidence()}
    identifiers = [i for i in Page(html).values("id") if i.startswith(("verdict-", "kind-", "subject-"))]
    assert identifiers
    assert [i for i in identifiers if f"#{i}:checked" not in html] == []


def test_a_comparison_is_found_under_both_of_its_methods(html: str) -> None:
    numbers = dict(re.findall(r'id="subject-(\d+)">(\w+)<', html))
    pair = {n for n, name in numbers.items() if name in ("cohort", "naive")}
    rows = re.findall(r'data-m="([\d ]+)"[^>]*><td>.*?<th scope="row">([^<]+)', html, re.DOTALL)
    shown = [set(who.split()) for who, about in rows if about.strip() == "cohort against naive, value"]
    assert shown
    assert all(who == pair for who in shown)


def test_a_table_of_many_methods_has_the_width_of_the_page() -> None:
    assert '<div class="duo one">' not in to_html(view())
    study = samples.study()
    more = [{**r, "against": "methods/sixth"} for r in study["evidence"] if r["kind"] == "triangulation" and r["against"] == "methods/naive"]  # fmt: skip
    families = {**study["families"], "more": ["methods/sixth"]}
    wide = to_html(view(study={**study, "families": families, "evidence": [*study["evidence"], *more]}))
    assert '<div class="duo one">' in wide


def test_long_lists_of_reasons_fold() -> None:
    study = {**samples.study(), "reasons": [f"reason {k}" for k in range(7)]}
    html = to_html(view(study=study))
    assert "<summary>4 more reasons</summary>" in html
    assert "reason 6" in html


def test_the_json_is_what_the_page_was_made_of(tmp_path: Path) -> None:
    _, path = write_report(tmp_path, view())
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["study"] == samples.study()
    assert written["stages"] == samples.stages()
    assert written["candidate"] == samples.candidate()


def test_the_json_knows_no_nan() -> None:
    study = {**samples.study(), "seed": math.nan}
    assert json.loads(to_json(view(study=study)))["study"]["seed"] is None


def test_the_same_run_gives_the_same_bytes() -> None:
    assert to_html(view()) == to_html(view())
    assert to_json(view()) == to_json(view())


def test_a_folder_that_cannot_be_written_is_a_store_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        write_report(tmp_path / "file" / "report", view())


def test_a_source_that_may_leak_is_named() -> None:
    assert (
        "customers has no event time"
        in Page(to_html(view(run={**samples.run(), "may_leak": ["customers"]}))).text
    )
