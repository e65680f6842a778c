"""Job handler: hand a run of events, in order, to one subscriber in code. `subscribers` does the work."""

from __future__ import annotations

from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Retry, Skipped
from fleet.features.webhooks.subscribers import in_code as subscribers


def prepare(work: Work) -> Done | Retry | Skipped:
    """Hand on what waits, until there is nothing more, an event fails, or half of the lease is over."""
    subscriber = subscribers.installed(str(work.claim.target))
    if subscriber is None:
        return Skipped("no subscriber of this name is installed here any more")
    return subscribers.hand_on(work, subscriber)
