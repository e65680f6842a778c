"""Content items in the calendar: those that are planned and those that wait for a decision or failed before that."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from fleet.access import Permission, Principal
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core import text
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import CalendarEntry, CalendarFilter, CalendarLayer, EntryKeys, EntryVerb
from fleet.features.campaigns import service
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.states import FINAL, MOVES, ItemEvent, ItemState

_ITEM = ContentItemRow
_LAYERS: Mapping[ItemState, CalendarLayer] = {
    ItemState.PLANNED: CalendarLayer.PROPOSED, ItemState.WRITTEN: CalendarLayer.PROPOSED,
    ItemState.ADAPTED: CalendarLayer.PROPOSED, ItemState.WAITING: CalendarLayer.PROPOSED,
    ItemState.APPROVED: CalendarLayer.PLANNED, ItemState.SCHEDULED: CalendarLayer.PLANNED,
    ItemState.FAILED: CalendarLayer.PROPOSED,
}  # fmt: skip
"""An item that is being published, or whose job died, is shown by its job. Rejected and cancelled ones are over."""


class ItemsSource:
    """Items with a time. The others wait for the stage that gives them one."""

    name = "items"
    label = "Content items"
    permission = Permission.DRAFTS_VIEW
    verbs: Mapping[EntryVerb, Permission] = dict.fromkeys(EntryVerb, Permission.AGENTS_CONTROL)
    compose = "/content-items/new"
    live = "content.item.*"

    def keys(self, which: CalendarFilter) -> EntryKeys:
        """Return id, time and layer of items."""
        shown = {state: layer for state, layer in _LAYERS.items() if layer in which.layers}
        where = [_ITEM.scheduled_at >= which.start, _ITEM.scheduled_at < which.end, _ITEM.state.in_(shown),
                 _ITEM.failed_in.is_distinct_from(ItemState.PUBLISHING)]  # fmt: skip
        if which.surface:
            where.append(_ITEM.surface == which.surface)
        if which.agent_id is not None:
            where.append(_ITEM.agent_id == which.agent_id)
        if which.account_id is not None:
            where.append(sa.func.coalesce(_ITEM.account_id, SETTINGS_ACCOUNT) == which.account_id)
        layers = {str(state): str(layer) for state, layer in _LAYERS.items()}
        layer = sa.case(layers, value=_ITEM.state, else_=str(CalendarLayer.PROPOSED)).label("layer")
        at = sa.type_coerce(_ITEM.scheduled_at, sa.DateTime(timezone=True)).label("at")
        return sa.select(_ITEM.id, at, layer).where(*where)

    def load(self, deps: Deps, tx: Tx, ids: Sequence[uuid.UUID]) -> Sequence[CalendarEntry]:  # noqa: ARG002
        """Return the entries of items that have a time."""
        rows = tx.session.scalars(sa.select(_ITEM).where(_ITEM.id.in_(ids), _ITEM.scheduled_at.is_not(None)))
        return [_entry(row) for row in rows]

    def move(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> None:
        """Publish an item at another time. Raises NotFound, Conflict, InvalidInput."""
        service.reschedule(deps, entry_id, at, by=by.by)

    def cancel(self, deps: Deps, entry_id: uuid.UUID, *, by: Principal) -> None:
        """Cancel an item that is not being published. Raises NotFound, Conflict."""
        service.cancel(deps, entry_id, by=by.by)

    def duplicate(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> uuid.UUID:
        """Create an item with the same content; it is reviewed again. Raises NotFound, Conflict, InvalidInput."""
        return service.duplicate(deps, entry_id, by=by.by, at=at).id


def _entry(row: ContentItemRow) -> CalendarEntry:
    state = ItemState(row.state)
    at = row.published_at or row.scheduled_at
    if at is None:
        raise ValueError("an entry has a time")
    can = {EntryVerb.DUPLICATE}
    if state not in (*FINAL, ItemState.PUBLISHING):
        can.add(EntryVerb.MOVE)
    if state in MOVES[ItemEvent.CANCELLED].sources:
        can.add(EntryVerb.CANCEL)
    is_waiting = state is ItemState.WAITING and row.request_id is not None
    if is_waiting:
        can.add(EntryVerb.CHANGE)
    past = CalendarLayer.PAST if state in FINAL else CalendarLayer.PLANNED
    return CalendarEntry(
        id=row.id, at=at, layer=_LAYERS.get(state, past), kind="content item", state=row.state,
        title=text.clean(" ".join(row.parts) or row.message or row.brief), surface=row.surface,
        account_id=row.account_id, agent_id=row.agent_id, page=f"/content-items/{row.id}",
        change=f"/review/{row.request_id}" if is_waiting else "", note=text.clean(row.error), verbs=frozenset(can),
    )  # fmt: skip


SOURCE = ItemsSource()
