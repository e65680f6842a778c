"""Jobs that come from an approved draft: whether it may still be published."""

from __future__ import annotations

import uuid

from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.states import DraftStatus


def why_not(work: Work) -> Skipped | None:
    """Return why the job's draft must not be published any more.

    A write that may have been sent is not checked: it is probed.
    """
    if "draft" not in work.claim.payload or work.claim.state is JobState.UNKNOWN:
        return None
    with work.deps.db.transaction() as tx:
        row = tx.session.get(DraftRow, uuid.UUID(work.claim.payload["draft"]))
        now = tx.now()
    if row is None or row.status != DraftStatus.APPROVED:
        return Skipped(f"the draft is {row.status if row else 'gone'}")
    if row.expires_at <= now:
        return Skipped(f"the draft went stale: it was worth publishing until {row.expires_at:%Y-%m-%d %H:%M} UTC")
    return None
