"""Who is who in a feed: the names and emoji of agents, asked for once. Called by `fleet.cli` and `fleet.web`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace

from fleet.core.events import Event
from fleet.engine.deps import Deps
from fleet.features.activity import event_text
from fleet.features.agents import commands as people
from fleet.features.agents.commands import Named
from fleet.features.personas.service import personas_of


class Cast:
    """The agents that events were about so far. One thread at a time."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self.names: dict[uuid.UUID, Named] = {}

    def meet(self, events: Iterable[Event]) -> None:
        """Learn the names of those that the events are about. Raises Unavailable."""
        strangers = {one for event in events for one in (event.agent_id, _meant(event))} - self.names.keys() - {None}
        if strangers:
            self.names.update(people.names(self._deps, strangers))

    def tell(self, event: Event) -> event_text.Told | None:
        """Return what an event means; the agent that a budget or a pause is for is called by its username."""
        named = self._named(_meant(event))
        return event_text.tell(replace(event, payload={**event.payload, "key": named.username}) if named else event)

    def name(self, event: Event) -> str:
        """Return the name of the agent that an event is about; nothing if it is about none."""
        if told := event.payload.get("agent"):
            return str(told)
        named = self._named(event.agent_id)
        return named.name if named else ""

    def emoji(self, event: Event) -> str:
        """Return the emoji of the agent's persona, if it has one."""
        named = self._named(event.agent_id)
        persona_id = event.payload.get("persona") or (named.persona_id if named else None)
        persona = personas_of(self._deps).personas.get(str(persona_id))
        return persona.emoji if persona else ""

    def username(self, event: Event) -> str | None:
        """Return the username of the agent that an event is about, if there is such an agent."""
        named = self._named(event.agent_id)
        return named.username if named else None

    def _named(self, agent_id: uuid.UUID | None) -> Named | None:
        return self.names.get(agent_id) if agent_id else None


def _meant(event: Event) -> uuid.UUID | None:
    """Return the agent that an event names as its scope, if it names one."""
    try:
        return uuid.UUID(event.payload.get("key")) if event.payload.get("scope") == "agent" else None
    except (ValueError, TypeError, AttributeError):  # of a newer version, or of nobody
        return None
