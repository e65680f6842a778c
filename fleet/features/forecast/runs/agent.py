"""The forecast agent: it looks which organisations have orders and are due, and adds a job for each.

It proposes and compares; people order. Pausing it, or the setting `forecast_enabled`, stops it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access.models import OrganisationRow
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE
from fleet.features.forecast.runs import history, service
from fleet.features.forecast.runs.models import ForecastRunRow
from fleet.features.forecast.settings import ForecastSettings
from fleet.features.orders.models import StoreOrderRow


@dataclass(frozen=True, slots=True)
class ForecastClient:
    """An organisation with orders."""

    organisation_id: str
    is_enabled: bool
    every_s: float
    made_at: datetime | None = None
    """The end of its newest run, or the beginning of one that ended without result."""
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class ForecastObservation:
    """What the agent knows when it wakes."""

    now: datetime
    has_numpy: bool
    clients: tuple[ForecastClient, ...]


@dataclass(frozen=True, slots=True)
class ForecastDecision:
    """The organisations to forecast now, and those whose old forecasts to compare with what happened."""

    run: tuple[str, ...]
    compare: tuple[str, ...]
    why: str = ""
    action: str | None = None

    @property
    def thought(self) -> str:
        """No thought: the forecast itself makes an event."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"run": list(self.run), "compare": len(self.compare), "why": self.why}


def gather(deps: Deps, claimed: ClaimedAgent) -> ForecastObservation:
    """Read the organisations that have orders, their settings and their newest runs."""
    with deps.db.transaction() as tx:
        some = sa.exists(sa.select(StoreOrderRow.id).where(StoreOrderRow.organisation_id == OrganisationRow.id))
        present = sa.select(OrganisationRow.id).where(OrganisationRow.removed_at.is_(None), some)
        newest = dict(tx.execute(
            sa.select(ForecastRunRow.organisation_id, sa.func.max(ForecastRunRow.made_at))
            .group_by(ForecastRunRow.organisation_id)
        ).tuples().all())  # fmt: skip
        jobs = tx.execute(
            sa.select(JobRow.payload["organisation"].astext, JobRow.state, JobRow.created_at)
            .where(JobRow.agent_id == claimed.agent.id, JobRow.kind == service.JOB)
            .order_by(JobRow.created_at)
        ).all()  # fmt: skip
        running = {one[0] for one in jobs if one.state in LIVE}
        begun = {one[0]: one.created_at for one in jobs}
        ordered = tx.session.scalars(present.order_by(OrganisationRow.id)).all()
    clients = []
    for one in ordered:
        settings = deps.settings_of(None, organisation_id=one)
        own = settings.of(ForecastSettings)
        times = [at for at in (newest.get(one), begun.get(str(one))) if at is not None]
        clients.append(ForecastClient(
            str(one), own.forecast_enabled, own.forecast_every_h * 3600 / settings.tempo, max(times, default=None),
            str(one) in running,
        ))  # fmt: skip
    return ForecastObservation(claimed.now, service.has_numpy(), tuple(clients))


def decide(moment: ForecastObservation, rng: random.Random) -> ForecastDecision:  # noqa: ARG001 - as all decisions
    """Choose the organisations that are due."""
    enabled = tuple(one for one in moment.clients if one.is_enabled)
    if not moment.has_numpy:
        return ForecastDecision((), (), "the extra `forecast` (numpy) is not installed" if enabled else "")
    due = tuple(
        one.organisation_id for one in enabled
        if not one.is_running and service.due(one.made_at, timedelta(seconds=one.every_s), moment.now)
    )  # fmt: skip
    return ForecastDecision(due, due)


def act(deps: Deps, claimed: ClaimedAgent, decision: ForecastDecision) -> Acts:
    """Return a job for each organisation that is due."""
    del deps
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    jobs = [
        NewJob(ids.job(agent.id, tick_no, place), agent.id, service.JOB, agent.surface, tick_no,
               payload={"organisation": one}, requested_by=claimed.tick.requested_by)
        for place, one in enumerate(decision.run)
    ]  # fmt: skip
    today = history.day_of(claimed.now)

    def also(tx: Tx) -> None:
        for one in decision.compare:
            service.compare(tx, uuid.UUID(one), today)

    return Acts(jobs, also if decision.compare else None)


def to_data(moment: ForecastObservation) -> dict[str, Any]:
    """Return an observation as data."""
    data = asdict(moment)
    data["now"] = moment.now.isoformat()
    for one in data["clients"]:
        one["made_at"] = one["made_at"] and one["made_at"].isoformat()
    return data


def from_data(data: Mapping[str, Any]) -> ForecastObservation:
    """Return the observation that `to_data` wrote."""
    clients = tuple(
        ForecastClient(**{**one, "made_at": one["made_at"] and datetime.fromisoformat(one["made_at"])})
        for one in data["clients"]
    )
    return ForecastObservation(datetime.fromisoformat(data["now"]), bool(data["has_numpy"]), clients)
