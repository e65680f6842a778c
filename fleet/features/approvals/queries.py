"""Reading requests and the record of decisions. Called by the verbs of this room and, through the runtime, by doors."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core import prefixes
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.features.approvals.models import DecisionRow, RequestRow
from fleet.features.approvals.request import COLUMNS, Request, as_request
from fleet.features.approvals.states import DecisionKind, RequestState

_LISTED = "`fleet approvals list` shows them."


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests; empty fields filter nothing."""

    states: tuple[RequestState, ...] = ()
    resource: str | None = None
    agent_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class ApprovalDecision:
    """One entry of the record: who did what to which revision."""

    revision: int
    verdict: DecisionKind
    by: str
    roles: tuple[str, ...]
    reason: str | None
    payload: Mapping[str, Any]
    decided_at: datetime


def get(tx: Tx, request_id: uuid.UUID) -> Request:
    """Return one request. Raises NotFound."""
    return _one(tx, sa.select(*COLUMNS).where(RequestRow.id == request_id), request_id)


def many(tx: Tx, request_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Request]:
    """Return these requests by id; missing ones are left out."""
    query = sa.select(*COLUMNS).where(RequestRow.id.in_(list(request_ids)))
    return {one.id: one for one in _with_voices(tx, tx.execute(query).all())} if request_ids else {}


def lock(tx: Tx, request_id: uuid.UUID) -> Request:
    """Return one request and lock it until the transaction ends. Raises NotFound."""
    return _one(tx, sa.select(*COLUMNS).where(RequestRow.id == request_id).with_for_update(), request_id)


def _one(tx: Tx, query: sa.Executable, request_id: uuid.UUID) -> Request:
    row = tx.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no request {request_id}.", fix=_LISTED)
    return as_request(row, voices_of(tx, [request_id])[request_id])


def voices_of(tx: Tx, request_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, list[str]]:
    """Return who has approved each request in its present revision, in order."""
    query = (
        sa.select(DecisionRow.request_id, DecisionRow.by_name)
        .join(RequestRow, RequestRow.id == DecisionRow.request_id)
        .where(
            DecisionRow.request_id.in_(list(request_ids)),
            DecisionRow.verdict == DecisionKind.APPROVE,
            DecisionRow.revision == RequestRow.revision,
        )
        .order_by(DecisionRow.id)
    )
    voices: dict[uuid.UUID, list[str]] = defaultdict(list)
    for request_id, name in tx.execute(query):
        voices[request_id].append(name)
    return voices


def page(tx: Tx, which: RequestFilter, *, limit: int = 20, before: uuid.UUID | None = None) -> list[Request]:
    """Return the requests that match, newest first; `before` is the id of the last one of the previous page.

    Raises NotFound if that one is gone.
    """
    place = sa.tuple_(RequestRow.created_at, RequestRow.id)
    where = _where(which)
    if before is not None:
        above = get(tx, before)
        where.append(place < sa.tuple_(sa.literal(above.created_at), sa.literal(above.id)))
    query = sa.select(*COLUMNS).where(*where).order_by(RequestRow.created_at.desc(), RequestRow.id.desc()).limit(limit)
    return _with_voices(tx, tx.execute(query).all())


def _with_voices(tx: Tx, rows: Sequence[Any]) -> list[Request]:
    voices = voices_of(tx, [row.id for row in rows]) if rows else {}
    return [as_request(row, voices.get(row.id, ())) for row in rows]


def _where(which: RequestFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if which.states:
        where.append(RequestRow.state.in_(which.states))
    if which.resource is not None:
        where.append(RequestRow.resource == which.resource)
    if which.agent_id is not None:
        where.append(RequestRow.agent_id == which.agent_id)
    return where


def newest_about(tx: Tx, resource: str, resource_id: str, action: str) -> Request | None:
    """Return the last request about one object, settled or not; None without one."""
    same = (RequestRow.resource == resource, RequestRow.resource_id == resource_id, RequestRow.action == action)
    query = sa.select(*COLUMNS).where(*same).order_by(RequestRow.created_at.desc()).limit(1)
    found = _with_voices(tx, tx.execute(query).all())
    return found[0] if found else None


def pending_by_resource(tx: Tx) -> dict[tuple[str, str], int]:
    """Return how many requests wait for people, by (resource, action)."""
    query = sa.select(RequestRow.resource, RequestRow.action, sa.func.count()).where(
        RequestRow.state == RequestState.PENDING
    )
    return {(row[0], row[1]): int(row[2]) for row in tx.execute(query.group_by(RequestRow.resource, RequestRow.action))}


def tally(tx: Tx) -> int:
    """Return how many requests wait for people."""
    return sum(pending_by_resource(tx).values())


def oldest_pending_s(tx: Tx) -> float:
    """Return how long the request has waited that has waited longest; 0 when none waits."""
    oldest = sa.select(sa.func.min(RequestRow.created_at)).where(RequestRow.state == RequestState.PENDING)
    age = sa.func.extract("epoch", sa.func.clock_timestamp() - oldest.scalar_subquery())
    return float(tx.scalar(sa.select(age)) or 0.0)


def decisions_of(tx: Tx, request_id: uuid.UUID) -> list[ApprovalDecision]:
    """Return the record of one request, oldest first."""
    query = sa.select(DecisionRow).where(DecisionRow.request_id == request_id).order_by(DecisionRow.id)
    return [
        ApprovalDecision(
            row.revision,
            DecisionKind(row.verdict),
            row.by_name,
            tuple(row.by_roles),
            row.reason,
            row.payload,
            row.decided_at,
        )
        for row in tx.session.scalars(query)
    ]


def resolve_prefix(tx: Tx, prefix: str) -> uuid.UUID:
    """Return the id of the one request whose id begins with a prefix. Raises InvalidInput, NotFound."""
    return prefixes.resolve(tx, RequestRow.id, prefix, what="request", listed=_LISTED)
