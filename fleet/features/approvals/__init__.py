"""Floor 3: what people are asked to allow, by which rule, and what they decided; for any resource and any action.

Called by `fleet.engine`. Must never know what is asked for: what follows from a decision is the runtime's business.
"""

from fleet.core.diff import Change, How, Piece, diff, pieces
from fleet.features.approvals.maintenance import due
from fleet.features.approvals.moves import amend, decide, open, withdraw
from fleet.features.approvals.permissions import Bar, Standing, standing
from fleet.features.approvals.queries import Decision, Filter, decisions_of, get, page
from fleet.features.approvals.request import (
    AlreadySettled,
    Changed,
    Decided,
    Expired,
    NotYours,
    OwnRequest,
    Proposal,
    Request,
)
from fleet.features.approvals.rules import Person, Rule
from fleet.features.approvals.states import RequestState

__all__ = [
    "AlreadySettled", "Bar", "Change", "Changed", "Decided", "Decision", "Expired", "Filter", "How", "NotYours",
    "OwnRequest", "Person", "Piece", "Proposal", "Request", "RequestState", "Rule", "Standing", "amend", "decide",
    "decisions_of", "diff", "due", "get", "open", "page", "pieces", "standing", "withdraw",
]  # fmt: skip
