"""Import third-party packages ahead of need, and find out which of them must not be.

A fork copies memory and the thread that forks. A module that starts a thread, opens a socket, a pipe or a device, or
pulls in a file that is no installed package, would leave every kernel with half of something: it is excluded, and
with it whatever imports it. So is a module that asks for the running IPython when it is imported (to register a
widget, to choose a display): in the server the answer would be that there is none. What has been imported cannot be
undone, so the server then starts anew without it.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from nbdataops.kernel.forked_kernel import Ahead
from nbdataops.kernel.purpose import Purpose
from nbdataops.kernel.third_party import Installed
from nbdataops.kernel.watched_state import WatchedState

ALLOWED_THREADS = frozenset({"jemalloc_bg_thd"})
"""By the name that the thread itself has. jemalloc (in pyarrow) has fork handlers of its own that start it again.
OpenBLAS's workers need no mention: its fork handler ends them, so after a first fork they are gone."""
_ASKS = "it asks for the running IPython when it is imported"
KNOWN = dict.fromkeys(
    (
        "anywidget",
        "duckdb",
        "ipywidgets",
        "matplotlib_inline",
        "tqdm.auto",
        "tqdm.autonotebook",
        "tqdm.notebook",
    ),
    _ASKS,
)
"""Excluded from kernels without a try, which spares the second start: found out as all others are (see
`Preloading.load`). A command runs in no IPython, so there the answer is the same in the server."""
IMPORT_S = 30.0
"""A module that takes longer to import (it waits for a network, say) is excluded. Usually it is 0.1 to 3 s."""
ASKS_WHETHER_A_KERNEL = frozenset({"pandas.core.config_init", "pandas.io.formats.console"})
"""Modules that ask for the running IPython only to know whether it is a kernel's, and keep no more than that: pandas
shows wide frames accordingly. They are told that it is."""
FOUNDATION = "ipykernel.kernelapp"
"""What a kernel itself needs at least. The rehearsal finds the rest, whatever the versions."""


READ_ALL = frozenset({"tqdm.std"})
"""Known to go through the whole environment when they are imported; what they keep starts with their own name."""


class ImportTooLongError(BaseException):
    """Importing a module takes too long. No `Exception`: the module must not catch it."""


class FoundationError(Exception):
    """What a kernel itself needs cannot be preloaded; no server is possible here."""


@dataclass(frozen=True, slots=True)
class Preloaded:
    """What this server is, once it has loaded everything."""

    purpose: Purpose
    ahead: Ahead
    state: WatchedState
    environment: dict[str, str]
    """Of the server's own, with which everything was loaded, those variables that were read meanwhile. The others are
    of the client that came first, and no other kernel's business."""
    names_read: frozenset[str]
    """Names of the variables that were read meanwhile, set or not."""
    modules: tuple[str, ...]
    rehearsed: int
    """How many further modules a rehearsed kernel needed."""
    excluded: dict[str, str]
    seconds: float


@dataclass
class Preloading:
    """What has been imported, by whom a thread was started, and what is excluded and why."""

    installed: Installed
    purpose: Purpose
    excluded: dict[str, str]
    """From the beginning: module and reason."""
    modules: list[str] = field(default_factory=list)
    found: dict[str, str] = field(default_factory=dict)
    """Newly excluded: module and reason."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Asked for and left out: module and reason."""
    foundation: frozenset[str] = frozenset()
    """Names in `sys.modules` that any kernel would have, too."""
    _threads: dict[int, str] = field(default_factory=dict)

    def lay_foundation(self) -> None:
        """Import what every kernel needs; a command needs nothing. Raises FoundationError."""
        if self.purpose is Purpose.KERNELS:
            try:
                with self._asked_for_ipython() as asked:
                    importlib.import_module(FOUNDATION)
            except ModuleNotFoundError as error:
                raise FoundationError("ipykernel is not installed for this interpreter") from error
            if asked:
                raise FoundationError(f"importing {FOUNDATION} asks for the running IPython")
        for name, file in self.installed.foreign(set(sys.modules) - _own()):
            raise FoundationError(f"{name} is loaded from {file}, which is not an installed package")
        self.foundation = frozenset(sys.modules)

    def load_what_reads_all(self, names: Iterable[str]) -> None:
        """Import, before variables are watched, those of `names` that look at all of them for those of a prefix.

        It is their own prefix, so it is in the server's key (`read_at_load`).
        """
        self.load(name for name in names if name in READ_ALL)

    def load(self, names: Iterable[str]) -> None:
        """Import third-party modules one by one, and look at what each did.

        `module:function` also calls that function, without arguments: one that keeps what it has found or compiled, so
        that every fork has it. It must start nothing and read no files but those of packages.
        """
        for entry in dict.fromkeys(names):
            asked_for, _, function = entry.partition(":")
            name = self.installed.module(asked_for)
            if name is None:
                continue
            if (excluded := self._excluded(name)) is not None:
                self.skipped[excluded] = self.excluded[excluded]
            elif name not in self.found and (function or name not in self.modules):
                self._load(name, function)

    def load_library(self, names: Iterable[str]) -> None:
        """Import modules of Python's own library among these names; they start nothing when imported."""
        for name in names:
            if name.partition(".")[0] in sys.stdlib_module_names:
                with suppress(ImportError):
                    importlib.import_module(name)

    def _asked_for_ipython(self) -> AbstractContextManager[list[bool]]:
        """See `_asked_for_ipython`; a command runs in no IPython, so there the answer is the same in the server."""
        return _asked_for_ipython() if self.purpose is Purpose.KERNELS else nullcontext([])

    def _excluded(self, name: str) -> str | None:
        """The excluded module that this one is, or is in, if any."""
        parts = name.split(".")
        names = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        return next((n for n in names if n in self.excluded), None)

    def _load(self, name: str, function: str = "") -> None:
        modules, threads, files = set(sys.modules), set(_threads()), _descriptors()
        try:
            with self._asked_for_ipython() as asked, _limited(IMPORT_S):
                module = importlib.import_module(name)
                if function:
                    attrgetter(function)(module)()
        except ImportTooLongError:
            self.found[name] = f"importing it takes longer than {IMPORT_S:g} s"
            return
        except ModuleNotFoundError:
            return  # an optional part of the package: its absence is the kernel's to report
        except BaseException as error:  # even SystemExit: whatever a module does must not end the server
            self.found[name] = f"importing it failed: {type(error).__name__}: {error}"
            return
        if asked:
            undone = _undone(name, set(sys.modules) - modules)
            (self.skipped if undone else self.found)[name] = _ASKS
            return
        if name not in self.modules:
            self.modules.append(name)
        for thread in set(_threads()) - threads:
            self._threads[thread] = name
        opened = {
            d: what for d, what in _descriptors().items() if files.get(d) != what and not _harmless(what)
        }
        if opened:
            self.found[name] = f"importing it opened {', '.join(sorted(set(opened.values())))}"
        for other, file in self.installed.foreign(set(sys.modules) - modules - _own()):
            self.found[name] = f"importing it loads {other} from {file}, which is not an installed package"
            break

    def settle(self) -> None:
        """After a fork: exclude modules whose threads are still there. Raises FoundationError for anyone else's."""
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        for thread, name in _threads().items():
            if thread == os.getpid() or name in ALLOWED_THREADS:
                continue
            owner = self._threads.get(thread)
            if owner is None:
                raise FoundationError(f"a thread {name!r} runs, and no module of the preload list started it")
            self.found[owner] = f"importing it starts a thread ({name})"

    @property
    def can_be_hidden(self) -> frozenset[str]:
        """Top-level modules that came with the preload list: a file of that name in a project would hide them."""
        ahead = set(sys.modules) - self.foundation - _own()
        return frozenset(name.partition(".")[0] for name in ahead)


def check_start(ours: Iterable[int]) -> None:
    """Before anything is imported: raise FoundationError if Python's own start (`sitecustomize`, a `.pth` file) has
    brought what a fork would halve. `ours` are the descriptors that this program was given."""
    threads = [name for thread, name in _threads().items() if thread != os.getpid()]
    if set(threads) - ALLOWED_THREADS:
        raise FoundationError(f"a thread {threads[0]!r} runs from the start, of sitecustomize or a .pth file")
    opened = [
        what for number, what in _descriptors().items() if number not in set(ours) and not _harmless(what)
    ]
    if opened:
        raise FoundationError(f"{opened[0]} is open from the start, of sitecustomize or a .pth file")


def remembered_folders(folder: str) -> tuple[tuple[str, str], ...]:
    """(module, name) of what in a loaded module is this folder: where it was imported, as `multiprocessing` keeps it."""
    return tuple(
        (module, name)
        for module in sorted(set(sys.modules) - _own())
        for name, value in list(getattr(sys.modules[module], "__dict__", {}).items())
        if isinstance(value, (str, Path)) and str(value) == folder
    )


def remembered_executables() -> tuple[tuple[str, str], ...]:
    """(module, name) of what in a loaded module is `sys.executable`, as text or bytes: `multiprocessing` keeps it, too."""
    called_by = (sys.executable, os.fsencode(sys.executable))
    return tuple(
        (module, name)
        for module in sorted(set(sys.modules) - _own())
        for name, value in list(getattr(sys.modules[module], "__dict__", {}).items())
        if isinstance(value, str | bytes) and value in called_by
    )


def added(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Variables that libraries set in `os.environ` when they were imported: each kernel gets them, too.

    >>> added({"A": "1"}, {"A": "1", "KMP_INIT_AT_FORK": "FALSE"})
    {'KMP_INIT_AT_FORK': 'FALSE'}
    """
    return {name: value for name, value in after.items() if before.get(name) != value}


@contextmanager
def _asked_for_ipython() -> Iterator[list[bool]]:
    """A list that is not empty when somebody has asked meanwhile whether an IPython runs.

    There are two ways: IPython's own function `get_ipython`, and the built-in one that is there in every cell.
    """
    import builtins

    from IPython.core.interactiveshell import InteractiveShell

    asked: list[bool] = []

    def initialized(_: type) -> bool:
        asked.append(True)
        return False

    def get_ipython() -> object:
        if sys._getframe(1).f_globals.get("__name__") in ASKS_WHETHER_A_KERNEL:
            return SimpleNamespace(kernel=None)
        asked.append(True)
        return None

    shell: Any = InteractiveShell
    shell.initialized = classmethod(initialized)
    builtins.get_ipython = get_ipython  # type: ignore[attr-defined]
    try:
        yield asked
    finally:
        del shell.initialized, builtins.get_ipython  # type: ignore[attr-defined]


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise ImportTooLongError in what is done meanwhile when it takes longer, also while it sleeps or waits."""

    def expire(*_: object) -> None:
        raise ImportTooLongError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _undone(name: str, new: set[str]) -> bool:
    """Undo an import, if it was of one module written in Python and nothing else."""
    if new != {name} or not str(getattr(sys.modules[name], "__file__", "")).endswith(".py"):
        return False
    del sys.modules[name]
    parent, _, child = name.rpartition(".")
    if parent in sys.modules and hasattr(sys.modules[parent], child):
        delattr(sys.modules[parent], child)
    return True


def _own() -> set[str]:
    """The modules of this package, which a kernel drops when they are not installed ones, and the program itself."""
    own = {name for name in sys.modules if name.partition(".")[0] == "nbdataops"}
    return own | {"__main__", "__mp_main__"}


def _threads() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found[int(entry.name)] = (entry / "comm").read_text().strip()
    return found


def _descriptors() -> dict[int, str]:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found[int(link.name)] = str(link.readlink())
    return found


def _harmless(what: str) -> bool:
    """A regular file, or a device without state."""
    return what in {"/dev/null", "/dev/urandom", "/dev/random", "/dev/zero"} or (
        what.startswith("/") and not what.startswith("/dev/")
    )
