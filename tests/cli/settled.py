"""A product of which everything is built, and the command line over it in this process, with a fake kernel."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nbdataops.build import footprint
from nbdataops.build.executors.fake import FakeKernel
from nbdataops.cli import unchanged
from nbdataops.cli.run import command
from nbdataops.store.witness import NAME
from nbdataops.workspace import Product
from tests.conftest import REPOSITORY, Notebook

program_files = footprint._program


class CommandLine:
    """`nbdataops run` on one product, here: `run` takes the long way, `again` answers from the witness or not at all."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.kernel = FakeKernel()
        self.said = ""

    @property
    def witness(self) -> Path:
        return self.root / ".nbdataops" / NAME

    def run(self, *options: str, product: Path | None = None) -> set[str]:
        """Run, and return the stages that were executed. Modules of the product are imported anew."""
        self.forget_modules()
        before = len(self.kernel.executed)
        self._capsys.readouterr()
        arguments = ["--product", str(product or self.root), *options]
        self.exit_code = command.main(arguments, standalone_mode=False)
        self.said = self._capsys.readouterr().out
        return {node.split("@")[0] for node in self.kernel.executed[before:]}

    def again(self, *options: str, product: Path | None = None) -> bool:
        """Whether the witness answers; what it says is in `said`."""
        self._capsys.readouterr()
        code = unchanged.say_again(["--product", str(product or self.root), *options])
        self.said = self._capsys.readouterr().out
        assert code in (None, 0)
        return code is not None

    def forget_modules(self) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(self.root)):
                del sys.modules[name]

    @property
    def shown(self) -> dict[str, Any]:
        """What `--json` printed; cells of the fake kernel may have printed before it."""
        shown: dict[str, Any] = json.loads(self.said.splitlines()[-1])
        return shown


def write_product(root: Path) -> None:
    """The blank product, with a module that imports a module, a second source by pattern, and short tests."""
    shutil.copytree(REPOSITORY / "notebooks" / "blank", root, ignore=shutil.ignore_patterns(".*"))
    (root / "lib").mkdir()
    (root / "lib" / "bounds.py").write_text("from lib.floor import LEAST\n\nLOWER = LEAST + 1\n")
    (root / "lib" / "floor.py").write_text("LEAST = 3\n")
    rate = Notebook(root / "methods" / "rate.ipynb")
    rate.replace("from nbdataops import stage", "from lib.bounds import LOWER\nfrom nbdataops import stage")
    rate.replace("lower=4", "lower=LOWER")
    (root / "data" / "shops").mkdir()
    (root / "data" / "shops" / "one.csv").write_text("shop,size\na,1\n")
    spec = root / "dataproduct.yaml"
    text = (
        spec.read_text()
        .replace("  origins: 3\n", "  origins: 1\n")
        .replace("replicates: 20", "replicates: 4")
    )
    spec.write_text(text.replace("sources:\n", "sources:\n  shops: {path: 'data/*/*.csv'}\n"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product that was built once in this session. Copy it: what is built goes along, its witness does not hold."""
    root = tmp_path_factory.mktemp("built") / "product"
    write_product(root)
    product = Product(root)
    product.executor = FakeKernel()
    sys.path.insert(0, str(root))
    try:
        assert product.run().execution.failures == ()
    finally:
        sys.path.remove(str(root))
    product.close()
    return root


@contextmanager
def at_the_command_line(root: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """A command line over a product, apart from what others may write meanwhile: caches in the folder that tests run
    from, and the files of nbdataops itself, which are no part of the witness here."""
    line = CommandLine(root, capsys)
    programs = [path for path in sys.path if path.startswith((sys.prefix, sys.base_prefix))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(root), *programs])
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(Product, "executor", line.kernel)
        patch.setattr(footprint, "_program", lambda: iter(()))
        # Pages of executed notebooks are half of the time of a run here, and no part of what is tested.
        patch.setattr("nbdataops.report.run_report.notebook_html", lambda notebook, **text: "<html></html>")
        yield line
        line.forget_modules()


@pytest.fixture
def settled(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """A copy of it after a run in which nothing was left to do: its witness holds."""
    root = tmp_path / "product"
    shutil.copytree(built, root, ignore=shutil.ignore_patterns("__pycache__", NAME))
    with at_the_command_line(root, capsys) as line:
        line.run()
        assert line.kernel.executed == []
        assert line.again()
        yield line


@pytest.fixture(scope="session")
def _settled_once(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("settled") / "product"
    shutil.copytree(built, root, ignore=shutil.ignore_patterns("__pycache__", NAME))
    return root


@pytest.fixture
def kept(_settled_once: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CommandLine]:
    """The same for tests that change nothing but the witness itself, and the process that asks."""
    with at_the_command_line(_settled_once, capsys) as line:
        if not line.again():
            line.run()
        witness = line.witness.read_bytes()
        assert line.again()
        yield line
    if line.witness.is_dir():
        line.witness.rmdir()
    line.witness.write_bytes(witness)


def same_size(path: Path, old: str, new: str) -> None:
    """Other text of the same size, in place, and the time of modification set back: only the time of change tells."""
    before = path.stat()
    text = path.read_text()
    assert old in text
    assert len(old) == len(new)
    with path.open("r+") as file:
        file.write(text.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )


def without(said: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in names}
