"""A stretch of events handed to one subscriber in code, in order. The work itself is in `fleet.runtime.bus`."""

from __future__ import annotations

from fleet.jobs.outcomes import Done, Retry, Skipped
from fleet.runtime import bus
from fleet.runtime.work import Work


def prepare(work: Work) -> Done | Retry | Skipped:
    """Hand on what waits, until there is nothing more, an event fails, or half of the lease is over."""
    subscriber = bus.installed(str(work.claim.target))
    if subscriber is None:
        return Skipped("no subscriber of this name is installed here any more")
    return bus.hand_on(work, subscriber)
