"""Errors of calls to models, the same for all vendors.

Raised by the providers' files, which translate their vendor's errors, and by `fleet.llm.writer` for unusable responses;
caught by `fleet.llm.chain`. Each has the usage of the call, since failed calls are billed too.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from fleet.core import logs, text
from fleet.core.errors import FleetError
from fleet.llm.base import CallOutcome, Usage

LONGEST_CHARS = 500
"""The length to which messages are cut: servers respond with whole pages."""


class NotPaidFor(FleetError):
    """No budget pays for a call to this provider now. Another one may be called. `until` is when to retry."""

    def __init__(self, message: str, until: datetime, *, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.until = until


class ModelError(FleetError):
    """A model was called and gave no usable text. `usage` is the call, unbilled unless it has tokens.

    `unmetered`: the request was sent and no usable response reports its usage, so it may have been billed.
    """

    outcome: ClassVar[CallOutcome] = CallOutcome.REJECTED
    retriable: ClassVar[bool] = False
    """Whether the same request may be sent to the same provider again."""
    unwell: ClassVar[bool] = False
    """Whether it counts against the provider's health; bad responses to one prompt do not."""

    def __init__(self, message: str, usage: Usage, *, fix: str | None = None) -> None:
        # Servers like to repeat the key they refuse. It is taken out while it is whole: half a key is not recognised.
        super().__init__(text.without_keys(logs.mask(message))[:LONGEST_CHARS], fix=fix)
        self.usage = usage.but(outcome=self.outcome)
        self.unmetered = False


class Transient(ModelError):
    """No response for a temporary reason: timeout, cut connection, 5xx. `retry_after_s` is the server's Retry-After."""

    outcome = CallOutcome.TRANSIENT
    retriable = True
    unwell = True

    def __init__(
        self, message: str, usage: Usage, *, retry_after_s: float | None = None, unmetered: bool = False
    ) -> None:
        super().__init__(message, usage)
        self.retry_after_s = retry_after_s
        self.unmetered = unmetered


class Overloaded(Transient):
    """The provider is overloaded, or our rate limit is reached."""

    outcome = CallOutcome.OVERLOADED


class AuthFailed(ModelError):
    """The key is missing, wrong, without rights or without money. No call works until a person fixes it."""

    outcome = CallOutcome.AUTH
    unwell = True


class Rejected(ModelError):
    """The server rejects the request: unknown model, unknown option, wrong address."""

    outcome = CallOutcome.REJECTED
    unwell = True


class RefusedByModel(ModelError):
    """The model, or its guard, refused the request. It is not called again."""

    outcome = CallOutcome.REFUSED


class TooLong(ModelError):
    """The prompt was too long, or the response did not end within the allowed tokens."""

    outcome = CallOutcome.TOO_LONG


class Malformed(ModelError):
    """The response does not have the requested shape, even after a correction."""

    outcome = CallOutcome.MALFORMED


class Unfit(ModelError):
    """The response has the right shape and must not be shown: it copies other users, gives orders or reveals the
    prompt.
    """

    outcome = CallOutcome.UNFIT


def unwell_outcomes() -> list[str]:
    """Return the outcomes of calls that count against a provider's health."""
    found, kinds = set[str](), [ModelError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        found |= {str(kind.outcome)} if kind.unwell else set()
    return sorted(found)
