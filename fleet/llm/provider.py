"""Protocols of language models: the provider, the budget that pays for its calls, the memory that feeds it.

Providers take frozen values (`base`, `scan_request`) and a random generator, and know neither tables nor surfaces.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from typing import Any, Protocol, Self

from fleet.llm.base import (
    BriefRequest,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    Usage,
)
from fleet.llm.scan_request import ScanAnswer, ScanRequest


class Remember(Protocol):
    """An agent's memory, passed to its provider as `memories`. May contain text of other users."""

    def recall(self, agent_id: uuid.UUID, about: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
        """Return at most `limit` short memories, those nearest to `about` (names, topics; may be empty) first."""
        ...


class Provider(Protocol):
    """A writer of texts. Raises `fleet.llm.errors.ModelError`.

    `within_s` is how long the caller can wait, and shorter than its lease; without it the provider's own limit applies.
    A deterministic provider gives the same text for the same request, random numbers and state.
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

    def plan_campaign(
        self, request: BriefRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CampaignPlan, Usage]: ...

    def describe(
        self, request: ProductRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ProductWords, Usage]: ...

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> int:
        """Return the maximum cost of a text, in microusd, for a check of the budget beforehand."""
        ...


class Till(Protocol):
    """Pays for the calls of one text: called before and after each."""

    def reserve(self, provider: str, microusd: int) -> Any:
        """Reserve the maximum cost of a call, and return the value for `settle`.

        Raises `fleet.llm.errors.NotPaidFor` when this provider must not be called; any other error ends the task.
        """
        ...

    def settle(self, reserved: Any, calls: Iterable[Usage]) -> None:
        """Record the usage of the call, failed or not. Must not raise: the text is there and paid for."""
        ...


class Words(Provider, Protocol):
    """What a fleet writes with. Never raises on behalf of a model: its last resort is a writer that cannot fail."""

    def paid_by(self, till: Till) -> Self:
        """Return the same writer, whose calls are paid by `till`."""
        ...
