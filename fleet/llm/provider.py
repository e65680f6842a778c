"""Protocols of a writer of words: the provider, the budget that pays for its calls, the memory that feeds it.

Providers take frozen values (`base`, `scan_request`) and a random generator, and know neither tables nor surfaces.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from typing import Any, Protocol, Self

from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords, Usage
from fleet.llm.scan_request import ScanAnswer, ScanRequest


class Remember(Protocol):
    """What an agent knows of its own past, handed to its writer as `memories`. May hold words of strangers."""

    def recall(self, agent_id: uuid.UUID, about: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
        """Return at most `limit` short memories, those nearest to `about` (names, topics; may be empty) first."""
        ...


class Provider(Protocol):
    """A writer of words. Raises `fleet.llm.errors.ModelError`.

    `within_s` is how long the caller can wait, and shorter than its lease; without it the provider's own limit holds.
    The same request and dice in the same state give the same words where the provider is deterministic.
    """

    name: str

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]: ...

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]: ...

    def digest(
        self, request: ScanRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ScanAnswer, Usage]: ...

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest) -> int:
        """Return the most that these words can cost, in microusd, for a budget to be asked beforehand."""
        ...


class Till(Protocol):
    """Who pays for the calls of one errand: asked before each, told after it."""

    def reserve(self, provider: str, microusd: int) -> Any:
        """Set aside the most that a call can cost, and return what `settle` wants to see again.

        Raises `fleet.llm.errors.NotPaidFor` when this provider must not be asked; anything else ends the errand.
        """
        ...

    def settle(self, reserved: Any, calls: Iterable[Usage]) -> None:
        """Say what the call took, failed or not. Must not raise: the words are there and paid for."""
        ...


class Words(Provider, Protocol):
    """What a fleet writes with. Never raises on behalf of a model: its last resort is a writer that cannot fail."""

    def paid_by(self, till: Till) -> Self:
        """Return the same writer, whose calls to models are paid by `till`."""
        ...
