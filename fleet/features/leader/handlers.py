"""Answers of agents to messages: each from the agent's own rows. Nothing is written to the outside."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.adapters.social import POST
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import controls, registry
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.agents import commands as agent_commands
from fleet.features.leader.strategies import service as strategies

_WAITING = (JobState.READY, JobState.UNKNOWN)


def status(work: Work) -> Done:
    """Answer with what the agent did within a day of fleet time, what waits, and what keeps it from working."""
    with work.deps.db.transaction() as tx:
        found = status_of(tx, work)
    return Done(result={"text": _status_words(found), "status": found})


def status_of(tx: Tx, work: Work) -> dict[str, Any]:
    """Return the state of the agent as JSON-ready data."""
    agent, since = work.agent, tx.now() - timedelta(days=1) / work.deps.settings.tempo
    public = registry.current().kinds(lambda job: job.is_public)
    own = (JobRow.agent_id == agent.id, JobRow.kind.in_(sorted(public)))
    ended = dict(_counted(tx, JobRow.state, *own, JobRow.finished_at >= since))
    posts = (JobRow.agent_id == agent.id, JobRow.kind == POST.name, JobRow.state == JobState.DONE)
    last: datetime | None = tx.scalar(sa.select(sa.func.max(JobRow.finished_at)).where(*posts))
    hold = controls.covering(controls.in_force(tx), agent)
    return {
        "status": agent.status,
        "held": hold.words() if hold else agent.pause_reason if agent.status == AgentStatus.PAUSED else None,
        "done": ended.get(JobState.DONE, 0),
        "dead": ended.get(JobState.DEAD, 0),
        "waiting": sum(number for _, number in _counted(tx, JobRow.state, *own, JobRow.state.in_(_WAITING))),
        "last_post_at": last.isoformat() if last else None,
    }


def _counted(tx: Tx, column: Any, *which: Any) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in tx.execute(sa.select(column, sa.func.count()).where(*which).group_by(column))]


def _status_words(found: dict[str, Any]) -> str:
    held = f" ({found['held']})" if found["held"] else ""
    last = f"last post {found['last_post_at'][:16].replace('T', ' ')} UTC" if found["last_post_at"] else "no post yet"
    return (
        f"{found['status']}{held}; within a day {found['done']} done, {found['dead']} failed; "
        f"{found['waiting']} waiting; {last}"
    )


def content(work: Work) -> Done | Skipped:
    """Wake the agent for a post, in the transaction that records the answer; say why if it may not post now."""
    agent, sender = work.agent, str(work.claim.requested_by or work.claim.payload.get("sender") or "fleet")
    with work.deps.db.transaction() as tx:
        hold = controls.covering(controls.in_force(tx), agent)
    if hold is not None:
        return Skipped(hold.words(), {"text": f"No: {hold.words()}."})
    if agent.status != AgentStatus.RUNNING:
        return Skipped(f"the agent is {agent.status}", {"text": f"No: I am {agent.status}."})
    actions = registry.current().actions(agent.kind, agent.autonomy)
    action = POST.name if POST.name in actions else next(iter(actions), None)

    def wake(tx: Tx) -> None:
        with work.deps.db.joined(tx):
            try:
                agent_commands.trigger(work.deps, str(agent.id), action=action, by=sender)
            except Conflict:  # it decides at this moment anyway
                return

    work.also = wake
    return Done(result={"text": "Yes: I look for something to post now."})


def update(work: Work) -> Done:
    """Apply a change of the agent's strategy to its configuration, once; a person's change of it meanwhile stays."""
    return Done(result={"text": strategies.carry_out(work.deps, uuid.UUID(work.claim.payload["change"]))})


def stopped(work: Work) -> Done:
    """Confirm an emergency stop: how many jobs of the agent wait, and how many writes had begun before."""
    with work.deps.db.transaction() as tx:
        found = status_of(tx, work)
        sending = (JobRow.agent_id == work.agent.id, JobRow.state == JobState.SENDING)
        under_way = int(tx.scalar(sa.select(sa.func.count()).where(*sending)) or 0)
    begun = f"; {under_way} had begun before and may still land" if under_way else ""
    held = found["held"] or "resumed since"
    return Done(result={"text": f"I write nothing: {held}. {found['waiting']} waiting{begun}."})
