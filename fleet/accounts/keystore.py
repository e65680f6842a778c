"""The key store: put, list, unseal, remove, and seal again. Each runs inside its caller's transaction.

Called by `fleet.accounts.keys`. Every change is an event with the name and the user, never the value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import SecretRow
from fleet.accounts.sealing import Keyring, Sealed
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import NotFound

_CLOCK = sa.func.clock_timestamp()
_NOTED_EVERY = timedelta(minutes=10)
"""How exact "last used" is: each process reads the store twice a minute, and not every read is worth a write."""


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """One secret of the table, sealed."""

    name: str
    sealed: Sealed
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


def put(tx: Tx, keys: Keyring, name: str, value: str, *, by: str) -> None:
    """Store a secret under this name, replacing the old one."""
    sealed = keys.seal(name, value)
    given = {"ciphertext": sealed.ciphertext, "key_id": sealed.key_id}
    statement = insert(SecretRow).values(name=name, **given)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={**given, "updated_at": _CLOCK}))
    events.emit(tx, "secret.set", name=name, by=by)


def everything(tx: Tx) -> list[StoredSecret]:
    """Return all secrets by name, sealed."""
    rows = tx.execute(sa.select(SecretRow).order_by(SecretRow.name)).scalars()
    return [_secret(row) for row in rows]


def note_use(tx: Tx, names: Collection[str]) -> None:
    """Note that a process uses these secrets."""
    seldom = SecretRow.last_used_at < _CLOCK - _NOTED_EVERY
    tx.execute(
        sa.update(SecretRow)
        .where(SecretRow.name.in_(names), sa.or_(SecretRow.last_used_at.is_(None), seldom))
        .values(last_used_at=_CLOCK)
        .execution_options(synchronize_session=False)
    )


def remove(tx: Tx, name: str, *, by: str) -> None:
    """Forget a secret. Raises NotFound."""
    if tx.execute(sa.delete(SecretRow).where(SecretRow.name == name)).rowcount == 0:
        raise NotFound(f"The key store has no {name}.", fix="`fleet secrets list` shows what it has.")
    events.emit(tx, "secret.removed", name=name, by=by)


def reseal(tx: Tx, keys: Keyring, *, by: str) -> list[str]:
    """Seal with the first key every secret that another key sealed; return the names.

    All or nothing; a second call changes nothing. Raises LostKey, naming the secret, when one cannot be unsealed.
    """
    first = keys.key_ids[0]
    query = sa.select(SecretRow).where(SecretRow.key_id != first).order_by(SecretRow.name).with_for_update()
    done = []
    for row in tx.execute(query).scalars().all():
        sealed = keys.seal(row.name, keys.open(row.name, _secret(row).sealed))
        row.ciphertext, row.key_id = sealed.ciphertext, sealed.key_id
        done.append(row.name)
    if done:
        events.emit(tx, "secret.resealed", names=done, key_id=first, by=by)
    return done


def _secret(row: SecretRow) -> StoredSecret:
    return StoredSecret(row.name, Sealed(row.ciphertext, row.key_id), row.created_at, row.updated_at, row.last_used_at)
