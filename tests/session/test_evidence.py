from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbdataops.errors import UsageError
from tests.session.desk import Desk

MONTHS = pd.to_datetime(["1997-01-31", "1997-02-28", "1997-03-31"])


def compare(desk: Desk, ours: Any, theirs: Any, more: str = "") -> Any:
    return desk.value(f'stage.evidence("finance", ours=ours, theirs=theirs{more})', ours=ours, theirs=theirs)


def test_counted_violations_are_recorded(desk: Desk) -> None:
    shown = desk.value('stage.evidence("negative amounts", bad=np.int64(3), of=1000.0)', np=np)

    (record,) = desk.record.evidence
    assert {k: record[k] for k in ("name", "kind", "bad", "of", "n", "margin", "required")} == {
        "name": "negative amounts",
        "kind": "counts",
        "bad": 3,
        "of": 1000,
        "n": 1000,
        "margin": 0.0,
        "required": False,
    }
    assert repr(shown) == "negative amounts: 3 of 1,000 are bad (0.30%)"


def test_of_nothing_is_recorded_as_nothing_and_shown_as_an_error(desk: Desk) -> None:
    shown = desk.value('stage.evidence("x", bad=0, of=0)')

    assert desk.record.evidence[0]["n"] == 0
    assert "nothing was compared, which counts as an error" in repr(shown)


def test_series_are_aligned_by_label_and_not_by_position(desk: Desk) -> None:
    ours = pd.Series([30.0, 10.0, 20.0], index=MONTHS[[2, 0, 1]])
    theirs = pd.Series([10.0, 20.0, 33.0], index=MONTHS)

    shown = compare(desk, ours, theirs, ", required=True, margin=.05")

    (record,) = desk.record.evidence
    assert record["log_ratio"] == pytest.approx(math.log(60 / 63))
    assert record["worst"]["label"] == "1997-03-31"
    assert record["worst"]["log_ratio"] == pytest.approx(math.log(30 / 33))
    assert record["worst"]["relative"] == pytest.approx(-3 / 33)
    assert (record["n"], record["off"], record["missing"]) == (3, 1, 0)
    assert (record["required"], record["margin"], record["bad"], record["of"]) == (True, 0.05, None, None)
    assert "1 of 3 differ by more than 5.00%; worst: 1997-03-31 (30 against 33)" in repr(shown)


@pytest.mark.parametrize(
    ("ours", "theirs", "side"),
    [
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, "ours"),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}, "theirs"),
        ({"a": 1.0, "b": np.nan}, {"a": 1.0, "b": 2.0}, "ours"),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": np.inf}, "theirs"),
    ],
)
def test_an_element_that_one_side_lacks_is_the_worst_and_is_named(
    desk: Desk, ours: Any, theirs: Any, side: str
) -> None:
    shown = compare(desk, pd.Series(ours), pd.Series(theirs))

    (record,) = desk.record.evidence
    assert (record["off"], record["missing"], record["worst"]["label"]) == (1, 1, "b")
    assert record["worst"]["log_ratio"] is None
    assert f"b (missing in {side})" in repr(shown)
    json.dumps(record, allow_nan=False)


def test_equal_series_have_no_worst_element(desk: Desk) -> None:
    same = pd.Series([0.0, -3.0, 5.0], index=["a", "b", "c"])
    compare(desk, same, same)

    (record,) = desk.record.evidence
    assert (record["log_ratio"], record["worst"], record["off"]) == (0.0, None, 0)


@pytest.mark.parametrize(("a", "b"), [(0.0, 5.0), (5.0, 0.0), (-1.0, 1.0)])
def test_figures_without_a_ratio_are_off_and_say_none(desk: Desk, a: float, b: float) -> None:
    compare(desk, pd.Series({"x": a}), pd.Series({"x": b}))

    (record,) = desk.record.evidence
    assert (record["off"], record["log_ratio"], record["worst"]["log_ratio"]) == (1, None, None)
    json.dumps(record, allow_nan=False)


def test_series_without_elements_compare_nothing(desk: Desk) -> None:
    shown = compare(desk, pd.Series([], dtype=float), pd.Series([], dtype=float))

    assert desk.record.evidence[0]["n"] == 0
    assert "counts as an error" in repr(shown)


def test_single_figures_and_dicts_are_series_too(desk: Desk) -> None:
    compare(desk, 102, np.float64(100))

    assert desk.record.evidence[0]["worst"]["label"] == "total"
    assert desk.record.evidence[0]["off"] == 0
    assert desk.value('stage.evidence("d", ours={"a": 1}, theirs={"a": 2})').off == 1


def test_a_person_is_named_on_the_screen_and_not_on_record(desk: Desk) -> None:
    index = pd.Index(["Zoe", "Bob"], name="customer_id")

    shown = compare(desk, pd.Series([1.0, 2.0], index=index), pd.Series([1.5, 2.0], index=index))

    assert "Zoe" in repr(shown)
    assert "Zoe" not in (desk.deposit / "deposit.json").read_text()
    assert desk.record.evidence[0]["worst"]["label"] == "one customer"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('stage.evidence("x")', "needs either"),
        ('stage.evidence("x", bad=1)', "needs either"),
        ('stage.evidence("x", bad=1, of=2, ours=s, theirs=s)', "needs either"),
        ('stage.evidence("x", ours=s)', "needs either"),
        ('stage.evidence("x", bad=3, of=2)', "3 bad of only 2"),
        ('stage.evidence("x", bad=-1, of=2)', "bad=-1 is no count"),
        ('stage.evidence("x", bad=1.5, of=2)', "is no count"),
        ('stage.evidence("x", bad=True, of=2)', "is no count"),
        ('stage.evidence("x", bad=float("nan"), of=2)', "is no count"),
        ('stage.evidence("x", ours=s, theirs=s, margin=-1)', "margin=-1"),
        ('stage.evidence("x", ours=s, theirs=s, margin=float("nan"))', "margin=nan"),
        ('stage.evidence("", bad=1, of=2)', "cannot be named"),
        ('stage.evidence("a\\nb", bad=1, of=2)', "cannot be named"),
        ('stage.evidence("x", ours=twice, theirs=s)', "has a more than once"),
        ('stage.evidence("x", ours=text, theirs=s)', "something else than numbers"),
        ('stage.evidence("x", ours=s.to_frame(), theirs=s)', "ours is a frame"),
        ('stage.evidence("x", ours=[1], theirs=s)', "must be a Series"),
        ('stage.evidence("x", bad=0, of=1)\nstage.evidence("x", bad=0, of=1)', "twice"),
    ],
)
def test_evidence_that_cannot_be_meant_is_refused(desk: Desk, call: str, says: str) -> None:
    names = {
        "s": pd.Series({"a": 1.0}),
        "twice": pd.Series([1.0, 2.0], index=["a", "a"]),
        "text": pd.Series({"a": "one"}),
    }
    with pytest.raises(UsageError, match=says):
        desk.cell(call, **names)


def test_interactively_the_last_word_counts(desk: Desk) -> None:
    desk.assign(mode="interactive")
    desk.cell(
        'stage.evidence("x", bad=0, of=1)\nstage.evidence("y", bad=0, of=1)\nstage.evidence("x", bad=1, of=1)'
    )

    assert {e["name"]: e["bad"] for e in desk.record.evidence} == {"y": 0, "x": 1}
