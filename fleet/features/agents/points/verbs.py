"""The verb of agents that people may have to approve: delete."""

from __future__ import annotations

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.agents import commands


class AgentArguments(VerbArguments):
    """Which agent."""

    agent: str = Field(min_length=1, max_length=60, description="username or id")


def _preview(deps: Deps, tx: Tx, given: AgentArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    agent = queries.named(tx, given.agent)
    before = {"username": agent.username, "name": agent.name, "persona": agent.persona_id, "mode": agent.autonomy,
              "status": agent.status, "surface": agent.surface}  # fmt: skip
    return VerbPreview(
        resource_id=str(agent.id), summary=f"Delete the agent {agent.username} ({agent.name})", before=before,
        facts={"agent": agent.username, "kind": agent.kind, "owner": agent.owner, **before}, agent_id=agent.id,
        arguments={"agent": str(agent.id)},
    )  # fmt: skip


def _delete(deps: Deps, given: AgentArguments, who: Principal) -> None:
    commands.delete(deps, given.agent, by=who.by)


DELETE = Verb(
    resource="agent", action="delete", help="Delete an agent and its account on the surface.",
    permission=Permission.AGENTS_EDIT, arguments=AgentArguments, example={"agent": "ana"}, preview=_preview,
    run=_delete,
)  # fmt: skip
