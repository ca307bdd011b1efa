from __future__ import annotations

import base64
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from nbdataops.report.charts import Answer, ForestRow, Outcome, Point, answers, forest, groups, outcomes
from nbdataops.report.svg import Axis, domain, standalone, ticks

NAMESPACE = "{http://www.w3.org/2000/svg}"


@given(st.text(max_size=40), st.floats(-3, 3), st.floats(0, 2), st.sampled_from(["pass", "fail", ""]))
def test_any_text_and_figure_makes_a_well_formed_image(
    label: str, at: float, half: float, verdict: str
) -> None:
    row = ForestRow(label, at, at - half, at + half, (-0.1, 0.1), verdict, note=label, heading=label)
    point = Point(label, at, at - half, at + half, verdict)
    outcome = Outcome(label, abs(at), half, 0.0, half, verdict)
    for image in (
        forest([row], title=label),
        groups([point], title=label, allowed=(None, 0.2), reach=0.5, what=label),
        outcomes([outcome], title=label, high=3.0),
        answers([Answer(label, abs(at), 0.0, abs(at) + half)], title=label, unit=label),
    ):
        assert ElementTree.fromstring(image).tag == f"{NAMESPACE}svg"


def test_a_chart_says_its_figures_to_who_cannot_see_it() -> None:
    image = ElementTree.fromstring(
        forest([ForestRow("bg_nbd", -0.2, -0.25, -0.15, (-0.1, 0.1), "fail")], title="Miss")
    )
    assert image.findtext(f"{NAMESPACE}title") == "Miss"
    assert image.findtext(f"{NAMESPACE}desc") == "bg_nbd −18% (−22% to −14%), fail"
    assert image.get("role") == "img"


def test_an_interval_that_leaves_the_picture_ends_in_an_arrow() -> None:
    inside = forest([ForestRow("a", 0.1, 0.0, 0.2)], title="t")
    outside = forest([ForestRow("a", 0.1, -9.0, 9.0)], title="t")
    assert "<path" not in inside
    assert outside.count("<path") == 2


def test_a_past_date_far_away_is_an_arrow_and_does_not_squeeze_the_rest() -> None:
    near = forest([ForestRow("a", 0.1, 0.0, 0.2, dots=(0.1, 0.12))], title="t")
    far = forest([ForestRow("a", 0.1, 0.0, 0.2, dots=(0.1, 2.0))], title="t")
    assert [image.count('class="origin"') for image in (near, far)] == [2, 2]
    assert "<title>+639%</title>" in far
    assert near.split("<line")[1] == far.split("<line")[1]


def test_a_row_without_a_figure_says_so() -> None:
    assert "no figure" in forest([ForestRow("a", None, verdict="inconclusive")], title="t")


def test_an_axis_draws_what_lies_outside_at_its_edge() -> None:
    axis = Axis(-1.0, 1.0, 0.0, 100.0)
    assert [axis.at(v) for v in (-5.0, 0.0, 1.0, 7.0)] == [0.0, 50.0, 100.0, 100.0]


def test_half_and_double_lie_equally_far_from_the_same() -> None:
    marks = {label: at for at, label in ticks(Axis(-1.0, 1.0, 0, 500), 40)}
    assert marks["0"] == 0.0
    assert abs(marks["+25%"] + marks["−20%"]) < 1e-12


@given(st.floats(0.05, 2.4), st.floats(20, 900), st.booleans())
def test_an_axis_has_its_zero_and_its_marks_keep_apart(reach: float, length: float, upwards: bool) -> None:
    axis = Axis(-reach, reach, length, 0.0) if upwards else Axis(-reach, reach, 0.0, length)
    places = [axis.at(at) for at, _ in ticks(axis, 50)]
    assert axis.at(0.0) in places
    assert all(abs(b - a) >= 50 for a, b in pairwise(places))


def test_a_domain_shows_the_band_with_some_air_and_is_never_endless() -> None:
    assert domain([0.05], [(-0.5, 0.5)]) > 0.5
    assert domain([1e9]) < 3


def test_an_image_for_elsewhere_carries_its_own_bytes_and_its_words() -> None:
    tag = standalone(forest([ForestRow('<script>"', 0.1)], title="Miss & more"))
    data = tag.split("base64,")[1].split('"')[0]
    image = ElementTree.fromstring(base64.b64decode(data))
    assert image.findtext(f"{NAMESPACE}title") == "Miss & more"
    assert 'alt="Miss &amp; more. &lt;script&gt;&quot; +11%"' in tag
    assert "<script" not in tag
