"""Tuning as pages, the API and commands show it."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.features.tuning.models import TuningProposalRow, TuningRunRow, TuningState


def listed(
    tx: Tx, *, state: TuningState | None = None, is_applied: bool = False, limit: int = 50,
    below: uuid.UUID | None = None,
) -> list[TuningProposalRow]:  # fmt: skip
    """Return proposals, newest first; `is_applied`: those whose value was in force.

    Raises NotFound if the proposal `below` is gone.
    """
    row = TuningProposalRow
    query = sa.select(row)
    query = query.where(row.state == state) if state is not None else query
    query = query.where(row.applied_at.is_not(None)) if is_applied else query
    if below is not None:
        made_at = tx.scalar(sa.select(row.made_at).where(row.id == below))
        if made_at is None:
            raise NotFound("That proposal is gone.", fix="Begin at the first page.")
        query = query.where(sa.tuple_(row.made_at, row.id) < sa.tuple_(made_at, below))
    return list(tx.session.scalars(query.order_by(row.made_at.desc(), row.id.desc()).limit(limit)))


def one(tx: Tx, proposal_id: uuid.UUID) -> TuningProposalRow:
    """Return a proposal. Raises NotFound."""
    found: TuningProposalRow | None = tx.session.get(TuningProposalRow, proposal_id, populate_existing=True)
    if found is None:
        raise NotFound(f"There is no proposal {proposal_id}.", fix="`fleet tuning list` shows them.")
    return found


def newest_run(tx: Tx) -> TuningRunRow | None:
    """Return the newest look at the load."""
    row = TuningRunRow
    found: TuningRunRow | None = tx.session.scalars(sa.select(row).order_by(row.made_at.desc()).limit(1)).one_or_none()
    return found


def tally(tx: Tx) -> int | None:
    """Return how many proposals wait, for the navigation."""
    waiting = TuningProposalRow.state.in_((TuningState.OPEN, TuningState.ACCEPTED))
    return int(tx.scalar(sa.select(sa.func.count()).where(waiting)) or 0)
