"""The reference products that travel with the package, and the blank one."""

from __future__ import annotations

import shutil
from pathlib import Path

from nbdataops.errors import InfrastructureError, UsageError, did_you_mean


def reference_folder() -> Path:
    """Where they lie: in the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    for folder in (here / "reference", here.parent / "notebooks"):
        if (folder / "cdnow" / "dataproduct.yaml").is_file():
            return folder
    raise InfrastructureError(
        "the reference products are not installed",
        todo="install nbdataops again: pip install --force-reinstall nbdataops",
    )


def reference_names() -> tuple[str, ...]:
    """Names that `init --from` knows."""
    folder = reference_folder()
    return tuple(sorted(p.parent.name for p in folder.glob("*/dataproduct.yaml")))


def copy_reference(name: str, target: Path) -> tuple[Path, ...]:
    """Copy a product without what was built of it; returns the files, relative to `target`.

    Raises UsageError for an unknown name, or a target that holds something already.
    """
    names = reference_names()
    if name not in names:
        raise UsageError(f"no reference product {name!r}", todo=did_you_mean(name, names))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not empty", todo="give a new folder; nothing was copied")
    ignore = shutil.ignore_patterns(".*", "__pycache__")
    try:
        shutil.copytree(reference_folder() / name, target, ignore=ignore, dirs_exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"{target} cannot be written: {error}", todo="choose another folder"
        ) from error
    return tuple(sorted(p.relative_to(target) for p in target.rglob("*") if p.is_file()))
