"""Which environment variables matter before a kernel exists: those that are read when libraries load.

Two nets. By name: what C libraries read when they load cannot be seen from Python, so their prefixes are listed
here, and every package's own prefix counts (`preload: polars` makes `POLARS_*` matter). By watching: what Python code
reads while it is imported is recorded, and a client whose values differ is not served.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
"""What ipykernel puts into MPLBACKEND when nothing is there; matplotlib reads it when it is imported."""

_PREFIXES = (
    "LD_", "PYTHON", "LC_", "MALLOC_", "GLIBC_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "MKL_", "BLIS_",
    "VECLIB_", "NUMEXPR_", "NUMBA_", "NPY_", "NUMPY_", "ARROW_", "PYARROW_", "JE_ARROW_", "SKLEARN_", "SCIPY_",
    "JOBLIB_", "LOKY_", "MPL", "MATPLOTLIB", "PILLOW_", "PYPARSING", "CUDA_", "SSL_CERT_",
    "OPENSSL_", "PYTORCH_", "TF_",
)  # fmt: skip
_NAMES = frozenset(
    {
        "HOME",
        "USER",
        "LANG",
        "LANGUAGE",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "SOURCE_DATE_EPOCH",
        "NBDATAOPS_KERNEL_WATCH",
    }
)
_READS_LATE = frozenset({"nbdataops"})
"""Packages known to read their own variables when they are used: NBDATAOPS_ASSIGNMENT is another for each stage."""
SET_ANEW = frozenset(
    {
        "JPY_INTERRUPT_EVENT",
        "JPY_PARENT_PID",
        "JPY_SESSION_NAME",
        "COLUMNS",
        "LINES",
        "TERM",
        "TEMP",
        "TMP",
        "TMPDIR",
    }
)
"""Read early, yet harmless: ipykernel's poller is replaced by the lease, TERM is ipykernel's own in every kernel,
`tempfile` and the session's name are set anew in each kernel, and the size of a terminal is read again when asked."""


def read_at_load(environment: Mapping[str, str], preload: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The variables that must be equal for two kernels to share a server, sorted.

    >>> read_at_load({"OMP_NUM_THREADS": "2", "POLARS_MAX_THREADS": "2", "FOO": "x"}, ["polars.io"])
    (('MPLBACKEND', 'module://matplotlib_inline.backend_inline'), ('OMP_NUM_THREADS', '2'), ('POLARS_MAX_THREADS', '2'))
    """
    packages = {name.partition(".")[0] for name in preload} - _READS_LATE
    prefixes = (*_PREFIXES, *{f"{package.upper()}_" for package in packages})
    found = {n: v for n, v in environment.items() if n in _NAMES or n.startswith(prefixes)}
    found["MPLBACKEND"] = found.get("MPLBACKEND") or INLINE_BACKEND
    return tuple(sorted(found.items()))


@contextmanager
def watched() -> Iterator[set[str]]:
    """A set that fills with the name of every variable that Python code reads (or misses) meanwhile.

    `os.environ` stays the object and of the class that it was, since libraries keep both.
    """
    kind: Any = type(os.environ)
    read = kind.__getitem__
    names: set[str] = set()

    def noted(environment: Any, key: Any) -> Any:
        names.add(key if isinstance(key, str) else os.fsdecode(key))
        return read(environment, key)

    kind.__getitem__ = noted
    try:
        yield names
    finally:
        kind.__getitem__ = read


def different(names: Iterable[str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[str, ...]:
    """Those of `names` whose values differ and that are not set anew in each kernel, sorted.

    >>> different({"HOME", "TERM"}, {"HOME": "/a", "TERM": "x"}, {"HOME": "/b"})
    ('HOME',)
    """
    return tuple(
        sorted(n for n in set(names) - SET_ANEW if normal(n, ours.get(n)) != normal(n, theirs.get(n)))
    )


def normal(name: str, value: str | None) -> str | None:
    """The value as far as it matters. ipykernel asks only whether a test of pytest runs, not which.

    >>> normal("PYTEST_CURRENT_TEST", "test_a (call)") == normal("PYTEST_CURRENT_TEST", "test_b (call)")
    True
    """
    if name == "MPLBACKEND":
        return value or INLINE_BACKEND
    return "set" if name == "PYTEST_CURRENT_TEST" and value else value
