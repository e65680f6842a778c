"""Send notices to people: one job for each notice and channel. A sent notice is saved as a step and not sent again.

No agent writes here, so notices pass no surface's gateway, and the kill switch does not delay these jobs: they report
it.
"""

from __future__ import annotations

from fleet import notify
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.notices.settings import NoticesSettings
from fleet.notify import Notice


def prepare(work: Work) -> Done | Skipped:
    """Send the notice, unless its channel is gone or this is a dry run. Raises Unavailable when it was not accepted."""
    settings, told = work.deps.settings, work.claim.payload
    addresses = settings.of(NoticesSettings).notify
    channel = str(told["channel"])
    if channel not in notify.names(addresses):
        return Skipped(f"the channel {channel} is no longer in FLEET_NOTIFY")
    if settings.dry_run and channel != notify.LOG:
        return Skipped("dry run: nothing was sent")
    notice = Notice(told["subject"], told["title"], told["body"], str(work.claim.job_id)[:8])

    def send() -> bool:
        notify.deliver(addresses, channel, notice)
        return True

    work.step("sent", send)
    return Done(result={"text": notice.title})
