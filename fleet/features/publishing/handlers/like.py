"""A like: nothing to prepare but a look at the draft, if it comes from one."""

from __future__ import annotations

from fleet.adapters.base import AnyAction
from fleet.adapters.social import LIKE, LikePayload
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.publishing import approved


def prepare(work: Work) -> AnyAction | Skipped:
    """Return the like."""
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    return work.action(LIKE, LikePayload(work.target))
