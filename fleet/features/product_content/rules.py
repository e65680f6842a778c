"""What texts of a product lack, how long they may be, and which products are written next. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_TITLE, MOST_DESCRIPTION, MOST_ALT = 120, 2_000, 250
"""Where stores allow more: longer texts are read by nobody."""
_TAG = re.compile(r"<[^>]*>")


class ContentMode(StrEnum):
    """The switch: nothing, what people ask for, or also gaps that are found after a sync."""

    OFF = "off"
    ASK = "ask"
    PROPOSE = "propose"


@dataclass(frozen=True, slots=True)
class TextLimits:
    """How long texts may be, in characters, and whether the description is HTML: the strictest of several stores."""

    title: int = MOST_TITLE
    description: int = MOST_DESCRIPTION
    alt: int = MOST_ALT
    has_html: bool = False

    def within(self, other: TextLimits) -> TextLimits:
        """Return limits that both allow. HTML only where both take it."""
        return TextLimits(min(self.title, other.title), min(self.description, other.description),
                          min(self.alt, other.alt), self.has_html and other.has_html)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProductTexts:
    """The texts of a product: its title, description, and an alternative text for each picture."""

    title: str
    description: str
    alt_texts: tuple[str, ...] = ()


def gaps(texts: ProductTexts, limits: TextLimits, *, shortest: int) -> tuple[str, ...]:
    """Return what the texts of a product lack, in words."""
    found = []
    if len(texts.title) > limits.title:
        found.append(f"the title has {len(texts.title)} characters; {limits.title} is the most")
    length = len(plain(texts.description))
    if length < shortest:
        found.append("no description" if not length else f"the description has only {length} characters")
    if len(texts.description) > limits.description:
        found.append(f"the description has {len(texts.description)} characters; {limits.description} is the most")
    missing = sum(not one.strip() for one in texts.alt_texts)
    if missing:
        found.append(f"{missing} of {len(texts.alt_texts)} pictures have no alternative text")
    return tuple(found)


def choose(waiting: Iterable[str], *, mode: ContentMode, written_today: int, a_day: int) -> Sequence[str]:
    """Return which of the products with gaps are written now, in their order: none above the bound of the day."""
    if mode is not ContentMode.PROPOSE:
        return []
    return list(waiting)[: max(0, a_day - written_today)]


def plain(description: str) -> str:
    """Return a description without tags."""
    return html.unescape(_TAG.sub(" ", description)).strip()


def formatted(description: str, limits: TextLimits) -> str:
    """Return a description in plain text as stores take it: as paragraphs of HTML, where they do."""
    if not limits.has_html:
        return description
    return "".join(f"<p>{html.escape(one, quote=False)}</p>" for one in description.split("\n") if one.strip())
