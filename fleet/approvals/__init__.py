"""Floor 3: what people are asked to allow, by which rule, and what they decided; for any resource and any action.

Called by `fleet.runtime`. Must never know what is asked for: what follows from a decision is the runtime's business.
"""

from fleet.approvals.diff import Change, How, Piece, diff, lines, pieces
from fleet.approvals.moves import amend, decide, open, withdraw
from fleet.approvals.queries import Decision, Filter, decisions_of, get, page
from fleet.approvals.request import (
    AlreadySettled,
    Changed,
    Decided,
    Expired,
    NotYours,
    OwnRequest,
    Proposal,
    Request,
)
from fleet.approvals.rules import Person, Rule
from fleet.approvals.standing import Bar, Standing, standing
from fleet.approvals.states import RequestState
from fleet.approvals.upkeep import due

__all__ = [
    "AlreadySettled", "Bar", "Change", "Changed", "Decided", "Decision", "Expired", "Filter", "How", "NotYours",
    "OwnRequest", "Person", "Piece", "Proposal", "Request", "RequestState", "Rule", "Standing", "amend", "decide",
    "decisions_of", "diff", "due", "get", "lines", "open", "page", "pieces", "standing", "withdraw",
]  # fmt: skip
