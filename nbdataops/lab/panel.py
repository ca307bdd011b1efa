"""The validation panel in a notebook's output: an anywidget with one hand-written script, aggregates only.

It records nothing: what it shows is the study's, what a reader chooses is only a view. So it is as true in a saved or
disconnected notebook as it was live.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets

from nbdataops.report.panel_html import panel_html, panel_text

_STATIC: Final = Path(__file__).parent / "static"


class ValidationPanel(anywidget.AnyWidget):
    """How one method stands against the others. `data` is what `report.panel_data` gives; `selected` is the method
    that a reader compares with, kept in step with the page.

    An untrusted or exported notebook shows `text/html`, a terminal `text/plain`: both go beside the widget.
    """

    _esm = _STATIC / "panel.js"
    _css = _STATIC / "panel.css"

    data = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(self, data: Mapping[str, Any], **more: Any) -> None:
        super().__init__(data=dict(data), selected=more.pop("selected", "") or first_choice(data), **more)

    @traitlets.validate("selected")
    def _known(self, proposal: Mapping[str, Any]) -> str:
        """A page may send anything: what is no other method is not taken."""
        names = {o["name"] for o in self.data.get("others", ())}
        return str(proposal["value"]) if proposal["value"] in names else first_choice(self.data)

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        bundle = super()._repr_mimebundle_(**asked)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        beside = {"text/html": panel_html(self.data), "text/plain": panel_text(self.data)}
        return {**(data or {}), **beside}, metadata


def first_choice(data: Mapping[str, Any]) -> str:
    """The method to compare with at first: one of another family, since only that is independent."""
    others = sorted(data.get("others", ()), key=lambda o: bool(o["same_family"]))
    return str(others[0]["name"]) if others else ""
