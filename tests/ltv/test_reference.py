from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from nbdataops.ltv import LtvInputError
from nbdataops.ltv.reference import MODELS, compute, references


@pytest.mark.parametrize("reference", references(), ids=str)
def test_published_numbers_are_reproduced(reference, cdnow: pd.DataFrame) -> None:
    computed = compute(reference, cdnow if reference.data else None)
    assert reference.agrees(computed), f"{computed!r}, published {reference.value!r} by {reference.source}"


def test_every_model_of_the_table_is_there_and_every_row_has_a_source_and_a_tolerance() -> None:
    assert {r.model for r in references()} == set(MODELS)
    assert all(r.source and r.rtol + r.atol > 0 for r in references())


def test_a_number_off_by_more_than_its_tolerance_or_missing_does_not_agree() -> None:
    reference = next(r for r in references() if r.rtol > 0)
    assert not reference.agrees(reference.value * (1 + 1.1 * reference.rtol))
    assert not reference.agrees(float("nan"))


def test_a_reference_over_data_asks_for_its_data_set() -> None:
    reference = next(r for r in references() if r.data)
    with pytest.raises(LtvInputError, match="cdnow-sample-39w"):
        compute(reference)


def test_other_parameters_give_other_numbers() -> None:
    reference = next(r for r in references() if r.quantity == "probability_alive")
    shifted = {name: value * 1.5 for name, value in reference.parameters.items()}
    assert not reference.agrees(compute(dataclasses.replace(reference, parameters=shifted)))
