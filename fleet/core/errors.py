"""Every error that Fleet raises on purpose.

In `core`, so that every package may raise one and every entry point may render it. The class says how to react (retry
or not, which exit code); the message is for the person who reads it.
"""

from __future__ import annotations

from fleet.core.masking import mask


class FleetError(Exception):
    """Base of all errors raised on purpose; `fix` is the next step for a person, if there is one.

    `plain` is the message as a page shows it, where the message quotes a library or another server.

    Servers often repeat the key that they refuse, so secrets are removed from every message here; so are NUL and lone
    surrogates, with which the error could not be stored.
    """

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None, plain: str = "") -> None:
        self.message = _kept(message)
        self.plain = plain or self.message
        self.fix = fix if fix is None else _kept(fix)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.fix}" if self.fix else self.message


def _kept(words: str) -> str:
    # Not `text.storable`: that room's tables cost the command line a twentieth of a second.
    return mask(words.replace("\0", "").encode(errors="ignore").decode())


class InvalidInput(FleetError):
    """An invalid request: a wrong value, an unknown name, a broken file. Never retried."""

    exit_code = 2


class NotFound(FleetError):
    """The named object does not exist: an agent, a persona, a job and so on."""

    exit_code = 3


class Conflict(FleetError):
    """The object exists but its state does not allow this change."""

    exit_code = 4


class Unavailable(FleetError):
    """A server that Fleet needs (database, broker, surface) cannot be reached now. Worth a retry."""

    exit_code = 5
