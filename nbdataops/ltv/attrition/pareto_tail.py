"""The integral over unseen departure times that Pareto/NBD stands on, in the logarithm and with its gradient.

    I(y) = integral from y to infinity of (alpha + u)^-(r + x) (beta + u)^-(s + 1) du

With lo and hi the smaller and larger of alpha and beta, A and B the exponents of (lo + u) and (hi + u), k = A + B - 1,
m = lo + y, q = hi + y and z = (hi - lo) / q in [0, 1):

    I(y) = m^(1 - A) q^-B W(y),    W(y) = 1 / k * sum over j of (B)_j / (k + 1)_j z^j,

where every term is positive, so nothing cancels or overflows, and the gradient comes from the same sums. Powers are
taken out since with large exponents (thousands of purchases, a ridge of s and beta) their logarithms would drown W in
rounding. Close to z = 1 the sum is slow; there the integral is cut at the y2 where z falls to SLOW: the part before
it by Gauss-Legendre in log(lo + u), the part behind by the sum.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from nbdataops.ltv.columns import FloatArray

SLOW = 0.5
"""z above which the sum is not used directly."""
NODES = 40
NEGLIGIBLE = 42.0
"""The integrand is followed until it has fallen to exp(-42)."""
PRECISION = 1e-17


class Tail(NamedTuple):
    """log R by pair, and its derivatives by r, alpha, s, beta (columns)."""

    log: FloatArray
    gradient: FloatArray


class _Exponents(NamedTuple):
    """The integral in the letters of the module's docstring; A or B is one number for all pairs, kept as an array."""

    A: FloatArray
    B: FloatArray
    lo: float
    hi: float


def log_relative_tail(theta: FloatArray, x: FloatArray, y: FloatArray) -> Tail:
    """log R(y), R(y) = I(y) (alpha + y)^(r + x) (beta + y)^s, for pairs (x, y); theta = (r, alpha, s, beta).

    s R(y) is the likelihood of having left after y over that of being alive at y.
    """
    r, alpha, s, beta = (float(v) for v in theta)
    purchases, leaving = r + x, np.full(len(x), s + 1.0)
    if alpha >= beta:
        log, (d_A, d_B, d_lo, d_hi) = _log_w(_Exponents(leaving, purchases, beta, alpha), y)
        return Tail(log, np.stack([d_B, d_hi, d_A, d_lo], axis=1))
    log, (d_A, d_B, d_lo, d_hi) = _log_w(_Exponents(purchases, leaving, alpha, beta), y)
    m, q = alpha + y, beta + y
    return Tail(log + np.log(m) - np.log(q), np.stack([d_A, d_lo + 1 / m, d_B, d_hi - 1 / q], axis=1))


def _log_w(e: _Exponents, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log W and its gradient by (A, B, lo, hi), stacked in the first axis."""
    gap = e.hi - e.lo
    slow = np.flatnonzero(gap > SLOW * (e.hi + y))
    start = y.copy()
    start[slow] = gap / SLOW - e.hi
    log, gradient = _by_series(e, start)
    if len(slow):
        part = _Exponents(e.A[slow], e.B[slow], e.lo, e.hi)
        before, before_gradient = _by_quadrature(part, y[slow], start[slow])
        behind, behind_gradient = _moved(part, y[slow], start[slow], log[slow], gradient[:, slow])
        both = np.logaddexp(before, behind)
        share = np.exp(before - both)
        gradient[:, slow] = share * before_gradient + (1 - share) * behind_gradient
        log[slow] = both
    return log, gradient


def _moved(
    e: _Exponents, y: FloatArray, y2: FloatArray, log: FloatArray, gradient: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """W(y2), given with its gradient, with the powers taken out at y instead of y2."""
    m, q, m2, q2 = e.lo + y, e.hi + y, e.lo + y2, e.hi + y2
    log_m, log_q = np.log(m2 / m), np.log(q2 / q)
    by_powers = [-log_m, -log_q, (e.A - 1) * (1 / m - 1 / m2), e.B * (1 / q - 1 / q2)]
    return log - (e.A - 1) * log_m - e.B * log_q, gradient + np.stack(by_powers)


def _by_series(e: _Exponents, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    k = e.A + e.B - 1
    m, q = e.lo + y, e.hi + y
    log_sum, d_B, d_k, d_z = _series(e.B, k, (e.hi - e.lo) / q)
    by_k = d_k - 1 / k
    return log_sum - np.log(k), np.stack([by_k, by_k + d_B, -d_z / q, d_z * m / q**2])


def _series(
    B: FloatArray, k: FloatArray, z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """log of S = sum of (B)_j / (k + 1)_j z^j, and the derivatives of log S by B, k and z.

    Terms fall at least as fast as z^j. Pairs are taken in falling order of z, so that those that are done drop off
    the end of every array.
    """
    order = np.argsort(-z)
    B, k, z = B[order], k[order] + 1, z[order]
    needed = np.ceil((np.log(PRECISION) + 2 * np.log1p(-z)) / np.log(np.maximum(z, 1e-300))) + 2
    live = len(z) - np.searchsorted(np.sort(needed), np.arange(int(needed.max(initial=0))), side="right")
    term = np.ones_like(z)  # (B)_j / (k + 1)_j z^(j - 1)
    rise_B, rise_k = np.zeros_like(z), np.zeros_like(z)
    total, by_B, by_k, by_z = (np.zeros_like(z) for _ in range(4))
    for j, n in enumerate(live.tolist()):
        top, bottom = B[:n] + j, k[:n] + j
        rise_B[:n] += 1 / top
        rise_k[:n] += 1 / bottom
        top /= bottom
        if j:
            top *= z[:n]
        term[:n] *= top
        total[:n] += term[:n]
        by_B[:n] += term[:n] * rise_B[:n]
        by_k[:n] -= term[:n] * rise_k[:n]
        by_z[:n] += term[:n] * (j + 1)
    s = 1 + z * total
    answer = np.empty((4, len(z)))
    answer[:, order] = np.stack([np.log(s), z * by_B / s, z * by_k / s, by_z / s])
    return answer[0], answer[1], answer[2], answer[3]


def _by_quadrature(e: _Exponents, y: FloatArray, y2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The part of W from y to y2, over t = log((lo + u) / (lo + y)); its gradient takes y2 as fixed."""
    A, B = e.A[:, None], e.B[:, None]
    m, q = (e.lo + y)[:, None], (e.hi + y)[:, None]
    end = _until_negligible(A, B, m / q, np.log((e.lo + y2)[:, None] / m))
    nodes, node_weights = _legendre(NODES)
    t = end * (nodes + 1) / 2
    grown = np.expm1(t)  # (lo + u) / (lo + y) - 1
    log_hi = np.log1p(m / q * grown)
    exponent = -(A - 1) * t - B * log_hi
    peak = exponent.max(axis=1, keepdims=True)
    density = np.exp(exponent - peak) * node_weights
    total = density.sum(axis=1)
    density /= total[:, None]
    gradient = np.stack(
        [
            -(density * t).sum(axis=1),
            -(density * log_hi).sum(axis=1),
            (e.A - 1 - e.A * (density / (1 + grown)).sum(axis=1)) / m[:, 0],
            e.B * (1 - (density / (1 + m / q * grown)).sum(axis=1)) / q[:, 0],
        ]
    )
    return peak[:, 0] + np.log(total * end[:, 0] / 2), gradient


@cache
def _legendre(n: int) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights of Gauss-Legendre on [-1, 1]."""
    nodes, node_weights = np.polynomial.legendre.leggauss(n)
    return nodes, node_weights


def _until_negligible(A: FloatArray, B: FloatArray, ratio: FloatArray, end: FloatArray) -> FloatArray:
    """Where the integrand has fallen to exp(-NEGLIGIBLE), if that is before `end`.

    Its exponent is convex, so Newton's steps from the right end come down to that point and never pass it.
    """
    for _ in range(40):
        fallen = (A - 1) * end + B * np.log1p(ratio * np.expm1(end)) - NEGLIGIBLE
        slope = (A - 1) + B * ratio * np.exp(end) / (1 + ratio * np.expm1(end))
        step = np.where((fallen > 0) & (slope > 0), fallen / np.where(slope > 0, slope, 1.0), 0.0)
        end = end - step
        if np.all(step <= 1e-3 * end):
            break
    return end
