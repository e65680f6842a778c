"""When an account is checked, and when failed checks stop it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.features.adapters.configuration.rules import CHECK_S

EVERY = timedelta(seconds=CHECK_S)
AFTER_ERRORS = timedelta(seconds=20)
"""After a check that failed, or calls that failed since the last check, the account is checked this much later."""
FAILURES = 2
"""Failed checks in a row that stop an account."""


@dataclass(frozen=True, slots=True)
class CheckedAccount:
    """An account as its checks see it."""

    account_id: str
    name: str
    is_checked_now: bool
    """Whether a check of it waits or runs: one at a time, over all processes."""
    is_stopped: bool
    """Whether a person stopped it, or its system refused the credentials: there is nothing to find out."""
    checked_at: datetime | None = None
    failures: int = 0
    """Failed checks since the last good one."""
    called_in_vain_at: datetime | None = None
    """When the newest call of an agent failed, if one did lately."""
    every_s: float = CHECK_S
    """Seconds between its checks."""

    def due_at(self) -> datetime | None:
        """Return when it is checked next; None: now."""
        if self.checked_at is None:
            return None
        has_errors = self.called_in_vain_at is not None and self.called_in_vain_at > self.checked_at
        if has_errors and not self.failures:
            return self.checked_at + AFTER_ERRORS
        every = timedelta(seconds=self.every_s)
        return self.checked_at + min(every, AFTER_ERRORS * 2 ** min(self.failures - 1, 8) if self.failures else every)


def due(accounts: Sequence[CheckedAccount], now: datetime) -> list[CheckedAccount]:
    """Return the accounts to check now."""
    free = [one for one in accounts if not one.is_checked_now and not one.is_stopped]
    return [one for one in free if (at := one.due_at()) is None or at <= now]


def stops(*, is_ok: bool, failures_before: int) -> bool:
    """Return whether a check stops its account."""
    return not is_ok and failures_before + 1 >= FAILURES
