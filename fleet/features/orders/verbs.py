"""The verbs of orders that people may have to approve: release one that is held, and act on one at its store."""

from __future__ import annotations

import uuid

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.orders import points, service
from fleet.features.orders.models import StoreOrderRow


class ReleaseArguments(VerbArguments):
    """Which order."""

    order: uuid.UUID = Field(description="id of the order")


class ActArguments(VerbArguments):
    """Which order, and what to do with it."""

    order: uuid.UUID = Field(description="id of the order")
    name: str = Field(max_length=40, description="the action, such as cancel")
    values: dict[str, str] = Field({}, description="fields of the action")


def _preview_release(deps: Deps, tx: Tx, given: ReleaseArguments) -> VerbPreview:  # noqa: ARG001 - all previews
    row = service.get(tx, given.order)
    if row.held_at is None:
        raise NotFound(f"The order {row.number} is not held.", fix="Nothing is left to do.")
    before = {"state": row.state, "held": row.held_why, "fraud_reasons": row.fraud_reasons}
    return VerbPreview(
        resource_id=str(row.id), summary=f"Release the order {row.number}: {row.held_why}"[:300], before=before,
        after={"state": row.state, "held": ""}, facts=_facts(row),
    )  # fmt: skip


def _preview_act(deps: Deps, tx: Tx, given: ActArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    row = service.get(tx, given.order)
    return VerbPreview(
        resource_id=str(row.id), summary=f"{given.name.capitalize()} the order {row.number} at its store"[:300],
        before={"state": row.state, "held": row.held_why}, after={"action": given.name, **given.values},
        facts={**_facts(row), "name": given.name},
    )  # fmt: skip


def _facts(row: StoreOrderRow) -> dict[str, object]:
    return {"order": row.number, "state": row.state, "total_minor": row.total_minor, "currency": row.currency,
            "fraud_points": row.fraud_points or 0, "held": row.held_at is not None}  # fmt: skip


def _release(deps: Deps, given: ReleaseArguments, who: Principal) -> bool:
    with deps.db.transaction() as tx:
        return service.release(tx, given.order, by=who.by)


def _act(deps: Deps, given: ActArguments, who: Principal) -> str:
    return points.run(deps, given.order, given.name, given.values, who)


_EXAMPLE = "0b9e5c8a-3c1f-4f0e-9d1d-2f5f7c1a9b11"
RELEASE = Verb(
    resource="order", action="release", help="Release an order that is held, so that it can be sent.",
    permission=Permission.ORDERS_EDIT, arguments=ReleaseArguments, example={"order": _EXAMPLE},
    preview=_preview_release, run=_release,
)  # fmt: skip
ACT = Verb(
    resource="order", action="act", help="Do an action on an order at its store, such as cancelling it.",
    permission=Permission.ORDERS_EDIT, arguments=ActArguments, example={"order": _EXAMPLE, "name": "cancel"},
    preview=_preview_act, run=_act,
)  # fmt: skip
