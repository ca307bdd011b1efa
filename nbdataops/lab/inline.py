"""Shows the panel in the output cell that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbdataops.report.panel_data import panel_data
from nbdataops.report.panel_html import panel_html, panel_text
from nbdataops.session.assignment import Assignment
from nbdataops.session.deposit import Deposit


def show_panel(data: Mapping[str, Any]) -> None:
    """Displays the panel of `report.panel_data`; as static HTML where widgets cannot live (no comm, no anywidget)."""
    from IPython import display

    show: Any = display.display  # IPython has no types for it
    show(_widget(data) or StaticPanel(data))


def show(assignment: Assignment, deposit: Deposit) -> None:
    """Judge the estimate at hand and display how it stands: what `stage.validate()` does in an open notebook."""
    from nbdataops.validate.at_hand import study_at_hand

    study = study_at_hand(assignment, deposit.folder)
    show_panel(panel_data(study.to_dict(), assignment.stage))


class StaticPanel:
    """The panel without a widget."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def __repr__(self) -> str:
        return panel_text(self._data)

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, str]:
        return {"text/html": panel_html(self._data), "text/plain": panel_text(self._data)}


def _widget(data: Mapping[str, Any]) -> Any:
    if not _has_kernel():
        return None
    try:
        from nbdataops.lab.panel import ValidationPanel

        return ValidationPanel(data)
    except Exception:  # a panel must never fail the notebook whose work is done
        return None


def _has_kernel() -> bool:
    """True in a Jupyter kernel; a terminal's IPython and plain Python have no comm."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
