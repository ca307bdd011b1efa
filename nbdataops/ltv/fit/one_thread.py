"""Small linear algebra on one thread.

A search over a handful of parameters asks BLAS about matrices of four rows. Its threads wait for each other in a loop,
which takes no time on an idle machine and, where other processes need the processors, twenty times that of the work.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """Inside of it, BLAS runs on one thread. Call it after scipy.optimize was imported, whose BLAS it then knows."""
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # scikit-learn's; finding the libraries takes 10 ms, once

    return ThreadpoolController()
