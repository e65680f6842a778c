"""What a moderator at a vendor is asked and answers. Implemented by `openai_moderation`, called by the runtime.

Fails closed: no answer is an error, and whoever asked publishes nothing until there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fleet.core.errors import FleetError


class Unanswered(FleetError):
    """The moderator could not be asked, however often it was tried. `retry_after_s` is its wish, if it has one."""

    def __init__(self, message: str, *, fix: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


class RemoteModerator(Protocol):
    """Puts texts into categories of what must not be published; an empty set lets a text pass.

    Raises Unanswered within about `within_s`, whatever the server does.
    """

    name: str

    def categories(self, texts: Sequence[str], *, within_s: float) -> list[frozenset[str]]:
        """Return the categories of each text, in order."""
        ...
