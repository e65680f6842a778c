"""The tuning agent: it adds a job that looks at the load when one is due.

It proposes; people approve, or a rule that they made autonomous applies its changes within the bounds. Pausing it, or
`tuning_enabled`, stops it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.core import ids
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE
from fleet.features.tuning import service
from fleet.features.tuning.settings import TuningSettings


@dataclass(frozen=True, slots=True)
class TuningObservation:
    """What the agent knows when it wakes. `begun_at` is when its newest look began."""

    now: datetime
    is_enabled: bool
    every_s: float
    begun_at: datetime | None = None
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class TuningDecision:
    """Whether to look at the load now."""

    is_due: bool
    action: str | None = None

    @property
    def thought(self) -> str:
        """No thought: the look itself makes an event."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"is_due": self.is_due}


def gather(deps: Deps, claimed: ClaimedAgent) -> TuningObservation:
    """Read the settings and the newest job."""
    own = deps.settings.of(TuningSettings)
    query = sa.select(JobRow.state, JobRow.created_at).where(
        JobRow.agent_id == claimed.agent.id, JobRow.kind == service.JOB
    )
    with deps.db.transaction() as tx:
        newest = tx.execute(query.order_by(JobRow.created_at.desc()).limit(1)).first()
    every_s = own.tuning_every_h * 3600 / deps.settings.tempo
    if newest is None:
        return TuningObservation(claimed.now, own.tuning_enabled, every_s)
    return TuningObservation(claimed.now, own.tuning_enabled, every_s, newest.created_at, newest.state in LIVE)


def decide(moment: TuningObservation, rng: random.Random) -> TuningDecision:  # noqa: ARG001 - as all decisions
    """Choose whether a look is due."""
    is_time = moment.begun_at is None or moment.now >= moment.begun_at + timedelta(seconds=moment.every_s)
    return TuningDecision(moment.is_enabled and not moment.is_running and is_time)


def act(deps: Deps, claimed: ClaimedAgent, decision: TuningDecision) -> Acts:
    """Return the job of a look that is due."""
    del deps
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    job = NewJob(ids.job(agent.id, tick_no, 0), agent.id, service.JOB, agent.surface, tick_no,
                 requested_by=claimed.tick.requested_by)  # fmt: skip
    return Acts([job] if decision.is_due else [])


def to_data(moment: TuningObservation) -> dict[str, Any]:
    """Return an observation as data."""
    begun_at = moment.begun_at and moment.begun_at.isoformat()
    return {**asdict(moment), "now": moment.now.isoformat(), "begun_at": begun_at}


def from_data(data: Mapping[str, Any]) -> TuningObservation:
    """Return the observation that `to_data` wrote."""
    begun_at = data["begun_at"] and datetime.fromisoformat(data["begun_at"])
    return TuningObservation(**{**data, "now": datetime.fromisoformat(data["now"]), "begun_at": begun_at})
