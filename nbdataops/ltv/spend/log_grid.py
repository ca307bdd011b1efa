"""Sums over millions of amounts, of any function that is smooth in the logarithm of the amount.

Amounts do not repeat, so they cannot be counted as cells. But a function f that is smooth in u = log(amount) is, within
a bin of u as narrow as BIN, its interpolation through NODES points; summing that over the amounts of a bin leaves

    sum of w f(u) = sum over nodes of W f(node),    W = sum of w times the node's basis polynomial at u,

so one pass over the amounts replaces them by a few thousand nodes, for every f at once. W may be negative.
The nodes are Chebyshev's: an amount is off by at most (BIN / 2)^NODES / (2^(NODES - 1) NODES!) = 5e-16 times the
largest derivative of that order. Those of log(1 + exp(u - c)), for any c, are no larger than a few times the function
itself, so sums keep the digits that adding millions of floats leaves.
Source: interpolation between Chebyshev nodes in place of single terms is how fast multipole methods add, e.g. Dutt, Gu
and Rokhlin 1996, Fast algorithms for polynomial interpolation, integration, and differentiation, SIAM Journal on
Numerical Analysis 33:1689.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbdataops.ltv.columns import FloatArray

BIN = 1 / 128
NODES = 5
BLOCK = 1 << 15
"""Amounts that are worked on at a time, so that intermediate results stay in the processor's cache."""


def worth_a_grid(u: FloatArray) -> bool:
    """True if the nodes would be fewer than half of the amounts."""
    return len(u) > 0 and len(u) > 2 * NODES * (float(u.max() - u.min()) / BIN + 1)


def on_grid(u: FloatArray, weights: Sequence[FloatArray | None]) -> tuple[FloatArray, list[FloatArray]]:
    """Nodes, and their weights for each of `weights` (one number an amount; None: all 1)."""
    first = np.floor(u.min() / BIN)
    bins = int(np.floor(u.max() / BIN) - first) + 1
    moments = np.zeros((len(weights), NODES, bins))
    for i in range(0, len(u), BLOCK):
        rows = slice(i, i + BLOCK)
        place = u[rows] / BIN - first
        bin_ = np.minimum(place.astype(np.int64), bins - 1)  # rounding may reach the end of the last
        t = 2 * (place - bin_) - 1
        before, now = t, np.ones(len(t))  # Chebyshev's polynomials: T_1 stands for T_-1
        for k in range(NODES):
            for w, moment in zip(weights, moments, strict=True):
                moment[k] += np.bincount(bin_, now if w is None else w[rows] * now, minlength=bins)
            before, now = now, 2 * t * now - before
    angles = (np.arange(NODES) + 0.5) * np.pi / NODES
    basis = np.cos(np.outer(angles, np.arange(NODES))) * (2 / NODES)
    basis[:, 0] /= 2
    nodes = (first + np.arange(bins) + (np.cos(angles)[:, None] + 1) / 2) * BIN
    taken = moments[:, 0].any(axis=0)
    return nodes[:, taken].ravel(), [(basis @ m[:, taken]).ravel() for m in moments]
