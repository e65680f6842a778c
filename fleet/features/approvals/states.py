"""The states of a request for approval and the moves between them: the one table for code and database.

Pure. `fleet.features.approvals.requests.moves` makes each move with one guarded UPDATE.
"""

from __future__ import annotations

from enum import StrEnum


class RequestState(StrEnum):
    """Where a request stands."""

    PENDING = "pending"  # people may still decide
    APPROVED = "approved"  # enough of them said yes, or a rule did
    REJECTED = "rejected"  # one of them said no
    EXPIRED = "expired"  # nobody decided in time
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
"""State to the states that may follow. What is settled stays so: who changes their mind asks anew."""
