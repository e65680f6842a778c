"""Find the user of a request by the key of a session, and notice keys that were copied; find users again later.

Called by `fleet.web.auth`, by the live stream, and by approvals, which run verbs in the name of those who asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access import audit, organisations, sessions, tokens, users
from fleet.access.models import SessionRow, TokenRow, UserRow
from fleet.access.principal import Principal, Via, local_administrator
from fleet.access.roles import Permission, Role
from fleet.access.sessions import Copied, Found
from fleet.core import logs
from fleet.core.db import Tx

log = logs.get(__name__)


def by_session(tx: Tx, key: str, *, address: str | None = None, may_rotate: bool = False) -> Found | None:
    """Return the user of a session's key, and the new key if it was rotated; None for an invalid key.

    A copied key ends the session, and the audit log records the address that sent it.
    """
    found = sessions.find(tx, key, may_rotate=may_rotate)
    if not isinstance(found, Copied):
        return found
    who = found.principal
    actor = replace(audit.actor(), name=who.name, role=who.role, via=Via.SESSION, address=address)
    with audit.acting(actor):
        audit.note(tx, "session.copied", f"user:{who.name}", before={"address": found.address})
    tx.afterwards(lambda: log.warning("session_key_copied", user=who.name, address=address, opened_from=found.address))
    return None


def to_data(who: Principal) -> dict[str, Any]:
    """Return a principal as data, for an action that runs later in their name. It holds no key."""
    return {"user_id": str(who.user_id), "name": who.name, "via": str(who.via), "key_id": str(who.key_id)}


def from_data(tx: Tx, found: Mapping[str, Any]) -> Principal | None:
    """Return the principal that `to_data` stored, with the role and scopes of now.

    None for a user who was removed, and for a token that opens nothing any more. A session may have ended.
    """
    via = Via(found["via"])
    if via is Via.TERMINAL:
        return local_administrator(found["name"])
    if via is Via.TOKEN:
        return tokens.get(tx, uuid.UUID(found["key_id"]))
    return users.principal(tx, uuid.UUID(found["user_id"]), key_id=uuid.UUID(found["key_id"]))


def standing(tx: Tx, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Principal]:
    """Return those of the sessions and tokens that are still valid, by id, each with its user and current
    permissions. This does not count as use: an open page does not keep its session alive.
    """
    wanted = sa.func.any(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    unscoped = sa.null().cast(ARRAY(sa.String())).label("scopes")
    kinds = ((SessionRow, unscoped, sessions.STANDS), (TokenRow, TokenRow.scopes, tokens.STANDS))
    found = (
        sa.select(row.id, UserRow.id, UserRow.name, UserRow.role, scopes, organisations.OF_USER)
        .join(UserRow, UserRow.id == row.user_id)
        .where(row.id == wanted, UserRow.removed_at.is_(None), *stands)
        for row, scopes, stands in kinds
    )  # fmt: skip
    return {row[0]: _standing(row) for row in tx.execute(sa.union_all(*found))}


def _standing(row: Any) -> Principal:
    key_id, user_id, name, role, scopes, found = row
    own = organisations.read(found)
    if scopes is None:
        return Principal(user_id, name, Role(role), Via.SESSION, key_id, organisations=own)
    known = frozenset(Permission(scope) for scope in scopes if scope in set(Permission))
    return Principal(user_id, name, Role(role), Via.TOKEN, key_id, known, own)
