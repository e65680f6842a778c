"""Queries of the review queue: one order for whatever waits, the request that follows, and counts.

Called by the pages and the API of approvals. The kind of a request is its fact `kind`, if it has one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.features.approvals import queries
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import COLUMNS, Request, as_request
from fleet.features.approvals.states import RequestState

MOST_COUNTED = 1_000
"""Settled requests are counted no further: people wait for the page."""
_KIND = RequestRow.facts["kind"].astext
_STATES = tuple(RequestState)


class QueueOrder(StrEnum):
    """What comes first among requests that wait."""

    EXPIRY = "expiry"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which requests, and in what order; empty fields filter nothing. `words` are part of the summary."""

    state: RequestState = RequestState.PENDING
    resource: str | None = None
    kind: str | None = None
    agent_id: uuid.UUID | None = None
    words: str | None = None
    order: QueueOrder = QueueOrder.EXPIRY


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many requests of one kind wait for people; `kind` is empty where requests have none."""

    resource: str
    action: str
    kind: str
    number: int


def page(tx: Tx, which: QueueFilter, *, limit: int, after: uuid.UUID | None = None) -> list[Request]:
    """Return requests in the queue's order, of settled ones the newest first; `after` is the last of the page above.

    Raises NotFound if that one is gone.
    """
    where = _where(which)
    if after is not None:
        where.append(_follows(which, queries.get(tx, after)))
    query = sa.select(*COLUMNS).where(*where).order_by(*_order(which)).limit(limit)
    rows = tx.execute(query).all()
    voices = queries.voices_of(tx, [row.id for row in rows]) if rows else {}
    return [as_request(row, voices.get(row.id, ())) for row in rows]


def following(tx: Tx, which: QueueFilter, request: Request) -> uuid.UUID | None:
    """Return the request that follows in the queue, or after the last one the first; None if no other is there."""
    others = [*_where(which), RequestRow.id != request.id]
    for where in ([*others, _follows(which, request)], others):
        found = tx.scalar(sa.select(RequestRow.id).where(*where).order_by(*_order(which)).limit(1))
        if found is not None:
            return uuid.UUID(str(found))
    return None


def counts(tx: Tx, which: QueueFilter) -> Mapping[RequestState, int | None]:
    """Return how many requests of each state match the other fields; None for more than MOST_COUNTED settled ones."""
    numbers = tx.execute(sa.select(*(_counted(which, state) for state in _STATES))).one()
    return {
        state: None if state is not RequestState.PENDING and number > MOST_COUNTED else int(number)
        for state, number in zip(_STATES, numbers, strict=True)
    }


def _counted(which: QueueFilter, state: RequestState) -> sa.ScalarSelect[Any]:
    same = QueueFilter(state, which.resource, which.kind, which.agent_id, which.words)
    some = sa.select(sa.literal(1)).select_from(RequestRow).where(*_where(same))
    if state is not RequestState.PENDING:
        some = some.limit(MOST_COUNTED + 1)
    return sa.select(sa.func.count()).select_from(some.subquery()).scalar_subquery()


def waiting(tx: Tx) -> list[Waiting]:
    """Return how many requests of each kind wait for people, by name."""
    kind = sa.func.coalesce(_KIND, "")
    query = sa.select(RequestRow.resource, RequestRow.action, kind, sa.func.count()).where(
        RequestRow.state == RequestState.PENDING
    )
    rows = tx.execute(query.group_by(sa.text("1, 2, 3")).order_by(sa.text("1, 2, 3")))
    return [Waiting(*row) for row in rows]


def _where(which: QueueFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [RequestRow.state == which.state]
    if which.resource is not None:
        where.append(RequestRow.resource == which.resource)
    if which.kind is not None:
        where.append(which.kind == _KIND)
    if which.agent_id is not None:
        where.append(RequestRow.agent_id == which.agent_id)
    if which.words is not None:
        where.append(RequestRow.summary.icontains(which.words, autoescape=True))
    return where


def _place(which: QueueFilter) -> tuple[Any, bool]:
    """Return the column that orders requests, and whether its largest value comes first."""
    if which.state is not RequestState.PENDING:
        return RequestRow.created_at, True
    return (RequestRow.expires_at if which.order is QueueOrder.EXPIRY else RequestRow.created_at), False


def _order(which: QueueFilter) -> Sequence[sa.ColumnElement[Any]]:
    column, is_falling = _place(which)
    return [one.desc() if is_falling else one.asc() for one in (column, RequestRow.id)]


def _follows(which: QueueFilter, request: Request) -> sa.ColumnElement[bool]:
    column, is_falling = _place(which)
    row = sa.tuple_(column, RequestRow.id)
    place = sa.tuple_(sa.literal(getattr(request, column.key)), sa.literal(request.id))
    return row < place if is_falling else row > place
