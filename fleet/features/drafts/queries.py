"""Queries about drafts, reading only. Called by `fleet.engine` and, through it, by entry points."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.core import prefixes
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.features.drafts.models import DraftRow, RevisionRow
from fleet.features.drafts.states import DraftKind, DraftStatus

_LISTED = "`fleet drafts list` shows them all."


@dataclass(frozen=True, slots=True)
class DraftFilter:
    """A filter of drafts; empty fields match all.

    `topic` is part of one, `confidence` the minimum of the agent's own.
    """

    status: DraftStatus | None = None
    kind: DraftKind | None = None
    agent_id: uuid.UUID | None = None
    topic: str | None = None
    confidence: float | None = None
    since: datetime | None = None
    until: datetime | None = None


def get(tx: Tx, draft_id: uuid.UUID) -> DraftRow:
    """Return one draft. Raises NotFound."""
    row = tx.session.get(DraftRow, draft_id)
    if row is None:
        raise NotFound(f"There is no draft {draft_id}.", fix=_LISTED)
    return row


def resolve(tx: Tx, prefix: str) -> uuid.UUID:
    """Return the id of the one draft whose id begins with a prefix. Raises InvalidInput, NotFound."""
    return prefixes.resolve(tx, DraftRow.id, prefix, what="draft", listed=_LISTED)


def page(tx: Tx, which: DraftFilter, *, limit: int = 20, before: uuid.UUID | None = None) -> list[DraftRow]:
    """Return drafts, newest first; `before` is the last of the previous page. Raises NotFound if that one is gone."""
    query = sa.select(DraftRow).where(*_where(which)).order_by(DraftRow.created_at.desc(), DraftRow.id.desc())
    if before is not None:
        last = get(tx, before)
        query = query.where(sa.tuple_(DraftRow.created_at, DraftRow.id) < sa.tuple_(last.created_at, last.id))
    return list(tx.session.scalars(query.limit(limit)))


def count(tx: Tx, which: DraftFilter, *, most: int = 10_000) -> int:
    """Return how many drafts there are, counting no further than `most`: a page waits for this."""
    some = sa.select(sa.literal(1)).select_from(DraftRow).where(*_where(which)).limit(most).subquery()
    return int(tx.scalar(sa.select(sa.func.count()).select_from(some)) or 0)


def agents_with(tx: Tx, number: int, *, agent_id: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Return the agents with at least so many waiting drafts, all or the one named."""
    which = DraftFilter(status=DraftStatus.PENDING, agent_id=agent_id)
    query = sa.select(DraftRow.agent_id).where(*_where(which)).group_by(DraftRow.agent_id)
    return list(tx.session.scalars(query.having(sa.func.count() >= number).order_by(DraftRow.agent_id)))


def revisions_of(tx: Tx, draft_id: uuid.UUID) -> list[RevisionRow]:
    """Return a draft as it was over time, oldest first."""
    query = sa.select(RevisionRow).where(RevisionRow.draft_id == draft_id).order_by(RevisionRow.revision)
    return list(tx.session.scalars(query))


def taken(tx: Tx, agent_id: uuid.UUID, targets: Sequence[str]) -> set[tuple[str, str]]:
    """Return the (kind, target) pairs that an agent has proposed and that were not rejected."""
    standing = DraftRow.status.in_((DraftStatus.PENDING, DraftStatus.APPROVED))
    query = sa.select(DraftRow.kind, DraftRow.target).where(
        DraftRow.agent_id == agent_id, DraftRow.target.in_(targets), standing
    )
    return {(kind, str(target)) for kind, target in tx.execute(query)}


def waiting_on(tx: Tx, agent_id: uuid.UUID, kind: DraftKind, targets: Sequence[str]) -> frozenset[str]:
    """Return about which targets an agent has a draft that waits for a decision (uq_drafts_one_open)."""
    query = sa.select(DraftRow.target).where(
        DraftRow.agent_id == agent_id, DraftRow.kind == kind, DraftRow.target.in_(targets),
        DraftRow.status == DraftStatus.PENDING,
    )  # fmt: skip
    return frozenset(str(target) for target in tx.session.scalars(query))


def open_captions(tx: Tx, agent_id: uuid.UUID, *, limit: int = 50) -> list[str]:
    """Return the captions of an agent's posts that wait for a decision or were decided recently, newest first."""
    mine = (DraftRow.agent_id == agent_id, DraftRow.kind == DraftKind.POST)
    query = sa.select(DraftRow.content["text"].astext).where(*mine).order_by(DraftRow.created_at.desc()).limit(limit)
    return [str(words) for words in tx.session.scalars(query)]


def open_comments(tx: Tx, surface: str, targets: Sequence[str]) -> dict[str, int]:
    """Return how many comments wait for a decision on each post, whosever they are."""
    query = (
        sa.select(DraftRow.target, sa.func.count())
        .where(
            DraftRow.surface == surface,
            DraftRow.target.in_(targets),
            DraftRow.kind == DraftKind.COMMENT,
            DraftRow.status == DraftStatus.PENDING,
        )
        .group_by(DraftRow.target)
    )
    return {str(target): int(number) for target, number in tx.execute(query)}


def _where(which: DraftFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if which.status is not None:
        where.append(DraftRow.status == which.status)
    if which.kind is not None:
        where.append(DraftRow.kind == which.kind)
    if which.agent_id is not None:
        where.append(DraftRow.agent_id == which.agent_id)
    if which.topic is not None:
        where.append(DraftRow.topic.icontains(which.topic, autoescape=True))
    if which.confidence is not None:
        where.append(DraftRow.confidence >= which.confidence)
    if which.since is not None:
        where.append(DraftRow.created_at >= which.since)
    if which.until is not None:
        where.append(DraftRow.created_at < which.until)
    return where


def comment_targets_waiting(tx: Tx, agent_id: uuid.UUID, targets: Sequence[str]) -> frozenset[str]:
    """Return those posts for which a draft comment of the agent waits."""
    return frozenset(waiting_on(tx, agent_id, DraftKind.COMMENT, targets))
