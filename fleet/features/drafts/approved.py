"""Jobs that come from an approved draft: whether it still holds, and its words as they were approved.

Called by the handlers of what can be drafted.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fleet.engine.jobs.outcomes import Skipped
from fleet.engine.jobs.states import JobState
from fleet.engine.work import Work
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.states import DraftStatus


def content_of(work: Work) -> Mapping[str, Any] | None:
    """Return the content of the draft that a job publishes; None for a job that comes from no draft."""
    said: Mapping[str, Any] | None = work.claim.payload.get("content") if "draft" in work.claim.payload else None
    return said


def why_not(work: Work) -> Skipped | None:
    """Return why the job's draft must not be published any more. What may be out already is not asked: it is found."""
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
