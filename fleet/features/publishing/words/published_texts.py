"""The fleet's published texts: captions and comments that passed the review, from the ledger.

Called by `fleet.engine` to avoid repetition.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.engine.jobs.models import JobRow
from fleet.features.publishing.kinds import COMMENT, POST

_PUBLIC = (POST, COMMENT)
"""The kinds with public text."""
SLOWEST_COMMIT = timedelta(seconds=10)
"""A write is dated before its transaction ends, so incremental reads overlap by this much."""


def recent_results(tx: Tx, agent_id: uuid.UUID, kind: str, field: str, *, limit: int = 50) -> list[str]:
    """Return one field of the newest checkpoints' texts, to avoid repetition."""
    said = _words(field)
    query = (
        sa.select(said)
        .where(JobRow.agent_id == agent_id, JobRow.kind == kind, said.is_not(None))
        .order_by(JobRow.created_at.desc())
        .limit(limit)
    )
    return [str(value) for value in tx.session.scalars(query)]


@dataclass(frozen=True, slots=True)
class Worded:
    """A caption or comment that passed the review. `sending_at` is None until it goes out."""

    job_id: uuid.UUID
    agent_id: uuid.UUID
    sending_at: datetime | None
    text: str


def texts_sent(tx: Tx, surface: str, since: datetime | None, *, limit: int) -> list[Worded]:
    """Return the captions and comments that went to a surface after a moment, newest first (ix_jobs_surface_writes)."""
    sent = _worded(surface).where(JobRow.sending_at.is_not(None)).order_by(JobRow.sending_at.desc()).limit(limit)
    if since is not None:
        sent = sent.where(JobRow.sending_at > since)
    return [Worded(*row) for row in tx.execute(sent)]


def was_sent(tx: Tx, surface: str, words: str, *, since: datetime, but: uuid.UUID, most: int) -> bool:
    """Return whether a job other than `but` sent this exact text to a surface after a moment (ix_jobs_surface_writes).

    At most the newest `most` texts are compared. Two concurrent calls both return False, unless the caller makes them
    take turns.
    """
    given = {"surface": surface, "words": words, "since": since - SLOWEST_COMMIT, "but": but, "most": most}
    row: Any = tx.run(_SENT_SINCE, **given).fetchone()
    return bool(row.number)


def texts_under_way(tx: Tx, surface: str) -> list[Worded]:
    """Return texts that are written and not sent yet: a picture, of half a minute, comes between a caption and its
    post (ix_jobs_leases).
    """
    under_way = _worded(surface).where(JobRow.lease_until.is_not(None), JobRow.sending_at.is_(None))
    return [Worded(*row) for row in tx.execute(under_way)]


def _worded(surface: str) -> sa.Select[uuid.UUID, uuid.UUID | None, datetime | None, str]:
    return sa.select(JobRow.id, JobRow.agent_id, JobRow.sending_at, _SAID).where(
        JobRow.surface == surface, JobRow.kind.in_(_PUBLIC), _SAID.is_not(None)
    )


def _words(field: str) -> sa.ColumnElement[str]:
    """Return a field of the text that passed the review, which is the second draft if the first was refused."""
    return sa.func.coalesce(JobRow.checkpoint["words:2"][field].astext, JobRow.checkpoint["words"][field].astext)


_SAID = sa.func.coalesce(_words("caption"), _words("text"))
# Counted rather than found: of a query for one row the planner believes that it will soon meet one, anywhere, and reads
# all that was ever sent.
_LATELY = (
    sa.select(_SAID.label("said"))
    .where(
        JobRow.surface == sa.bindparam("surface", type_=sa.String),
        JobRow.sending_at > sa.bindparam("since", type_=sa.DateTime(timezone=True)),
        JobRow.kind.in_(_PUBLIC),
        JobRow.id != sa.bindparam("but", type_=sa.Uuid),
    )
    .order_by(JobRow.sending_at.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
    .subquery("lately")
)
_SENT_SINCE = Statement(
    sa.select(sa.func.count().label("number")).where(_LATELY.c.said == sa.bindparam("words", type_=sa.String))
)
