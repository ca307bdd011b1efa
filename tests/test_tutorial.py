"""docs/tutorial.md, executed: the commands in their order, the notebook that it writes, the edit that it makes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Notebook

TEXT = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\S+)([^\n]*)\n(.*?)^```", TEXT, re.M | re.S)


class Reader:
    """Follows the tutorial as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells: dict[str, list[str]] = {}
        self.parameters: dict[str, str] = {}
        self.outputs: list[tuple[str, str]] = []

    def console(self, text: str) -> None:
        self.save()
        lines = text.strip().splitlines()
        for number, line in enumerate(lines):
            if not line.startswith("$ "):
                continue
            command = line.removeprefix("$ ")
            expected = re.fullmatch(r"\[exit (\d+)\]", lines[number + 1]) if number + 1 < len(lines) else None
            if command.startswith("cd "):
                self.folder /= command.removeprefix("cd ")
                continue
            arguments = [sys.executable, "-m", *command.split()]
            done = subprocess.run(arguments, cwd=self.folder, capture_output=True, text=True, check=False)
            assert done.returncode == (int(expected[1]) if expected else 0), (
                f"{command}\n{done.stdout}{done.stderr}"
            )
            self.outputs.append((command, done.stdout))

    def cell(self, info: str, source: str) -> None:
        file, *tags = info.split()
        if "parameters" in tags:
            self.parameters[file] = source.strip()
        else:
            self.cells.setdefault(file, []).append(source.strip())

    def save(self) -> None:
        for file, cells in self.cells.items():
            Notebook.write(self.folder / file, cells, self.parameters.get(file))

    def edit(self, file: str, change: str) -> None:
        old, new = change.strip().split(" -> ")
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


@pytest.mark.kernel
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    for language, info, source in BLOCKS:
        words = info.split(maxsplit=1)
        if language == "console":
            reader.console(source)
        elif words and words[0] == "cell":
            reader.cell(words[1], source)
        elif words and words[0] == "edit":
            reader.edit(words[1], source)
        else:
            pytest.fail(f"a block that nobody executes: {language} {info}")

    outputs = reader.outputs
    first_plan = next(out for command, out in outputs if command == "nbdataops plan")
    runs = [out for command, out in outputs if command == "nbdataops run"]
    plan_with_new = [out for command, out in outputs if command == "nbdataops plan"][1]
    assert "would suffice" in first_plan
    assert "unverified" in runs[0]
    assert "methods/rate" in runs[0]
    assert " executed" not in runs[1]
    executed = {
        line.split()[1].split("@")[0] for line in plan_with_new.splitlines() if line.startswith("  run")
    }
    assert {e for e in executed if not e.startswith("check:")} == {"methods/recent"}
    assert all("methods/recent" in e for e in executed)
    assert " executed" not in runs[3], "another primary only judges again"
    assert "methods/recent" in runs[3]
    assert json.loads((reader.folder / "methods/recent.ipynb").read_text())["cells"]
