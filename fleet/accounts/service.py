"""Accounts at outside systems: create, change, remove, check, and seal their credentials.

Each is called inside its caller's transaction. Every change is an event with the account's name, never a secret.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from fleet.access import organisations
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.accounts.sealing import Keyring, LostKey, Sealed
from fleet.core import events, ids, masking
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound

_CLOCK = sa.func.clock_timestamp()
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
LIMITS = {"writes_per_minute": "writes of all agents through the account in a minute; 0: no limit"}
"""The limits that an account can have, instead of those of the settings."""
_MOST = 1_000_000
_SEALED = ("ciphertext", "key_id", "credentials_at")
_FROM_SETTINGS = "Its address and token are settings: FLEET_GALLERY_URL, FLEET_SERVICE_TOKEN."
_FIX_SETTINGS = "`fleet secrets set service_token` changes the token."


@dataclass(frozen=True, slots=True)
class AccountKey:
    """The account that a call uses. `version` is that of the credentials that the call sends."""

    id: uuid.UUID
    name: str
    version: int

    @property
    def fix(self) -> str:
        """What a person does about refused credentials."""
        if self.id == SETTINGS_ACCOUNT:
            return "fix FLEET_SERVICE_TOKEN, then resume"
        return f"`fleet accounts set-token {self.name}` mends it"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be created. `credentials` may be empty for a system to which people connect accounts."""

    name: str
    adapter: str
    address: str
    credentials: str = field(repr=False)
    limits: Mapping[str, int] = field(default_factory=dict)
    organisation_id: uuid.UUID | None = None
    """None: of the member who creates it, or the default one."""


def create(tx: Tx, keys: Keyring, new: NewAccount, *, by: str) -> AccountRow:
    """Insert an account. Raises InvalidInput, Conflict for a taken name."""
    if not _NAME.fullmatch(new.name):
        raise InvalidInput(
            f"{new.name[:60]!r} is no name of an account.", fix="Write 1 to 40 of a-z, 0-9, - and _, such as brand-two."
        )
    account_id = ids.new()
    values: dict[str, Any] = {"name": new.name, "adapter": new.adapter, "address": new.address}
    values["organisation_id"] = organisations.of_new(tx, new.organisation_id)
    values |= {"id": account_id, "limits": checked_limits(new.limits)}
    if new.credentials:
        values |= {"credentials_at": _CLOCK, **_sealed(keys, account_id, new.credentials)}
    try:
        with tx.session.begin_nested():
            tx.execute(sa.insert(AccountRow).values(**values))
    except exc.IntegrityError:
        raise Conflict(f"There is an account {new.name} already.", fix="Choose another name.") from None
    events.emit(tx, "account.created", account=new.name, adapter=new.adapter, address=new.address, by=by)
    return get(tx, account_id)


def change(
    tx: Tx, keys: Callable[[], Keyring], row: AccountRow, *, by: str, address: str | None = None,
    credentials: str | None = None, limits: Mapping[str, int] | None = None,
) -> AccountRow:  # fmt: skip
    """Change an account. Raises InvalidInput, Conflict for values that the settings hold."""
    values: dict[str, Any] = {}
    if row.id == SETTINGS_ACCOUNT and (address is not None or credentials is not None):
        raise Conflict(f"The account {row.name} is that of the settings. {_FROM_SETTINGS}", fix=_FIX_SETTINGS)
    if address is not None:
        values["address"] = address
    if credentials is not None:
        values |= {"credentials_at": _CLOCK, **_sealed(keys(), row.id, credentials)}
    if limits is not None:
        values["limits"] = checked_limits(limits)
    changed = sorted({"credentials" if name in _SEALED else name for name in values})
    if not changed:
        return row
    values |= {"version": AccountRow.version + 1, "updated_at": _CLOCK}
    if address is not None:
        values["text_lengths"] = {}  # those of the server before
    tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(**values))
    events.emit(tx, "account.changed", account=row.name, changed=changed, by=by)
    return get(tx, row.id)


def switch(tx: Tx, row: AccountRow, operation: str, reason: str | None, *, by: str) -> bool:
    """Switch an operation of an account on, with the reason, or off (None); return whether that changed anything."""
    is_on, operations = operation in row.operations, dict(row.operations)
    if reason is None:
        operations.pop(operation, None)
    else:
        operations[operation] = {"reason": reason, "by": by, "at": tx.now().isoformat()}
    if is_on == (operation in operations):
        return False
    values = {"operations": operations, "version": AccountRow.version + 1, "updated_at": _CLOCK}
    tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(**values))
    return True


def renew(tx: Tx) -> None:
    """Count a change of the token of the settings' account: a refusal of the one before does not stop it any more."""
    changed = sa.update(AccountRow).where(AccountRow.id == SETTINGS_ACCOUNT)
    tx.execute(changed.values(version=AccountRow.version + 1, updated_at=_CLOCK))


def remove(tx: Tx, row: AccountRow, *, by: str) -> None:
    """Remove an account and its credentials; records of its actions stay. Raises Conflict."""
    if row.id == SETTINGS_ACCOUNT:
        raise Conflict(
            f"The account {row.name} is that of the settings. {_FROM_SETTINGS}",
            fix=f"`fleet accounts stop {row.name}` stops it.",
        )
    gone = {"deleted_at": _CLOCK, "updated_at": _CLOCK, "ciphertext": None, "key_id": None}
    tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(**gone))
    events.emit(tx, "account.removed", account=row.name, by=by)


def listed(tx: Tx) -> list[AccountRow]:
    """Return all accounts: that of the settings, then the others by name."""
    rows = tx.session.scalars(sa.select(AccountRow).where(AccountRow.deleted_at.is_(None)).order_by(AccountRow.name))
    return sorted(rows, key=lambda row: row.id != SETTINGS_ACCOUNT)


def get(tx: Tx, account_id: uuid.UUID) -> AccountRow:
    """Return one account, a removed one too. Raises NotFound."""
    query = sa.select(AccountRow).where(AccountRow.id == account_id).execution_options(populate_existing=True)
    row = tx.session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("There is no such account.", fix="`fleet accounts list` shows them.")
    return row


def named(tx: Tx, name: str, *, lock: bool = False) -> AccountRow:
    """Return one account by its name or id, perhaps locked. Raises NotFound."""
    try:
        which = AccountRow.id == uuid.UUID(name)
    except ValueError:
        which = AccountRow.name == name
    query = sa.select(AccountRow).where(which, AccountRow.deleted_at.is_(None))
    row = tx.session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no account {name[:60]!r}.", fix="`fleet accounts list` shows them.")
    return row


def changeable(tx: Tx, name: str, *, lock: bool = False) -> AccountRow:
    """Return one account that this transaction may change, by its name or id. Raises NotFound, Conflict for that of the
    settings within an organisation.
    """
    row = named(tx, name)
    if tx.organisations is not None and row.organisation_id is None:
        raise Conflict(f"The account {row.name} is the whole fleet's.", fix="Ask an admin of the fleet to change it.")
    return named(tx, name, lock=True) if lock else row


def is_version(tx: Tx, key: AccountKey) -> bool:
    """Return whether an account's credentials are those of `key`, and lock the row until the transaction ends."""
    query = sa.select(AccountRow.version).where(AccountRow.id == key.id, AccountRow.deleted_at.is_(None))
    version: int | None = tx.scalar(query.with_for_update(read=True))
    return version == key.version


def open_credentials(row: AccountRow, keys: Callable[[], Keyring]) -> str:
    """Return the credentials of an account; empty if it has none. Raises LostKey, InvalidInput without any key."""
    if row.ciphertext is None or row.key_id is None:
        return ""
    try:
        return keys().open(_seal_name(row.id), Sealed(row.ciphertext, row.key_id))
    except LostKey as error:
        raise LostKey(
            f"The credentials of the account {row.name} cannot be opened.",
            fix=f"`fleet accounts set-token {row.name}`, or bring back the key of the key store that sealed them.",
        ) from error


def why_lost(row: AccountRow, keys: Callable[[], Keyring]) -> str:
    """Return why the credentials of an account cannot be opened; empty if they can."""
    try:
        open_credentials(row, keys)
    except FleetError as error:
        return str(error)
    return ""


def reseal(tx: Tx, keys: Keyring) -> Sequence[str]:
    """Seal with the first key all credentials that another key sealed; return their accounts. Raises LostKey."""
    first = keys.key_ids[0]
    query = sa.select(AccountRow).where(AccountRow.key_id != first).order_by(AccountRow.name).with_for_update()
    done = []
    for row in tx.session.scalars(query).all():
        credentials = open_credentials(row, lambda: keys)
        tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(**_sealed(keys, row.id, credentials)))
        done.append(f"account {row.name}")
    return done


def checked_limits(limits: Mapping[str, Any]) -> dict[str, int]:
    """Return limits that an account can have. Raises InvalidInput."""
    for name, value in limits.items():
        if name not in LIMITS:
            raise InvalidInput(f"There is no limit {name[:60]!r}.", fix=f"Limits: {', '.join(LIMITS)}.")
        if type(value) is not int or not 0 <= value <= _MOST:
            raise InvalidInput(f"{name} is no number from 0 to {_MOST:,}.", fix=LIMITS[name])
    return dict(limits)


def _sealed(keys: Keyring, account_id: uuid.UUID, credentials: str) -> dict[str, Any]:
    masking.conceal(credentials)
    sealed = keys.seal(_seal_name(account_id), credentials)
    return {"ciphertext": sealed.ciphertext, "key_id": sealed.key_id}


def _seal_name(account_id: uuid.UUID) -> str:
    return f"accounts/{account_id}/credentials"
