"""The posts that a comment may answer: proposed by the tick, checked again before a text is paid for.

Called by the comment handler and by `fleet.engine.attempts.reserve`, which counts once more before the write. The data
of a post is untrusted text: data, never instructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.engine import registry
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import Claim
from fleet.features.publishing import comment_targets
from fleet.features.publishing.rules import comment_would_crowd


@dataclass(frozen=True, slots=True)
class Offer:
    """One post as the tick saw it. `human` counts the comments on it that were not the fleet's."""

    id: str
    author: str
    caption: str
    human: int


def offered(claim: Claim) -> tuple[Offer, ...]:
    """Return the posts that the tick proposed; a job with a fixed post has that one."""
    seen = claim.payload.get("seen")
    if seen is not None:
        return tuple(_offer(str(one["id"]), one) for one in seen)
    return () if claim.target is None else (_offer(claim.target, claim.payload),)


def still_open(work: Work) -> tuple[Offer, ...]:
    """Return the posts that may be answered now: without targets of this agent's other jobs and drafts, and crowded
    ones.
    """
    claim, lead = work.claim, work.settings.ai_comment_lead
    offers = offered(claim)
    standing = comment_targets.look(work.deps.db, claim, [one.id for one in offers])
    with work.deps.db.transaction() as tx:
        waiting = {
            target
            for busy in registry.current().extensions("publishing.busy_targets")
            for target in busy(tx, work.agent.id, [one.id for one in offers])
        }
    return tuple(
        one
        for one in offers
        if one.id not in standing.answered | waiting and not crowded(one, standing.ours.get(one.id, 0), lead)
    )


def crowded(offer: Offer, ours: int, lead: int) -> bool:
    """Return whether one more of the fleet's comments would be too many, after so many."""
    return comment_would_crowd(offer.human + ours, ours, lead)


def chosen(claim: Claim, target: str) -> Offer:
    """Return the chosen candidate, or the little that is known of a post that was none."""
    return next((one for one in offered(claim) if one.id == target), Offer(target, "", "", 0))


def _offer(post_id: str, told: Mapping[str, Any]) -> Offer:
    author = str(told.get("author_name") or told.get("author") or "")
    human = max(0, int(told.get("comments", 0)) - int(told.get("ours", 0)))
    return Offer(post_id, author, str(told.get("caption", "")), human)
