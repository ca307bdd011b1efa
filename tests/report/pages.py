"""Reads pages the way a browser would, to see what in them could run or load."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Every element with its attributes, and the text; `style` keeps the style sheets apart."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.style = ""
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data
        else:
            self.text += data

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def values(self, attribute: str) -> list[str]:
        return [a[attribute] for _, a in self.elements if attribute in a]

    def live(self) -> list[str]:
        """Whatever could run code or load something: empty for a page that is inert and offline."""
        found = sorted(
            self.tags()
            & {"script", "iframe", "object", "embed", "link", "base", "form", "foreignobject", "animate"}
        )
        for tag, attributes in self.elements:
            for name, value in attributes.items():
                plain = re.sub(r"[\s\x00-\x1f]", "", value).lower()
                if (
                    name.startswith("on")
                    or ("javascript:" in plain and name in ("href", "src", "action", "xlink:href"))
                    or (
                        name in ("src", "srcset", "data", "poster", "background", "xlink:href")
                        and not plain.startswith("data:image/")
                    )
                ):
                    found.append(f"{tag} {name}={value}")
                elif name == "style" and "url(" in plain:
                    found.append(f"{tag} style={value}")
        if "url(" in self.style or "@import" in self.style:
            found.append("style sheet loads something")
        return found
