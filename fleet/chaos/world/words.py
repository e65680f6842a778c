"""What the generated pages say about a surface. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SurfaceWords:
    """Text of one page, which wraps paragraphs and points itself."""

    path: str
    """Of the page, from the folder of the source."""
    title: str
    parts: str
    """The servers of a world."""
    others: str
    """What else happens there: agents, people; with {agents}."""
    checked: str
    """With what the checker compares the ledger."""
    limits: tuple[str, ...]
    """Points of the section Limits; those that hold for every surface are elsewhere."""
    elsewhere: str = ""
    """Which tests cover the failures that the run does not cause; a section of its own."""
