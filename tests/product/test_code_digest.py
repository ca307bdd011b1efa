"""The digest of a notebook's code changes with its meaning, and with nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.product.code_digest import code_digest
from nbdataops.product.notebook import read_notebook
from tests.product.written import IMPORT, code, markdown, parameters, write_notebook

STATEMENTS = [
    "from nbdataops import stage",
    "import numpy as np",
    "raw = stage.read('orders', columns=['a', 'b'])",
    "def f(x: int) -> int:\n    y = x + 1\n    return y * 2",
    "rows = [f(r) for r in raw if r > 0]",
    "if rows:\n    total = sum(rows)\nelse:\n    total = 0",
    "stage.write('totals', total, key='a')",
]


def digest(root: Path, *cells: object) -> str:
    found = read_notebook(root, write_notebook(root, "a", *cells))  # type: ignore[arg-type]
    assert found is not None
    return found.code_digest


@pytest.fixture
def plain(tmp_path: Path) -> str:
    return digest(tmp_path, *STATEMENTS)


SAME: dict[str, list[Any]] = {
    "merged cells": ["\n".join(STATEMENTS)],
    "blank lines and comments": [f"# why\n\n{s}  # because\n\n" for s in STATEMENTS],
    "markdown between": [x for s in STATEMENTS for x in (markdown("text"), s)],
    "display magics": ["%matplotlib inline\n%config InlineBackend.figure_format = 'svg'", *STATEMENTS],
    "autoreload": ["%load_ext autoreload\n%autoreload 2", *STATEMENTS],
    "display magics beside a magic-free line": ["%matplotlib inline\n" + STATEMENTS[0], *STATEMENTS[1:]],
    "an indented display magic": [
        s.replace("    y =", "    %matplotlib inline\n    y =") for s in STATEMENTS
    ],
    "empty cells": [x for s in STATEMENTS for x in ("", s, "# nothing")],
    "other quotes": [s.replace("'", '"') for s in STATEMENTS],
    "brackets and spaces": [s.replace("x + 1", "( x+1 )") for s in STATEMENTS],
    "a docstring": [s.replace("    y =", '    """Why."""\n    y =') for s in STATEMENTS],
    "a text alone": [*STATEMENTS, '"""the end"""'],
    "a trailing semicolon": [*STATEMENTS[:-1], STATEMENTS[-1] + ";"],
    "windows line ends": [{**code(""), "source": s.replace("\n", "\r\n")} for s in STATEMENTS],
    "a raw cell": [*STATEMENTS, {"cell_type": "raw", "metadata": {}, "source": "text"}],
    "u-strings": [s.replace("'orders'", "u'orders'") for s in STATEMENTS],
}
CHANGED: dict[str, list[Any]] = {
    "a number": [s.replace("x + 1", "x + 2") for s in STATEMENTS],
    "the type of a number": [s.replace("x + 1", "x + 1.0") for s in STATEMENTS],
    "a number to a boolean": [s.replace("x + 1", "x + True") for s in STATEMENTS],
    "an annotation": [s.replace("x: int", "x: float") for s in STATEMENTS],
    "a name": [s.replace("total", "sums") for s in STATEMENTS],
    "a column": [s.replace("'b'", "'c'") for s in STATEMENTS],
    "the order": [STATEMENTS[0], STATEMENTS[2], STATEMENTS[1], *STATEMENTS[3:]],
    "one statement less": [s for s in STATEMENTS if not s.startswith("import")],
    "a shell magic": ["!ls", *STATEMENTS],
    "another magic": ["%config Application.verbose = True", *STATEMENTS],
    "a cell magic": [*STATEMENTS[:2], "%%time\n" + STATEMENTS[2], *STATEMENTS[3:]],
    "the body of a cell magic": [*STATEMENTS, "%%bash\necho 1"],
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_change_the_code_does_not_change_the_digest(
    tmp_path: Path, plain: str, name: str
) -> None:
    assert digest(tmp_path, *SAME[name]) == plain


@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_the_code_changes_the_digest(tmp_path: Path, plain: str, name: str) -> None:
    assert digest(tmp_path, *CHANGED[name]) != plain


def test_the_bodies_of_cell_magics_are_told_apart(tmp_path: Path) -> None:
    found = {
        digest(tmp_path, *STATEMENTS, body) for body in ("%%bash\necho 1", "%%bash\necho 2", "%%sh\necho 1")
    }

    assert len(found) == 3


def test_a_text_that_looks_like_a_display_magic_counts(tmp_path: Path) -> None:
    one = digest(tmp_path, IMPORT, 'stage.validate()\nx = """\n%matplotlib inline\n"""\n%matplotlib inline')
    two = digest(tmp_path, IMPORT, 'stage.validate()\nx = """\n%matplotlib qt\n"""\n%matplotlib inline')

    assert one != two


def test_outputs_counts_and_metadata_do_not_count(tmp_path: Path, plain: str) -> None:
    path = write_notebook(tmp_path, "a", *STATEMENTS)
    notebook = json.loads(path.read_text())
    for number, cell in enumerate(notebook["cells"]):
        cell.update(
            execution_count=number, outputs=[{"output_type": "stream", "name": "stdout", "text": "hello"}]
        )
        cell["metadata"] = {"collapsed": True, "tags": ["mine"]}
    notebook["metadata"]["papermill"] = {"duration": 3}
    path.write_text(json.dumps(notebook))

    found = read_notebook(tmp_path, path)

    assert found is not None
    assert found.code_digest == plain


def test_defaults_of_parameters_do_not_count_but_their_types_do(tmp_path: Path) -> None:
    def of(line: str) -> str:
        return digest(tmp_path, IMPORT, parameters(line), "stage.validate()")

    assert of("x: int = 1") == of("x: int = 2") == of("x : int=3 # three")
    assert len({of("x: int = 1"), of("x: float = 1"), of("y: int = 1"), of("x: int = 1\ny: int = 1")}) == 4


def test_a_constant_outside_of_the_parameters_cell_counts(tmp_path: Path) -> None:
    assert digest(tmp_path, IMPORT, "x = 1\nstage.validate()") != digest(
        tmp_path, IMPORT, "x = 2\nstage.validate()"
    )


spacing = st.sampled_from(["", "\n", "\n\n", "# a comment\n", "   # another\n"])


@given(st.data())
def test_any_split_into_cells_with_any_comments_gives_the_same_digest(data: st.DataObject) -> None:
    trees, cell = [], ""
    for statement in STATEMENTS:
        cell += data.draw(spacing) + statement + "\n" + data.draw(spacing)
        if data.draw(st.booleans()):
            trees.append(ast.parse(cell))
            cell = ""
    trees.append(ast.parse(cell))

    assert code_digest(trees) == code_digest([ast.parse("\n".join(STATEMENTS))])


CONSTANTS = [
    node for node in ast.walk(ast.parse("\n".join(STATEMENTS))) if isinstance(node, ast.Constant | ast.Name)
]


@given(st.integers(0, len(CONSTANTS) - 1))
def test_any_one_token_changed_changes_the_digest(position: int) -> None:
    tree = ast.parse("\n".join(STATEMENTS))
    before = code_digest([tree])
    node = [n for n in ast.walk(tree) if isinstance(n, ast.Constant | ast.Name)][position]
    if isinstance(node, ast.Constant):
        node.value = "something else"
    else:
        node.id = "something_else"

    assert code_digest([tree]) != before
