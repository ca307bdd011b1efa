"""Executed notebooks as pages that need no network, run no script, and show widgets by their static version.

What a cell printed comes from data, so only what `clean` lets through reaches the page: text, tables, lists, images
that carry their own bytes. A content security policy says the same to the browser.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import as_file, files
from typing import Any, Final

from nbdataops.report.about_run import safe_href
from nbdataops.report.panel_data import panel_data
from nbdataops.report.panel_html import panel_html, panel_text

Notebook = Mapping[str, Any]

_TAGS: Final = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ]
)
_PLAIN_ATTRIBUTES: Final = frozenset(
    ["class", "id", "title", "colspan", "rowspan", "scope", "open", "alt", "width", "height", "style"]
)
_STYLES: Final = (
    "background-color", "border", "border-color", "border-radius", "border-bottom", "border-left", "color", "display",
    "font-size", "font-style", "font-weight", "height", "line-height", "margin", "max-width", "padding", "text-align",
    "vertical-align", "white-space", "width",
)  # fmt: skip
_IMAGE: Final = re.compile(r"^data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*$")
_LINK: Final = re.compile(r"^(https?://|mailto:|#)", re.IGNORECASE)
_SHOWN: Final = (
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/latex",
    "text/plain",
)
"""Output types that a page shows, best first; scripts, widgets and everything unknown are left out."""


def fill_validate(notebook: Notebook, study: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """The notebook with the place that `stage.validate()` marked filled by the panel of `stage`. Changes nothing else."""
    filled: dict[str, Any] = copy.deepcopy(dict(notebook))
    data = panel_data(study, stage)
    for cell in filled.get("cells", []):
        outputs = cell.get("outputs") or []
        for k, output in enumerate(outputs):
            if _is_placeholder(output):
                outputs[k] = {
                    "output_type": "display_data",
                    "metadata": {
                        **output["metadata"],
                        "nbdataops": {**output["metadata"]["nbdataops"], "filled": True},
                    },
                    "data": {"text/html": panel_html(data), "text/plain": panel_text(data)},
                }
    return filled


def _is_placeholder(output: Mapping[str, Any]) -> bool:
    ours = (output.get("metadata") or {}).get("nbdataops")
    return isinstance(ours, Mapping) and bool(ours.get("validate"))


def notebook_html(notebook: Notebook, *, title: str, subtitle: str = "", back: str = "") -> str:
    """One page. `notebook` is notebook JSON of format 4; `back` links to the report, relative to the page."""
    from nbformat import notebooknode

    as_node: Any = notebooknode.from_dict  # nbformat has no types for it
    resources = {
        "nbdataops_title": title,
        "nbdataops_subtitle": subtitle,
        "nbdataops_back": safe_href(back),
        "nbdataops_css": (files("nbdataops.report") / "templates" / "notebook.css").read_text(
            encoding="utf-8"
        ),
    }
    page, _ = _exporter().from_notebook_node(as_node(_only_what_is_shown(notebook)), resources)
    return str(page)


@cache
def _exporter() -> Any:
    """One exporter for all notebooks of a process: making its templates ready takes half a second."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = list(_SHOWN)
    exporter_of: Any = HTMLExporter  # nbconvert has no types for it
    with as_file(files("nbdataops.report") / "templates" / "notebook.html.j2") as template:
        exporter = exporter_of(
            config=config,
            template_file=str(template),
            sanitize_html=True,
            filters={"highlight_code": lambda source, **_: _coloured(source)},
        )
        exporter.register_filter("clean_html", clean)
        _ = exporter.template  # loads the file while it is there
    return exporter


@lru_cache(maxsize=2048)  # as in `_cleaned`
def _coloured(source: str) -> str:
    from nbconvert.filters import Highlight2HTML

    highlight: Any = Highlight2HTML(pygments_lexer="ipython3")
    return str(highlight(source))


def _only_what_is_shown(notebook: Notebook) -> dict[str, Any]:
    """A new notebook of the same cells: no raw cells, no metadata, no widget state, only outputs that can be shown."""
    cells: list[dict[str, Any]] = []
    for n, cell in enumerate(notebook.get("cells", [])):
        shown: dict[str, Any] = {"id": f"cell-{n}", "metadata": {}, "source": _text(cell.get("source"))}
        if cell.get("cell_type") == "markdown":
            cells.append({**shown, "cell_type": "markdown", "attachments": _attachments(cell)})
        elif cell.get("cell_type") == "code":
            outputs = [made for o in cell.get("outputs") or [] if (made := _output(o)) is not None]
            count = cell.get("execution_count")
            cells.append({**shown, "cell_type": "code", "outputs": outputs, "execution_count": count if isinstance(count, int) else None})  # fmt: skip
    language = {"name": "python", "pygments_lexer": "ipython3"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": language}, "cells": cells}


def _text(source: object) -> str:
    return "".join(str(line) for line in source) if isinstance(source, list) else str(source or "")


def _attachments(cell: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, bundle in (cell.get("attachments") or {}).items():
        kept[str(name)] = {k: _text(v) for k, v in bundle.items() if k in ("image/png", "image/jpeg")}
    return kept


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": _text(output.get("text"))}
    if kind == "error":
        return {"output_type": "error", "ename": str(output.get("ename")), "evalue": str(output.get("evalue")),
                "traceback": [str(t) for t in output.get("traceback") or []]}  # fmt: skip
    data = {k: _text(v) for k, v in (output.get("data") or {}).items() if k in _SHOWN}
    return {"output_type": "display_data", "metadata": {}, "data": data} if data else None


def clean(markup: object) -> str:
    """HTML of a cell without anything that could run, load or cover the page.

    >>> clean('<p onclick="x()">a<script>alert(1)</script><img src="https://host/x.png" alt="plot"></p>')
    '<p>a<img alt="plot"></p>'
    """
    return _cleaned(markup.decode(errors="replace") if isinstance(markup, bytes) else str(markup))


@lru_cache(maxsize=2048)  # a notebook is exported once an origin, and most of its cells are the same there
def _cleaned(text: str) -> str:
    import bleach
    from bleach.css_sanitizer import CSSSanitizer
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, "html.parser")
    for dead in soup(
        [
            "script",
            "style",
            "template",
            "iframe",
            "object",
            "embed",
            "noscript",
            "title",
            "textarea",
            "math",
            "svg",
        ]
    ):
        dead.decompose()
    return str(bleach.clean(
        str(soup), tags=_TAGS, attributes=_may_stay, protocols=("http", "https", "mailto", "data"), strip=True,
        css_sanitizer=CSSSanitizer(allowed_css_properties=_STYLES),
    ))  # fmt: skip


def _may_stay(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and bool(_IMAGE.match(value))
    if name == "href":
        return tag == "a" and bool(_LINK.match(value))
    return name in _PLAIN_ATTRIBUTES
