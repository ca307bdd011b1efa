"""Measurements and margins as data."""

from __future__ import annotations

import json
from datetime import date

import pytest

from nbdataops.errors import SpecError
from nbdataops.validate.margins import Margins
from nbdataops.validate.measurement import Measurement, State, absent
from tests.validate.made import good


def test_measurements_survive_json() -> None:
    for m in good():
        assert Measurement.from_dict(json.loads(json.dumps(m.to_dict(), allow_nan=False))) == m
    gap = absent(
        "holdout",
        "m",
        as_of=date(1997, 1, 1),
        until=None,
        horizon=13,
        reason="short",
        suffices=date(1998, 1, 1),
    )
    back = Measurement.from_dict(json.loads(json.dumps(gap.to_dict())))
    assert back == gap
    assert back.state is State.SKIPPED


def test_a_measurement_knows_no_verdict_and_no_margin_of_the_product() -> None:
    names = set(good()[0].to_dict())
    assert not names & {"verdict", "margin", "margins", "label"}


def test_an_unknown_margin_names_the_nearest_known_one() -> None:
    with pytest.raises(SpecError, match="holdout_totl") as caught:
        Margins.of({"holdout_totl": 0.1})
    assert "holdout_total" in caught.value.todo


@pytest.mark.parametrize(
    "declared",
    [{"holdout_total": 0}, {"holdout_total": float("nan")}, {"cohort_ccc": 1.0}, {"slope_low": 1.1}],
)
def test_a_margin_that_cannot_be_meant_is_refused(declared: dict[str, float]) -> None:
    with pytest.raises(SpecError):
        Margins.of(declared)
