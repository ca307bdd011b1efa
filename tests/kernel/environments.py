"""Virtual environments with made-up packages, for tests of what is preloaded from where."""

from __future__ import annotations

import json
import shutil
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.kernel.kernels import Servers

REPOSITORY = Path(__file__).parent.parent.parent


class Environment:
    """An environment that borrows this one's packages, and nbdataops of the checkout, by a .pth file."""

    def __init__(self, root: Path, servers: Servers) -> None:
        self.root, self.servers = root, servers
        venv.create(root, with_pip=False)
        [self.packages] = root.glob("lib/python*/site-packages")
        borrowed = [p for p in sys.path if Path(p).name in {"site-packages", "dist-packages"}]
        (self.packages / "borrowed.pth").write_text("\n".join([*borrowed, str(REPOSITORY)]) + "\n")

    def install(self, name: str, source: str, version: str = "1") -> Path:
        """A package of one module, as pip would leave it; an older version is replaced."""
        for old in self.packages.glob(f"{name}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        module = self.packages / name / "__init__.py"
        module.parent.mkdir(exist_ok=True)
        # As an uninstaller does: what was compiled within the same second is taken for that of a file of the same size.
        shutil.rmtree(module.parent / "__pycache__", ignore_errors=True)
        # As an installer does: a new file takes the place of the old one.
        fresh = module.with_suffix(".new")
        fresh.write_text(source)
        fresh.replace(module)
        about = self.packages / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (about / "RECORD").write_text(f"{name}/__init__.py,,\n")
        return module

    def kernelspec(self, preload: Sequence[str], **config: object) -> str:
        """The name of a kernelspec that starts this environment's Python."""
        name = f"of-{self.root.name}"
        folder = self.servers.home / "jupyter" / "kernels" / name
        folder.mkdir(exist_ok=True)
        spec = json.loads((REPOSITORY / "kernels" / "nbdataops" / "kernel.json").read_text())
        spec["argv"][0] = str(self.root / "bin" / "python")
        spec["metadata"]["kernel_provisioner"]["config"] = {"preload": list(preload), **config}
        (folder / "kernel.json").write_text(json.dumps(spec))
        return name
