from __future__ import annotations

from xml.etree import ElementTree

from nbdataops.report.graph_svg import boxes, graph, layers
from tests.report import samples


def test_a_stage_that_ran_at_several_dates_is_one_box() -> None:
    made = {b.name: b for b in boxes(samples.stages())}
    assert (made["prepare/clean"].ran, made["prepare/clean"].reused) == (2, 2)
    assert made["prepare/clean"].told == "prepare · 3.8 s · ran 2 of 4"
    assert made["orders"].told == "source"


def test_layers_follow_what_stands_on_what() -> None:
    depth = {b.name: k for k, layer in enumerate(layers(boxes(samples.stages()))) for b in layer}
    assert depth["orders"] < depth["prepare/clean"] < depth["prepare/rfm"] < depth["methods/bg_nbd"]
    assert depth["checks/outcome"] < depth["methods/gradient_boosting"]


def test_an_edge_that_a_longer_way_implies_is_left_out() -> None:
    nodes = [
        {"stage": "a", "node": "a@1", "action": "run", "after": []},
        {"stage": "b", "node": "b@1", "action": "run", "after": ["a@1"]},
        {"stage": "c", "node": "c@1", "action": "run", "after": ["a@1", "b@1"]},
    ]
    assert graph(nodes).count('class="edge"') == 2


def test_checks_of_one_kind_are_one_box() -> None:
    nodes = [
        {"stage": f"holdout:methods/{m}", "node": f"h{m}", "kind": "check", "action": "run", "after": []}
        for m in "abc"
    ]
    assert [b.name for b in boxes(nodes)] == ["holdout"]


def test_a_failed_stage_says_so() -> None:
    image = graph(
        [
            {
                "stage": "a",
                "node": "a@1",
                "role": "method",
                "action": "run",
                "state": "timed_out",
                "seconds": 3.0,
            }
        ]
    )
    assert "timed out" in image
    assert "box bad" in image


def test_a_stage_that_was_skipped_everywhere_says_so_and_one_that_ran_counts_its_runs() -> None:
    skipped = {
        "stage": "a",
        "node": "a@1",
        "role": "method",
        "action": "skip",
        "state": "skipped",
        "seconds": 0.0,
    }
    ran = [
        {
            "stage": "b",
            "node": f"b@{k}",
            "role": "method",
            "action": "run",
            "state": "succeeded",
            "seconds": 60.0,
        }
        for k in (1, 2)
    ]
    assert [b.told for b in boxes([skipped, *ran])] == ["method · skipped", "method · 2.0 min · 2 runs"]


def test_a_ring_is_drawn_and_does_not_hang() -> None:
    ring = [{"stage": "a", "action": "run", "after": ["b"]}, {"stage": "b", "action": "run", "after": ["a"]}]
    assert ElementTree.fromstring(graph(ring)) is not None


def test_no_stages_make_no_picture() -> None:
    assert graph([]) == ""
