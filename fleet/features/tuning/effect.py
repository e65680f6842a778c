"""What follows from a decision about tuning: an approved change is set, an approved undoing restores the old value."""

from __future__ import annotations

import uuid

from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import RequestState
from fleet.features.tuning import service
from fleet.features.tuning.models import TuningState

_OTHERWISE = {RequestState.REJECTED: TuningState.DISMISSED, RequestState.EXPIRED: TuningState.EXPIRED}


def change_settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Set the setting if that was approved. Raises Ended where it has changed since, Conflict after those of a day."""
    proposal_id, by = uuid.UUID(request.resource_id), request.settled_by or "fleet"
    if request.state is RequestState.APPROVED:
        service.apply(deps, tx, proposal_id, by=by)
        return
    state = _OTHERWISE.get(request.state, TuningState.OVERTAKEN)
    service.settle(tx, proposal_id, state, by=by, why=request.reason or "")


def undo_settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Restore the value before if that was approved. Raises Conflict where the setting has changed since."""
    if request.state is RequestState.APPROVED:
        service.undo(deps, tx, uuid.UUID(request.resource_id), by=request.settled_by or "fleet", is_settled=True)


EFFECTS = {
    (service.RESOURCE, service.CHANGE): Effect(change_settled),
    (service.RESOURCE, service.UNDO): Effect(undo_settled),
}
