"""Where the values of a node's parameters come from, and which of them wins."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from nbdataops.errors import ParameterError
from nbdataops.product.notebook import NotebookStage
from nbdataops.product.parameters import check_declared, check_name, check_overrides, resolve
from nbdataops.product.spec import ProductSpec, load_spec
from tests.product.written import parameters, stage_of, write_product

CELL = """\
from datetime import date
as_of: date = date(2020, 1, 1)
until: date = date(2020, 1, 1)
horizon: int = 1
seed: int = 0
rate: float = 0.5
country: str = "DE"
features: list[str] = ["x"]
"""
SCOPE: dict[str, Any] = {"as_of": date(1997, 9, 30), "horizon": 13, "until": date(1997, 12, 30)}


@pytest.fixture
def stage(tmp_path: Path) -> NotebookStage:
    return stage_of(tmp_path, parameters(CELL), 'stage.read("rfm", columns=features)', name="methods/gb")


def spec(root: Path, text: str = "") -> ProductSpec:
    return load_spec(write_product(root, text))


def test_defaults_stand_where_nothing_else_is_declared(tmp_path: Path, stage: NotebookStage) -> None:
    found = resolve(stage, spec(tmp_path), None, {}, SCOPE)

    assert found == SCOPE | {"seed": 0, "rate": 0.5, "country": "DE", "features": ["x"]}
    assert list(found) == [p.name for p in stage.parameters]


DECLARED = """
parameters:
  seed: 1
  rate: 1
  methods/gb: {rate: 2}
variants:
  methods/gb:
    deep: {rate: 3, country: AT}
"""


@pytest.mark.parametrize(
    ("variant", "overrides", "seed", "rate", "country"),
    [
        (None, {}, 1, 2.0, "DE"),
        ("deep", {}, 1, 3.0, "AT"),
        ("deep", {"rate": 4.0, "seed": 9}, 9, 4.0, "AT"),
        (None, {"rate": "5", "country": "7"}, 1, 5.0, "7"),
    ],
)
def test_the_nearest_declaration_wins(
    tmp_path: Path,
    stage: NotebookStage,
    variant: str | None,
    overrides: dict[str, Any],
    seed: int,
    rate: float,
    country: str,
) -> None:
    found = resolve(stage, spec(tmp_path, DECLARED), variant, overrides, SCOPE)

    assert (found["seed"], found["rate"], found["country"]) == (seed, rate, country)
    assert isinstance(found["rate"], float)


def test_a_scope_that_lacks_something_means_the_contracts(tmp_path: Path, stage: NotebookStage) -> None:
    found = resolve(stage, spec(tmp_path), None, {}, {"as_of": date(1997, 9, 30), "until": None})

    assert (found["horizon"], found["until"]) == (39, date(1998, 6, 30))


def test_scope_names_may_be_declared_as_texts_and_floats(tmp_path: Path) -> None:
    cell = parameters('as_of: str = "2020-01-01"\nhorizon: float = 1')
    found = resolve(stage_of(tmp_path, cell, "stage.validate()"), spec(tmp_path), None, {}, SCOPE)

    assert found == {"as_of": "1997-09-30", "horizon": 13.0}
    assert isinstance(found["horizon"], float)


def test_overrides_for_other_stages_are_left_alone(tmp_path: Path, stage: NotebookStage) -> None:
    assert "other" not in resolve(stage, spec(tmp_path), None, {"other": 1}, SCOPE)


@pytest.mark.parametrize(
    ("text", "what", "todo", "line"),
    [
        ("parameters: {sed: 1}", "there is no parameter 'sed'", "did you mean 'seed'?", 15),
        ("parameters:\n  seed: x", "parameter 'seed' is int, not 'x'", "a whole number", 16),
        ("parameters:\n  as_of: 2020-01-01", "'as_of' comes from the scope", "--as-of", 16),
        (
            "parameters:\n  methods/gg: {seed: 1}",
            "there is no stage 'methods/gg'",
            "did you mean 'methods/gb'?",
            16,
        ),
        ("parameters:\n  methods/gb:\n    sed: 1", "there is no parameter 'sed'", "did you mean 'seed'?", 17),
        ("parameters:\n  methods/gb: {rate: [1]}", "parameter 'rate' is float, not a list", "a number", 16),
        ("parameters:\n  country: no way: x", "no valid YAML", "quote texts", 16),
        ("parameters:\n  country: 007", None, None, None),
        ("parameters:\n  country: no", None, None, None),
        ("parameters:\n  features: [x, T]", "the graph hangs on it", "default in the notebook", 16),
        ("parameters:\n  features: [x]", None, None, None),
        ("variants:\n  methods/gg: {deep: {seed: 1}}", "there is no stage 'methods/gg'", "methods/gb", 16),
        ("variants:\n  methods/gb:\n    deep: {sed: 1}", "there is no parameter 'sed'", "'seed'", 17),
        (
            "variants:\n  methods/gb:\n    deep: {horizon: 1}",
            "'horizon' comes from the scope",
            "horizons",
            17,
        ),
    ],
)
def test_what_dataproduct_yaml_declares_must_exist_and_fit(
    tmp_path: Path, stage: NotebookStage, text: str, what: str | None, todo: str | None, line: int | None
) -> None:
    if what is None:
        check_declared(spec(tmp_path, text), [stage])
        return
    with pytest.raises(Exception, match=what) as caught:
        check_declared(spec(tmp_path, text), [stage])

    assert f"dataproduct.yaml, line {line}" in str(caught.value)
    assert todo is not None
    assert todo in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ({"sed": 1}, "there is no parameter 'sed'\n  did you mean 'seed'?"),
        ({"seed": "x"}, "parameter 'seed' is int, not 'x'"),
        ({"as_of": "2020-01-01"}, "'as_of' comes from the scope"),
        ({"features": ["T"]}, "the graph hangs on it"),
        ({"x; import os": 1}, "'x; import os' is no name of a parameter"),
        ({"seed\n": 1}, "is no name of a parameter"),
        ({"class": 1}, "'class' is no name of a parameter"),
        ({"": 1}, "'' is no name of a parameter"),
        ({"\ud800": 1}, "is no name of a parameter"),
        ({"a" * 500: 1}, "there is no parameter"),
    ],
)
def test_a_command_line_that_sets_what_it_cannot_is_refused(
    stage: NotebookStage, overrides: dict[str, Any], what: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        check_overrides([stage], overrides)

    assert what in str(caught.value)


@pytest.mark.parametrize(
    "name", ["x y", "1x", "x=1", "__import__('os')", "if", "x\0", None, 3, "x.y", "ｘ y"]
)
def test_a_malicious_name_never_gets_as_far_as_a_stage(
    tmp_path: Path, stage: NotebookStage, name: Any
) -> None:
    with pytest.raises(ParameterError, match="is no name of a parameter"):
        resolve(stage, spec(tmp_path), None, {name: 1}, SCOPE)


def test_a_name_that_is_declared_passes() -> None:
    assert check_name("seed", ["seed"]) == "seed"


def test_an_unknown_variant_is_refused(tmp_path: Path, stage: NotebookStage) -> None:
    with pytest.raises(ParameterError, match="no variant 'dep'") as caught:
        resolve(stage, spec(tmp_path, DECLARED), "dep", {}, SCOPE)

    assert caught.value.todo == "did you mean 'deep'?"


def test_parameters_for_notebooks_without_any_are_refused(tmp_path: Path) -> None:
    bare = stage_of(tmp_path, "stage.validate()", name="prepare/clean")

    with pytest.raises(ParameterError, match="there is no parameter 'seed'") as caught:
        check_declared(spec(tmp_path, "parameters: {prepare/clean: {seed: 1}}"), [bare])

    assert "tagged 'parameters'" in caught.value.todo
