"""An agent's account on its surface: asked for and removed, both as often as need be."""

from __future__ import annotations

from fleet.platforms.base import Action, Verb
from fleet.runtime.work import Work


def provision(work: Work) -> Action:
    """Return the request for an account, labelled as an agent's."""
    return Action(Verb.PROVISION, work.account, str(work.claim.job_id))


def deprovision(work: Work) -> Action:
    """Return the request to remove the account."""
    return Action(Verb.DEPROVISION, work.account, str(work.claim.job_id))
