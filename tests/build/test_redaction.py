"""What is stored has no secret in it, and stays what it is."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from nbdataops.build.redaction import pieces
from nbdataops.build.saves import notebook_bytes

KEY = "-----BEGIN KEY-----\nMIIBVgIBADAN\nx==\n-----END KEY-----"


def notebook(*outputs: Any) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass", outputs=list(outputs))])


def printed(text: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def shown(**data: Any) -> Any:
    return nbformat.v4.new_output("display_data", {k.replace("_", "/"): v for k, v in data.items()})


@pytest.mark.parametrize(
    "output",
    [
        printed(f"the key:\n{KEY}\n"),
        printed("".join(f"> {line}\n" for line in KEY.splitlines())),
        printed(repr(KEY)),
        shown(text_html=f"<pre>{KEY}</pre>"),
        shown(application_json={"keys": [KEY], KEY: 1}),
    ],
    ids=["as it is", "with a prefix", "escaped", "as HTML", "as JSON"],
)
def test_a_secret_of_several_lines_is_not_in_the_saved_notebook(output: Any) -> None:
    saved = notebook_bytes(notebook(output), pieces([KEY])).decode()

    assert "MIIB" not in saved
    assert "BEGIN KEY" not in saved
    nbformat.validate(nbformat.reads(saved, as_version=4))


@pytest.mark.parametrize("word", ["text", "cells", "stdout", "stream", "code", 'a"b\\c\té'])
def test_a_secret_that_is_a_word_of_the_format_leaves_a_notebook(word: str) -> None:
    saved = notebook_bytes(notebook(printed(f"it is {word}\n")), pieces([word]))

    (output,) = json.loads(saved)["cells"][0]["outputs"]
    assert output["text"] == ["it is [secret]\n"]
    nbformat.validate(nbformat.reads(saved.decode(), as_version=4))


def test_what_has_at_most_three_characters_stays() -> None:
    assert pieces(["abc", "1", "", "}\n{"]) == ()
