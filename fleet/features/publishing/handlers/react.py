"""A reaction other than a like, as it was approved."""

from __future__ import annotations

from fleet.adapters.base import AnyAction
from fleet.adapters.social import REACT, ReactionPayload
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.publishing import approved


def prepare(work: Work) -> AnyAction | Skipped:
    """Return the reaction."""
    said = approved.content_of(work)
    if said is None:
        return Skipped("a reaction needs a draft that says which")
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    return work.action(REACT, ReactionPayload(work.target, str(said["type"])))
