"""`nbdataops run` with nothing to do: say what the last run said, if nothing changed since.

Imports nothing but `json`, `os` and the witness. What is not plain here is left to the ordinary command, which comes
to the same answer the long way: `docs/cli.md`.
"""

from __future__ import annotations

import os
import re
import sys
import time

from nbdataops.store.witness import facts_of, read_witness


def say_again(arguments: list[str]) -> int | None:
    """Print the summary of a run that would do nothing and return its exit code; None when there may be work."""
    asked = _understood(arguments)
    if asked is None or os.name != "posix" or "NBDATAOPS_ASSIGNMENT" in os.environ:
        return None
    folder, as_json, counting = asked
    root = _product(folder)
    store = None if root is None else _store(root)
    if root is None or store is None:
        return None
    witness = read_witness(store)
    if witness is None or not witness.holds(facts_of(root, store, counting), time.time()):
        return None
    return _say(witness.line if as_json else f"{witness.text}Report   {near(witness.report)}")


def counting(as_of: str | None, parameters: list[list[str]]) -> dict[str, object]:
    """The arguments of `run` on which its outcome hangs."""
    return {"as_of": as_of, "parameters": parameters}


def near(path: str) -> str:
    """A path as short as it can be from here."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    return path.removeprefix(here)


def _understood(arguments: list[str]) -> tuple[str, bool, dict[str, object]] | None:
    """(folder, whether JSON is wanted, arguments that count), of the plain forms of some options; None: ask click."""
    folder, as_of, as_json = None, None, False
    parameters: list[list[str]] = []
    rest = iter(arguments)
    for word in rest:
        name, is_joined, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name == "--json" and not is_joined:
            as_json = True
            continue
        if name in ("--keep-going", "-k") and not is_joined:
            continue
        if not is_joined:
            value = next(rest, "")
        if not value or value.startswith("-"):
            return None
        if name in ("--product", "-P") and folder is None:
            folder = value
        elif name == "--as-of" and as_of is None:
            as_of = value
        elif name in ("--jobs", "-j") and value.isascii() and value.isdecimal() and value.strip("0"):
            continue
        elif name in ("--parameter", "-p") and not is_joined:
            text = next(rest, "")
            if not text or text.startswith("-"):
                return None
            parameters.append([value, text])
        else:
            return None
    return folder or ".", as_json, counting(as_of, parameters)


def _product(folder: str) -> str | None:
    """As `open_product` finds it: this folder or the nearest above that holds a declaration."""
    here = os.path.realpath(folder)
    while not os.path.isfile(os.path.join(here, "dataproduct.yaml")):  # noqa: PTH113, PTH118
        above = os.path.dirname(here)  # noqa: PTH120
        if above == here:
            return None
        here = above
    return here


def _store(root: str) -> str | None:
    """Where the store should be. A wrong guess does no harm: the witness that lies there names its store."""
    named = os.environ.get("NBDATAOPS_STORE", "").strip()
    if named:
        return os.path.join(os.getcwd(), os.path.expanduser(named))  # noqa: PTH109, PTH111, PTH118
    try:
        with open(os.path.join(root, "dataproduct.yaml"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            declared = re.search(r"^store:(.*)", file.read(), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return None
    folder = declared[1].partition(" #")[0].strip().strip("'\"") if declared else ".nbdataops"
    return os.path.join(root, os.path.expanduser(folder))  # noqa: PTH111, PTH118


def _say(text: str) -> int:
    """Print as click would: colours on a terminal only."""
    if not sys.stdout.isatty():
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    try:
        print("nothing to do: nothing changed since the last run", file=sys.stderr)
        print(text, flush=True)
    except OSError as error:
        from nbdataops.cli.commands import cannot_say

        return cannot_say(error)
    return 0
