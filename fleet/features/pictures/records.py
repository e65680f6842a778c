"""Records of orders of pictures: claim before a call, what came of it after. Called by `making` in its transactions.

One row a job, part and provider. Claiming is an insert, so that of two attempts of a job one calls a provider; what an
earlier attempt had asked for and nobody answered becomes `lost`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.core import ids
from fleet.core.db import Tx
from fleet.features.pictures.models import PictureOrderRow
from fleet.features.pictures.states import PictureOrderState

_CLOCK = sa.func.clock_timestamp()
_MOST_REMEMBERED = 2_000
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class MadeOrder:
    """A stored picture with its origin. `microusd` is what it cost."""

    provider: str
    model: str
    key: str
    microusd: int
    is_ai: bool
    credit: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class OrderClaim:
    """The right to call one provider for one picture, once."""

    id: uuid.UUID


def claim(
    tx: Tx, *, job_id: uuid.UUID, part: str, provider: str, model: str, agent_id: uuid.UUID, most_microusd: int
) -> OrderClaim | MadeOrder | None:
    """Return the right to ask a provider, or the picture that it made before; None if it must not be asked again.

    It must not when its earlier answer was lost, or its picture unfit: either may have been paid for.
    """
    row = insert(PictureOrderRow).values(
        id=ids.new(), job_id=job_id, part=part, provider=provider, model=model[:100], agent_id=agent_id,
        state=PictureOrderState.ASKED,
    )  # fmt: skip
    again = row.on_conflict_do_update(
        index_elements=["job_id", "part", "provider"],
        set_={"state": PictureOrderState.ASKED, "model": model[:100], "why": "", "asked_at": _CLOCK},
        where=PictureOrderRow.state == PictureOrderState.FAILED,
    )
    taken: uuid.UUID | None = tx.scalar(again.returning(PictureOrderRow.id))
    if taken is not None:
        return OrderClaim(taken)
    mine = (
        PictureOrderRow.job_id == job_id,
        PictureOrderRow.part == part,
        PictureOrderRow.provider == provider,
    )
    lost = {
        "state": PictureOrderState.LOST, "microusd": most_microusd,
        "why": "the process ended before the answer came; the provider may have charged it",
    }  # fmt: skip
    tx.execute(sa.update(PictureOrderRow).where(*mine, PictureOrderRow.state == PictureOrderState.ASKED).values(**lost))
    return _made(tx, *mine)


def made(
    tx: Tx, order: OrderClaim, *, key: str, microusd: int, is_ai: bool, remote_id: str,
    credit: Mapping[str, Any] | None,
) -> bool:  # fmt: skip
    """Record a stored picture; False if another attempt has given the order up."""
    values = {
        "state": PictureOrderState.MADE, "object_key": key, "microusd": microusd, "is_ai": is_ai,
        "remote_id": remote_id or None, "credit": None if credit is None else dict(credit),
    }  # fmt: skip
    return _end(tx, order, values)


def end(tx: Tx, order: OrderClaim, state: PictureOrderState, why: str, microusd: int = 0) -> bool:
    """Record that no picture came of an order."""
    return _end(tx, order, {"state": state, "why": why[:LONGEST_WHY], "microusd": microusd})


def used_photos(tx: Tx) -> frozenset[str]:
    """Return the ids of the newest stock photos that the fleet has taken."""
    query = sa.select(PictureOrderRow.remote_id).where(PictureOrderRow.remote_id.is_not(None))
    return frozenset(tx.session.scalars(query.order_by(PictureOrderRow.asked_at.desc()).limit(_MOST_REMEMBERED)))


def of_key(tx: Tx, key: str) -> MadeOrder | None:
    """Return the newest order that made a stored picture."""
    return _made(tx, PictureOrderRow.object_key == key)


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete orders older than `days`; a batch."""
    old = (
        sa.select(PictureOrderRow.id)
        .where(PictureOrderRow.asked_at < _CLOCK - timedelta(days=days))
        .order_by(PictureOrderRow.asked_at)
        .limit(limit)
    )
    return tx.execute(sa.delete(PictureOrderRow).where(PictureOrderRow.id.in_(old))).rowcount


def _end(tx: Tx, order: OrderClaim, values: dict[str, Any]) -> bool:
    mine = (PictureOrderRow.id == order.id, PictureOrderRow.state == PictureOrderState.ASKED)
    return tx.execute(sa.update(PictureOrderRow).where(*mine).values(**values)).rowcount == 1


def _made(tx: Tx, *where: sa.ColumnElement[bool]) -> MadeOrder | None:
    columns = (
        PictureOrderRow.provider, PictureOrderRow.model, PictureOrderRow.object_key, PictureOrderRow.microusd,
        PictureOrderRow.is_ai, PictureOrderRow.credit,
    )  # fmt: skip
    query = sa.select(*columns).where(*where, PictureOrderRow.state == PictureOrderState.MADE)
    row = tx.execute(query.order_by(PictureOrderRow.asked_at.desc()).limit(1)).one_or_none()
    return None if row is None else MadeOrder(*row)
