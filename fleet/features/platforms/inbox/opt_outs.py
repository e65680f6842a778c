"""The list of people who want to be left alone: read and changed inside the caller's transaction.

A wish holds for the whole fleet, whichever organisation's agent was asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.features.platforms.inbox.models import OptOutRow

_NAME = sa.func.lower(OptOutRow.username)


def among(tx: Tx, surface: str, names: Collection[str], remote_ids: Collection[str]) -> set[str]:
    """Return which of these names (in lower case) and ids of a platform belong to people who want to be left alone."""
    if not names and not remote_ids:
        return set()
    which = sa.or_(_NAME.in_(names), OptOutRow.remote_id.in_(remote_ids))
    rows = tx.execute(sa.select(_NAME, OptOutRow.remote_id).where(OptOutRow.surface == surface, which))
    return {one for row in rows for one in row if one is not None}


def add(
    tx: Tx, surface: str, username: str, *, by: str, reason: str = "", remote_id: str | None = None,
    organisation_id: uuid.UUID | None = None,
) -> bool:  # fmt: skip
    """Add somebody; False if they are on the list already. Raises InvalidInput for no name."""
    username = username.strip().removeprefix("@")
    if not username:
        raise InvalidInput("Name the user who wants to be left alone.")
    values = {
        "id": ids.new(), "surface": surface, "username": username, "remote_id": remote_id or None, "added_by": by[:100],
        "reason": reason[:300], "organisation_id": organisation_id,
    }  # fmt: skip
    added = tx.scalar(insert(OptOutRow).values(**values).on_conflict_do_nothing().returning(OptOutRow.id))
    if added is None:
        return False
    events.emit(tx, "opt_out.added", surface=surface, user=username, by=by, why=reason[:300])
    return True


def remove(tx: Tx, opt_out_id: uuid.UUID, *, by: str) -> None:
    """Remove a person from the list. Raises NotFound."""
    gone = tx.execute(
        sa.delete(OptOutRow).where(OptOutRow.id == opt_out_id).returning(OptOutRow.surface, OptOutRow.username)
    ).one_or_none()
    if gone is None:
        raise NotFound("There is no such opt-out.", fix="`fleet opt-outs list` shows them.")
    events.emit(tx, "opt_out.removed", surface=gone.surface, user=gone.username, by=by)


def listed(tx: Tx, *, limit: int, below: uuid.UUID | None = None, search: str = "") -> Sequence[OptOutRow]:
    """Return the list, newest first; `below` is the last one of the page above."""
    query = sa.select(OptOutRow).order_by(OptOutRow.since.desc(), OptOutRow.id.desc()).limit(limit)
    if below is not None:
        last = sa.select(OptOutRow.since, OptOutRow.id).where(OptOutRow.id == below).scalar_subquery()
        query = query.where(sa.tuple_(OptOutRow.since, OptOutRow.id) < last)
    if search:
        query = query.where(OptOutRow.username.icontains(search, autoescape=True))
    return tx.session.scalars(query).all()
