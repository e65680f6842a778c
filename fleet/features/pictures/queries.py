"""What pages, the API and commands show of pictures and their providers. Each function is given a transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.pictures import making, providers
from fleet.features.pictures.models import PictureOrderRow
from fleet.features.pictures.settings import PictureSettings
from fleet.features.pictures.states import PictureOrderState
from fleet.llm.breaker import State


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """One order of a picture at one provider."""

    id: uuid.UUID
    job_id: uuid.UUID
    agent: str | None
    provider: str
    model: str
    state: PictureOrderState
    is_ai: bool
    microusd: int
    object_key: str | None
    credit: Mapping[str, Any] | None
    why: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """A provider in this fleet. `place` is its place in the order, from 1; None: it is not asked."""

    name: str
    place: int | None
    is_ready: bool
    why: str
    model: str
    rests: bool
    made: int
    microusd: int


def listed(
    tx: Tx, *, limit: int, below: uuid.UUID | None, agent: str | None, provider: str | None, job_id: uuid.UUID | None
) -> list[ListedOrder]:
    """Return orders, newest first; `below` is the last one of the page above."""
    query = sa.select(
        PictureOrderRow.id, PictureOrderRow.job_id, AgentRow.username, PictureOrderRow.provider, PictureOrderRow.model,
        PictureOrderRow.state, PictureOrderRow.is_ai, PictureOrderRow.microusd, PictureOrderRow.object_key,
        PictureOrderRow.credit, PictureOrderRow.why, PictureOrderRow.asked_at,
    ).outerjoin(AgentRow, AgentRow.id == PictureOrderRow.agent_id)  # fmt: skip
    place = (PictureOrderRow.asked_at, PictureOrderRow.id)
    if below is not None:
        last = sa.select(*place).where(PictureOrderRow.id == below).scalar_subquery()
        query = query.where(sa.tuple_(*place) < last)
    if agent is not None:
        query = query.where(AgentRow.username == agent)
    if provider is not None:
        query = query.where(PictureOrderRow.provider == provider)
    if job_id is not None:
        query = query.where(PictureOrderRow.job_id == job_id)
    return [ListedOrder(*row) for row in tx.execute(query.order_by(*(one.desc() for one in place)).limit(limit))]


def listed_providers(deps: Deps, persona_id: str | None = None) -> list[ListedProvider]:
    """Return all providers, in the order of the fleet or of a persona first."""
    settings = deps.keys.fill(deps.settings_of(None, None, persona_id))
    order = [*settings.of(PictureSettings).pictures_order]
    with deps.db.transaction() as tx:
        sums = {row[0]: (int(row[1]), int(row[2])) for row in tx.execute(_SUMS)}
    names = [name for name in order if name != providers.SURFACE and name in providers.NAMES]
    breakers = making.breakers_of(deps).known
    found: list[ListedProvider] = []
    for name in [*names, *(one for one in providers.NAMES if one not in names)]:
        is_ready, why, model = _readiness(name, settings)
        rests = name in breakers and breakers[name].state is not State.CLOSED
        place = order.index(name) + 1 if name in order else None
        found.append(ListedProvider(name, place, is_ready, why, model, rests, *sums.get(name, (0, 0))))
    return found


_SUMS = sa.select(
    PictureOrderRow.provider,
    sa.func.count().filter(PictureOrderRow.state == PictureOrderState.MADE),
    sa.func.sum(PictureOrderRow.microusd),
).group_by(PictureOrderRow.provider)


def _readiness(name: str, settings: Any) -> tuple[bool, str, str]:
    try:
        provider = providers.connect(name, settings)
    except FleetError as error:
        return False, error.message, ""
    return (True, "", provider.model) if provider is not None else (False, f"set {providers.KEYS[name]}", "")
