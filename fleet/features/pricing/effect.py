"""What follows from a decision about a price: an approved one is written to the catalogue, any other is recorded."""

from __future__ import annotations

import uuid

from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import RequestState
from fleet.features.pricing import service
from fleet.features.pricing.models import PriceState

_OTHERWISE = {RequestState.REJECTED: PriceState.DISMISSED, RequestState.EXPIRED: PriceState.EXPIRED}


def settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Write the price if that was approved. Raises Ended where price, bounds or floor have changed since."""
    proposal_id, by = uuid.UUID(request.resource_id), request.settled_by or "fleet"
    if request.state is RequestState.APPROVED:
        service.apply(deps, tx, proposal_id, by=by)
        return
    state = _OTHERWISE.get(request.state, PriceState.OVERTAKEN)
    service.settle(tx, proposal_id, state, by=by, why=request.reason or "")


EFFECTS = {(service.RESOURCE, service.ACTION): Effect(settled)}
