"""`stage.secret`: values that live outside of the product. They are asked for by name and never recorded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nbdataops.errors import UsageError, did_you_mean
from nbdataops.session.assignment import Assignment


class Secret(str):
    """Text that a cell does not show by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def secret(assignment: Assignment, name: str) -> Secret:
    """The value of a declared secret; UsageError if it has none."""
    if name not in assignment.secrets:
        raise UsageError(
            f"no secret named {name!r} is declared",
            todo=f"{did_you_mean(str(name), assignment.secrets)} Declare it in dataproduct.yaml: "
            f"secrets: {{{name}: {{env: VARIABLE}}}} or {{file: path}}",
        )
    tried: list[str] = []
    value = _first(name, assignment.secrets[name], Path(assignment.product_root), tried)
    if value is None:
        raise UsageError(
            f"the secret {name!r} has no value",
            todo=f"tried: {', '.join(tried) or 'nothing, it names no provider'}",
        )
    return Secret(value)


def resolve_secret(
    name: str, providers: Mapping[str, Mapping[str, str]], root: Path | None = None
) -> str | None:
    """The value that a kernel would get, or None; a runner redacts it. A relative file is relative to `root`."""
    provider = providers.get(name)
    return None if provider is None else _first(name, provider, root or Path(), [])


def _first(name: str, provider: Mapping[str, str], root: Path, tried: list[str]) -> str | None:
    """By the first provider that has it: environment, file, keyring. `tried` gets names, never values."""
    value: str | None = None
    if "env" in provider:
        tried.append(f"environment variable {provider['env']}")
        value = os.environ.get(provider["env"])
    if not value and "file" in provider:
        path = root / Path(provider["file"]).expanduser()
        tried.append(f"file {path}")
        try:
            value = path.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            value = None
    if not value and "keyring" in provider:
        tried.append(f"keyring {provider['keyring']}")
        value = _from_keyring(provider["keyring"], name, tried)
    return value or None


def _from_keyring(service: str, name: str, tried: list[str]) -> str | None:
    try:
        import keyring
    except ImportError:
        tried[-1] += " (the package keyring is not installed)"
        return None
    try:
        value: str | None = keyring.get_password(service, name)
    except Exception as error:  # a keyring's back-end may raise anything
        tried[-1] += f" ({type(error).__name__})"
        return None
    return value
