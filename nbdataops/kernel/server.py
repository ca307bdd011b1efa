"""The program of a fork server: load everything, then serve. Started by clients (`starting`), not by people.

It leaves its client's process tree first (a child forks on, its parent ends), so that the client neither waits for
it nor takes it along. When a module turns out to be one that must not be preloaded, the process executes itself anew
without it: what has been imported cannot be undone.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from nbdataops.kernel.circumstances import signals_at_rest
from nbdataops.kernel.environment_reads import INLINE_BACKEND, watched
from nbdataops.kernel.fork_server import ForkServer
from nbdataops.kernel.forked_kernel import Ahead
from nbdataops.kernel.installed_state import InstalledState
from nbdataops.kernel.leftovers import sweep
from nbdataops.kernel.preloading import (
    KNOWN,
    FoundationError,
    Preloaded,
    Preloading,
    added,
    check_start,
    remembered_executables,
    remembered_folders,
)
from nbdataops.kernel.purpose import Purpose
from nbdataops.kernel.rehearsal import rehearse
from nbdataops.kernel.room import lacking_room
from nbdataops.kernel.starting import CANNOT, PROGRAM, START_S
from nbdataops.kernel.third_party import Installed
from nbdataops.kernel.watched_state import WatchedState


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    try:
        check_start({0, 1, 2, options.lock, options.tell})
        if not options.again and os.fork():
            os._exit(0)
    except (FoundationError, OSError) as error:
        return _give_up(options, error)
    signals_at_rest()
    # As in ipykernel_launcher: the folder of the server is no place to import from.
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    path = Path(options.socket)
    try:
        if (lack := lacking_room(path.parent)) is not None:
            raise FoundationError(lack)
        os.pwrite(options.lock, str(os.getpid()).encode(), 0)
        # Clients give up then: a server that hangs must not keep the lock, and its log must tell where it hung.
        faulthandler.dump_traceback_later(START_S, exit=True)
        os.chdir(
            path.parent
        )  # a folder that nothing else is named after, so that it is found in what was loaded
        preloaded = _preload(options)
        os.chdir("/")
        sweep(path.parent)
        gc.collect()
        gc.freeze()
        server = ForkServer(path, options.lock, preloaded, options.idle_s)
    except (FoundationError, OSError) as error:
        return _give_up(options, error)
    print(
        f"{time.strftime('%F %T')} pid {os.getpid()} serves; loaded in {preloaded.seconds:.2f} s", flush=True
    )
    _tell(options.tell, {"ready": True})
    server.serve()
    with contextlib.suppress(OSError):
        path.with_suffix(".log").unlink()
    sweep(path.parent)
    return 0


def _stop_watching() -> None:
    """End the watch over the loading, which is a thread, and wait until it is gone: cancelled, it may still be there."""
    threads = set(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are all that is wanted
    faulthandler.cancel_dump_traceback_later()
    until = time.monotonic() + 1.0
    while threads <= set(os.listdir("/proc/self/task")) and time.monotonic() < until:  # noqa: PTH208
        time.sleep(0.001)


def _give_up(options: argparse.Namespace, error: Exception) -> int:
    _tell(options.tell, {"failed": str(error)})
    with contextlib.suppress(OSError):  # there may be no room for a log, either
        print(f"{CANNOT}{error}", flush=True)
    return 1


def _preload(options: argparse.Namespace) -> Preloaded:
    started = time.monotonic()
    purpose = Purpose(options.serves)
    excluded = json.loads(options.excluded)
    environment = dict(os.environ)
    if purpose is Purpose.KERNELS:
        excluded = KNOWN | excluded
        # Before matplotlib reads it; ipykernel sets the same later in each kernel.
        environment["MPLBACKEND"] = environment.get("MPLBACKEND") or INLINE_BACKEND
        os.environ["MPLBACKEND"] = environment["MPLBACKEND"]
    installed = Installed.of_this_interpreter()
    loading = Preloading(installed, purpose, excluded)
    with watched() as names:
        loading.lay_foundation()
    if purpose is Purpose.COMMANDS:
        loading.load_what_reads_all(options.preload)
    with watched() as further_names:
        loading.load(options.preload)
        asked_for = tuple(loading.modules)
        if purpose is Purpose.KERNELS:
            rehearsed = rehearse()
            loading.load_library(rehearsed)
            loading.load(rehearsed)
    _stop_watching()
    loading.settle()
    if loading.found:
        _again(excluded | loading.found, environment)
    names_read = frozenset(names | further_names)
    ahead = Ahead(
        installed,
        loading.can_be_hidden,
        added(environment, os.environ),
        os.getpid(),
        remembered_folders(str(Path.cwd())),
        remembered_executables(),
    )
    return Preloaded(
        purpose,
        ahead,
        WatchedState.as_set(InstalledState.of(installed, sys.modules)),
        {name: environment[name] for name in names_read if name in environment},
        names_read,
        asked_for,
        len(loading.modules) - len(asked_for),
        loading.skipped,
        time.monotonic() - started,
    )


def _again(excluded: dict[str, str], environment: dict[str, str]) -> NoReturn:
    """Execute this program anew without those modules, in the environment as it was before libraries changed it.

    Each time excludes at least one more, so this ends.
    """
    for module, why in sorted(excluded.items()):
        print(f"not preloaded: {module}: {why}", flush=True)
    words = list(sys.argv[1:])
    for option in ("--excluded", "--again"):
        while option in words:
            at = words.index(option)
            del words[at : at + (2 if option == "--excluded" else 1)]
    command = [sys.executable, *_flags(), "-c", PROGRAM, *words, "--again"]
    os.execve(sys.executable, [*command, "--excluded", json.dumps(excluded)], environment)


def _flags() -> list[str]:
    """The interpreter's own options, as the client gave them."""
    words = sys.orig_argv[1:]
    return words[: words.index("-c")]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nbdataops.kernel.server", description=__doc__)
    parser.add_argument("--serves", choices=[p.value for p in Purpose], default=Purpose.KERNELS.value)
    parser.add_argument("--socket", required=True, help="where to listen")
    parser.add_argument(
        "--lock", type=int, required=True, help="descriptor of the lock that stands for this server"
    )
    parser.add_argument(
        "--tell", type=int, default=None, help="descriptor of the pipe to a client that waits"
    )
    parser.add_argument("--preload", nargs="*", default=[], help="modules to import")
    parser.add_argument("--excluded", default="{}", help="JSON: modules that must not be, and why")
    parser.add_argument(
        "--idle-s", type=float, default=600.0, help="seconds without kernels after which it ends"
    )
    parser.add_argument("--again", action="store_true", help="executed anew, with modules excluded")
    return parser.parse_args(arguments)


def _tell(descriptor: int | None, message: dict[str, Any]) -> None:
    """Tell the client that started this server, if it waits, through its pipe, and close it."""
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(message).encode() + b"\n")
        os.close(descriptor)
