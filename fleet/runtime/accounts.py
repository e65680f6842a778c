"""Who comes in: logins, sessions, tokens, users and invitations, as doors call them. Each is one transaction.

The only way to a `Principal`. Passwords and keys pass through and are never logged, stored or told.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

import sqlalchemy as sa

from fleet.access import audit, secret, sessions, standing, throttle, users
from fleet.access import tokens as access_tokens
from fleet.access.audit import Actor
from fleet.access.models import UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role
from fleet.access.sessions import Visit
from fleet.access.tokens import Token
from fleet.access.users import User
from fleet.core.errors import FleetError, InvalidInput
from fleet.runtime.deps import Deps


class LoginRefused(FleetError):
    """Name and password do not open anything; which of both is wrong is not said."""

    exit_code = 2


class TooManyTries(FleetError):
    """So many logins have failed that the next has to wait until `retry_at`."""

    def __init__(self, retry_at: datetime) -> None:
        super().__init__("Too many failed logins.", fix=f"Try again after {retry_at:%H:%M:%S} UTC.")
        self.retry_at = retry_at


def log_in(deps: Deps, name: str, password: str, visit: Visit) -> tuple[str, Principal]:
    """Begin a session; return its key and whose it is. Raises LoginRefused, TooManyTries."""
    name = name.strip().lower()
    with deps.db.transaction() as tx:
        until = throttle.blocked_until(tx, name, visit.address)
        row = tx.execute(
            sa.select(UserRow.id, UserRow.password_hash).where(UserRow.name == name, UserRow.removed_at.is_(None))
        ).one_or_none()
    if until is not None:
        raise TooManyTries(until)
    # Outside of a transaction: it takes a twentieth of a second on purpose, for a name that nobody has as well.
    is_right = secret.is_password(row.password_hash if row else None, password)
    if row is None or not is_right:
        _refuse(deps, name, visit)
    with deps.db.transaction() as tx:
        throttle.succeeded(tx, name)
        values: dict[str, object] = {"last_login_at": sa.func.clock_timestamp()}
        if secret.is_outdated(row.password_hash):
            values["password_hash"] = secret.hash_password(password)
        tx.execute(sa.update(UserRow).where(UserRow.id == row.id).values(**values))
        key = sessions.open(tx, row.id, visit)
        found = sessions.find(tx, key)
        if found is None:  # removed between the two looks
            raise LoginRefused("Name or password are wrong.")
        with audit.acting(Actor(found.name, found.role, Via.SESSION, visit.address)):
            audit.note(tx, "session.opened", f"user:{found.name}")
    return key, found


def _refuse(deps: Deps, name: str, visit: Visit) -> NoReturn:
    with deps.db.transaction() as tx:
        throttle.failed(tx, name, visit.address)
        with audit.acting(Actor(name[:60], "", Via.SESSION, visit.address)):
            audit.note(tx, "session.refused", f"user:{name[:60]}")
    raise LoginRefused("Name or password are wrong.")


def by_session(deps: Deps, key: str) -> Principal | None:
    """Return whose session a key opens; None if it opens none."""
    with deps.db.transaction() as tx:
        return sessions.find(tx, key)


def by_token(deps: Deps, key: str) -> Principal | None:
    """Return whose token a key is; None if it is none."""
    if not key.startswith(secret.TOKEN_PREFIX):
        return None
    with deps.db.transaction() as tx:
        return access_tokens.find(tx, key)


def still_stand(deps: Deps, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the sessions' and tokens' ids that still open something; looking does not prolong them."""
    with deps.db.transaction() as tx:
        return standing.of(tx, ids)


def log_out(deps: Deps, principal: Principal, *, everywhere: bool = False) -> None:
    """End this session, or all of this user's."""
    with deps.db.transaction() as tx:
        if everywhere:
            sessions.end_all(tx, principal.user_id)
        else:
            sessions.end(tx, principal.key_id)
        audit.note(tx, "session.closed", f"user:{principal.name}", after={"everywhere": everywhere})


def list_users(deps: Deps) -> Sequence[User]:
    """Return all users by name."""
    with deps.db.transaction() as tx:
        return users.listed(tx)


def anybody(deps: Deps) -> bool:
    """Say whether anybody can log in."""
    with deps.db.transaction() as tx:
        return users.any_there(tx)


def create_user(deps: Deps, name: str, role: Role, password: str) -> User:
    """Make a user. Raises InvalidInput, Conflict."""
    with deps.db.transaction() as tx:
        return users.create(tx, name, role, password)


def change_role(deps: Deps, name: str, role: Role) -> bool:
    """Give a user another role. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        return users.change_role(tx, name, role)


def set_password(deps: Deps, name: str, password: str) -> None:
    """Give a user another password and end their sessions. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        users.set_password(tx, name, password)


def remove_user(deps: Deps, name: str) -> None:
    """Let a user in no more. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        users.remove(tx, name)


def issue_token(deps: Deps, user_name: str, name: str, scopes: Sequence[str], for_: timedelta | None) -> str:
    """Make a token for a user; return its text, to be shown once. Raises NotFound, InvalidInput."""
    unknown = sorted(set(scopes) - set(Permission))
    if unknown:
        raise InvalidInput(f"There is no scope {unknown[0]!r}.", fix=f"Scopes: {', '.join(Permission)}.")
    with deps.db.transaction() as tx:
        user = users.get(tx, user_name)
        return access_tokens.issue(tx, user.id, name, [Permission(one) for one in scopes], for_)


def list_tokens(deps: Deps, user_name: str | None = None) -> Sequence[Token]:
    """Return a user's tokens, or everybody's. Raises NotFound."""
    with deps.db.transaction() as tx:
        return access_tokens.listed(tx, None if user_name is None else users.get(tx, user_name).id)
