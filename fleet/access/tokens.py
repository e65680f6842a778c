"""Tokens of programs: issue, find, revoke. Called by `fleet.access.users`, the users feature and `fleet.web.auth`.

A token has the permissions of its user, narrowed by its scopes. It is shown once and stored as a hash. Tokens that a
token makes end with it: they do not outlast it and are revoked with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import audit, organisations, secret
from fleet.access.models import TokenRow, UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role
from fleet.core import ids, prefixes
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound

_CLOCK = sa.func.clock_timestamp()
_NOTED_EVERY = timedelta(minutes=1)
LONGEST = timedelta(days=3660)
STANDS = (TokenRow.revoked_at.is_(None), sa.or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > _CLOCK))
"""What is true of a token that opens something, if its user was not removed."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner sees it: never its text."""

    id: uuid.UUID
    user: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def issue(tx: Tx, user_id: uuid.UUID, name: str, scopes: Collection[Permission], for_: timedelta | None, *,
          made_by: uuid.UUID | None = None, shorten: bool = False) -> str:  # fmt: skip
    """Issue a token and return its text, to be shown once. Raises InvalidInput without a name, a scope or a time.

    `made_by` is the requesting token, which `outlives` locks; with `shorten` the new one expires no later than it.
    """
    check(name, scopes, for_)
    key = secret.new_key(secret.TOKEN_PREFIX)
    token_id, until = ids.new(), None if for_ is None else _CLOCK + for_
    if shorten:
        maker_ends = sa.select(TokenRow.expires_at).where(TokenRow.id == made_by).scalar_subquery()
        until = sa.func.least(until, maker_ends)  # which passes over NULL, as of a token that does not expire
    tx.execute(
        sa.insert(TokenRow).values(
            id=token_id, user_id=user_id, made_by=made_by, name=name.strip(), key_hash=secret.digest(key),
            hint=key[:8], scopes=sorted(scopes), expires_at=until,
        )
    )  # fmt: skip
    told = {"name": name.strip(), "scopes": sorted(scopes), **({"made_by": f"token:{made_by}"} if made_by else {})}
    audit.note(tx, "token.issued", f"token:{token_id}", after=told)
    return key


def check(name: str, scopes: Collection[Permission], for_: timedelta | None) -> None:
    """Raise InvalidInput for a token without a name, a scope or a time."""
    if not 1 <= len(name.strip()) <= 60 or not name.isprintable():
        raise InvalidInput("A token's name has 1 to 60 characters, on one line.")
    if for_ is not None and not timedelta(0) < for_ <= LONGEST:
        raise InvalidInput("A token expires within ten years, or never.")
    if not scopes:
        raise InvalidInput("A token needs a scope at least.", fix=f"Scopes: {', '.join(Permission)}.")


def outlives(tx: Tx, token_id: uuid.UUID, for_: timedelta | None) -> bool:
    """Return whether something that lasts so long (None: without end) would outlast this token.

    The token's row is locked: revoking it meanwhile waits, and then finds the new row.
    """
    until = sa.func.coalesce(_CLOCK + sa.literal(for_, sa.Interval), sa.literal("infinity", sa.DateTime(timezone=True)))
    sooner = sa.or_(TokenRow.revoked_at.is_not(None), sa.func.coalesce(TokenRow.expires_at < until, sa.false()))
    return bool(tx.scalar(sa.select(sooner).where(TokenRow.id == token_id).with_for_update(read=True)))


def find(tx: Tx, key: str) -> Principal | None:
    """Return the user of a token and record its use; None for one that is not valid (any more)."""
    row = tx.execute(_PRINCIPAL.where(TokenRow.key_hash == secret.digest(key))).one_or_none()
    if row is None:
        return None
    if row.stale:
        tx.execute(sa.update(TokenRow).where(TokenRow.id == row.token_id).values(last_used_at=_CLOCK))
    return _principal(row)


def get(tx: Tx, token_id: uuid.UUID) -> Principal | None:
    """Return the user of a token by its id; None for one that is not valid (any more)."""
    row = tx.execute(_PRINCIPAL.where(TokenRow.id == token_id)).one_or_none()
    return None if row is None else _principal(row)


_PRINCIPAL = (
    sa.select(TokenRow.id.label("token_id"), TokenRow.user_id, UserRow.name, UserRow.role, TokenRow.scopes,
              organisations.OF_USER,
              sa.func.coalesce(TokenRow.last_used_at < _CLOCK - _NOTED_EVERY, sa.true()).label("stale"))
    .join(UserRow, UserRow.id == TokenRow.user_id)
    .where(UserRow.removed_at.is_(None), *STANDS)
)  # fmt: skip


def _principal(row: sa.Row[Any]) -> Principal:
    known = frozenset(Permission(scope) for scope in row.scopes if scope in set(Permission))
    own = organisations.read(row.organisations)
    return Principal(row.user_id, row.name, Role(row.role), Via.TOKEN, row.token_id, known, own)


def listed(tx: Tx, user_id: uuid.UUID | None = None) -> Sequence[Token]:
    """Return a user's tokens, or all users', newest first."""
    query = (
        sa.select(TokenRow.id, UserRow.name.label("user"), TokenRow.name, TokenRow.hint, TokenRow.scopes,
                  TokenRow.created_at, TokenRow.expires_at, TokenRow.last_used_at, TokenRow.revoked_at)
        .join(UserRow, UserRow.id == TokenRow.user_id)
        .order_by(TokenRow.created_at.desc())
    )  # fmt: skip
    if user_id is not None:
        query = query.where(TokenRow.user_id == user_id)
    return [Token(row[0], row[1], row[2], row[3], tuple(row[4]), *row[5:]) for row in tx.execute(query)]


def find_id(tx: Tx, prefix: str, *, user_id: uuid.UUID | None = None) -> uuid.UUID:
    """Return the id of the token whose id begins so, of all tokens or of a user's. Raises NotFound, InvalidInput."""
    own = () if user_id is None else (TokenRow.user_id == user_id,)
    return prefixes.resolve(tx, TokenRow.id, prefix, *own, what="token", listed="`fleet tokens list` shows them.")


def revoke(tx: Tx, token_id: uuid.UUID, *, user_id: uuid.UUID | None = None) -> None:
    """Revoke a token and those that it made; only a user's own, if one is given. Raises NotFound."""
    where = [TokenRow.id == token_id]
    if user_id is not None:
        where.append(TokenRow.user_id == user_id)
    revoked = _revoked(tx, *where)
    if not revoked:
        raise NotFound("There is no such token that opens anything.", fix="`fleet tokens list` shows them.")
    audit.note(tx, "token.revoked", f"token:{token_id}")
    # Generation by generation: making a token locks its maker, so each query finds the whole next generation.
    while revoked := _revoked(tx, TokenRow.made_by.in_(revoked)):
        for one, maker in revoked.items():
            audit.note(tx, "token.revoked", f"token:{one}", after={"with": f"token:{maker}"})


def _revoked(tx: Tx, *where: sa.ColumnElement[bool]) -> Mapping[uuid.UUID, uuid.UUID | None]:
    """Revoke tokens; return which, each with the one that made it."""
    found = sa.update(TokenRow).where(*where, TokenRow.revoked_at.is_(None)).values(revoked_at=_CLOCK)
    return {row.id: row.made_by for row in tx.execute(found.returning(TokenRow.id, TokenRow.made_by))}


def revoke_all(tx: Tx, user_id: uuid.UUID) -> int:
    """Revoke every token of a user; return how many."""
    where = (TokenRow.user_id == user_id, TokenRow.revoked_at.is_(None))
    return tx.execute(sa.update(TokenRow).where(*where).values(revoked_at=_CLOCK)).rowcount
