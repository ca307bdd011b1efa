"""What of a client decides how its kernel is initialised: a standby kernel is made for one kind, before anybody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nbdataops.kernel.environment_reads import SET_ANEW, normal

HARMLESS = (
    "--HistoryManager.hist_file=:memory:",
    "--HistoryManager.enabled=",
    "--InteractiveShell.ast_node_interactivity=",
    "--InteractiveShell.colors=",
)
"""How arguments of ipykernel begin that execute nothing, import nothing, and open no file of the client's folder."""
EXECUTES = "PYTHONSTARTUP"
"""The variable that names a file which IPython executes."""


@dataclass(frozen=True, slots=True)
class ClientKind:
    """`values` of the variables that are read while a kernel is initialised, by name; None where one is not set.

    Nothing else of a client's environment is kept: the next client has no business with it.
    """

    further: tuple[str, ...]
    """Arguments of ipykernel beside the connection file."""
    values: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def of(
        cls, further: tuple[str, ...], environment: Mapping[str, str], names: Iterable[str]
    ) -> ClientKind | None:
        """The kind of a client; None when its kernel begins with code of its own, so that none can be made ahead.

        >>> ClientKind.of(("--InteractiveShell.colors=NoColor",), {"A": "1", "B": "2"}, {"A", "C"}).values
        (('A', '1'), ('C', None))
        >>> ClientKind.of(("--ext=mine",), {}, {})
        """
        if environment.get(EXECUTES) or not all(word.startswith(HARMLESS) for word in further):
            return None
        return cls(further, _values(environment, names))

    def knowing(self, names: Iterable[str], environment: Mapping[str, str]) -> ClientKind:
        """The same kind by more names; what was not known of them is as in `environment`."""
        return ClientKind(self.further, _values(self.environment(environment), names))

    @property
    def set_values(self) -> dict[str, str]:
        return {name: value for name, value in self.values if value is not None}

    def environment(self, server: Mapping[str, str]) -> dict[str, str]:
        """The server's own environment with the values of this kind, without what each client sets anew."""
        unset = SET_ANEW | {name for name, value in self.values if value is None}
        return {name: value for name, value in server.items() if name not in unset} | self.set_values


def _values(environment: Mapping[str, str], names: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, normal(name, environment.get(name))) for name in sorted(set(names) - SET_ANEW))
