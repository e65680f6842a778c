"""Further checks before texts, likes and comments are sent: locks, and obstacles besides the caps.

Called by `fleet.engine.attempts.reserve` in the transaction that commits to the write.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.adapters.base import AnyAction
from fleet.adapters.social import CommentPayload
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.publishing import comment_candidates, surroundings
from fleet.features.publishing.words.review_words import said_meanwhile


def turns(claim: Claim, action: AnyAction) -> Iterator[str]:
    """Return the locks that a write takes: comments on its post are counted, and its text is compared with others."""
    if isinstance(action.payload, CommentPayload):
        yield post_turn(claim.surface, action.payload.target)
    if action.payload.words:
        yield f"text:{claim.surface}:{action.payload.words}"


def post_turn(surface: str, post: str | None) -> str:
    """Return the name of the lock under which the comments on a post are counted."""
    return f"post:{surface}:{post}"


def obstacle(tx: Tx, work: Work, action: AnyAction) -> Skipped | None:
    """Return why a write must not happen: too many comments of the fleet on the post, the same text was published
    meanwhile, or what another feature knows ("publishing.obstacles").
    """
    if isinstance(action.payload, CommentPayload):
        offer = comment_candidates.chosen(work.claim, action.payload.target)
        ours = surroundings.comments_on(tx, action.payload.target)
        if comment_candidates.crowded(offer, ours, work.settings.ai_comment_lead):
            return Skipped("enough of us have commented on this post")
    for check in registry.current().extensions("publishing.obstacles"):
        skipped: Skipped | None = check(tx, work, action)
        if skipped is not None:
            return skipped
    return said_meanwhile(tx, work, action)
