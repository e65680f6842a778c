"""Errors of fetching a picture. The class says whether a retry may help.

Raised by `addresses`, `wire`, `cleaning` and `fetch`; the messages name a host at most, never a whole URL, since URLs
may contain tokens.
"""

from __future__ import annotations

from fleet.core.errors import FleetError


class FetchError(FleetError):
    """A picture could not be fetched. `retryable` says whether the same address may work later."""

    retryable = False


class ForbiddenAddress(FetchError):
    """The address leads to where Fleet must not call: not the public internet, or not by its rules. Permanent."""

    exit_code = 2


class NotNamed(ForbiddenAddress):
    """The address is not one that the owner's settings open."""


class Unusable(FetchError):
    """The server answered, but not with a picture that can be stored. Permanent."""

    exit_code = 2


class OutOfReach(FetchError):
    """The server could not be had now. Worth a retry; `retry_after_s` is its own wish, if it has one."""

    exit_code = 5
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
