"""Idempotency keys: the request that a program made with each key, and the response that it got.

Called by `fleet.web.middleware.idempotency_keys` inside its transactions. A key belongs to one session or token, so
that nobody reads another's responses. A key that was claimed by a process that died becomes free after a while, unless
the audit log has a line of its request: that line belongs to the transaction of the write.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from fleet.access.models import AuditRow
from fleet.core import ids
from fleet.core.db import Base, Tx
from fleet.core.db.visibility import ALL
from fleet.core.errors import Conflict, InvalidInput

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=10)
"""Longer than any write takes: a claim that is older belongs to a process that died."""
_TIME = sa.DateTime(timezone=True)
_CLOCK = sa.func.clock_timestamp()


class RepeatRow(Base):
    """One key, its request, and the response once there is one. Without a body: it contained a secret."""

    __tablename__ = "idempotency_keys"

    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)  # a session's or a token's id
    key: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary(32))
    claim: Mapped[uuid.UUID]
    request_id: Mapped[str | None] = mapped_column(sa.String(40))  # as lines of the audit log carry it
    claimed_at: Mapped[datetime] = mapped_column(_TIME, server_default=sa.text("clock_timestamp()"))
    status: Mapped[int | None] = mapped_column(sa.SmallInteger)
    media_type: Mapped[str | None] = mapped_column(sa.String(100))
    body: Mapped[bytes | None] = mapped_column(sa.LargeBinary)

    __table_args__ = (
        sa.CheckConstraint("octet_length(fingerprint) = 32", name="fingerprint"),
        sa.Index("ix_idempotency_keys_claimed_at", "claimed_at"),
        ALL.args,
    )


class ResponseLost(Conflict):
    """The request with this key was executed, at least in part, by a process that died before it responded."""


class RequestUnderWay(Conflict):
    """The first request with this key has not been answered yet."""


_IS_ABANDONED = RepeatRow.claimed_at < _CLOCK - ABANDONED


@dataclass(frozen=True, slots=True)
class Use:
    """A key and its request: `fingerprint` is the SHA-256 of the whole request, `request_id` names this try."""

    owner_id: uuid.UUID
    key: str
    fingerprint: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """The stored response. `body` is None where it contained a secret, which is shown once."""

    status: int
    media_type: str | None
    body: bytes | None


def claim(tx: Tx, use: Use) -> uuid.UUID | KeptResponse:
    """Claim a key for a request and return the claim; or return the response of the same request before.

    Raises InvalidInput for a key that was used for another request, UnderWay while that one is being served, Unanswered
    if it was executed and its response is lost.
    """
    mine = ids.new()
    values = {"fingerprint": use.fingerprint, "claim": mine, "claimed_at": _CLOCK, "request_id": use.request_id}
    wrote = sa.exists().where(AuditRow.request_id == RepeatRow.request_id)
    same_and_abandoned = sa.and_(
        RepeatRow.status.is_(None), RepeatRow.fingerprint == use.fingerprint, _IS_ABANDONED, ~wrote
    )
    taken = (
        insert(RepeatRow)
        .values(owner_id=use.owner_id, key=use.key, **values)
        .on_conflict_do_update(
            index_elements=["owner_id", "key"], set_={**values, "status": None, "media_type": None, "body": None},
            where=sa.or_(same_and_abandoned, RepeatRow.claimed_at < _CLOCK - KEPT),
        )
        .returning(RepeatRow.claim)
    )  # fmt: skip
    return mine if tx.scalar(taken) is not None else _known(tx, use)


def _known(tx: Tx, use: Use) -> KeptResponse:
    abandoned = _IS_ABANDONED.label("abandoned")
    columns = (RepeatRow.fingerprint, RepeatRow.status, RepeatRow.media_type, RepeatRow.body, abandoned)
    row = tx.execute(sa.select(*columns).where(*_names(use))).one_or_none()
    if row is not None and row.fingerprint != use.fingerprint:
        raise InvalidInput(
            "This Idempotency-Key was used for another request.", fix="Each write has a key of its own; draw a new one."
        )
    if row is not None and row.status is None and row.abandoned:
        raise ResponseLost(
            "This request was executed, at least in part; the process died before it could respond.",
            fix="Look at what it was to change; what is missing takes a new key.",
        )
    if row is None or row.status is None:
        raise RequestUnderWay("The same request is being answered.", fix="Ask again in a moment.")
    return KeptResponse(row.status, row.media_type, row.body)


def keep(tx: Tx, use: Use, claim_id: uuid.UUID, answer: KeptResponse) -> bool:
    """Store the response for the holder of the claim; False if another request holds it by now."""
    values = {"status": answer.status, "media_type": answer.media_type, "body": answer.body}
    return (
        tx.execute(sa.update(RepeatRow).where(*_names(use), RepeatRow.claim == claim_id).values(**values)).rowcount == 1
    )


def release(tx: Tx, use: Use, claim_id: uuid.UUID) -> None:
    """Let the key be used again: nothing was done under it."""
    tx.execute(sa.delete(RepeatRow).where(*_names(use), RepeatRow.claim == claim_id, RepeatRow.status.is_(None)))


def prune(tx: Tx, *, days: int, limit: int) -> int:  # noqa: ARG001  every pruner is given the fleet's retention
    """Delete keys after a day, whatever the retention is; return how many."""
    cutoff = sa.select(_CLOCK).scalar_subquery() - sa.literal(KEPT, sa.Interval)
    old = sa.select(RepeatRow.owner_id, RepeatRow.key).where(RepeatRow.claimed_at < cutoff)
    victims = old.order_by(RepeatRow.claimed_at).limit(limit).subquery()
    gone = sa.delete(RepeatRow).where(RepeatRow.owner_id == victims.c.owner_id, RepeatRow.key == victims.c.key)
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount


def _names(use: Use) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return RepeatRow.owner_id == use.owner_id, RepeatRow.key == use.key
