"""A like: nothing to prepare but a look at the draft, if it comes from one."""

from __future__ import annotations

from fleet.jobs.outcomes import Skipped
from fleet.platforms.base import Action, Verb
from fleet.runtime.handlers import drafted
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped:
    """Return the like."""
    stale = drafted.why_not(work)
    if stale is not None:
        return stale
    return Action(Verb.LIKE, work.account, str(work.claim.job_id), target=work.claim.target)
