from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.session.levels import Level, Levels, deciles, group_names
from nbdataops.session.population import Population


def population(cohort: list[object] | None, **segments: list[object]) -> Population:
    size = len(cohort or next(iter(segments.values())))
    return Population(
        table="rfm",
        entity="customer_id",
        keys=np.arange(size),
        stored=pa.chunked_array([np.arange(size)]),
        cohort=pa.chunked_array([cohort]) if cohort else None,
        segments={name: pa.chunked_array([values]) for name, values in segments.items()},
    )


def test_deciles_are_of_equal_size_with_the_highest_values_in_ten() -> None:
    found = deciles(np.arange(100.0), np.arange(100))

    assert np.bincount(found)[1:].tolist() == [10] * 10
    assert found[-1] == 10
    assert found[0] == 1


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=60), st.randoms())
def test_deciles_of_tied_values_do_not_depend_on_the_order_of_rows(
    values: list[float], random: object
) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    keys = np.array([f"k{i:03}" for i in range(len(values))], dtype=object)
    value = np.array(values)

    assert deciles(value[order], keys[order]).tolist() == deciles(value, keys)[order].tolist()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array(["b", None, "a"]), ["b", "(missing)", "a"]),
        (pa.array(["b", None]).dictionary_encode(), ["b", "(missing)"]),
        (pa.array([date(1997, 1, 1), None]), ["1997-01-01", "(missing)"]),
        (pa.array([datetime(1997, 1, 1), datetime(1997, 1, 1, 6)]), ["1997-01-01", "1997-01-01T06:00:00"]),
        (pa.array([1997.0, 0.5, float("nan")]), ["1997", "0.5", "(missing)"]),
        (pa.array([3, None]), ["3", "(missing)"]),
        (pa.array([True, False]), ["True", "False"]),
        (pa.array([None, None], pa.string()), ["(missing)", "(missing)"]),
    ],
)
def test_groups_are_named_as_people_write_them(values: pa.Array, names: list[str]) -> None:
    assert group_names(pa.chunked_array([values])).tolist() == names


def test_a_group_is_named_the_same_in_every_chunking() -> None:
    chunked = pa.chunked_array([["a"], [None, "b"], ["a"]])

    assert group_names(chunked).tolist() == ["a", "(missing)", "b", "a"]


def test_sums_are_weighted_and_add_up_to_the_total_at_every_level() -> None:
    people = population(["q1", "q1", "q2", None], region=["n", "s", "s", "s"])
    values = {"value": np.array([1.0, 2.0, 3.0, 4.0]), "transactions": np.array([1.0, 0.0, 1.0, 0.0])}
    levels = Levels.of(people, values["value"])
    weights = np.array([2, 0, 1, 3])

    found = dict(zip(levels.cells(["value", "transactions"]), levels.sums(values, weights), strict=True))

    assert found["total", "", "value"] == 1 * 2 + 3 + 4 * 3
    assert found["cohort", "q1", "value"] == 2
    assert found["cohort", "(missing)", "value"] == 12
    assert found["segment:region", "s", "transactions"] == 1
    for level in ("cohort", "decile", "segment:region"):
        for component in ("value", "transactions"):
            parts = [s for (one, _, c), s in found.items() if one == level and c == component]
            assert sum(parts) == found["total", "", component]


def test_an_empty_population_has_levels_without_groups() -> None:
    empty = population(None, region=[])

    levels = Levels.of(empty, np.empty(0))

    assert levels.sums({"value": np.empty(0)}, np.empty(0, dtype=np.int64)).tolist() == [0.0]


def test_a_level_lists_its_groups_in_order() -> None:
    level = Level.of("cohort", np.array(["b", "a", "b"], dtype=object))

    assert level.groups == ("a", "b")
    assert level.codes.tolist() == [1, 0, 1]
