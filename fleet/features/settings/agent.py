"""What an agent's page and the answer about one agent say of the settings that are set for it alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.core.settings import SettingScope
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.settings import store
from fleet.engine.settings.store import ScopeKey, StoredSetting


class OwnSettingOut(BaseModel):
    """One setting of an agent alone."""

    name: str
    value: str | int | float | bool | list[str]
    set_by: str
    set_at: datetime
    reason: str


class AgentSettingsOut(BaseModel):
    """The settings that are set for an agent alone; all others are those of its account or the fleet."""

    items: list[OwnSettingOut] = Field(examples=[[]])

    @classmethod
    def of(cls, deps: Deps, agent: AgentRow, who: Principal) -> AgentSettingsOut | None:
        """Return the settings of an agent; None for people who may not see settings."""
        if not who.may(Permission.SETTINGS_VIEW):
            return None
        return cls(items=[OwnSettingOut.model_validate(one, from_attributes=True) for one in _own(deps, agent)])


def facts(deps: Deps, agent: AgentRow) -> dict[str, Any]:
    """Return the settings of an agent for its page."""
    order = deps.model_order(agent.id, agent.persona_id, agent.organisation_id)
    return {"own_settings": _own(deps, agent), "model_order": order}


def _own(deps: Deps, agent: AgentRow) -> list[StoredSetting]:
    with deps.db.transaction() as tx:
        rows = store.rows(tx, key=ScopeKey(SettingScope.AGENT, str(agent.id)))
    return sorted((one for one in rows if one.value is not None), key=lambda one: one.name)
