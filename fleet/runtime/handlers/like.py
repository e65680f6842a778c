"""A like: nothing to prepare."""

from __future__ import annotations

from fleet.platforms.base import Action, Verb
from fleet.runtime.work import Work


def prepare(work: Work) -> Action:
    """Return the like."""
    return Action(Verb.LIKE, work.account, str(work.claim.job_id), target=work.claim.target)
