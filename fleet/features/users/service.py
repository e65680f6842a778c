"""Commands on logins, sessions, tokens and users. Each is one transaction.

`fleet.access.authenticate` finds the user of a request. Passwords and keys pass through and are never logged, stored or
shown. Where a command takes `by`, it is the caller; None and the local administrator may do everything.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn

import sqlalchemy as sa

from fleet.access import audit, invitations, secret, sessions, throttle, users
from fleet.access import tokens as access_tokens
from fleet.access.audit import Actor, AuditFilter, AuditLine
from fleet.access.errors import LoginRefused, NotPermitted, TooManyTries
from fleet.access.models import UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role, allows, may_appoint
from fleet.access.sessions import EndReason, Found, Session, Visit
from fleet.access.tokens import Token
from fleet.access.users import User
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.agents import owners
from fleet.engine.deps import Deps


def log_in(deps: Deps, name: str, password: str, visit: Visit) -> tuple[str, Principal]:
    """Open a session; return its key and its user. Raises LoginRefused, TooManyTries."""
    name = "".join(char for char in name if char.isprintable()).strip().lower()  # no table has an invalid name
    user_id = _recognised(deps, name, password, visit)
    with deps.db.transaction() as tx:
        tx.execute(sa.update(UserRow).where(UserRow.id == user_id).values(last_login_at=sa.func.clock_timestamp()))
        return _opened(tx, user_id, visit)


def _recognised(deps: Deps, name: str, password: str, visit: Visit) -> uuid.UUID:
    """Return the user with this name and password. Raises LoginRefused, TooManyTries."""
    present = (UserRow.name == name, UserRow.removed_at.is_(None))
    with deps.db.transaction() as tx:
        until = throttle.begin(tx, name, visit.address)
        row = tx.execute(sa.select(UserRow.id, UserRow.password_hash).where(*present)).one_or_none()
    if until is not None:
        raise TooManyTries(until)
    # Outside of a transaction: it takes a twentieth of a second on purpose, also for an unknown name.
    is_right = secret.is_password(row.password_hash if row else None, password)
    if row is None or not is_right:
        _refuse(deps, name, visit)
    fresh = secret.hash_password(password) if secret.is_outdated(row.password_hash) else None
    with deps.db.transaction() as tx:
        throttle.succeeded(tx, name, visit.address)
        if fresh is not None:
            tx.execute(sa.update(UserRow).where(*present).values(password_hash=fresh))
    user_id: uuid.UUID = row.id
    return user_id


def _refuse(deps: Deps, name: str, visit: Visit) -> NoReturn:
    with deps.db.transaction() as tx:
        throttle.failed(tx, name, visit.address)
        with audit.acting(_actor(name[:60], "", visit.address)):
            audit.note(tx, "session.refused", f"user:{name[:60]}")
    raise LoginRefused


def _opened(tx: Tx, user_id: uuid.UUID, visit: Visit) -> tuple[str, Principal]:
    key = sessions.open(tx, user_id, visit)
    found = sessions.find(tx, key)
    if not isinstance(found, Found):  # removed between the two queries
        raise LoginRefused
    who = found.principal
    with audit.acting(_actor(who.name, who.role, visit.address)):
        audit.note(tx, "session.opened", f"user:{who.name}")
    return key, who


def _actor(name: str, role: str, address: str | None) -> Actor:
    """Return the actor of this request, after the login."""
    return replace(audit.actor(), name=name, role=role, via=Via.SESSION, address=address)


def log_out(deps: Deps, principal: Principal, *, everywhere: bool = False) -> None:
    """End this session, or all of this user's."""
    with deps.db.transaction() as tx:
        if everywhere:
            sessions.end_all(tx, principal.user_id, EndReason.ELSEWHERE)
        else:
            sessions.end(tx, principal.key_id, EndReason.LOGOUT)
        with audit.acting(_actor(principal.name, principal.role, audit.actor().address)):
            audit.note(tx, "session.closed", f"user:{principal.name}", after={"everywhere": everywhere})


def end_reason(deps: Deps, key: str) -> EndReason | None:
    """Return why the session of a browser's key has ended; None while it has not."""
    with deps.db.transaction() as tx:
        return sessions.end_reason(tx, key)


def list_sessions(deps: Deps, principal: Principal) -> Sequence[Session]:
    """Return the user's sessions, the last used one first."""
    with deps.db.transaction() as tx:
        return sessions.listed(tx, principal.user_id)


def end_session(deps: Deps, principal: Principal, session_id: uuid.UUID) -> None:
    """End one of one's own sessions. Raises NotFound."""
    with deps.db.transaction() as tx:
        if not sessions.end(tx, session_id, EndReason.ELSEWHERE, user_id=principal.user_id):
            raise NotFound("You have no such session.", fix="It may have ended already.")
        audit.note(tx, "session.closed", f"user:{principal.name}", after={"everywhere": False})


def change_password(deps: Deps, principal: Principal, old: str, new: str, visit: Visit, *,
                    revoke_tokens: bool = False) -> tuple[str, int]:  # fmt: skip
    """Change the user's own password and end every session; return the key of a new session and how many tokens ended.

    `revoke_tokens` also withdraws the user's invitations: anybody with the old password may have made them. Raises
    LoginRefused for a wrong old password (which counts as a failed login), TooManyTries, InvalidInput.
    """
    _recognised(deps, principal.name, old, visit)
    if old == new:
        raise InvalidInput("The new password is the old one.")
    chosen = users.choose_password(principal.name, new)
    with deps.db.transaction() as tx:
        revoked = users.set_password(tx, chosen, revoke_tokens=revoke_tokens)
        if revoke_tokens:
            invitations.void_of(tx, principal.name)
        return _opened(tx, principal.user_id, visit)[0], revoked


def issue_token(deps: Deps, user_name: str, name: str, scopes: Sequence[str], for_: timedelta | None, *,
                by: Principal | None = None, shorten: bool = False) -> str:  # fmt: skip
    """Issue a token for a user; return its text, to be shown once. Raises NotFound, InvalidInput, NotAllowed.

    `by` is the caller, who gets no token with more permissions than they have now, nor one that outlasts the token
    that asks. With `shorten` the new token expires with the one that asks where that is sooner.
    """
    with deps.db.transaction() as tx:
        wanted, made_by = refuse_token(tx, name, scopes, for_, by=by, shorten=shorten)
        user = users.get(tx, user_name)
        return access_tokens.issue(tx, user.id, name, wanted, for_, made_by=made_by, shorten=shorten)


def refuse_token(tx: Tx, name: str, scopes: Sequence[str], for_: timedelta | None, *, by: Principal | None,
                 shorten: bool) -> tuple[list[Permission], uuid.UUID | None]:  # fmt: skip
    """Return the permissions of a new token, and the token that asks. Raises as `issue_token` does."""
    unknown = sorted(set(scopes) - set(Permission))
    if unknown:
        raise InvalidInput(f"There is no scope {unknown[0]!r}.", fix=f"Scopes: {', '.join(Permission)}.")
    wanted = [Permission(one) for one in dict.fromkeys(scopes)]
    beyond = [one for one in wanted if by is not None and not by.may(one)]
    if beyond:
        raise NotPermitted(f"You may not give a token {beyond[0]}: you do not have it yourself.")
    access_tokens.check(name, wanted, for_)
    made_by = by.key_id if by is not None and by.via is Via.TOKEN else None
    if made_by is not None and access_tokens.outlives(tx, made_by, timedelta(0) if shorten else for_):
        raise NotPermitted("A token makes none that outlives it.", fix="Have it expire sooner, or log in to make it.")
    return wanted, made_by


def refuse_different(password: str, again: str) -> None:
    """Raise InvalidInput when a new password and its repetition differ: forms hide what people type."""
    if password != again:
        raise InvalidInput("The two passwords are not the same.", fix="Type both again.")


def list_tokens(deps: Deps, user_name: str | None = None) -> Sequence[Token]:
    """Return a user's tokens, or all users'. Raises NotFound."""
    with deps.db.transaction() as tx:
        return access_tokens.listed(tx, None if user_name is None else users.get(tx, user_name).id)


def revoke_token(deps: Deps, prefix: str, *, by: Principal | None = None) -> None:
    """Revoke a token, by the beginning of its id, and what it made: tokens and invitations.

    Users revoke their own tokens only; the local administrator revokes any. Raises NotFound, InvalidInput.
    """
    user_id = None if by is None or by.is_local else by.user_id
    with deps.db.transaction() as tx:
        access_tokens.revoke(tx, access_tokens.find_id(tx, prefix, user_id=user_id), user_id=user_id)


def list_users(deps: Deps) -> Sequence[User]:
    """Return all users by name."""
    with deps.db.transaction() as tx:
        return users.listed(tx)


def get_user(deps: Deps, name: str) -> User:
    """Return one user. Raises NotFound."""
    with deps.db.transaction() as tx:
        return users.get(tx, name)


def anybody(deps: Deps) -> bool:
    """Return whether any user can log in."""
    with deps.db.transaction() as tx:
        return users.any_there(tx)


def create_user(deps: Deps, name: str, role: Role, password: str, *, by: Principal | None = None) -> User:
    """Make a user. Raises InvalidInput, Conflict, NotAllowed."""
    refuse_beyond(by, role)
    refuse_giving(by, role)
    chosen = users.choose_password(name, password)
    with deps.db.transaction() as tx:
        return users.create(tx, chosen, role)


def change_role(deps: Deps, name: str, role: Role, *, by: Principal | None = None) -> bool:
    """Change a user's role; False if they have it already. Raises NotFound, Conflict, NotAllowed."""
    refuse_giving(by, role)
    with deps.db.transaction() as tx:
        refuse_beyond(by, users.locked(tx, name).role, role)
        changed = users.change_role(tx, name, role)
        if changed:
            invitations.void_of(tx, name)
            if not allows(role, Permission.DRAFTS_DECIDE):
                owners.release(tx, name)
        return changed


def set_password(deps: Deps, name: str, password: str, *, revoke_tokens: bool = False) -> int:
    """Set a user's password and end their sessions; return how many tokens ended. Raises NotFound, InvalidInput.

    `revoke_tokens` also withdraws the invitations that the user has made.
    """
    with deps.db.transaction() as tx:
        users.get(tx, name)
    chosen = users.choose_password(name, password)
    with deps.db.transaction() as tx:
        revoked = users.set_password(tx, chosen, revoke_tokens=revoke_tokens)
        if revoke_tokens:
            invitations.void_of(tx, name)
        return revoked


def remove_user(deps: Deps, name: str, *, by: Principal | None = None) -> None:
    """Let a user in no more. Raises NotFound, Conflict, NotAllowed."""
    with deps.db.transaction() as tx:
        refuse_beyond(by, users.locked(tx, name).role)
        users.remove(tx, name)
        invitations.void_of(tx, name)
        owners.release(tx, name)


def log_out_user(deps: Deps, name: str, *, by: Principal | None = None, revoke_tokens: bool = False) -> tuple[int, int]:
    """End all sessions of a user; return how many sessions and tokens ended. Raises NotFound, NotAllowed.

    `revoke_tokens` also revokes their tokens and withdraws the invitations that they have made.
    """
    with deps.db.transaction() as tx:
        user = users.locked(tx, name)
        refuse_beyond(by, user.role)
        ended, revoked = sessions.end_all(tx, user.id, EndReason.ADMIN), 0
        if revoke_tokens:
            revoked = access_tokens.revoke_all(tx, user.id)
            invitations.void_of(tx, name)
        if ended or revoked:
            told = {"number": ended, **({"tokens_revoked": revoked} if revoke_tokens else {})}
            audit.note(tx, "user.logged_out", f"user:{name}", after=told)
        return ended, revoked


def refuse_beyond(by: Principal | None, *roles: Role) -> None:
    """Raise NotAllowed for an action on a role that the user may not manage: the one place that decides this."""
    beyond = [role for role in roles if by is not None and not may_appoint(by.role, role)]
    if by is not None and beyond:
        article = "an" if beyond[0][0] in "aeiou" else "a"
        raise NotPermitted(
            f"The role {by.role} does not reach to {article} {beyond[0]}.", fix="An owner of the fleet may do it."
        )


def refuse_giving(by: Principal | None, role: Role) -> None:
    """Raise NotAllowed for a role with permissions that the user lacks now: a token's scopes count, too."""
    beyond = [one for one in Permission if by is not None and allows(role, one) and not by.may(one)]
    if beyond:
        raise NotPermitted(f"You may not make anybody {role}: that gives {beyond[0]}, which you do not have yourself.")


def audit_page(deps: Deps, which: AuditFilter, *, limit: int = 50, before: int | None = None) -> Sequence[AuditLine]:
    """Return lines of the audit log, newest first; `before` is the id of the last line of the page above."""
    with deps.db.transaction() as tx:
        return audit.page(tx, which, limit=limit, before=before)
