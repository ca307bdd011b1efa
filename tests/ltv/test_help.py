"""help() of everything exported is enough to use it."""

from __future__ import annotations

import doctest
import inspect
import re
from typing import Any

import pytest

import nbdataops.ltv as ltv
from tests.ltv.every_estimator import CASES, estimators, fitted

EXPORTED = [
    name for name in ltv.__all__ if inspect.isclass(getattr(ltv, name)) or callable(getattr(ltv, name))
]
FUNCTIONS = [name for name in EXPORTED if inspect.isfunction(getattr(ltv, name))]
every = pytest.mark.parametrize("name", sorted(CASES))
NO_SOURCE = ("LastPeriod", "PastRate", "CohortDecay")
"""Rules of thumb without a paper."""
DATA = ("rfm", "contracts", "ages", "transitions")
"""The data come first; `fit` and the class say what they hold."""
UNITS = re.compile(
    r"time units?|periods?|occasions?|currency|money|weeks?|level|share|probability|log-likelihood|deviance|logarithm",
    re.IGNORECASE,
)


def text_of(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def public_methods(cls: type) -> list[tuple[str, Any]]:
    """Everything that help() shows of a class: methods, class methods and properties."""
    found = []
    for name, value in inspect.getmembers(cls):
        if name.startswith("_"):
            continue
        if inspect.isroutine(value) or isinstance(inspect.getattr_static(cls, name), property):
            found.append((name, value))
    return found


@every
def test_a_class_says_its_family_what_it_assumes_and_where_it_comes_from(name: str) -> None:
    text = text_of(estimators()[name])
    assert "Family:" in text
    assert "Assumes" in text or "assumes" in text
    assert "Source:" in text or name in NO_SOURCE
    assert estimators()[name].__doc__, "inherited from another estimator"


@every
def test_a_class_names_every_parameter_of_its_constructor(name: str) -> None:
    cls = estimators()[name]
    seen = text_of(cls) + text_of(cls.fit)
    for parameter in inspect.signature(cls).parameters:
        assert re.search(rf"`{parameter}\b", seen), parameter


@every
def test_a_class_names_every_attribute_that_a_fit_leaves(name: str) -> None:
    model = fitted(name)
    text = text_of(type(model))
    for attribute in vars(model):
        if attribute.endswith("_") and not attribute.startswith("_"):
            assert f"`{attribute}`" in text, attribute


@every
def test_a_class_without_a_score_says_so_and_how_it_is_judged(name: str) -> None:
    """Cross-validation of scikit-learn asks for one by default."""
    if not hasattr(estimators()[name], "score"):
        assert re.search(r"no `score`.*(`scoring`|log)", text_of(estimators()[name]), re.DOTALL)


@every
def test_a_class_names_every_column_that_it_needs(name: str) -> None:
    cls = estimators()[name]
    seen = text_of(cls) + text_of(cls.fit)
    for column in CASES[name].columns:
        assert f"`{column}`" in seen, column


@every
def test_a_class_shows_how_to_use_it(name: str) -> None:
    """The example runs with the other doctests; here it must be about this class, and show an answer."""
    examples = doctest.DocTestParser().get_examples(text_of(estimators()[name]))
    assert any(f"{name}(" in e.source or f"{name}.with_" in e.source for e in examples)
    assert any(e.want for e in examples)


@every
def test_every_public_method_says_what_it_gives(name: str) -> None:
    for method, value in public_methods(estimators()[name]):
        text = text_of(value)
        assert len(text) > 20, method
        assert text.split("\n")[0].rstrip().endswith((".", "`.", ":")) or "\n" in text, method


@every
def test_a_method_says_what_its_arguments_are(name: str) -> None:
    cls = estimators()[name]
    for method, value in public_methods(cls):
        if not inspect.isroutine(value) or method in ("get_params", "set_params", "get_metadata_routing"):
            continue
        seen = text_of(value) + text_of(cls)
        for parameter in inspect.signature(value).parameters:
            if parameter in ("self", "y", "params", "parameters", "rng", *DATA):
                continue
            assert re.search(rf"\b{parameter}\b", seen), f"{method}({parameter})"


@every
def test_verbs_say_their_units_and_what_they_refuse(name: str) -> None:
    cls = estimators()[name]
    for method, value in public_methods(cls):
        if method in ("fit",) or method in VERBS:
            assert UNITS.search(text_of(value)), f"{method} has no unit"
    assert "Raises" in text_of(cls.fit), "errors"


VERBS = (
    "expected_transactions",
    "expected_transactions_new",
    "expected_periods",
    "expected_spend",
    "lifetime_value",
    "lifetime_value_new",
    "probability_alive",
    "sample",
    "score",
    "survival",
    "retention_rate",
)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_says_what_it_takes_what_it_refuses_and_how_to_call_it(name: str) -> None:
    function = getattr(ltv, name)
    text = text_of(function)
    if "as in `rfm_summary`" in text:
        text += text_of(ltv.rfm_summary)
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"\b{parameter}\b", text), parameter
    examples = doctest.DocTestParser().get_examples(text)
    assert any(f"{name}(" in e.source for e in examples)
    assert any(e.want for e in examples)
    assert re.search(r"Raises|error", text)


@pytest.mark.parametrize("name", sorted(set(EXPORTED) - set(FUNCTIONS) - set(CASES)))
def test_whatever_else_is_exported_says_what_it_is(name: str) -> None:
    thing = getattr(ltv, name)
    if inspect.isclass(thing):
        assert len(text_of(thing)) > 40
        for field in getattr(thing, "__dataclass_fields__", {}):
            if not field.startswith("_"):
                assert re.search(rf"\b{field}\b", text_of(thing)), field
