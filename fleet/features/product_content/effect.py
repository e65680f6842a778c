"""The effect of decisions about texts of products: approved ones change the catalogue; syncs take them to stores."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.approvals.effects.effect import Effect
from fleet.features.approvals.request import Request
from fleet.features.approvals.states import RequestState
from fleet.features.product_content import facts as known
from fleet.features.product_content.handlers import claims_of, marked, shown, to_data
from fleet.features.product_content.kinds import ACTION, RESOURCE
from fleet.features.products import service as products

_FIELDS = ("title", "description", "alt_texts")


def settled(deps: Deps, tx: Tx, request: Request) -> None:  # noqa: ARG001 - the shape of effects
    """Change the product, if the proposal was approved. Raises Conflict for texts that changed since, NotFound."""
    if request.state is not RequestState.APPROVED:
        return
    product_id = uuid.UUID(request.resource_id)
    row = products.get(tx, product_id, is_locked=True)
    if shown(known.texts_of(row)) != {name: (request.before or {}).get(name) for name in _FIELDS}:
        raise Conflict("The texts of the product changed since they were written.", fix="Have them written again.")
    new = request.payload
    images = tuple(
        replace(one, alt_text=alt) for one, alt in zip(products.images_of(row), new["alt_texts"], strict=True)
    )
    changes = {"title": new["title"], "description": new["description"], "images": images}
    products.change(tx, product_id, changes, origin=request.requested_by)
    events.emit(tx, "product.content.applied", agent_id=request.agent_id, organisation=str(row.organisation_id),
                product=str(product_id), title=row.title, by=request.settled_by or "fleet",
                page=f"/products/{product_id}")  # fmt: skip


def checked(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return edited texts with their claims checked again. Raises InvalidInput for other fields."""
    before = request.payload
    new = {name: payload.get(name, before[name]) for name in _FIELDS}
    if set(payload) - {*_FIELDS, "unsupported"}:
        raise InvalidInput("Only title, description and alt_texts can be edited.")
    alts = new["alt_texts"]
    if not isinstance(alts, list) or len(alts) != len(before["alt_texts"]) or not all(
        isinstance(one, str) for one in (new["title"], new["description"], *alts)
    ):  # fmt: skip
        raise InvalidInput("title and description are texts; alt_texts has one for each picture.")
    found = claims_of(new["title"], new["description"], alts, known.from_data(request.facts["known"]))
    return {**new, **marked([to_data(one) for one in found])}


def facts(request: Request, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what rules compare, after an edit."""
    return {**request.facts, "claims": len(payload.get("unsupported", ()))}


EFFECTS = {(RESOURCE, ACTION): Effect(settled, amended=lambda *_: None, checked=checked, facts=facts)}
