"""The pricing agent: it looks which organisations have priced variants and are due, and adds a job for each.

It proposes; people approve, or a rule of theirs within the bounds. Pausing it, or `pricing_enabled`, stops it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access.models import OrganisationRow
from fleet.core import ids
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE
from fleet.features.pricing import service
from fleet.features.pricing.settings import PricingSettings
from fleet.features.products.models import VariantRow


@dataclass(frozen=True, slots=True)
class PricingClient:
    """An organisation with priced variants. `made_at` is when its newest run began."""

    organisation_id: str
    is_enabled: bool
    every_s: float
    made_at: datetime | None = None
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class PricingObservation:
    """What the agent knows when it wakes."""

    now: datetime
    clients: tuple[PricingClient, ...]


@dataclass(frozen=True, slots=True)
class PricingDecision:
    """The organisations whose prices to look at now."""

    run: tuple[str, ...]
    action: str | None = None

    @property
    def thought(self) -> str:
        """No thought: the run itself makes an event."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"run": list(self.run)}


def gather(deps: Deps, claimed: ClaimedAgent) -> PricingObservation:
    """Read the organisations that have priced variants, their settings and their newest runs."""
    with deps.db.transaction() as tx:
        priced = sa.select(VariantRow.id).where(
            VariantRow.organisation_id == OrganisationRow.id,
            VariantRow.price_minor > 0,
            VariantRow.removed_at.is_(None),
        )
        present = sa.select(OrganisationRow.id).where(OrganisationRow.removed_at.is_(None), sa.exists(priced))
        organisations = tx.session.scalars(present.order_by(OrganisationRow.id)).all()
        jobs = tx.execute(
            sa.select(JobRow.payload["organisation"].astext, JobRow.state, JobRow.created_at)
            .where(JobRow.agent_id == claimed.agent.id, JobRow.kind == service.JOB).order_by(JobRow.created_at)
        ).all()  # fmt: skip
    running = {one[0] for one in jobs if one.state in LIVE}
    begun = {one[0]: one.created_at for one in jobs}
    clients = []
    for organisation_id in organisations:
        settings, name = deps.settings_of(None, organisation_id=organisation_id), str(organisation_id)
        own = settings.of(PricingSettings)
        clients.append(PricingClient(
            name, own.pricing_enabled, own.pricing_every_h * 3600 / settings.tempo, begun.get(name), name in running
        ))  # fmt: skip
    return PricingObservation(claimed.now, tuple(clients))


def decide(moment: PricingObservation, rng: random.Random) -> PricingDecision:  # noqa: ARG001 - as all decisions
    """Choose the organisations that are due."""
    return PricingDecision(tuple(
        one.organisation_id for one in moment.clients
        if one.is_enabled and not one.is_running
        and service.due(one.made_at, timedelta(seconds=one.every_s), moment.now)
    ))  # fmt: skip


def act(deps: Deps, claimed: ClaimedAgent, decision: PricingDecision) -> Acts:
    """Return a job for each organisation that is due."""
    del deps
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    return Acts([
        NewJob(ids.job(agent.id, tick_no, place), agent.id, service.JOB, agent.surface, tick_no,
               payload={"organisation": one}, requested_by=claimed.tick.requested_by)
        for place, one in enumerate(decision.run)
    ])  # fmt: skip


def to_data(moment: PricingObservation) -> dict[str, Any]:
    """Return an observation as data."""
    data = asdict(moment)
    data["now"] = moment.now.isoformat()
    for one in data["clients"]:
        one["made_at"] = one["made_at"] and one["made_at"].isoformat()
    return data


def from_data(data: Mapping[str, Any]) -> PricingObservation:
    """Return the observation that `to_data` wrote."""
    clients = tuple(
        PricingClient(**{**one, "made_at": one["made_at"] and datetime.fromisoformat(one["made_at"])})
        for one in data["clients"]
    )
    return PricingObservation(datetime.fromisoformat(data["now"]), clients)
