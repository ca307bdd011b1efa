"""The papermill engine's entry point.

papermill imports every engine on its own import, so this module imports nothing: the engine itself is loaded
when a notebook is executed with it.
"""

from __future__ import annotations

from typing import Any


class Engine:
    """`papermill --engine nbdataops`: papermill's own execution with bounded, atomic saves."""

    @classmethod
    def _engine(cls) -> Any:
        from nbdataops.build.engine import BoundedEngine

        return BoundedEngine

    @classmethod
    def execute_notebook(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._engine().execute_notebook(*args, **kwargs)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> Any:
        return cls._engine().nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> Any:
        return cls._engine().nb_language(nb, language)
