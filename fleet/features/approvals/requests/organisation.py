"""The fact `organisation` of requests, in a fleet with several: of the object, the agent, or the member who asks."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from fleet.access import organisations
from fleet.access.models import OrganisationRow
from fleet.core.db import Tx
from fleet.engine.agents.models import AgentRow

FACT = "organisation"


def fact(tx: Tx, agent_id: uuid.UUID | None, organisation_id: uuid.UUID | None = None) -> dict[str, Any]:
    """Return the fact; nothing while there is one organisation. The name is empty for what concerns the whole fleet."""
    if not organisations.are_named(tx):
        return {}
    names = sa.select(OrganisationRow.name)
    if organisation_id is not None:
        query = names.where(OrganisationRow.id == organisation_id)
    elif agent_id is not None:
        query = names.join(AgentRow, AgentRow.organisation_id == OrganisationRow.id).where(AgentRow.id == agent_id)
    elif tx.organisations is not None and len(tx.organisations) == 1:
        query = names.where(OrganisationRow.id.in_(tx.organisations))
    else:
        return {FACT: ""}
    return {FACT: tx.scalar(query) or ""}
