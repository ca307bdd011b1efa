"""What is asked twice within a request is answered once, and never from an earlier request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nbdataops.kernel.asked_twice import Remembered, request_of
from tests.kernel.kernels import Running


class Shell:
    def __init__(self) -> None:
        self.parent_header: object = {}
        self.asked: list[str] = []

    def transform_cell(self, text: str) -> str:
        self.asked.append(text)
        return text.upper()


@pytest.fixture
def shell() -> Shell:
    return Shell()


@pytest.fixture
def transform(shell: Shell) -> Remembered:
    return Remembered(shell.transform_cell, lambda: request_of(shell))


def test_the_second_answer_is_the_first_ones(shell: Shell, transform: Remembered) -> None:
    shell.parent_header = {"msg_id": "a"}

    assert [transform("x"), transform("x")] == ["X", "X"]
    assert shell.asked == ["x"]


def test_a_third_time_it_is_asked_again(shell: Shell, transform: Remembered) -> None:
    shell.parent_header = {"header": {"msg_id": "a"}}  # as before ipykernel 7

    for _ in range(3):
        transform("x")

    assert shell.asked == ["x", "x"]


def test_neither_another_text_nor_another_request_has_an_answer(shell: Shell, transform: Remembered) -> None:
    for request, text in (("a", "x"), ("a", "y"), ("b", "y"), ("b", "x")):
        shell.parent_header = {"msg_id": request}
        transform(text)

    assert shell.asked == ["x", "y", "y", "x"]


def test_outside_of_a_request_nothing_is_remembered(shell: Shell, transform: Remembered) -> None:
    transform("x"), transform("x")

    assert shell.asked == ["x", "x"]


@pytest.mark.kernel
def test_transformers_that_a_cell_adds_are_there_for_the_next_one(start: Callable[..., Running]) -> None:
    kernel = start()
    kernel.run("def shout(lines):\n    return [line.replace('quiet', 'LOUD') for line in lines]")
    same = "print('quiet'); get_ipython().input_transformers_post[:] = [shout]"

    assert [kernel.run(same).out, kernel.run(same).out] == ["quiet\n", "LOUD\n"]
    assert kernel.run("import asyncio\nawait asyncio.sleep(0)\nprint('quiet')").out == "LOUD\n"
    assert kernel.run("this is no Python").error == "SyntaxError"


@pytest.mark.kernel
def test_what_a_cell_function_takes_is_what_it_took(start: Callable[..., Running]) -> None:
    said = start().run(
        "import inspect\n"
        "shown = inspect.signature(get_ipython().run_cell_async)\n"
        "del type(get_ipython()).run_cell_async.__signature__\n"  # AttributeError if it is not kept
        "print(shown == inspect.signature(get_ipython().run_cell_async))"
    )

    assert said.out == "True\n"


@pytest.mark.kernel
def test_a_kernel_reads_the_date_of_a_request_as_it_was_written(start: Callable[..., Running]) -> None:
    said = start().run("print(repr(get_ipython().get_parent()['header']['date']))")

    assert said.out.startswith("datetime.datetime(")
    assert said.out.endswith("tzinfo=datetime.timezone.utc)\n")
