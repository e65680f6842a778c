"""The verbs of agents that people may have to approve: delete one, resume one or many."""

from __future__ import annotations

import hashlib
from typing import Annotated

import sqlalchemy as sa
from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.agents import queries
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.agents import bulk, commands
from fleet.features.agents.bulk import BulkAction, Selection

_MOST = 10_000  # the names that one request holds


class AgentArguments(VerbArguments):
    """Which agent."""

    agent: str = Field(min_length=1, max_length=60, description="username or id")


class ResumeArguments(VerbArguments):
    """Which agents: exactly those that were paused when the person asked."""

    agents: tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] = Field(
        min_length=1, max_length=_MOST, description="usernames or ids"
    )


def resume(deps: Deps, who: Principal, name: str) -> bool:
    """Let a paused agent go on; False if it is not paused. Raises NotFound, NeedsApproval."""
    return bool(verbs.perform(deps, who, "agent", "resume", agents=[name]))


def act_on_many(deps: Deps, who: Principal, selection: Selection, action: BulkAction, reason: str = "") -> int:
    """Apply an action to the agents of a selection; return how many it changed.

    Raises NeedsApproval if it resumes agents and people have to approve that.
    """
    if action is BulkAction.RESUME:
        with deps.db.transaction() as tx:
            paused = queries.next_ids(
                tx, selection.which, bulk.MOVES[action], usernames=selection.usernames, limit=_MOST, lock=False
            )
        if paused:
            verbs.parse_if_allowed(deps, who, "agent", "resume", agents=[str(one) for one in paused])
    return bulk.act(deps, selection, action, by=who.by, reason=reason)


def _preview(deps: Deps, tx: Tx, given: AgentArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    agent = queries.named(tx, given.agent)
    before = {"username": agent.username, "name": agent.name, "persona": agent.persona_id, "mode": agent.autonomy,
              "status": agent.status, "surface": agent.surface}  # fmt: skip
    return VerbPreview(
        resource_id=str(agent.id), summary=f"Delete the agent {agent.username} ({agent.name})", before=before,
        facts={"agent": agent.username, "kind": agent.kind, "owner": agent.owner, **before}, agent_id=agent.id,
        arguments={"agent": str(agent.id)},
    )  # fmt: skip


def _of_resume(deps: Deps, tx: Tx, given: ResumeArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    if len(given.agents) == 1:
        return _of_one(queries.named(tx, given.agents[0]))
    which = sa.or_(AgentRow.username.in_(given.agents), sa.cast(AgentRow.id, sa.Text).in_(given.agents))
    query = sa.select(AgentRow.username, AgentRow.status).where(which)
    found = tx.execute(query.order_by(AgentRow.username)).all()
    names, paused = [row.username for row in found], [row.username for row in found if row.status == AgentStatus.PAUSED]
    if not paused:
        raise NotFound("None of these agents is paused.", fix="Nothing is left to do.")
    whole = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return VerbPreview(
        resource_id=f"{len(names)}-{whole[:32]}", summary=f"Resume {len(paused)} paused agents",
        before={"paused": paused}, after={"running": paused}, facts={"number": len(paused)},
        arguments={"agents": names},
    )  # fmt: skip


def _of_one(agent: AgentRow) -> VerbPreview:
    if agent.status != AgentStatus.PAUSED:
        raise NotFound(f"{agent.name} is not paused.", fix="Nothing is left to do.")
    before = {"username": agent.username, "status": agent.status, "reason": agent.pause_reason}
    return VerbPreview(
        resource_id=str(agent.id), summary=f"Resume the agent {agent.username} ({agent.name})", before=before,
        after={"username": agent.username, "status": str(AgentStatus.RUNNING)}, agent_id=agent.id,
        facts={"agent": agent.username, "kind": agent.kind, "owner": agent.owner, "persona": agent.persona_id,
               "mode": agent.autonomy, "surface": agent.surface, "reason": agent.pause_reason, "number": 1},
        arguments={"agents": [agent.username]},
    )  # fmt: skip


def _resume(deps: Deps, given: ResumeArguments, who: Principal) -> int:
    if len(given.agents) == 1:
        return int(commands.resume(deps, given.agents[0]))
    return bulk.act(deps, Selection(AgentFilter(), given.agents), BulkAction.RESUME, by=who.by)


def _delete(deps: Deps, given: AgentArguments, who: Principal) -> None:
    commands.delete(deps, given.agent, by=who.by)


DELETE = Verb(
    resource="agent", action="delete", help="Delete an agent and its account on the surface.",
    permission=Permission.AGENTS_EDIT, arguments=AgentArguments, example={"agent": "ana"}, preview=_preview,
    run=_delete,
)  # fmt: skip
RESUME = Verb(
    resource="agent", action="resume", help="Let paused agents go on, and the jobs that wait for them.",
    permission=Permission.AGENTS_CONTROL, arguments=ResumeArguments, example={"agents": ["ana"]}, preview=_of_resume,
    run=_resume,
)  # fmt: skip
