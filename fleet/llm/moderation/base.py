"""The interface of moderators over a network. Implemented by `openai_moderation` and `model_moderation`.

Called by the review. Fails closed: no response is an error, and the caller publishes nothing until there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.core.errors import FleetError
from fleet.llm.provider import Till


class Unanswered(FleetError):
    """The moderator did not answer, after all retries. `retry_after_s` is its Retry-After, if it sent one."""

    def __init__(self, message: str, *, fix: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, fix=fix)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Judgement:
    """The categories for which a text must not be published, or needs a person's approval. Empty: it passes."""

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
