"""docs/cli.md is a contract: every verb, option and exit code is in it, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from nbdataops.cli import VERBS
from nbdataops.cli.commands import commands
from nbdataops.errors import ExitCode

TEXT = (Path(__file__).parent.parent / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## `nbdataops (\w+)[^`]*`\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def test_every_verb_has_a_section_and_no_section_lacks_a_verb() -> None:
    assert set(SECTIONS) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_options_of_a_verb_are_documented_and_no_others(verb: str) -> None:
    command = commands.get_command(click.Context(commands), verb)
    assert command is not None
    options = {o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")}

    documented = set(re.findall(r"`(--[a-z-]+)", SECTIONS[verb]))

    assert documented == options


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb != "papermill"]
)  # that is papermill's own line
def test_every_verb_takes_json(verb: str) -> None:
    command = commands.get_command(click.Context(commands), verb)
    assert command is not None

    assert any("--json" in p.opts for p in command.params)


def test_exit_codes_are_documented() -> None:
    documented = {int(n) for n in re.findall(r"^\| (\d+) \|", TEXT, re.M)}

    assert documented == {int(code) for code in ExitCode}
