"""Drafts in the calendar: proposals that wait for a decision, at the end of their time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from fleet.access import Permission, Principal
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core import text
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.deps import Deps
from fleet.engine.points.calendar_source import CalendarEntry, CalendarFilter, CalendarLayer, EntryKeys, EntryVerb
from fleet.features.drafts.models import DraftRow
from fleet.features.drafts.states import DraftKind, DraftStatus

_DECIDED = "A draft has no time of its own."
_FIX = "Decide about it on its page: once it is approved, its job can be moved."


class DraftsSource:
    """Drafts that wait; they are edited and decided on the page of their request."""

    name = "drafts"
    label = "Drafts"
    permission = Permission.DRAFTS_VIEW
    verbs: Mapping[EntryVerb, Permission] = {EntryVerb.CHANGE: Permission.DRAFTS_DECIDE}
    compose = ""
    live = "agent.draft.*"

    def keys(self, which: CalendarFilter) -> EntryKeys:
        """Return id, time and layer of waiting drafts."""
        where = [DraftRow.status == DraftStatus.PENDING, DraftRow.expires_at >= which.start,
                 DraftRow.expires_at < which.end]  # fmt: skip
        if CalendarLayer.PROPOSED not in which.layers:
            where.append(sa.false())
        if not which.all_kinds:
            where.append(DraftRow.kind == DraftKind.POST)
        if which.surface:
            where.append(DraftRow.surface == which.surface)
        if which.agent_id is not None:
            where.append(DraftRow.agent_id == which.agent_id)
        if which.account_id is not None:
            where.append(sa.func.coalesce(DraftRow.account_id, SETTINGS_ACCOUNT) == which.account_id)
        layer = sa.literal(CalendarLayer.PROPOSED.value, sa.String).label("layer")
        return sa.select(DraftRow.id, DraftRow.expires_at.label("at"), layer).where(*where)

    def load(self, deps: Deps, tx: Tx, ids: Sequence[uuid.UUID]) -> Sequence[CalendarEntry]:  # noqa: ARG002
        """Return the entries of drafts."""
        return [_entry(row) for row in tx.session.scalars(sa.select(DraftRow).where(DraftRow.id.in_(ids)))]

    def move(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> None:  # noqa: ARG002
        """Refuse. Raises Conflict."""
        raise Conflict(_DECIDED, fix=_FIX)

    def cancel(self, deps: Deps, entry_id: uuid.UUID, *, by: Principal) -> None:  # noqa: ARG002
        """Refuse: a rejection has a reason, from which the agent learns. Raises Conflict."""
        raise Conflict("A draft is not cancelled: it is rejected, for a reason.", fix="Decide about it on its page.")

    def duplicate(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> uuid.UUID:  # noqa: ARG002
        """Refuse. Raises Conflict."""
        raise Conflict(_DECIDED, fix=_FIX)


def _entry(row: DraftRow) -> CalendarEntry:
    is_open = row.status == DraftStatus.PENDING
    words = row.content.get("text") or row.content.get("type") or ""
    return CalendarEntry(
        id=row.id, at=row.expires_at, layer=CalendarLayer.PROPOSED, kind=f"draft {row.kind}", state=row.status,
        title=text.clean(str(words)), surface=row.surface, account_id=row.account_id, agent_id=row.agent_id,
        page=f"/drafts/{row.id}", change=f"/review/{row.request_id}" if is_open and row.request_id else "",
        note="Waits for a decision until then." if is_open else "",
        verbs=frozenset({EntryVerb.CHANGE}) if is_open and row.request_id else frozenset(),
    )  # fmt: skip


SOURCE = DraftsSource()
