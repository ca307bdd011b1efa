"""The kernelspec `nbdataops`: where it lies, and how it is installed elsewhere."""

from __future__ import annotations

import json
import shutil
import site
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbdataops.errors import InfrastructureError
from nbdataops.kernel.imported_names import preload_for

NAME = "nbdataops"
PROVISIONER = "nbdataops-warm"
_SHARED = Path("share", "jupyter", "kernels", NAME)


def shipped_folder() -> Path:
    """The kernelspec's files: of the checkout, or as the wheel installed them."""
    for folder in _candidates():
        if (folder / "kernel.json").is_file():
            return folder
    raise InfrastructureError(
        "the kernelspec's files are not installed",
        todo="install nbdataops again: pip install --force-reinstall nbdataops",
    )


def _candidates() -> Iterator[Path]:
    yield Path(__file__).resolve().parent.parent.parent / "kernels" / NAME
    for prefix in (sysconfig.get_path("data"), sys.prefix, site.getuserbase()):
        yield Path(prefix) / _SHARED


def install(target: Path, product: Path | None) -> dict[str, Any]:
    """Write the kernelspec to the folder `target`, for this interpreter; returns its kernel.json.

    With a product's folder it preloads what that product's notebooks and modules import, too. An older kernelspec of
    this name is replaced as a whole. Raises InfrastructureError when the folder cannot be written.
    """
    shipped = shipped_folder()
    spec: dict[str, Any] = json.loads((shipped / "kernel.json").read_text(encoding="utf-8"))
    config = spec["metadata"]["kernel_provisioner"]["config"]
    config["preload"] = list(dict.fromkeys([*config["preload"], *preload_for(product)]))
    if target != Path(sys.prefix) / _SHARED:
        spec["argv"][0] = sys.executable  # `python` would be that of whoever starts a kernel
    fresh = target.with_name(f".{NAME}-{uuid.uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(shipped, fresh)
        (fresh / "kernel.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise InfrastructureError(
            f"the kernelspec cannot be written to {target}: {error.strerror}",
            todo="choose another place: --user or --prefix",
        ) from error
    return spec


def place(user: bool, prefix: Path | None) -> Path:
    """The folder that Jupyter looks in: of this user, of a prefix, else of this environment."""
    if user:
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir()) / "kernels" / NAME
    return (prefix or Path(sys.prefix)) / _SHARED
