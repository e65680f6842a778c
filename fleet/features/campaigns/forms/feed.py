"""Titles in an RSS or Atom feed. Pure; the feed is a stranger's: nothing in it is expanded, followed or obeyed."""

from __future__ import annotations

from xml.etree import ElementTree

from fleet.core import text
from fleet.core.errors import InvalidInput

MOST_TITLES = 5
_LONGEST_TITLE_CHARS = 300


def titles(data: bytes, *, most: int = MOST_TITLES) -> list[str]:
    """Return the newest titles of a feed, cleaned. Raises InvalidInput for what is no feed."""
    if b"<!DOCTYPE" in data.upper() or b"\0" in data:  # UTF-16 would hide one
        raise InvalidInput("The feed has a document type, or is not written in UTF-8.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - see above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InvalidInput(f"The feed is no XML: {error}") from error
    entries = [one for one in root.iter() if _name(one.tag) in ("item", "entry")]
    found = [
        text.clean("".join(part.itertext()))[:_LONGEST_TITLE_CHARS]
        for one in entries for part in one if _name(part.tag) == "title"
    ]  # fmt: skip
    return [one for one in dict.fromkeys(found) if one][:most]


def _name(tag: object) -> str:
    return str(tag).rpartition("}")[2].lower()
