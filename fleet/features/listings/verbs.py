"""The verbs of listings that people may have to approve: publish, delist, roll back."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.listings import listings, rules, service
from fleet.features.listings.models import ListingRow
from fleet.features.listings.preview import ListingPreview, preview
from fleet.features.listings.service import MOST, ListingCounts
from fleet.features.listings.states import ListingState
from fleet.features.products.models import ProductRow
from fleet.features.stores.queries import words_of

_SHOWN = 20
_EXAMPLE = {"listings": ["0b9e5c8a-3c1f-4f0e-9d1d-2f5f7c1a9b11"]}


class ListingsArguments(VerbArguments):
    """Which listings."""

    listings: Annotated[tuple[uuid.UUID, ...], Field(min_length=1, max_length=MOST)]


class PublishArguments(ListingsArguments):
    """Which listings, and when."""

    at: datetime | None = Field(None, description="when to publish; null for now")


def _rows(tx: Tx, given: ListingsArguments) -> list[tuple[ListingRow, str, str]]:
    """Return the listings with the names of their stores and products. Raises NotFound."""
    found = []
    for listing_id in sorted(set(given.listings)):
        row = listings.get(tx, listing_id)
        store = tx.scalar(sa.select(AccountRow.name).where(AccountRow.id == row.account_id)) or ""
        title = tx.scalar(sa.select(ProductRow.title).where(ProductRow.id == row.product_id)) or ""
        found.append((row, store, title))
    return found


def _preview(
    deps: Deps, tx: Tx, given: ListingsArguments, action: str, *, before: dict[str, Any], after: dict[str, Any],
    **facts: Any,
) -> VerbPreview:  # fmt: skip
    rows = _rows(tx, given)
    names = sorted({store for _, store, _ in rows})
    ids = [str(row.id) for row, _, _ in rows]
    one = len(rows) == 1
    what = f"{rows[0][2][:120]} at {rows[0][1]}" if one else f"{len(rows)} listings at {rules.named(names)}"
    agent = listings.context_of(deps, tx, rows[0][0]).agent_id
    return VerbPreview(
        resource_id=ids[0] if one else hashlib.sha256(",".join(ids).encode()).hexdigest()[:32],
        summary=f"{action} {what}"[:300], before=before, after=after, agent_id=agent,
        facts={"count": len(rows), "store": names[0] if len(names) == 1 else "", "stores": len(names), **facts},
        arguments={**given.model_dump(mode="json"), "listings": ids},
    )  # fmt: skip


def _of_publish(deps: Deps, tx: Tx, given: PublishArguments) -> VerbPreview:
    rows = _rows(tx, given)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    creates = 0
    for row, store, title in rows[:_SHOWN]:
        seen = preview(tx, listings.context_of(deps, tx, row), row)
        creates += seen.ref is None
        name = f"{title[:60]} at {store}"
        before[name] = _shown(seen, is_new=False)
        after[name] = _shown(seen, is_new=True)
    if given.at is not None:
        after["at"] = given.at.isoformat()
    return _preview(deps, tx, given, "Publish", before=before, after=after, creates=creates, overrides=any(
        row.overrides for row, _, _ in rows), scheduled=given.at is not None)  # fmt: skip


def _shown(seen: ListingPreview, *, is_new: bool) -> dict[str, str]:
    return {one.label: (one.words if is_new else one.now_words)[:500] for one in seen.changes[:50]}


def _check_publish(deps: Deps, tx: Tx, given: PublishArguments, who: Principal) -> None:  # noqa: ARG001
    if all(row.state != ListingState.STAGED for row, _, _ in _rows(tx, given)):
        raise Conflict("None of these listings is staged.", fix="Stage them first.")
    if given.at is not None and given.at.tzinfo is None:
        raise InvalidInput("at: give its time zone, as in 2026-11-24T18:00:00Z.")


def _publish(deps: Deps, given: PublishArguments, who: Principal) -> ListingCounts:
    if given.at is not None and given.at.tzinfo is None:
        raise InvalidInput("at: give its time zone, as in 2026-11-24T18:00:00Z.")
    return service.publish(deps, given.listings, by=who.by, at=given.at)


def _values(tx: Tx, given: ListingsArguments, *, is_rollback: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for row, store, title in _rows(tx, given)[:_SHOWN]:
        name = f"{title[:60]} at {store}"
        before[name] = row.state
        if not is_rollback:
            after[name] = "delisted"
        elif not row.previous:
            after[name] = "removed from the store, which did not have it before"
        else:
            after[name] = {rules.field_of(key)[1].removeprefix("variant."): words_of(value)[:200]
                           for key, value in row.previous.items() if row.sent.get(key) != value}  # fmt: skip
    return before, after


def _of_delist(deps: Deps, tx: Tx, given: ListingsArguments) -> VerbPreview:
    before, after = _values(tx, given, is_rollback=False)
    return _preview(deps, tx, given, "Delist", before=before, after=after)


def _of_rollback(deps: Deps, tx: Tx, given: ListingsArguments) -> VerbPreview:
    before, after = _values(tx, given, is_rollback=True)
    return _preview(deps, tx, given, "Roll back", before=before, after=after)


def _delist(deps: Deps, given: ListingsArguments, who: Principal) -> ListingCounts:
    return service.delist(deps, given.listings, by=who.by)


def _rollback(deps: Deps, given: ListingsArguments, who: Principal) -> ListingCounts:
    return service.rollback(deps, given.listings, by=who.by)


PUBLISH = Verb(
    resource="listing", action="publish", help="Publish staged listings to their stores, now or at a time.",
    permission=Permission.PRODUCTS_EDIT, arguments=PublishArguments, example={**_EXAMPLE, "at": None},
    preview=_of_publish, check=_check_publish, run=_publish,
)  # fmt: skip
DELIST = Verb(
    resource="listing", action="delist", help="Take products from their stores: archive or remove them there.",
    permission=Permission.PRODUCTS_EDIT, arguments=ListingsArguments, example=_EXAMPLE, preview=_of_delist, run=_delist,
)  # fmt: skip
ROLLBACK = Verb(
    resource="listing", action="rollback", help="Give stores the values back that a publication replaced.",
    permission=Permission.PRODUCTS_EDIT, arguments=ListingsArguments, example=_EXAMPLE, preview=_of_rollback,
    run=_rollback,
)  # fmt: skip
VERBS = (PUBLISH, DELIST, ROLLBACK)
