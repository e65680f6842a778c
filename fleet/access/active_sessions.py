"""Permissions of many sessions and tokens at once, for open streams. Called by `fleet.web.live.hub`.

This does not count as use: an open page does not keep its session alive.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access import organisations, sessions, tokens
from fleet.access.models import SessionRow, TokenRow, UserRow
from fleet.access.principal import Principal, Via
from fleet.access.roles import Permission, Role
from fleet.core.db import Tx


def of(tx: Tx, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Principal]:
    """Return those of the sessions and tokens that are still valid, by id, each with its user and current
    permissions.
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
    return {row[0]: _principal(row) for row in tx.execute(sa.union_all(*found))}


def _principal(row: Any) -> Principal:
    key_id, user_id, name, role, scopes, found = row
    own = organisations.read(found)
    if scopes is None:
        return Principal(user_id, name, Role(role), Via.SESSION, key_id, organisations=own)
    known = frozenset(Permission(scope) for scope in scopes if scope in set(Permission))
    return Principal(user_id, name, Role(role), Via.TOKEN, key_id, known, own)
