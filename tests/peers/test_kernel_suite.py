"""The public suite for Jupyter kernels, jupyter_kernel_test, against a warm kernel."""

from __future__ import annotations

from collections.abc import Iterator

import jupyter_kernel_test
import pytest

from tests.kernel.kernels import Servers

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", autouse=True)
def _client_of_the_servers(servers: Servers) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.variables.items():
            patch.setenv(name, value)
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)
        yield


class TestWarmKernel(jupyter_kernel_test.KernelTests):  # type: ignore[misc]
    kernel_name = "nbdataops"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys\nprint('test', file=sys.stderr)"
    completion_samples = ({"text": "zi", "matches": {"zip"}}, {"text": "import panda", "matches": {"pandas"}})
    complete_code_samples = ("1", "print('hello')", "def f(x):\n    return x\n\n\n")
    incomplete_code_samples = ("print('hello", "def f(x):\n    x")
    invalid_code_samples = ("import = 7q",)
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('x')"
    code_execute_result = ({"code": "1 + 2", "result": "3"}, {"code": "'a'", "result": "'a'"})
    code_display_data = (
        {"code": "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "display({'application/json': {}}, raw=True)", "mime": "application/json"},
    )
    code_history_pattern = "1?2*"
    # Not "search": that reads the database on the disk, which kernels that run at once must not share. The kernelspec
    # keeps history in memory, and an ordinary kernel with the same argument finds nothing either.
    supported_history_operations = ("tail",)
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output\nclear_output()"

    def test_it_is_a_forked_kernel(self) -> None:
        assert self.km.provisioner.cold_reason is None
