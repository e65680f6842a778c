"""Kinds and states of a draft, and the moves between states: the one table that code and database agree on. Pure.

Whether an approved draft was published is told by its job in the ledger, and nowhere else.
"""

from __future__ import annotations

from enum import StrEnum


class DraftKind(StrEnum):
    """What is proposed."""

    POST = "post"
    COMMENT = "comment"
    REACTION = "reaction"
    CONNECTION = "connection"


class DraftStatus(StrEnum):
    """Where a draft stands."""

    PENDING = "pending"
    APPROVED = "approved"  # its job is in the ledger
    REJECTED = "rejected"
    EXPIRED = "expired"  # nobody decided in time
    WITHDRAWN = "withdrawn"  # taken back before anybody decided


class OwnerAnswer(StrEnum):
    """How an owner answered."""

    APPROVED = "approved"
    EDITED = "edited"  # approved, in the owner's own words
    REJECTED = "rejected"


MOVES: dict[DraftStatus, frozenset[DraftStatus]] = {
    DraftStatus.PENDING: frozenset(
        {DraftStatus.APPROVED, DraftStatus.REJECTED, DraftStatus.EXPIRED, DraftStatus.WITHDRAWN}
    ),
    DraftStatus.APPROVED: frozenset(),
    DraftStatus.REJECTED: frozenset(),
    DraftStatus.EXPIRED: frozenset(),
    DraftStatus.WITHDRAWN: frozenset(),
}
"""State to the states that may follow; a decision is final, and a second one changes nothing."""

SUBJECTS = {
    DraftKind.POST: "agent.draft.post.created",
    DraftKind.COMMENT: "agent.draft.comment.created",
    DraftKind.REACTION: "agent.draft.reaction.created",
    DraftKind.CONNECTION: "agent.draft.connection.request.created",
}
"""What the events are called by which the world learns of a draft."""
