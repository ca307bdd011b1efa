"""Integrals of positive functions over the real line, in the logarithm and to many digits, and their derivatives.

The trapezoidal rule on u = centre + width sinh(v) converges exponentially for every integrand of this folder: halving
the step squares the error. No special function but the gamma function is used: mpmath's own hypergeometric function
is wrong in some of the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

import mpmath as mp

Exponent = Callable[[mp.mpf], mp.mpf]


def log_integral(exponent: Exponent, centre: mp.mpf, width: mp.mpf) -> mp.mpf:
    """log of the integral of exp(exponent(u)) over the real line, to nearly the working precision.

    `centre` lies near the largest values, `width` is about the scale on which they fall. The exponent may be complex
    with a small imaginary part, for derivatives.
    """
    top = exponent(centre)
    forgotten = mp.mp.dps * mp.log(10) + 5

    def term(v: mp.mpf) -> mp.mpf:
        return exponent(centre + width * mp.sinh(v)) + mp.log(mp.cosh(v)) - top

    step = mp.mpf(1) / 4
    left, right = (_until_forgotten(term, side * step, forgotten) for side in (-1, 1))
    total = mp.fsum(mp.exp(term(i * step)) for i in range(-left, right + 1))
    while True:
        between = mp.fsum(mp.exp(term((i + mp.mpf(1) / 2) * step)) for i in range(-left, right))
        change = abs(between / total - 1)
        total, step, left, right = total + between, step / 2, 2 * left, 2 * right
        if change < mp.mpf(10) ** (-mp.mp.dps / 2 - 2):
            return mp.log(total * step * width) + top


def gradient(log_value: Callable[[Sequence[mp.mpf]], mp.mpf], theta: Sequence[mp.mpf]) -> list[mp.mpf]:
    """Derivatives of a function that is analytic in its parameters, by complex steps (exact to their square)."""
    slopes = []
    for j, value in enumerate(theta):
        step = value * mp.mpf(10) ** (-mp.mp.dps * 2 // 3)
        shifted = list(theta)
        shifted[j] = mp.mpc(value, step)
        slopes.append(mp.im(log_value(shifted)) / step)
    return slopes


def remembered(function: Callable[..., mp.mpf]) -> Callable[..., mp.mpf]:
    """The function, which answers a question that was asked before at this precision from memory."""

    @lru_cache(maxsize=4096)
    def at(digits: int, *arguments: Any) -> mp.mpf:
        return function(*arguments)

    @wraps(function)
    def ask(*arguments: Any) -> mp.mpf:
        return at(mp.mp.dps, *arguments)

    return ask


def _until_forgotten(term: Exponent, step: mp.mpf, forgotten: mp.mpf) -> int:
    """Steps until the terms have fallen so far below the largest that they are lost in rounding, and go on falling."""
    largest = last = mp.re(term(mp.mpf(0)))
    i = 0
    while True:
        i += 1
        here = mp.re(term(i * step))
        if here < largest - forgotten and here < last:
            return i
        largest, last = max(largest, here), here
