"""Identities of a store's objects, and the values on which both sides last agreed: read and written in bulk."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from fleet.core.db import Tx
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE
from fleet.features.stores.kinds import WRITES
from fleet.features.stores.models import ExternalRefRow, FieldStateRow
from fleet.features.stores.rules import GONE_AFTER

AFTER_REFUSAL = timedelta(hours=1)
"""After this time a refused write is tried again."""
_HERE, _THERE = "here", "there"
_UPSERT_REFS = sa.text("""
INSERT INTO external_refs (account_id, kind, local_id, external_id, parent_id, key, state, digest, changed_at, seen_at,
    missed, details)
SELECT :account_id, kind, local_id, external_id, coalesce(parent_id, ''), coalesce(key, ''), state,
    coalesce(digest, ''), changed_at, seen_at, 0, coalesce(details, '{}')
FROM jsonb_to_recordset(:rows) AS new (kind text, local_id uuid, external_id text, parent_id text, key text,
    state text, digest text, changed_at timestamptz, seen_at timestamptz, details jsonb)
ORDER BY kind, local_id
ON CONFLICT (account_id, kind, local_id) DO UPDATE SET external_id = excluded.external_id,
    parent_id = excluded.parent_id, key = excluded.key, state = excluded.state, digest = excluded.digest,
    changed_at = excluded.changed_at, seen_at = coalesce(excluded.seen_at, external_refs.seen_at), missed = 0,
    details = external_refs.details || excluded.details, gone_at = NULL
""").bindparams(sa.bindparam("rows", type_=JSONB), sa.bindparam("account_id", type_=sa.Uuid))
_UPSERT_STATES = sa.text("""
INSERT INTO field_states (account_id, local_id, field, base, remote, remote_at, base_at, written_by)
SELECT :account_id, local_id, field, nullif(base, 'null'), nullif(remote, 'null'), remote_at, base_at, written_by
FROM jsonb_to_recordset(:rows) AS new (local_id uuid, field text, base jsonb, remote jsonb, remote_at timestamptz,
    base_at timestamptz, written_by uuid)
ORDER BY local_id, field
ON CONFLICT (account_id, local_id, field) DO UPDATE SET base = excluded.base, remote = excluded.remote,
    remote_at = excluded.remote_at, base_at = excluded.base_at, written_by = excluded.written_by
""").bindparams(sa.bindparam("rows", type_=JSONB), sa.bindparam("account_id", type_=sa.Uuid))
_UPSERT_REMOTE = sa.text("""
INSERT INTO field_states (account_id, local_id, field, remote, remote_at)
SELECT :account_id, local_id, field, remote, :remote_at
FROM jsonb_to_recordset(:rows) AS new (local_id uuid, field text, remote jsonb)
ORDER BY local_id, field
ON CONFLICT (account_id, local_id, field) DO UPDATE SET remote = excluded.remote, remote_at = excluded.remote_at,
    written_by = CASE WHEN field_states.remote = excluded.remote THEN field_states.written_by END
WHERE field_states.remote_at < excluded.remote_at
""").bindparams(sa.bindparam("rows", type_=JSONB), sa.bindparam("account_id", type_=sa.Uuid))


@dataclass(frozen=True, slots=True)
class FieldState:
    """What both sides last agreed on in a field, and what the store had when it was last read."""

    here: Any
    """The catalogue's value at the last agreement; None: both never agreed."""
    there: Any
    """The store's value then, where it keeps its own form of it; None: the same."""
    remote: Any
    remote_at: datetime
    base_at: datetime | None
    written_by: uuid.UUID | None


def base_of(here: Any, there: Any) -> Any:
    """Return a base as the table has it: one value, or both where the store keeps its own form."""
    return here if there is None or here == there else {_HERE: here, _THERE: there}


def sides_of(base: Any) -> tuple[Any, Any]:
    """Return the catalogue's and the store's value of a base; the store's is None where it is the same."""
    if isinstance(base, dict) and set(base) == {_HERE, _THERE}:
        return base[_HERE], base[_THERE]
    return base, None


def by_external(
    tx: Tx, account_id: uuid.UUID, kind: str, external_ids: Collection[str]
) -> dict[str, ExternalRefRow]:  # fmt: skip
    """Return the identities of objects of a store by the store's ids; those that are gone are left out."""
    if not external_ids:
        return {}
    row = ExternalRefRow
    which = (row.account_id == account_id, row.kind == kind, row.external_id.in_(external_ids), row.state != "gone")
    found = tx.session.scalars(sa.select(row).where(*which), execution_options={"populate_existing": True})
    return {str(one.external_id): one for one in found}


def by_local(
    tx: Tx, account_id: uuid.UUID, kind: str, local_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, ExternalRefRow]:  # fmt: skip
    """Return the identities of objects at a store by their ids here, in every state."""
    if not local_ids:
        return {}
    row = ExternalRefRow
    which = (row.account_id == account_id, row.kind == kind, row.local_id.in_(local_ids))
    found = tx.session.scalars(sa.select(row).where(*which), execution_options={"populate_existing": True})
    return {one.local_id: one for one in found}


def variants_of_product(tx: Tx, account_id: uuid.UUID, parents: Collection[str]) -> list[ExternalRefRow]:
    """Return the mapped variants of products of a store."""
    if not parents:
        return []
    row = ExternalRefRow
    which = (row.account_id == account_id, row.kind == "variant", row.parent_id.in_(parents), row.state == "mapped")
    return list(tx.session.scalars(sa.select(row).where(*which), execution_options={"populate_existing": True}))


def states_of(
    tx: Tx, account_id: uuid.UUID, local_ids: Collection[uuid.UUID]
) -> dict[tuple[uuid.UUID, str], FieldState]:  # fmt: skip
    """Return the states of all fields of objects."""
    if not local_ids:
        return {}
    row = FieldStateRow
    query = sa.select(row.local_id, row.field, row.base, row.remote, row.remote_at, row.base_at, row.written_by)
    found = tx.execute(query.where(row.account_id == account_id, row.local_id.in_(local_ids)))
    return {
        (one.local_id, one.field): FieldState(*sides_of(one.base), one.remote, one.remote_at, one.base_at,
                                              one.written_by)
        for one in found
    }  # fmt: skip


def save_refs(tx: Tx, account_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or change identities; `details` are merged."""
    if rows:
        tx.execute(_UPSERT_REFS, {"account_id": account_id, "rows": [_plain(one) for one in rows]})


def save_states(tx: Tx, account_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace states of fields."""
    if rows:
        tx.execute(_UPSERT_STATES, {"account_id": account_id, "rows": [_plain(one) for one in rows]})


def save_remote(
    tx: Tx, account_id: uuid.UUID, rows: Sequence[Mapping[str, Any]], *, read_at: datetime
) -> None:  # fmt: skip
    """Store what a store has in fields, unless something newer was stored since the reading began."""
    if rows:
        parameters = {"account_id": account_id, "rows": [_plain(one) for one in rows], "remote_at": read_at}
        tx.execute(_UPSERT_REMOTE, parameters)


def mark_seen(tx: Tx, account_id: uuid.UUID, kind: str, external_ids: Collection[str], sweep: datetime) -> None:
    """Note that a sweep saw objects of a store."""
    row = ExternalRefRow
    which = (row.account_id == account_id, row.kind == kind, row.external_id.in_(external_ids), row.state != "gone")
    tx.execute(sa.update(row).where(*which).values(seen_at=sweep, missed=0)
               .execution_options(synchronize_session=False))  # fmt: skip


def miss_variants(tx: Tx, account_id: uuid.UUID, local_ids: Sequence[uuid.UUID]) -> None:
    """Count that a sweep read the products of variants, and not the variants; after the second time they are gone."""
    if not local_ids:
        return
    row = ExternalRefRow
    is_gone = row.missed + 1 >= GONE_AFTER
    which = (row.account_id == account_id, row.kind == "variant", row.local_id.in_(local_ids), row.state == "mapped")
    tx.execute(sa.update(row).where(*which).values(
        missed=row.missed + 1, state=sa.case((is_gone, "gone"), else_=row.state),
        gone_at=sa.case((is_gone, tx.sql_now), else_=row.gone_at),
    ).execution_options(synchronize_session=False))  # fmt: skip


def open_writes(tx: Tx, agent_id: uuid.UUID) -> frozenset[tuple[uuid.UUID, str]]:
    """Return the objects and fields that an open job of a store is about to write, or that were just refused.

    A refused write is tried again after an hour: each one is a dead letter that a person reads.
    """
    row = JobRow
    is_refused = sa.and_(row.state == "dead", row.finished_at > tx.sql_now - AFTER_REFUSAL)
    query = sa.select(row.payload["fields"]).where(row.agent_id == agent_id, row.kind.in_(WRITES))
    query = query.where(row.state.in_(LIVE) | is_refused)
    found: set[tuple[uuid.UUID, str]] = set()
    for fields in tx.session.scalars(query):
        for one in fields or ():
            local_id, _, name = str(one).partition("/")
            found.add((uuid.UUID(local_id), name))
    return frozenset(found)


def being_created(tx: Tx, agent_id: uuid.UUID, product_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Return the products whose creation at a store has not ended: the store may show them half-made."""
    if not product_ids:
        return frozenset()
    row = JobRow
    query = sa.select(row.target).where(row.agent_id == agent_id, row.kind == "create_product", row.state.in_(LIVE))
    found = tx.session.scalars(query.where(row.target.in_([str(one) for one in product_ids])))
    return frozenset(uuid.UUID(one) for one in found if one)


def written(fields: Iterable[tuple[uuid.UUID, str]]) -> list[str]:
    """Return objects and fields as the payload of a write has them."""
    return sorted(f"{local_id}/{name}" for local_id, name in fields)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, uuid.UUID)
            else value for name, value in row.items()}  # fmt: skip
