"""Which of many sessions and tokens still open something. Asked about open streams, by `fleet.runtime.accounts`.

Looking is no use of them: a page that is left open does not keep its session alive.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

import sqlalchemy as sa

from fleet.access import sessions, tokens
from fleet.access.models import SessionRow, TokenRow, UserRow
from fleet.core.db import Tx


def of(tx: Tx, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the sessions' and tokens' ids that still stand."""
    wanted = sa.func.any(sa.literal(list(ids), sa.ARRAY(sa.Uuid)))
    found = (
        sa.select(row.id).join(UserRow, UserRow.id == row.user_id)
        .where(row.id == wanted, UserRow.removed_at.is_(None), *stands)
        for row, stands in ((SessionRow, sessions.STANDS), (TokenRow, tokens.STANDS))
    )  # fmt: skip
    return set(tx.session.scalars(sa.union_all(*found)))
