"""Cells are transformed as by IPython, whether it is asked or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from nbdataops.kernel import plain_cells
from nbdataops.kernel.plain_cells import is_plain, skip_plain_cells
from tests.kernel.kernels import Running

PIECES = [
    "x", "=", "1", "(", ")", ",", ";", "/", "%", "!", "?", "??", "%%", "'", '"""', "\n", "\n    ", " ", "if y:", "#",
    "\\", "ls", "time", "await z", "f'{a!r:>5}'", ">>> ", "In [1]: ", "a % b", "a != b", "\t", "\f", "é", "x[0]", "\r\n",
    "\r", "\x0b", "\x1c", "\x85", "\u2028", "1if x else 2", "try: a\nfinally: b\n",
]  # fmt: skip


def transformed(manager: TransformerManager, cell: str) -> Any:
    try:
        return manager.transform_cell(cell)
    except SyntaxError as error:
        return type(error), error.args


@pytest.fixture(scope="module")
def ours() -> TransformerManager:
    manager = TransformerManager()
    skip_plain_cells(SimpleNamespace(input_transformer_manager=manager))
    return manager


@given(cell=st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_cell_is_what_ipython_makes_of_it(ours: TransformerManager, cell: str) -> None:
    assert transformed(ours, cell) == transformed(TransformerManager(), cell)


def test_whole_files_are_what_ipython_makes_of_them(ours: TransformerManager) -> None:
    for path in sorted(Path(plain_cells.__file__).parent.parent.rglob("*.py"))[::8]:
        text = path.read_text()
        assert transformed(ours, text) == transformed(TransformerManager(), text), path


@pytest.mark.parametrize(
    "cell",
    [
        "%time x",
        "y = !ls",
        "y = %pwd",
        "x?",
        "?x",
        "!ls",
        ",f a",
        ";f a",
        "/f a",
        "  /f a",
        "if a:\n    ,f a",
        "a\\\n,b",
        "x = (",
        "# a\u2028/b",
        "y = 1if x else 2",
        "def f():\n    try:\n        return\n    finally:\n        return",
        "def f():\n  1\n 2",
    ],
)
def test_what_may_be_more_than_python_is_not_plain(cell: str) -> None:
    assert not is_plain(cell)


def test_python_is_plain() -> None:
    assert is_plain("import pandas as pd\nx = [n / 2 for n in range(3)]; print('cell', await f(x))\n")


def test_plain_cells_are_not_looked_through(
    ours: TransformerManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(
        ours, "do_one_token_transform", lambda lines: (asked.append(lines), (False, lines))[1]
    )

    ours.transform_cell("x = 1")
    ours.transform_cell("%time x = 1")

    assert asked == [["%time x = 1\n"]]


def test_transformers_of_the_users_see_every_cell(ours: TransformerManager) -> None:
    class Shout:
        @classmethod
        def find(cls, tokens_by_line: Any) -> None:
            seen.append(tokens_by_line)

    seen: list[Any] = []
    ours.token_transformers.append(Shout)
    try:
        ours.transform_cell("x = 1")
    finally:
        ours.token_transformers.remove(Shout)

    assert len(seen) == 1


@pytest.mark.kernel
def test_a_kernel_executes_magics_and_tells_syntax_errors_as_ever(start: Callable[..., Running]) -> None:
    kernel = start()

    assert kernel.run("x = 1\ny = %sx echo hello\nprint(x, y[0])").out == "1 hello\n"
    assert kernel.run("x = = 1").error == "SyntaxError"
    assert kernel.run("def f():\n  1\n 2").error == "IndentationError"
    assert (
        "do_token_transforms" in kernel.run("print(vars(get_ipython().input_transformer_manager).keys())").out
    )
