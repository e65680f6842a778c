"""What pages, the API and commands show of the inbox. Each function is given a transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.models import JobRow
from fleet.features.platforms.inbox.models import InboxItemRow
from fleet.features.platforms.inbox.states import InboxState

MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One notification with its agent, and the job that answers it. All text of its author is untrusted."""

    id: uuid.UUID
    agent: str
    account: str
    account_id: uuid.UUID
    surface: str
    kind: str
    author: str
    author_name: str
    item_id: str | None
    text: str
    said_at: datetime
    state: InboxState
    reason: str
    job_id: uuid.UUID | None
    job_state: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """Which notifications: of an agent, in a state, with these words."""

    agent: str | None = None
    state: InboxState | None = None
    search: str = ""


def listed(tx: Tx, which: InboxFilter, *, limit: int, below: uuid.UUID | None = None) -> list[InboxItem]:
    """Return notifications, newest first; `below` is the last one of the page above."""
    query = _query()
    if below is not None:
        last = sa.select(InboxItemRow.seen_at, InboxItemRow.id).where(InboxItemRow.id == below).scalar_subquery()
        query = query.where(sa.tuple_(InboxItemRow.seen_at, InboxItemRow.id) < last)
    if which.agent is not None:
        query = query.where(AgentRow.username == which.agent)
    if which.state is not None:
        query = query.where(InboxItemRow.state == which.state)
    if which.search:
        said = InboxItemRow.text.icontains(which.search, autoescape=True)
        query = query.where(said | InboxItemRow.author.icontains(which.search, autoescape=True))
    order = (InboxItemRow.seen_at.desc(), InboxItemRow.id.desc())
    return [_item(row) for row in tx.execute(query.order_by(*order).limit(limit)).all()]


def get(tx: Tx, item_id: uuid.UUID) -> InboxItem:
    """Return one notification. Raises NotFound."""
    row = tx.execute(_query().where(InboxItemRow.id == item_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such notification.", fix="`fleet inbox` lists them.")
    return _item(row)


def ignore(tx: Tx, item_id: uuid.UUID, *, by: str) -> None:
    """Close an open notification without an answer. Raises NotFound, Conflict."""
    found = get(tx, item_id)
    is_open = (InboxItemRow.id == item_id, InboxItemRow.state == InboxState.OPEN)
    values = {"state": InboxState.IGNORED, "reason": f"ignored by {by}"[:200]}
    if not tx.execute(sa.update(InboxItemRow).where(*is_open).values(**values)).rowcount:
        raise Conflict(f"It is {found.state.replace('_', ' ')}: nothing is left to ignore.")


def tally(tx: Tx) -> int | None:
    """Return how many notifications are open; None for very many."""
    found = sa.select(sa.literal(1)).where(InboxItemRow.state == InboxState.OPEN).limit(MOST_COUNTED).subquery()
    number = int(tx.scalar(sa.select(sa.func.count()).select_from(found)) or 0)
    return number if number < MOST_COUNTED else None


def is_shown(tx: Tx) -> bool:
    """Say whether any agent has an inbox."""
    return tx.scalar(sa.select(sa.literal(1)).select_from(InboxItemRow).limit(1)) is not None


def _query() -> sa.Select[Any]:
    answer = JobRow.result["text"].astext
    return (
        sa.select(InboxItemRow, AgentRow.username, AccountRow.name, AccountRow.adapter, JobRow.state, answer)
        .join(AgentRow, AgentRow.id == InboxItemRow.agent_id)
        .join(AccountRow, AccountRow.id == InboxItemRow.account_id)
        .join(JobRow, JobRow.id == InboxItemRow.job_id, isouter=True)
    )


def _item(row: Any) -> InboxItem:
    one, agent, account, surface, job_state, answer = row
    return InboxItem(
        one.id, agent, account, one.account_id, surface, one.kind, one.author, one.author_name, one.item_id, one.text,
        one.said_at, InboxState(one.state), one.reason, one.job_id, job_state, answer,
    )  # fmt: skip
