"""The circuit breaker of one provider: closed while it works, open after failures, half open to test it.

Called by `fleet.llm.chain`, which holds a lock around it. Pure: a frozen state, transitions that return the next one,
and the time as an argument in seconds on a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """The state of the breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """The limits of a breaker. Each opening in a row lasts twice as long as the last, up to `longest_open_s`."""

    failures: int = 5
    open_s: float = 30.0
    longest_open_s: float = 600.0
    probe_s: float = 120.0
    """After this time another probe is allowed: the process of the first may be gone."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker in its initial state is closed, without failures."""

    rule: BreakerRule = BreakerRule()
    state: State = State.CLOSED
    failures: int = 0
    openings: int = 0
    until_s: float = 0.0

    def admit(self, now_s: float) -> tuple[bool, Breaker]:
        """Return whether a call may be made, and the state after it began.

        While the breaker is half open, one caller is admitted until its outcome is known.
        """
        if self.state is State.CLOSED:
            return True, self
        if now_s < self.until_s:
            return False, self
        return True, replace(self, state=State.HALF_OPEN, until_s=now_s + self.rule.probe_s)

    def succeeded(self) -> Breaker:
        """Return the state after a successful call, whenever that call began."""
        return Breaker(self.rule)

    def failed(self, now_s: float, *, at_once: bool = False, retry_after_s: float = 0.0) -> Breaker:
        """Return the state after a failed call; `at_once` is for failures that waiting does not fix."""
        failures = self.failures + 1
        if self.state is State.OPEN:  # a call from before it opened
            return replace(self, failures=failures)
        if self.state is State.CLOSED and failures < self.rule.failures and not at_once:
            return replace(self, failures=failures)
        pause_s = self.rule.longest_open_s if at_once else self.rule.open_s * 2 ** min(self.openings, 20)
        pause_s = min(max(pause_s, retry_after_s), self.rule.longest_open_s)
        return replace(
            self, state=State.OPEN, failures=failures, openings=self.openings + 1, until_s=now_s + pause_s
        )  # fmt: skip

    def released(self) -> Breaker:
        """Return the state after a probe without a result: the next caller may probe at once."""
        return replace(self, until_s=0.0) if self.state is State.HALF_OPEN else self
