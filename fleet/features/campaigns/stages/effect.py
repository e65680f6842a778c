"""The effects of decisions about items: an approved one is scheduled, any other is rejected."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import RequestState
from fleet.features.campaigns import items
from fleet.features.campaigns.kinds import ACTION, RESOURCE
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.states import ItemEvent, ItemState
from fleet.features.campaigns.values import words


def settled(deps: Deps, tx: Tx, request: Request) -> None:
    """Move the item as its request was decided; an item that people changed meanwhile stays as it is."""
    row = _row(tx, request)
    if row is None or row.state != ItemState.WAITING or row.request_id != request.id:
        return
    by = request.settled_by or "fleet"
    if request.state is RequestState.APPROVED:
        row = items.move(tx, row, ItemEvent.ACCEPTED, by=by, words=request.reason or "", approved_by=by[:100])
        items.go_on(deps, tx, row)
        return
    why = request.reason or f"the request was {request.state}"
    items.move(tx, row, ItemEvent.DECLINED, by=by, words=why)


def amended(deps: Deps, tx: Tx, request: Request) -> None:  # noqa: ARG001
    """Copy a person's edit into the item. Raises Conflict when it is decided meanwhile."""
    row = _row(tx, request)
    if row is None or row.state != ItemState.WAITING:
        raise Conflict("The item is decided already.")
    alts = request.payload["alt_texts"]
    media = [{**one, "alt_text": alts[place]} for place, one in enumerate(row.media)]
    parts = list(request.payload["parts"])
    arm = row.arm if parts == row.parts else ""  # other words are no variant of the test
    items.change(tx, row, parts=parts, arm=arm, media=media, revision=row.revision + 1)


def checked(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return an edited content, its texts cleaned. Raises InvalidInput for a field that cannot be edited."""
    before = request.payload
    if set(payload) - set(before) or payload.get("link", before["link"]) != before["link"]:
        raise InvalidInput(
            "Only the parts and the alt texts can be edited here.", fix="`fleet campaigns edit` does more."
        )
    parts, alts = payload.get("parts", before["parts"]), payload.get("alt_texts", before["alt_texts"])
    if not isinstance(parts, list) or not isinstance(alts, list) or len(alts) != len(before["alt_texts"]):
        raise InvalidInput("parts and alt_texts are lists; each picture keeps its alt text.")
    return {
        **before, "parts": [words(str(one), name="part") for one in parts],
        "alt_texts": [words(str(one), name="alt text", most=1000, required=False) for one in alts],
    }  # fmt: skip


def _row(tx: Tx, request: Request) -> ContentItemRow | None:
    return tx.session.get(ContentItemRow, uuid.UUID(request.resource_id), populate_existing=True, with_for_update=True)


EFFECTS = {(RESOURCE, ACTION): Effect(settled, amended=amended, checked=checked)}
