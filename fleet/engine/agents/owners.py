"""Owners of agents: the user who is told about an agent, and who decides where a rule of approvals names `owner`.

Called inside the caller's transaction. Only a user whose role may decide about requests owns agents; one who is removed
or demoted owns none any more, and the agent is left without an owner.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from fleet.access import users
from fleet.access.roles import Permission, allows
from fleet.access.users import ApproverStatus
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow

NOBODY = ""
CHANGED = "agents.owner_changed"
"""Extension point: `changed(tx, agent_ids, owner)` follows a new owner, in the same transaction."""


def eligible(tx: Tx) -> list[str]:
    """Return the names of the users who may own agents."""
    return [one.name for one in users.listed(tx) if allows(one.role, Permission.DRAFTS_DECIDE)]


def check(tx: Tx, name: str) -> str:
    """Return the name of a user who may own agents; NOBODY is allowed. Raises NotFound for no user, InvalidInput."""
    name = name.strip().lower()
    status = ApproverStatus.DECIDES if name == NOBODY else users.standing(tx, name)
    if status is ApproverStatus.UNKNOWN:
        raise NotFound(f"There is no user {name[:60]}.", fix="`fleet users list` shows users and roles.")
    if status is not ApproverStatus.DECIDES:
        raise InvalidInput(
            f"{name[:60]} cannot own agents.",
            fix="An owner is a user whose role may decide about requests; `fleet users list` shows users and roles.",
        )
    return name


def of_creator(tx: Tx, by: str) -> str:
    """Return the owner of an agent that `by` (`web:NAME`) creates: that user, or NOBODY if they cannot own agents."""
    name = by.rpartition(":")[2].lower()
    return name if users.standing(tx, name) is ApproverStatus.DECIDES else NOBODY


def assign(tx: Tx, agent_ids: Sequence[uuid.UUID], owner: str) -> int:
    """Give agents, whose rows the caller has locked, an owner; return how many had another one."""
    which = (AgentRow.id.in_(agent_ids), AgentRow.owner != owner)
    moved = tx.execute(
        sa.update(AgentRow)
        .where(*which)
        .values(owner=owner, updated_at=sa.func.clock_timestamp())
        .returning(AgentRow.id, AgentRow.name)
    ).all()
    events.emit_many(
        tx,
        [
            {"subject": "agent.owned", "agent_id": one.id, "job_id": None,
             "payload": {"agent": one.name, "owner": owner}}
            for one in moved
        ],
    )  # fmt: skip
    tell(tx, [one.id for one in moved], owner)
    return len(moved)


def release(tx: Tx, name: str) -> int:
    """Leave the agents of a user without an owner; return how many."""
    query = sa.select(AgentRow.id).where(AgentRow.owner == name).order_by(AgentRow.id).with_for_update()
    return assign(tx, list(tx.session.scalars(query)), NOBODY)


def tell(tx: Tx, agent_ids: Sequence[uuid.UUID], owner: str) -> None:
    """Have features follow a new owner of agents."""
    if agent_ids:
        for changed in registry.current().extensions(CHANGED):
            changed(tx, agent_ids, owner)
