"""Kinds and states of a draft, and the transitions between states: the one table for code and database. Pure.

Only the job in the ledger says whether an approved draft was published. Imports nothing heavy: commands take their
choices from here.
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
    """The state of a draft."""

    PENDING = "pending"
    APPROVED = "approved"  # its job is in the ledger
    REJECTED = "rejected"
    EXPIRED = "expired"  # no decision in time
    WITHDRAWN = "withdrawn"  # withdrawn before a decision


class OwnerAnswer(StrEnum):
    """How an owner answered."""

    APPROVED = "approved"
    EDITED = "edited"  # approved, edited by the owner
    REJECTED = "rejected"


class DraftsBy(StrEnum):
    """What drafts are counted by."""

    AGENT = "agent"
    KIND = "kind"
    TOPIC = "topic"
    DAY = "day"


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

LEFT_OUT = {"seen": "seen before", "own": "its own", "agents": "written by agents"}
"""Why a scan leaves posts out, as text."""

SUBJECTS = {
    DraftKind.POST: "agent.draft.post.created",
    DraftKind.COMMENT: "agent.draft.comment.created",
    DraftKind.REACTION: "agent.draft.reaction.created",
    DraftKind.CONNECTION: "agent.draft.connection.request.created",
}
"""What the events are called by which the world learns of a draft."""
