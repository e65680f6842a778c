"""Sources and their received events, stored once for each of their ids.

Called by `fleet.engine` in its transactions.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import ids, text
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.features.webhooks.models import ReceivedRow, SourceRow
from fleet.features.webhooks.outbound.subscriptions import SealedSecret
from fleet.features.webhooks.received_states import ReceivedState, before
from fleet.features.webhooks.signatures import Scheme

_CLOCK = sa.func.clock_timestamp()
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class InboundSource:
    """A source; its secret is sealed. Its ids are in a header, or at a path of its JSON."""

    id: uuid.UUID
    name: str
    description: str
    active: bool
    scheme: Scheme
    id_header: str
    id_path: str
    secret: SealedSecret
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReceivedItem:
    """Something that was received, without its body."""

    id: uuid.UUID
    external_id: str
    state: str
    content_type: str
    size_bytes: int
    received_at: datetime
    processed_at: datetime | None
    error: str | None


def create(tx: Tx, source: InboundSource) -> None:
    """Add a source. Raises Conflict for a name that is taken."""
    scheme = source.scheme
    new = insert(SourceRow).values(
        id=source.id, name=source.name, description=source.description, form=scheme.form, header=scheme.header,
        encoding=scheme.encoding, prefix=scheme.prefix, timestamp_header=scheme.timestamp_header,
        tolerance_s=scheme.tolerance_s, id_header=source.id_header, id_path=source.id_path,
        secret=source.secret.ciphertext, secret_key_id=source.secret.key_id, created_by=source.created_by[:200],
    )  # fmt: skip
    made = new.on_conflict_do_nothing(index_elements=["name"]).returning(SourceRow.id)
    if tx.scalar(made) is None:
        raise Conflict(f"There is a source {source.name} already.", fix="Remove it first, or take another name.")


def named(tx: Tx, name: str) -> InboundSource | None:
    """Return a source by name; None if there is none."""
    row = tx.session.scalars(sa.select(SourceRow).where(SourceRow.name == name)).one_or_none()
    return None if row is None else _source(row)


def get(tx: Tx, name: str) -> InboundSource:
    """Return a source by name. Raises NotFound."""
    found = named(tx, name)
    if found is None:
        raise _unknown(name)
    return found


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no source {text.clean(name)[:60]!r}.", fix="`fleet hooks sources list` shows them.")


def listed(tx: Tx) -> list[InboundSource]:
    """Return all sources by name."""
    return [_source(row) for row in tx.session.scalars(sa.select(SourceRow).order_by(SourceRow.name))]


def switch(tx: Tx, name: str, *, on: bool) -> bool:
    """Listen to a source, or no more; False if it was so. Raises NotFound."""
    if get(tx, name).active == on:
        return False
    tx.execute(sa.update(SourceRow).where(SourceRow.name == name).values(active=on, updated_at=_CLOCK))
    return True


def seal(tx: Tx, name: str, secret: SealedSecret) -> None:
    """Store a new secret, or the same one under another key. Raises NotFound."""
    values = {"secret": secret.ciphertext, "secret_key_id": secret.key_id, "updated_at": _CLOCK}
    if not tx.execute(sa.update(SourceRow).where(SourceRow.name == name).values(**values)).rowcount:
        raise _unknown(name)


def remove(tx: Tx, name: str) -> None:
    """Remove a source and its received events. Raises NotFound."""
    if not tx.execute(sa.delete(SourceRow).where(SourceRow.name == name)).rowcount:
        raise _unknown(name)


def external_id(source: InboundSource, headers: Mapping[str, str], body: bytes) -> str:
    """Return the sender's id of an event; the body's digest without one. Long ones are digested too."""
    given = headers.get(source.id_header.lower(), "") if source.id_header else _at(source.id_path, body)
    if not given:
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    plain = len(given) <= _LONGEST_ID and given.isprintable()
    return given if plain else f"id-sha256:{hashlib.sha256(given.encode(errors='replace')).hexdigest()}"


def _at(path: str, body: bytes) -> str:
    """Return the text or whole number at a path like `data.id` or `events.0.id`; empty for other values."""
    if not path:
        return ""
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def store(tx: Tx, source: InboundSource, external: str, body: bytes, content_type: str) -> uuid.UUID | None:
    """Store a received event; return its id, or None if it is a duplicate."""
    new = insert(ReceivedRow).values(
        id=ids.new(), source_id=source.id, external_id=external, body=body, content_type=content_type[:100]
    )
    made = new.on_conflict_do_nothing(constraint="uq_hook_received_once").returning(ReceivedRow.id)
    return cast("uuid.UUID | None", tx.scalar(made))


def move(tx: Tx, received_id: uuid.UUID, to: ReceivedState, *, why: str | None = None) -> bool:
    """Change the state of a received event; return whether it changed."""
    ended = to in (ReceivedState.PROCESSED, ReceivedState.FAILED)
    moved = (
        sa.update(ReceivedRow)
        .where(ReceivedRow.id == received_id, ReceivedRow.state.in_(before(to)))
        .values(state=to, processed_at=_CLOCK if ended else None, error=why and why[:500])
    )
    return tx.execute(moved.execution_options(synchronize_session=False)).rowcount == 1


def body_of(tx: Tx, received_id: uuid.UUID) -> bytes | None:
    """Return the exact body that a source sent; None if it is gone."""
    return cast("bytes | None", tx.scalar(sa.select(ReceivedRow.body).where(ReceivedRow.id == received_id)))


def page(
    tx: Tx, source_id: uuid.UUID, *, limit: int = 50, before_id: uuid.UUID | None = None
) -> Sequence[ReceivedItem]:
    """Return a source's received events, newest first; `before_id` is the last of the previous page."""
    where = [ReceivedRow.source_id == source_id]
    if before_id is not None:
        place = sa.select(ReceivedRow.received_at, ReceivedRow.id).where(ReceivedRow.id == before_id)
        where.append(sa.tuple_(ReceivedRow.received_at, ReceivedRow.id) < place.scalar_subquery())
    query = (
        sa.select(
            ReceivedRow.id, ReceivedRow.external_id, ReceivedRow.state, ReceivedRow.content_type,
            sa.func.length(ReceivedRow.body), ReceivedRow.received_at, ReceivedRow.processed_at, ReceivedRow.error,
        )
        .where(*where)
        .order_by(ReceivedRow.received_at.desc(), ReceivedRow.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [ReceivedItem(*row) for row in tx.execute(query)]


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete events that were received longer ago than that; return how many."""
    cutoff = sa.select(_CLOCK - sa.literal(timedelta(days=days), sa.Interval)).scalar_subquery()
    old = sa.select(ReceivedRow.id).where(ReceivedRow.received_at < cutoff).order_by(ReceivedRow.received_at)
    gone = sa.delete(ReceivedRow).where(ReceivedRow.id.in_(old.limit(limit).scalar_subquery()))
    return tx.execute(gone.execution_options(synchronize_session=False)).rowcount


def _source(row: SourceRow) -> InboundSource:
    scheme = Scheme(
        cast('Literal["plain", "stamped"]', row.form), row.header, cast('Literal["hex", "base64"]', row.encoding),
        row.prefix, row.timestamp_header, row.tolerance_s,
    )  # fmt: skip
    return InboundSource(
        row.id, row.name, row.description, row.active, scheme, row.id_header, row.id_path,
        SealedSecret(row.secret, row.secret_key_id), row.created_by, row.created_at,
    )  # fmt: skip
