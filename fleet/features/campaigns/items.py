"""Verbs on content items inside the caller's transaction: create, move between states, read, and the next stage's job.

A change of state is one guarded UPDATE, recorded in the history and as an event.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine import publish
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.features.campaigns.kinds import STAGES
from fleet.features.campaigns.models import CREATED, CampaignRow, ContentItemRow, ItemHistoryRow
from fleet.features.campaigns.states import FINAL, MOVES, ItemEvent, ItemState, after

FLEET = "fleet"
_LONGEST_NOTE = 500
_TWO_DAYS = timedelta(days=2)


def get(tx: Tx, item_id: uuid.UUID, *, lock: bool = False) -> ContentItemRow:
    """Return one item, locked if asked for. Raises NotFound."""
    found = tx.session.get(ContentItemRow, item_id, populate_existing=lock, with_for_update=lock or None)
    if found is None:
        raise NotFound(f"There is no content item {item_id}.", fix="`fleet campaigns items` lists them.")
    return found


def add(tx: Tx, row: ContentItemRow, *, by: str) -> ContentItemRow:
    """Add an item."""
    tx.session.add(row)
    tx.session.flush()
    note(tx, row, CREATED, by=by)
    return row


def move(
    tx: Tx, row: ContentItemRow, event: ItemEvent, *, by: str = FLEET, words: str = "", **values: Any
) -> ContentItemRow:  # fmt: skip
    """Move an item by an event and set values. Raises Conflict if its state does not have the event."""
    before = ItemState(row.state)
    into = after(before, event, failed_in=None if row.failed_in is None else ItemState(row.failed_in))
    failed = {"failed_in": before} if event is ItemEvent.FAILED else {"failed_in": None, "error": ""}
    given: dict[str, Any] = {**failed, **values, "state": into, "updated_at": tx.sql_now}
    guarded = sa.update(ContentItemRow).where(
        ContentItemRow.id == row.id, ContentItemRow.state.in_(MOVES[event].sources)
    )
    if tx.scalar(guarded.values(**given).returning(ContentItemRow.id)) is None:
        raise Conflict("The item was changed meanwhile.", fix="Look at it again.")
    changed = tx.session.get_one(ContentItemRow, row.id, populate_existing=True)
    note(tx, changed, event, by=by, words=words)
    return changed


def change(tx: Tx, row: ContentItemRow, **values: Any) -> ContentItemRow:
    """Set values of an item that the caller has locked; its state stays."""
    statement = sa.update(ContentItemRow).where(ContentItemRow.id == row.id)
    tx.execute(statement.values(**values, updated_at=tx.sql_now))
    return tx.session.get_one(ContentItemRow, row.id, populate_existing=True)


def note(tx: Tx, row: ContentItemRow, event: str, *, by: str = FLEET, words: str = "") -> None:
    """Record what happened to an item, for its page and as an event."""
    tx.execute(
        sa.insert(ItemHistoryRow).values(
            item_id=row.id, event=str(event), state=row.state, revision=row.revision, by=by[:100],
            note=words[:_LONGEST_NOTE],
        )
    )  # fmt: skip
    events.emit(
        tx, f"content.item.{event}", agent_id=row.agent_id, job_id=row.job_id, item=str(row.id),
        campaign=None if row.campaign_id is None else str(row.campaign_id), network=row.surface, state=row.state,
        by=by, why=words[:300], at=None if row.scheduled_at is None else row.scheduled_at.isoformat(),
    )  # fmt: skip


def go_on(deps: Deps, tx: Tx, row: ContentItemRow) -> ContentItemRow:
    """Add the job of an item's next stage, once for each revision; none for an item that waits for people or a time."""
    kind = STAGES.get(ItemState(row.state))
    if kind is None:
        return row
    job_id = ids.derived(kind, row.id, row.revision)
    publish.add_jobs(tx, deps.publisher, [
        NewJob(
            id=job_id, agent_id=row.agent_id, kind=kind, surface=row.surface, account_id=row.account_id,
            payload={"item": str(row.id), "revision": row.revision},
        )
    ])  # fmt: skip
    return change(tx, row, job_id=job_id)


def taken(
    tx: Tx, agent_id: uuid.UUID, account_id: uuid.UUID | None, around: datetime, *, but: uuid.UUID
) -> list[datetime]:
    """Return the times of the other items of an agent's account, from two days before a moment on; its posts too."""
    since = around - _TWO_DAYS
    one = ContentItemRow
    mine = sa.select(one.scheduled_at).where(
        one.agent_id == agent_id, one.account_id.is_not_distinct_from(account_id), one.id != but,
        one.scheduled_at > since, one.state.not_in([*(FINAL - {ItemState.PUBLISHED}), ItemState.REJECTED]),
    )  # fmt: skip
    posts = sa.select(JobRow.sending_at).where(
        JobRow.agent_id == agent_id, JobRow.kind == "post", JobRow.sending_at > since,
        JobRow.account_id.is_not_distinct_from(account_id), JobRow.payload["item"].is_(None),
    )  # fmt: skip
    return [*tx.session.scalars(mine), *tx.session.scalars(posts)]


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete items that ended longer ago than `days`, and campaigns of that age without items; return how many."""
    before, one = tx.now() - timedelta(days=days), ContentItemRow
    old = (one.created_at < before, one.updated_at < before, one.state.in_([*FINAL, ItemState.REJECTED]))
    ended = sa.select(one.id).where(*old).order_by(one.created_at).limit(limit).with_for_update(skip_locked=True)
    items = tx.execute(_deletion(one).where(one.id.in_(ended))).rowcount
    row = CampaignRow
    has_items = sa.exists().where(one.campaign_id == row.id)
    empty = sa.select(row.id).where(row.created_at < before, ~has_items).order_by(row.created_at)
    campaigns = tx.execute(_deletion(row).where(row.id.in_(empty.limit(limit - items)))).rowcount
    return items + campaigns


def _deletion(table: type[ContentItemRow | CampaignRow]) -> sa.Delete:
    return sa.delete(table).execution_options(synchronize_session=False)


def history(tx: Tx, item_id: uuid.UUID) -> Sequence[ItemHistoryRow]:
    """Return what happened to an item, newest first."""
    query = sa.select(ItemHistoryRow).where(ItemHistoryRow.item_id == item_id).order_by(ItemHistoryRow.id.desc())
    return tx.session.scalars(query.limit(200)).all()
