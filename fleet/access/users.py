"""Users: create, change, remove, look up. Each runs inside its caller's transaction and is recorded in the audit log.

Called by `fleet.features.users.service`. A change of role or password ends the sessions. Removing a user also revokes
the tokens, and changing the password does so on request.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import exc

from fleet.access import audit, organisations, secret, sessions, tokens
from fleet.access.models import UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role, allows
from fleet.access.sessions import EndReason
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound

_CLOCK = sa.func.clock_timestamp()
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,59}")  # as the table's CHECK has it


@dataclass(frozen=True, slots=True)
class User:
    """A user."""

    id: uuid.UUID
    name: str
    role: Role
    created_at: datetime
    last_login_at: datetime | None


_COLUMNS = (UserRow.id, UserRow.name, UserRow.role, UserRow.created_at, UserRow.last_login_at)
_PRESENT = UserRow.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class ChosenPassword:
    """A password that was checked for the user of this name, as its hash."""

    name: str
    hash: str = field(repr=False)


def choose_password(name: str, password: str) -> ChosenPassword:
    """Check and hash a password for a user. Raises InvalidInput for a wrong name or a weak password.

    Not for transactions: it takes a tenth of a second, and `create` holds the lock of all users.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput("A name is 2 to 60 of a-z, 0-9, dot, - and _, and begins with a letter or digit.")
    secret.refuse_weak(password, name)
    return ChosenPassword(name, secret.hash_password(password))


def create(tx: Tx, password: ChosenPassword, role: Role) -> User:
    """Make the user for whom a password was chosen. Raises Conflict for a name that was ever taken."""
    name = password.name
    values = {"id": ids.new(), "name": name, "role": role, "password_hash": password.hash}
    try:
        with tx.session.begin_nested():
            tx.execute(sa.insert(UserRow).values(**values))
    except exc.IntegrityError as error:
        if "uq_users_name" not in str(error):
            raise
        raise Conflict(f"There is or was a user {name}.", fix="Names are not used twice: the log has them.") from None
    audit.note(tx, "user.created", f"user:{name}", after={"role": role})
    return get(tx, name)


def get(tx: Tx, name: str) -> User:
    """Return a user. Raises NotFound."""
    row = tx.execute(sa.select(*_COLUMNS).where(UserRow.name == name, _PRESENT)).one_or_none()
    if row is None:
        raise NotFound(f"There is no user {name!r}.", fix="`fleet users list` shows them.")
    return _user(row)


def principal(tx: Tx, user_id: uuid.UUID, *, key_id: uuid.UUID) -> Principal | None:
    """Return a user as a session of theirs has them; None for one who was removed."""
    query = sa.select(UserRow.id, UserRow.name, UserRow.role, organisations.OF_USER)
    row = tx.execute(query.where(UserRow.id == user_id, _PRESENT)).one_or_none()
    if row is None:
        return None
    own = organisations.read(row.organisations)
    return Principal(row.id, row.name, Role(row.role), Via.SESSION, key_id, organisations=own)


def listed(tx: Tx) -> Sequence[User]:
    """Return all users by name."""
    return [_user(row) for row in tx.execute(sa.select(*_COLUMNS).where(_PRESENT).order_by(UserRow.name))]


class ApproverStatus(StrEnum):
    """Whether a name may decide about requests for approval."""

    DECIDES = "decides"
    DEMOTED = "demoted"  # their role could, before it was changed
    REMOVED = "removed"
    VIEWS = "views"  # their role never could
    UNKNOWN = "unknown"


def standing(tx: Tx, name: str) -> ApproverStatus:
    """Return whether a name may decide about requests for approval, and whether it could before."""
    row = tx.execute(sa.select(UserRow.role, UserRow.removed_at).where(UserRow.name == name)).one_or_none()
    if row is None:
        return ApproverStatus.UNKNOWN
    if row.removed_at is not None:
        return ApproverStatus.REMOVED
    if allows(Role(row.role), Permission.DRAFTS_DECIDE):
        return ApproverStatus.DECIDES
    deciding = [role for role in Role if allows(role, Permission.DRAFTS_DECIDE)]
    return ApproverStatus.DEMOTED if audit.had_role(tx, name, deciding) else ApproverStatus.VIEWS


def any_there(tx: Tx) -> bool:
    """Return whether there is any user."""
    return bool(tx.scalar(sa.select(sa.exists().where(_PRESENT))))


def change_role(tx: Tx, name: str, role: Role) -> bool:
    """Change a user's role; False if they have it already. Raises NotFound, Conflict for the last owner."""
    user = locked(tx, name)
    if user.role is role:
        return False
    _keep_an_owner(tx, user)
    tx.execute(sa.update(UserRow).where(UserRow.id == user.id).values(role=role, updated_at=_CLOCK))
    sessions.end_all(tx, user.id, EndReason.ROLE)
    audit.note(tx, "user.role_changed", f"user:{name}", before={"role": user.role}, after={"role": role})
    return True


def set_password(tx: Tx, password: ChosenPassword, *, revoke_tokens: bool = False) -> int:
    """Set a user's password, end their sessions and optionally revoke their tokens; return how many were revoked.

    Raises NotFound.
    """
    name = password.name
    user = locked(tx, name)
    tx.execute(sa.update(UserRow).where(UserRow.id == user.id).values(password_hash=password.hash, updated_at=_CLOCK))
    sessions.end_all(tx, user.id, EndReason.PASSWORD)
    revoked = tokens.revoke_all(tx, user.id) if revoke_tokens else 0
    audit.note(
        tx, "user.password_changed", f"user:{name}", after={"tokens_revoked": revoked} if revoke_tokens else None
    )
    return revoked


def remove(tx: Tx, name: str) -> None:
    """Let a user in no more, nor any of their tokens. Raises NotFound, Conflict for the last owner."""
    user = locked(tx, name)
    _keep_an_owner(tx, user)
    tx.execute(sa.update(UserRow).where(UserRow.id == user.id).values(removed_at=_CLOCK, password_hash=""))
    sessions.end_all(tx, user.id, EndReason.REMOVED)
    tokens.revoke_all(tx, user.id)
    audit.note(tx, "user.removed", f"user:{name}", before={"role": user.role})


def lock(tx: Tx) -> None:
    """Lock the list of users, to count owners: two owners who remove each other at once would leave none."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.users"))))


def locked(tx: Tx, name: str) -> User:
    """Return a user and lock their row. Raises NotFound."""
    lock(tx)
    return get(tx, name)


def _keep_an_owner(tx: Tx, user: User) -> None:
    owners = sa.select(sa.func.count()).where(UserRow.role == Role.OWNER, _PRESENT)
    if user.role is Role.OWNER and int(tx.scalar(owners) or 0) == 1:
        raise Conflict(f"{user.name} is the only owner.", fix="Make another one first.")


def _user(row: sa.Row[tuple[uuid.UUID, str, str, datetime, datetime | None]]) -> User:
    return User(row.id, row.name, Role(row.role), row.created_at, row.last_login_at)
