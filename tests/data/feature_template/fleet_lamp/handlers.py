"""The job `light`: what is written to the lamp, and what is recorded when that is done."""

from __future__ import annotations

import sqlalchemy as sa

from fleet.adapters.base import AnyAction
from fleet.core import events
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done
from fleet_lamp.actions import LIGHT, Colour
from fleet_lamp.models import LampChangeRow


def prepare(work: Work) -> AnyAction:
    """Return the write to the lamp. The gateway makes it."""
    return work.action(LIGHT, Colour(work.claim.payload["colour"]))


def record(tx: Tx, work: Work, outcome: Done) -> None:
    """Record the change in the transaction that records the job's success."""
    payload = work.claim.payload
    tx.execute(
        sa.insert(LampChangeRow).values(
            job_id=work.claim.job_id, agent_id=work.agent.id, colour=payload["colour"], why=payload["why"]
        )
    )
    events.emit(
        tx, "lamp.changed", agent_id=work.agent.id, job_id=work.claim.job_id, agent=work.agent.name,
        colour=payload["colour"], why=payload["why"],
    )  # fmt: skip
