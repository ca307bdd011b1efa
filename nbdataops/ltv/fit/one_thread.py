"""Small work on one thread.

A search over a handful of parameters asks BLAS about matrices of four rows, and trees of a few thousand customers are
grown in milliseconds. Threads wait for each other in a loop, which takes no time on an idle machine and, where other
processes need the processors, twenty times that of the work.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal


def one_thread(of: Literal["blas", "openmp"]) -> AbstractContextManager[Any]:
    """Inside of it, these libraries run on one thread.

    Call it after the import of what uses them (scipy.optimize, sklearn.ensemble): it knows those that were loaded when
    it was called first.
    """
    limit: AbstractContextManager[Any] = _controller(of).limit(limits=1, user_api=of)
    return limit


@cache
def _controller(of: str) -> Any:
    from threadpoolctl import ThreadpoolController  # scikit-learn's; finding the libraries takes 10 ms, once

    return ThreadpoolController()
