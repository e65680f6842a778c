"""Refusals of access: wrong logins, too many of them, and giving more than one has. Pure."""

from __future__ import annotations

from datetime import datetime

from fleet.core.errors import FleetError


class LoginRefused(FleetError):
    """Wrong name or password; the message does not reveal which."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("Name or password are wrong.")


class TooManyTries(FleetError):
    """Too many logins have failed: the next must wait until `retry_at`."""

    def __init__(self, retry_at: datetime) -> None:
        super().__init__("Too many failed logins.", fix=f"Try again after {retry_at:%H:%M:%S} UTC.")
        self.retry_at = retry_at


class NotPermitted(FleetError):
    """A user tries to grant more than they have."""
