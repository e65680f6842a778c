"""Celery tasks, one per kind of job, so that Flower shows what the fleet does.

A message contains ids only; any other message becomes a dead letter. No decisions here.
"""

from __future__ import annotations

import uuid
from typing import Any

from fleet.core import logs
from fleet.core.errors import NotFound
from fleet.engine import dispatch as dispatching
from fleet.engine import registry, sweep, tick
from fleet.engine.attempts import perform
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.registry import MESSAGE
from workers.app import app, deps, keep, refreshed

log = logs.get(__name__)
_NO_ID = "the message carries no id"


@app.task(name="fleet.dispatch")
def dispatch() -> None:
    """Wake the agents that are due."""
    dispatching.dispatch(refreshed())


@app.task(name="fleet.sweep")
def sweep_up() -> None:
    """Publish lost ticks and jobs again."""
    sweep.sweep(refreshed())


@app.task(name="fleet.prune")
def prune() -> None:
    """Delete rows that are past their retention."""
    sweep.prune(refreshed())


@app.task(name="fleet.tick")
def decide(*ids: Any) -> None:
    """Let one agent decide what to do."""
    try:
        agent_id, tick_no = ids
        key = TickKey(uuid.UUID(agent_id), _tick_number(tick_no))
    except (ValueError, TypeError, AttributeError):
        keep("fleet.tick", repr(ids), _NO_ID)
        return
    tick.tick(deps(), key)


def _tick_number(value: Any) -> int:
    """Return a tick's number. JSON may contain Infinity, 1.5, true and integers too large for SQL: ValueError."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("not a tick's number")
    return value


def _job_task(kind: str) -> Any:
    name = f"fleet.{kind}"

    def run(*ids: Any) -> None:
        try:
            (value,) = ids
            job_id = uuid.UUID(value)
        except (ValueError, TypeError, AttributeError):
            keep(name, repr(ids), _NO_ID)
            return
        try:
            perform.perform(deps(), job_id)
        except NotFound:
            log.warning("job_is_not_in_the_ledger", job_id=value)

    run.__doc__ = f"Carry out one {kind} job."
    return app.task(name=name)(run)


for _kind in registry.current().jobs:
    if _kind != MESSAGE.kind:
        _job_task(_kind)
