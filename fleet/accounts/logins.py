"""Logins on the way: what a system returns to is bound to the person who began it, for a few minutes, and used once."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa

from fleet.accounts.models import LoginRow
from fleet.accounts.sealing import Keyring, Sealed
from fleet.adapters.oauth import AppKeys
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput

GOOD_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login that goes on."""

    account_id: uuid.UUID
    redirect_uri: str
    keys: AppKeys
    verifier: str = field(repr=False)


def begin(tx: Tx, keyring: Keyring, state: str, login: PendingLogin, *, by: str) -> None:
    """Store a login. Older ones of the account end: only the newest address works."""
    now = tx.now()
    ended = sa.or_(LoginRow.account_id == login.account_id, LoginRow.expires_at <= now)
    tx.execute(sa.delete(LoginRow).where(ended))
    secret = {"verifier": login.verifier, "app": login.keys.write()}
    sealed = keyring.seal(_seal_name(_hash(state)), json.dumps(secret))
    tx.session.add(
        LoginRow(
            state=_hash(state), account_id=login.account_id, ciphertext=sealed.ciphertext, key_id=sealed.key_id,
            redirect_uri=login.redirect_uri, by=by[:100], expires_at=now + GOOD_FOR,
        )
    )  # fmt: skip
    tx.session.flush()


def end(tx: Tx, keyring: Keyring, state: str, *, by: str) -> PendingLogin:
    """Return a login and forget it: a state is good for one answer. Raises InvalidInput for any other state."""
    query = sa.select(LoginRow).where(LoginRow.state == _hash(state), LoginRow.by == by[:100]).with_for_update()
    row = tx.session.scalars(query).one_or_none()
    if row is None or row.expires_at <= tx.now():
        raise InvalidInput("This login is unknown, used or too old.", fix="Begin again: `fleet accounts connect NAME`.")
    secret = json.loads(keyring.open(_seal_name(row.state), Sealed(row.ciphertext, row.key_id)))
    tx.session.delete(row)
    tx.session.flush()
    return PendingLogin(row.account_id, row.redirect_uri, AppKeys.read(secret["app"]), secret["verifier"])


def forget(tx: Tx, account_id: uuid.UUID) -> None:
    """End the logins of an account."""
    tx.execute(sa.delete(LoginRow).where(LoginRow.account_id == account_id))


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _seal_name(hashed: str) -> str:
    return f"logins/{hashed}"
