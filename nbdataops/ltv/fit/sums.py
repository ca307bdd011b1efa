"""Weighted sums over cells, without BLAS.

Its threads wait for each other longer than these short vectors take to add: with two threads on a busy machine a
fit is ten to a hundred times slower. One thread adds them as fast as memory gives them.
"""

from __future__ import annotations

import numpy as np

from nbdataops.ltv.columns import FloatArray


def dot(a: FloatArray, b: FloatArray) -> float:
    """Sum of products of two vectors."""
    return float(np.einsum("i,i", a, b))
