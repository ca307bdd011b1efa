"""Which methods count as independent: agreement of methods that share their assumptions proves nothing.

Two methods are dependent when they are of one family (a shared likelihood) or learnt from outcome windows that
overlap (shared labels). Dependence is passed on: what depends on one of a group belongs to the group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Method:
    """A method with what decides its independence. Windows are (from, to]."""

    stage: str
    family: str
    label_windows: tuple[tuple[date, date], ...] = ()

    @property
    def name(self) -> str:
        """What people call it: the last part of the stage's name."""
        return short(self.stage)


def independent(a: Method, b: Method) -> bool:
    """True when the two share neither a family nor labels. A method without a family is independent of nobody.

    >>> independent(Method("bg_nbd", "latent-attrition"), Method("cohort", "empirical"))
    True
    """
    return why_dependent(a, b) == ""


def why_dependent(a: Method, b: Method) -> str:
    """What two methods share, in words; empty when they are independent.

    >>> why_dependent(Method("bg_nbd", "latent-attrition"), Method("pareto_nbd", "latent-attrition"))
    'are one family (latent-attrition)'
    """
    if a.stage == b.stage:
        return "are the same method"
    if not a.family or not b.family:
        return "do not both name their family"
    if a.family == b.family:
        return f"are one family ({a.family})"
    if any(x[0] < y[1] and y[0] < x[1] for x in a.label_windows for y in b.label_windows):
        return "learnt from the same outcomes"
    return ""


def independent_groups(methods: Iterable[Method]) -> tuple[tuple[Method, ...], ...]:
    """Methods put together until no two groups share anything; each group counts once."""
    groups: list[list[Method]] = []
    for method in sorted(methods, key=lambda m: m.stage):
        touching = [g for g in groups if any(not independent(method, m) for m in g)]
        for g in touching:
            groups.remove(g)
        groups.append([m for g in touching for m in g] + [method])
    return tuple(sorted((tuple(sorted(g, key=lambda m: m.stage)) for g in groups), key=lambda g: g[0].stage))


def short(stage: str) -> str:
    """
    >>> short("methods/bg_nbd")
    'bg_nbd'
    """
    return stage.rsplit("/", 1)[-1]
