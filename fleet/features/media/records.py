"""Records of fetched addresses: find, claim, complete, give up.

Called by `fleet.features.media.service` inside its transactions. One row an address, claimed by compare-and-swap with a
token that only rises, so that of any number of processes one fetches, and one that lost its lease writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core.db import Tx
from fleet.features.media.models import DiscardedRow, MediaRow
from fleet.features.media.states import REFUSED_FOR, MediaState, retry_after

_CLOCK = sa.func.clock_timestamp()
_LONGEST_ERROR = 500
_DUE_AT = DiscardedRow.due_at
_IS_DUE = sa.func.statement_timestamp() >= _DUE_AT  # one value a statement: an index serves it
_IS_FREE = sa.or_(DiscardedRow.lease_until.is_(None), DiscardedRow.lease_until < _CLOCK)
_SHOWN_BY_THEN = timedelta(hours=1)  # longer than any job takes from storing a picture to the row that shows it


@dataclass(frozen=True, slots=True)
class FetchClaim:
    """The lease to fetch an address. `failures` is how often it failed before, in a row."""

    url_hash: str
    url: str
    token: int
    failures: int


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture in the object store. `token` names the fetch that brought it."""

    key: str
    sha256: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    source: str
    fetched_at: datetime
    token: int


@dataclass(frozen=True, slots=True)
class NotHad:
    """An address that was tried and is left alone until `retry_at`; `lasting` if the reason will not pass by itself."""

    error: str
    lasting: bool
    retry_at: datetime


@dataclass(frozen=True, slots=True)
class FetchUnderWay:
    """Another process is fetching this address."""

    until: datetime


Found = StoredPicture | NotHad | FetchUnderWay


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is remembered of a picture that was put into the object store."""

    key: str
    sha256: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class DiscardClaim:
    """The lease to delete a stored picture. `until` also names the lease: a later one ends later."""

    key: str
    until: datetime


def find(tx: Tx, url: str) -> Found | None:
    """Return the record of a normalized address; None if it was never requested."""
    row = tx.execute(sa.select(*_COLUMNS).where(MediaRow.url_hash == _hash(url))).one_or_none()
    return None if row is None else _found(row)


def claim(tx: Tx, url: str, *, lease_s: float, gone: int | None = None) -> FetchClaim | Found:
    """Take the lease to fetch an address, or return why not.

    An address is free when it is new, when its next try is due, or when its lease ran out. `gone` is the token of a
    `StoredPicture` whose object is not in the store any more: then that is fetched again.
    """
    until = _CLOCK + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.cast(lease_s, sa.Double))
    free = sa.or_(
        sa.and_(MediaRow.state == MediaState.FETCHING, MediaRow.lease_until < _CLOCK),
        sa.and_(MediaRow.state.in_([MediaState.FAILED, MediaState.REFUSED]), MediaRow.retry_at <= _CLOCK),
        sa.and_(MediaRow.state == MediaState.KEPT, MediaRow.lease_token == gone),
    )
    taken = (
        insert(MediaRow)
        .values(url_hash=_hash(url), url=url, state=MediaState.FETCHING, lease_token=1, lease_until=until)
        .on_conflict_do_update(
            index_elements=[MediaRow.url_hash],
            set_={
                "state": MediaState.FETCHING, "lease_token": MediaRow.lease_token + 1, "lease_until": until,
                "retry_at": None,
            },
            where=free,
        )
        .returning(MediaRow.url_hash, MediaRow.url, MediaRow.lease_token, MediaRow.failures)
    )  # fmt: skip
    row = tx.execute(taken).one_or_none()
    if row is not None:
        return FetchClaim(*row)
    # The holder may have released it since: report it as being fetched, and the caller tries again.
    return find(tx, url) or FetchUnderWay(tx.now())


def remember(tx: Tx, claim: FetchClaim, facts: PictureFacts) -> StoredPicture | None:
    """Record that the picture is stored; None if the lease was lost meanwhile."""
    values = {
        "state": MediaState.KEPT, "lease_until": None, "failures": 0, "error": None, "object_key": facts.key,
        "sha256": facts.sha256, "content_type": facts.content_type, "width": facts.width, "height": facts.height,
        "size_bytes": facts.size_bytes, "source": facts.source, "fetched_at": _CLOCK,
    }  # fmt: skip
    row = tx.execute(_guarded(claim).values(**values).returning(*_COLUMNS)).one_or_none()
    return None if row is None else _kept(row)


def give_up(tx: Tx, claim: FetchClaim, error: str, *, lasting: bool, asked_s: float | None = None) -> bool:
    """Record a failure, and when to try again; False if the lease was lost.

    Permanent failures are tried again after a day, others soon, with backoff. `asked_s` is the server's Retry-After.
    """
    wait = REFUSED_FOR if lasting else retry_after(claim.failures + 1, asked_s=asked_s)
    values = {
        "state": MediaState.REFUSED if lasting else MediaState.FAILED, "lease_until": None,
        "failures": claim.failures + 1, "error": error[:_LONGEST_ERROR], "retry_at": _CLOCK + wait,
    }  # fmt: skip
    return tx.execute(_guarded(claim).values(**values)).rowcount == 1


def prune_not_had(tx: Tx, *, days: int, limit: int) -> int:
    """Delete addresses that were given up and not requested again for so long; a batch."""
    old = (
        sa.select(MediaRow.url_hash)
        .where(MediaRow.retry_at < _CLOCK - timedelta(days=days))
        .order_by(MediaRow.retry_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return tx.execute(sa.delete(MediaRow).where(MediaRow.url_hash.in_(old))).rowcount


def discard(tx: Tx, keys: Collection[str]) -> None:
    """Note that stored pictures are to be deleted, except those of addresses, which are found again by them."""
    if keys:
        kept = set(tx.session.scalars(sa.select(MediaRow.object_key).where(MediaRow.object_key.in_(keys))))
        values = [{"object_key": key, "due_at": _CLOCK + _SHOWN_BY_THEN} for key in sorted(set(keys) - kept)]
        if values:
            tx.execute(insert(DiscardedRow).values(values).on_conflict_do_nothing())


def discard_later(tx: Tx, key: str, after: timedelta) -> None:
    """Note that a stored picture is to be deleted after so long, unless an address has it; the later note counts."""
    if tx.scalar(sa.select(sa.literal(1)).where(MediaRow.object_key == key).limit(1)) is not None:
        return
    row = insert(DiscardedRow).values(object_key=key, due_at=_CLOCK + after)
    later = sa.func.greatest(DiscardedRow.due_at, row.excluded.due_at)
    tx.execute(row.on_conflict_do_update(index_elements=[DiscardedRow.object_key], set_={"due_at": later}))


def claim_discarded(tx: Tx, *, lease_s: float) -> DiscardClaim | None:
    """Take the lease to delete a picture that is to be deleted by now; None if there is none.

    Until the lease ends, `release` refuses to store the same picture again.
    """
    due = (
        sa.select(DiscardedRow.object_key)
        .where(_IS_DUE, _IS_FREE)
        .order_by(_DUE_AT)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    until = _CLOCK + sa.func.make_interval(0, 0, 0, 0, 0, 0, sa.cast(lease_s, sa.Double))
    taken = (
        sa.update(DiscardedRow)
        .where(DiscardedRow.object_key == due.scalar_subquery())
        .values(lease_until=until)
        .returning(DiscardedRow.object_key, DiscardedRow.lease_until)
    )
    row = tx.execute(taken).one_or_none()
    return None if row is None else DiscardClaim(*row)


def forget(tx: Tx, claim: DiscardClaim) -> None:
    """Remove the note about a picture whose file is deleted; nothing if another process has the lease by now."""
    mine = (DiscardedRow.object_key == claim.key, DiscardedRow.lease_until == claim.until)
    tx.execute(sa.delete(DiscardedRow).where(*mine))


def release(tx: Tx, key: str) -> bool:
    """Let a picture stay that is about to be stored; False while a process deletes its file."""
    tx.execute(sa.delete(DiscardedRow).where(DiscardedRow.object_key == key, _IS_FREE))
    return tx.scalar(sa.select(sa.literal(1)).where(DiscardedRow.object_key == key)) is None


def keep(tx: Tx, keys: Collection[str]) -> None:
    """Let pictures stay that were discarded. Their files were stored less than an hour ago: no process deletes them."""
    if keys:
        tx.execute(sa.delete(DiscardedRow).where(DiscardedRow.object_key.in_(sorted(keys))))


_COLUMNS = (
    MediaRow.state, MediaRow.lease_token, MediaRow.lease_until, MediaRow.error, MediaRow.retry_at, MediaRow.object_key,
    MediaRow.sha256, MediaRow.content_type, MediaRow.width, MediaRow.height, MediaRow.size_bytes, MediaRow.source,
    MediaRow.fetched_at,
)  # fmt: skip


def _guarded(claim: FetchClaim) -> sa.Update:
    return sa.update(MediaRow).where(
        MediaRow.url_hash == claim.url_hash, MediaRow.lease_token == claim.token, MediaRow.state == MediaState.FETCHING
    )


def _found(row: Any) -> Found:
    if row.state == MediaState.KEPT:
        return _kept(row)
    if row.state == MediaState.FETCHING:
        return FetchUnderWay(row.lease_until)
    return NotHad(row.error or "", row.state == MediaState.REFUSED, row.retry_at)


def _kept(row: Any) -> StoredPicture:
    return StoredPicture(
        row.object_key, row.sha256, row.content_type, row.width, row.height, row.size_bytes, row.source or "",
        row.fetched_at, row.lease_token,
    )  # fmt: skip


def _hash(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
