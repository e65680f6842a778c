"""The check of hours that are set: every agent for which they count must wake. Called by the verbs of settings."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

import sqlalchemy as sa

from fleet.access import organisations
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.settings import Settings, SettingScope
from fleet.engine import dispatch
from fleet.engine.agents.commands import NewAgent
from fleet.engine.agents.loop import Due
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.schedule import ALWAYS, with_hours
from fleet.engine.settings import layers
from fleet.engine.settings.layers import Values
from fleet.engine.settings.store import FLEET, ScopeKey

NAMES = ("agent_hours", "agent_timezone")


def given(settings: Settings) -> tuple[tuple[str, ...], str]:
    """Return the hours and the time zone of settings."""
    return settings.agent_hours, settings.agent_timezone


def refuse_endless(deps: Deps, tx: Tx, key: ScopeKey, values: Mapping[ScopeKey, Values]) -> None:
    """Raise InvalidInput if an agent would never wake in the hours that these values of all scopes give it.

    `key` is the scope that has changed. Of the agents that differ in their longest interval alone, the one with the
    longest is checked, and every agent with hours of its own.
    """
    own = [uuid.UUID(one.id) for one, given in values.items()
           if one.scope is SettingScope.AGENT and any(name in given for name in NAMES)]  # fmt: skip
    for agent_id, organisation_id in _concerned(tx, key, own):
        scopes = (
            FLEET, ScopeKey(SettingScope.ORGANISATION, str(organisation_id)),
            ScopeKey(SettingScope.AGENT, str(agent_id)),
        )  # fmt: skip
        settings = layers.apply(deps.given, *(_hours_of(values.get(one, {})) for one in scopes))
        dispatch.refuse_endless_hours(deps, tx, agent_id, settings)


def refuse_first(deps: Deps, new: NewAgent, own: Values) -> None:
    """Raise InvalidInput if an agent to be created would never wake in these hours of its own."""
    with deps.db.transaction() as tx:
        organisation_id, now = organisations.of_new(tx, new.organisation_id), tx.now()
    settings = layers.apply(deps.settings_of(None, organisation_id=organisation_id), own)
    with_hours(ALWAYS, settings.agent_timezone, settings.agent_hours)
    if not settings.agent_hours:
        return
    longest = Due(
        ids.new(), new.kind, new.persona_id, 1, now, new.max_interval_s, new.max_interval_s, new.autonomy,
        json.dumps(dict(new.config)), organisation_id, claimed_at=now,
    )  # fmt: skip
    dispatch.refuse_endless(deps, longest, new.username, settings)


def _hours_of(values: Values) -> Values:
    return {name: values[name] for name in NAMES if name in values}


def _concerned(tx: Tx, key: ScopeKey, own: list[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID | None]]:
    """Return the agents to be checked, with their organisations."""
    query = sa.select(AgentRow.id, AgentRow.organisation_id).where(AgentRow.deleted_at.is_(None))
    if key.scope is SettingScope.AGENT:
        return [row._tuple() for row in tx.execute(query.where(AgentRow.id == uuid.UUID(key.id)))]
    if key.scope is SettingScope.ORGANISATION:
        query = query.where(AgentRow.organisation_id == uuid.UUID(key.id))
    alike = (
        AgentRow.kind, AgentRow.autonomy, AgentRow.persona_id, AgentRow.organisation_id,
        sa.cast(AgentRow.config, sa.Text),
    )  # fmt: skip
    others = query.where(AgentRow.id.not_in(own)).distinct(*alike).order_by(*alike, AgentRow.max_interval_s.desc())
    return [row._tuple() for one in (query.where(AgentRow.id.in_(own)), others) for row in tx.execute(one)]
