"""Every error that Fleet raises on purpose.

Lives at the bottom so that any room may raise and any door may render. The class says what to do
about it (retry or not, which exit code); the message is written for the person who reads it.
"""

from __future__ import annotations

from fleet.core.masking import mask


class FleetError(Exception):
    """Base of all errors raised on purpose; `fix` is the next step for a person, if there is one.

    Servers like to repeat the key that they refuse, so secrets are taken out of every message here; and what no
    database keeps (NUL, halves of characters), or the error could not be recorded.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        self.message = _kept(message)
        self.fix = fix if fix is None else _kept(fix)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.fix}" if self.fix else self.message


def _kept(words: str) -> str:
    # Not `text.storable`: that room's tables cost the command line a twentieth of a second.
    return mask(words.replace("\0", "").encode(errors="ignore").decode())


class InvalidInput(FleetError):
    """What was asked for cannot be: a wrong value, a word that Fleet does not have, a broken file. Never retried."""

    exit_code = 2


class NotFound(FleetError):
    """The named thing does not exist: an agent, a persona, a job, whatever a fleet may or may not have."""

    exit_code = 3


class Conflict(FleetError):
    """The thing exists but its state does not allow this move."""

    exit_code = 4


class Unavailable(FleetError):
    """A server that Fleet needs (database, broker, surface) cannot be reached now. Worth a retry."""

    exit_code = 5
