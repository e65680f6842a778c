"""Discrepancies in the review queue: a line of the list, and both values side by side."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.approvals.request import Request
from fleet.features.approvals.review.renderer import Line, Renderer
from fleet.features.reconciliation import queries
from fleet.features.reconciliation.fixes.approval import ACTION, RESOURCE

_NAMES = {
    "missing_local": "Missing in the catalogue", "missing_remote": "Missing at a store",
    "data_mismatch": "Other content",
    "inventory_drift": "Other stock", "price_drift": "Other price",
}  # fmt: skip


def lines(_: Tx, requests: Sequence[Request]) -> Mapping[uuid.UUID, Line]:
    """Return requests as lines."""
    return {
        one.id: Line(_NAMES.get(str(one.facts.get("kind")), "Discrepancy"),
                     f"{one.payload['about']} at {one.payload['store']}: {one.payload['here']} here, "
                     f"{one.payload['there']} there")
        for one in requests
    }  # fmt: skip


def facts(deps: Deps, request: Request) -> Mapping[str, Any]:
    """Return the discrepancy; None if it is pruned."""
    return {"view": queries.find(deps, uuid.UUID(request.resource_id))}


RENDERER = Renderer(
    resource=RESOURCE, actions=frozenset({ACTION}), plural="Discrepancies", kinds=_NAMES,
    template="reconciliation/_review.html", lines=lines, facts=facts, live="approval.*,discrepancy.*",
    links=(("Reconciliation", "/reconciliation"),),
)  # fmt: skip
