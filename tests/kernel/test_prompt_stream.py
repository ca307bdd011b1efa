"""What a cell prints, by whatever way, arrives before the kernel is said to be idle, and nothing waits for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kernel.kernels import Running

pytestmark = pytest.mark.kernel

Start = Callable[..., Running]
INTERRUPTED_SENDING = """
import sys, threading, time
taken, stream = threading.Event(), sys.stdout
rotate = stream._rotate_buffers

def slowly():
    held = rotate()
    if held and not taken.is_set():
        taken.set()
        time.sleep(0.2)
    return held

stream._rotate_buffers = slowly
"""
"""As if the sending thread, which sends now and then by itself, were interrupted in the middle of it, once."""


def test_what_comes_to_a_descriptor_at_the_very_end_of_a_cell_belongs_to_that_cell(start: Start) -> None:
    kernel = start()

    said = [
        kernel.run(f"import os\n_ = os.write(1, b'out {n}'), os.write(2, b'error {n}')") for n in range(40)
    ]

    assert [s.streams for s in said] == [{"stdout": f"out {n}", "stderr": f"error {n}"} for n in range(40)]


def test_a_large_output_of_a_subprocess_arrives_whole(start: Start) -> None:
    said = start().run("import os\n_ = os.system('seq 200000')")

    assert said.lines == [str(n) for n in range(1, 200_001)]


def test_cells_end_although_a_subprocess_writes_without_end(start: Start) -> None:
    kernel = start()
    kernel.run("import subprocess\nendless = subprocess.Popen(['yes'])")

    ended = kernel.run("endless.kill()\nendless.wait()")

    assert ended.status == "ok"
    assert kernel.run("print('after')").out.endswith("after\n")


def test_a_forked_child_of_the_kernel_prints_too(start: Start) -> None:
    kernel = start()
    kernel.run("import multiprocessing, sys\nfork = multiprocessing.get_context('fork')")
    pauses = "print(get_ipython().kernel._execute_sleep > 0)"
    assert kernel.run(pauses).out == "False\n"

    for _ in range(30):
        said = kernel.run(
            "child = fork.Process(target=sys.stdout.write, args=('a child\\n',))\n"
            "child.start()\nchild.join()\nprint('its parent')"
        )
        assert sorted(said.lines) == ["a child", "its parent"]
    assert kernel.run(pauses).out == "True\n"


def test_a_stream_class_of_the_users_configuration_is_left_alone(start: Start) -> None:
    kernel = start(extra_arguments=["--IPKernelApp.outstream_class=ipykernel.iostream.OutStream"])

    kind, pause = kernel.run(
        "import sys\nprint(type(sys.stdout).__module__, get_ipython().kernel._execute_sleep)"
    ).out.split()

    assert (kind, float(pause) > 0) == ("ipykernel.iostream", True)
    assert (
        start().run("import sys\nprint(type(sys.stdout).__module__)").out
        == "nbdataops.kernel.prompt_stream\n"
    )


def test_what_is_being_sent_while_a_cell_ends_arrives_before_its_end(start: Start) -> None:
    kernel = start()
    kernel.run(INTERRUPTED_SENDING)

    said = kernel.run("print('to be sent')\nstream.pub_thread.schedule(stream._flush)\n_ = taken.wait(10)")

    assert said.out == "to be sent\n"


def test_what_a_cell_prints_arrives_while_it_runs_whatever_was_printed_before(start: Start) -> None:
    kernel = start()
    # Before each print but the first a timer of the one before may be running, or have run out.
    kernel.run(
        "import sys, time\n"
        "def late(pause):\n"
        "    print('piece'); time.sleep(pause); left = len(sys.stdout._buffers); print(left)"
    )

    assert kernel.run("print('first')").out == "first\n"
    assert kernel.run("late(1.0)").lines == ["piece", "0"]
    assert kernel.run("late(0.0)").lines == ["piece", "1"]
    assert kernel.run("late(1.0)").lines == ["piece", "0"]


def test_a_shorter_interval_holds_from_the_next_print_on(start: Start) -> None:
    kernel = start()
    kernel.run("import sys, time\nsys.stdout.flush_interval = 600\nprint('slow')")

    said = kernel.run(
        "sys.stdout.flush_interval = 0.05\nprint('quick')\ntime.sleep(1)\nprint(len(sys.stdout._buffers))"
    )

    assert said.lines == ["quick", "0"]


def test_output_of_threads_comes_before_the_end_of_the_cell_in_which_they_end(start: Start) -> None:
    kernel = start()

    said = kernel.run(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    _ = list(pool.map(lambda n: print(f'{n}\\n', end='', flush=n % 3 == 0), range(2000)))"
    )

    assert sorted(map(int, said.lines)) == list(range(2000))


def test_what_is_printed_while_more_is_being_sent_comes_after_it(start: Start) -> None:
    kernel = start()
    kernel.run(INTERRUPTED_SENDING)

    said = kernel.run(
        "print('first')\nstream.pub_thread.schedule(stream._flush)\n_ = taken.wait(10)\nprint('second')"
    )

    assert said.out == "first\nsecond\n"


def test_hooks_of_a_stream_change_what_they_changed_before(start: Start) -> None:
    """A hook is one of the thread that registered it: in an ordinary kernel none of the main thread's sees a message."""
    kernel = start()
    kernel.run("import sys\nsys.stdout.register_hook(lambda message: None)")

    assert kernel.run("print('as ever')").out == "as ever\n"


def test_what_cannot_be_sent_keeps_nothing_else_from_being_sent(start: Start) -> None:
    kernel = start()

    assert kernel.run("print('half of an emoji: \\ud83d')").status == "ok"
    assert kernel.run("print('after')").out == "after\n"


def test_messages_come_in_the_order_in_which_they_were_sent(start: Start) -> None:
    kernel = start()
    kernel.run("from IPython.display import display")
    order: list[str] = []

    def heard(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            order.append(message["content"]["text"])
        elif message["msg_type"] == "display_data":
            order.append(message["content"]["data"]["text/plain"] + "\n")

    source = "for n in range(200):\n    print('text', n)\n    display(n)"
    kernel.client.execute_interactive(source, output_hook=heard, timeout=60)

    assert "".join(order) == "".join(f"text {n}\n{n}\n" for n in range(200))
