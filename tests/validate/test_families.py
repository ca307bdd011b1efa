"""Which methods count as independent."""

from __future__ import annotations

from datetime import date

from nbdataops.validate.families import Method, independent, independent_groups, why_dependent

SPRING = (date(1997, 1, 1), date(1997, 6, 1))
SUMMER = (date(1997, 5, 1), date(1997, 9, 1))
AUTUMN = (date(1997, 9, 1), date(1997, 12, 1))


def test_methods_of_one_family_are_not_independent() -> None:
    assert not independent(Method("a", "x"), Method("b", "x"))
    assert independent(Method("a", "x"), Method("b", "y"))


def test_methods_that_learnt_from_overlapping_outcomes_are_not_independent() -> None:
    assert "same outcomes" in why_dependent(Method("a", "x", (SPRING,)), Method("b", "y", (SUMMER,)))
    assert independent(Method("a", "x", (SUMMER,)), Method("b", "y", (AUTUMN,)))


def test_a_method_that_names_no_family_is_independent_of_nobody() -> None:
    assert not independent(Method("a", ""), Method("b", "y"))


def test_dependence_is_passed_on() -> None:
    methods = [Method("a", "x"), Method("b", "y", (SPRING,)), Method("c", "x", (SUMMER,)), Method("d", "z")]
    assert [[m.stage for m in g] for g in independent_groups(methods)] == [["a", "b", "c"], ["d"]]
