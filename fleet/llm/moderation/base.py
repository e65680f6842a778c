"""The interface of moderators that are asked over a network. Implemented by `openai_moderation` and `model_moderation`.

Called by the runtime. Fails closed: no answer is an error, and the caller publishes nothing until there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.core.errors import FleetError
from fleet.llm.provider import Till


class Unanswered(FleetError):
    """The moderator could not be asked, however often it was tried. `retry_after_s` is its wish, if it has one."""

    def __init__(self, message: str, *, fix: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why a text must not be published, and why a person has to approve it first, by category. Empty: it passes."""

    refused: frozenset[str] = frozenset()
    doubtful: frozenset[str] = frozenset()


class RemoteModerator(Protocol):
    """Judges texts. Raises Unanswered within about `within_s`, whatever the server does."""

    name: str

    def judge(self, texts: Sequence[str], *, till: Till, within_s: float) -> list[Judgement]:
        """Return the judgement of each text, in order. `till` pays for calls that cost money.

        Raises NotPaidFor when it does not.
        """
        ...
