"""Forms of the same content: white space, HTML, Unicode and case. Pure."""

from __future__ import annotations

import html
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_ADDRESSES = ("href", "src")
_INLINE = frozenset(("a", "abbr", "b", "code", "em", "font", "i", "mark", "s", "small", "span", "strong", "sub", "sup",
                     "u"))  # fmt: skip


def same_content(field: str, one: Any, other: Any) -> bool:
    """Return whether two values of a field, as JSON, are the same content for the people who read it."""
    if field == "images":
        return _images(one) == _images(other)
    if isinstance(one, str) and isinstance(other, str):
        form = html_text if field == "description" else plain_text
        return one == other or form(one) == form(other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _pairs(one) == _pairs(other)
    if isinstance(one, list) and isinstance(other, list):
        return Counter(plain_text(str(each)) for each in one) == Counter(plain_text(str(each)) for each in other)
    return bool(one == other)


def plain_text(text: str) -> str:
    """Return a text without differences of form: entities, Unicode, white space, case."""
    found = unicodedata.normalize("NFKC", html.unescape(text)).translate(_INVISIBLE)
    return " ".join(found.split()).casefold()


def html_text(text: str) -> str:
    """Return the words of an HTML text, and the addresses of its links and pictures: what tags mark does not count."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return plain_text("".join(reader.found))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE:
            self.found.append(" ")
        self.found += [f" {value.strip()} " for name, value in attrs if name in _ADDRESSES and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _INLINE:
            self.found.append(" ")

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _pairs(one: Mapping[str, Any]) -> dict[str, str]:
    return {plain_text(str(name)): plain_text(str(value)) for name, value in one.items()}


def _images(value: Sequence[Mapping[str, str]] | None) -> tuple[str, Counter[str]]:
    """Return the first image, which shops show in lists, and all of them without their order."""
    keys = [one.get("digest") or _address(one.get("url", "")) for one in value or ()]
    return keys[0] if keys else "", Counter(keys)


def _address(url: str) -> str:
    """Return an address without what changes with each answer: its query, and the case of its host."""
    parts = urlsplit(url) if "://" in url else None
    return url if parts is None else f"{parts.netloc.lower()}{parts.path}"
