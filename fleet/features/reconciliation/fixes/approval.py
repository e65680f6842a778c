"""Questions to people about severe discrepancies, and what follows from their decisions."""

from __future__ import annotations

import uuid

from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approvals
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Proposal, Request
from fleet.features.approvals.states import RequestState
from fleet.features.reconciliation.fixes import apply
from fleet.features.reconciliation.models import DiscrepancyRow
from fleet.features.stores.models import StoreRow
from fleet.features.stores.queries import words_of
from fleet.features.stores.state.context import StoreContext, context_for

RESOURCE, ACTION = "discrepancy", "fix"


def propose(tx: Tx, context: StoreContext, row: DiscrepancyRow) -> None:
    """Ask people whether to fix a discrepancy, with both values."""
    row.state, row.changed_at = "proposed", tx.now()
    tx.session.flush()
    request = approvals.propose(context.deps, tx, Proposal(
        RESOURCE, str(row.id), ACTION,
        {"store": context.name, "about": row.about, "field": row.field, "action": row.action,
         "here": words_of(row.local)[:2000], "there": words_of(row.remote)[:2000], "seen": row.seen_at.isoformat()},
        "agent:fleet_reconciler", f"{row.action} {row.about} at {context.name}"[:300], agent_id=context.agent_id,
        facts={"kind": row.type, "severity": row.severity, "field": row.field, "action": row.action,
               "confidence": round(row.confidence, 3), "store": context.name},
    ))  # fmt: skip
    if not request.is_settled:
        row.request_id = request.id
        tx.session.flush()


def settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Fix what people approved, dismiss what they rejected; a question without an answer leaves it open."""
    row = tx.session.get(DiscrepancyRow, uuid.UUID(request.resource_id), populate_existing=True, with_for_update=True)
    if row is None or row.state != "proposed" or row.request_id not in (None, request.id):
        if request.state is RequestState.APPROVED:
            raise Conflict("The discrepancy was settled, or changed, since the question.", fix="Look at its page.")
        return
    by = request.settled_by or "fleet"
    row.request_id = None
    if request.state is RequestState.APPROVED:
        store = tx.session.get(StoreRow, row.account_id)
        if store is None or store.removed_at is not None:
            raise Conflict("The store was removed.")
        apply.fix(tx, context_for(deps, tx, store, requested_by=by), row, by=by)
        return
    row.state = "dismissed" if request.state is RequestState.REJECTED else "open"
    row.changed_at, row.changed_by = tx.now(), by[:100]
    tx.session.flush()


EFFECTS = {(RESOURCE, ACTION): Effect(settled)}
