"""Where a product keeps its data: the folders of one store, and writing a file so that it is whole or not there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nbdataops.store.arrow_files import disk_error, publish, temporary

ENVIRONMENT_VARIABLE = "NBDATAOPS_STORE"
DEFAULT_FOLDER = ".nbdataops"


@dataclass(frozen=True, slots=True)
class Store:
    """The folders of a store; nothing is created before `open`."""

    root: Path

    @classmethod
    def of(cls, product_root: Path, declared: str | None = None) -> Store:
        """`NBDATAOPS_STORE` wins, then `store:` of the product file (relative to the product), else `.nbdataops`.

        A relative `NBDATAOPS_STORE` counts from the working directory, like every path typed into a shell.
        """
        named = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
        if named:
            return cls(Path.cwd() / Path(named).expanduser())
        return cls(Path(product_root).absolute() / Path(declared or DEFAULT_FOLDER).expanduser())

    @property
    def ledger_path(self) -> Path:
        return self.root / "ledger.db"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def dev(self) -> Path:
        return self.root / "dev"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    def open(self) -> Store:
        """Creates the folder, ignored by git. StoreError names the path when the disk refuses."""
        ignore = self.root / ".gitignore"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            present = ignore.exists()
        except OSError as error:
            raise disk_error(error, self.root, "create the store") from error
        if not present:
            atomic_write(ignore, b"*\n")
        return self


def atomic_write(path: Path, data: bytes) -> None:
    """Writes a file that other processes see whole or not at all, and that survives a loss of power.

    StoreError names the path when the disk is full or the folder cannot be written; the old file is then untouched.
    """
    try:
        with temporary(path.parent) as (place, handle):
            handle.write(data)
            publish(handle, place, path)
    except OSError as error:
        raise disk_error(error, path, "write a file") from error
