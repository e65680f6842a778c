"""The states of a request for approval and the transitions between them: the one table for code and database.

Pure. `fleet.features.approvals.requests.moves` makes each transition with one guarded UPDATE.
"""

from __future__ import annotations

from enum import StrEnum


class RequestState(StrEnum):
    """The state of a request."""

    PENDING = "pending"  # people may still decide
    APPROVED = "approved"  # enough people approved, or a rule did
    REJECTED = "rejected"  # one person rejected
    EXPIRED = "expired"  # no decision in time
    WITHDRAWN = "withdrawn"  # there is nothing to decide any more


class DecisionKind(StrEnum):
    """What was done to a request: one row each, never changed again."""

    APPROVE = "approve"
    REJECT = "reject"
    AMEND = "amend"
    ESCALATE = "escalate"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"


SETTLED = frozenset({RequestState.APPROVED, RequestState.REJECTED, RequestState.EXPIRED, RequestState.WITHDRAWN})

MOVES: dict[RequestState, frozenset[RequestState]] = {
    RequestState.PENDING: SETTLED,
    **{state: frozenset() for state in SETTLED},
}
"""State to the states that may follow. A settled request stays settled: to change a decision, open a new one."""
