"""A cell that is Python and has nothing of IPython's own syntax is not looked through for it, token by token.

IPython does that in Python, for every cell: more than a twentieth of the time of a short one. All of its syntax has one
of a few characters, and most cells have none of them. Whatever is not plain goes IPython's way.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from IPython.core import inputtransformer2

_NOT_PLAIN = re.compile(
    r"""[!?%\\]|^[^\w\n]*[,;/]  # there may be a magic, a command, a question
    |\b\d\w*(?:and|else|for|i[fns]|not|or)\b|\bfinally\b  # the parser may have to warn, as with a backslash
    |[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)  # IPython ends a line, and Python does not
    """,
    re.MULTILINE | re.VERBOSE,
)
_KNOWN = ("MagicAssign", "SystemAssign", "EscapedCommand", "HelpEnd")
_ESCAPES = set("!?%,;/")


def skip_plain_cells(shell: Any) -> None:
    """For an IPython shell whose syntax is the one that is known here; else it is left alone."""
    manager = shell.input_transformer_manager
    stock = [getattr(inputtransformer2, name, None) for name in _KNOWN]
    if getattr(inputtransformer2, "ESCAPE_SINGLES", None) != _ESCAPES or manager.token_transformers != stock:
        return
    look = manager.do_token_transforms

    def do_token_transforms(lines: list[str]) -> list[str]:
        if manager.token_transformers == stock and is_plain("".join(lines)):
            return lines
        looked: list[str] = look(lines)
        return looked

    manager.do_token_transforms = do_token_transforms


def is_plain(text: str) -> bool:
    """Whether a cell is Python, and certainly nothing else."""
    if _NOT_PLAIN.search(text):
        return False
    try:
        compile(text, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True
