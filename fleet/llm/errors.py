"""What goes wrong when a model is asked: the whole family, whoever the vendor is.

Raised by the providers' files, which translate their vendor's errors at the wall, and by `fleet.llm.writer` for answers
that cannot be used; caught by `fleet.llm.chain`. Each carries what the call took, since failed calls are billed too.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from fleet.core import logs, text
from fleet.core.errors import FleetError
from fleet.llm.base import CallOutcome, Usage

LONGEST_CHARS = 500
"""Of what a message tells: servers answer with whole pages."""


class NotPaidFor(FleetError):
    """Nobody pays for a call to this provider now. Another one may be asked. `until` is when to ask again."""

    def __init__(self, message: str, until: datetime, *, fix: str | None = None) -> None:
        super().__init__(message, fix=fix)
        self.until = until


class ModelError(FleetError):
    """A model was asked and gave nothing to publish. `usage` is the call, unbilled unless it says tokens.

    `unmetered` says that the question went out and no usable answer tells what it took: it may have been billed.
    """

    outcome: ClassVar[CallOutcome] = CallOutcome.REJECTED
    retriable: ClassVar[bool] = False
    """Whether the same question may be put to the same provider again."""
    unwell: ClassVar[bool] = False
    """Whether it speaks against the provider's health; bad answers to one question do not."""

    def __init__(self, message: str, usage: Usage, *, fix: str | None = None) -> None:
        # Servers like to repeat the key they refuse. It is taken out while it is whole: half a key is not recognised.
        super().__init__(text.without_keys(logs.mask(message))[:LONGEST_CHARS], fix=fix)
        self.usage = usage.but(outcome=self.outcome)
        self.unmetered = False


class Transient(ModelError):
    """No answer for a reason that passes: timeout, cut connection, 5xx. `retry_after_s` is the server's wish."""

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
    """The provider has too much to do, or has had too much of us."""

    outcome = CallOutcome.OVERLOADED


class AuthFailed(ModelError):
    """The key is missing, wrong, without rights or without money. Nothing will work until a person mends it."""

    outcome = CallOutcome.AUTH
    unwell = True


class Rejected(ModelError):
    """The server will not take the question as it is: unknown model, unknown option, somewhere else."""

    outcome = CallOutcome.REJECTED
    unwell = True


class RefusedByModel(ModelError):
    """The model, or its guard, would not answer this. It is not asked again."""

    outcome = CallOutcome.REFUSED


class TooLong(ModelError):
    """The question did not fit, or the answer did not come to its end within the tokens allowed."""

    outcome = CallOutcome.TOO_LONG


class Malformed(ModelError):
    """The answer does not have the shape that was asked for, even after it was told so."""

    outcome = CallOutcome.MALFORMED


class Unfit(ModelError):
    """The answer has the right shape and must not be shown: it parrots strangers, gives orders or tells the prompt."""

    outcome = CallOutcome.UNFIT
