"""Which of many sessions and tokens still open something. Asked about open streams, by `fleet.runtime.accounts`.

Looking is no use of them: a page that is left open does not keep its session alive.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa

from fleet.access.models import SessionRow, TokenRow, UserRow
from fleet.access.sessions import IDLE
from fleet.core.db import Tx

_CLOCK = sa.func.clock_timestamp()


def of(tx: Tx, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the sessions' and tokens' ids that still stand."""
    wanted = sa.func.any(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    sessions = sa.select(SessionRow.id).where(
        SessionRow.id == wanted, SessionRow.expires_at > _CLOCK, SessionRow.seen_at > _CLOCK - IDLE
    )
    tokens = sa.select(TokenRow.id).where(
        TokenRow.id == wanted, TokenRow.revoked_at.is_(None),
        sa.or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > _CLOCK),
    )  # fmt: skip
    present = UserRow.removed_at.is_(None)
    found = (
        sessions.join(UserRow, UserRow.id == SessionRow.user_id).where(present),
        tokens.join(UserRow, UserRow.id == TokenRow.user_id).where(present),
    )
    return set(tx.session.scalars(sa.union_all(*found)))
