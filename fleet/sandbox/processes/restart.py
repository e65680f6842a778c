"""Decide when to restart a process that died, and when to give up. Pure.

Called by the supervisor for Fleet's processes and by `services` for the embedded servers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Delays double with each death that comes sooner than `quick_s` after the start."""

    first_delay_s: float = 0.5
    longest_delay_s: float = 30.0
    quick_s: float = 10.0
    quick_deaths: int = 5

    def __post_init__(self) -> None:
        if not (0 < self.first_delay_s <= self.longest_delay_s and self.quick_s >= 0 and self.quick_deaths >= 1):
            raise ValueError(f"not a restart policy: {self}")


@dataclass(frozen=True, slots=True)
class Record:
    """How often a process died, and how often in a row soon after its start."""

    deaths: int = 0
    quick_in_a_row: int = 0

    def after_death(self, lived_s: float, policy: RestartPolicy) -> Record:
        """Return the record with one more death in it."""
        quick = self.quick_in_a_row + 1 if lived_s < policy.quick_s else 0
        return Record(self.deaths + 1, quick)

    def delay_s(self, policy: RestartPolicy) -> float | None:
        """Return how long to wait before the next start; None means to give up."""
        if self.quick_in_a_row >= policy.quick_deaths:
            return None
        doublings = min(max(self.quick_in_a_row - 1, 0), 60)
        return float(min(policy.first_delay_s * 2**doublings, policy.longest_delay_s))
