"""Who is who in a feed: the names and emoji of agents, asked for once. Called by `fleet.cli` and `fleet.web`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from fleet.core.events import Event
from fleet.runtime import people
from fleet.runtime.deps import Deps
from fleet.runtime.people import Named


class Cast:
    """The agents that events were about so far. One thread at a time."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self.names: dict[uuid.UUID, Named] = {}

    def meet(self, events: Iterable[Event]) -> None:
        """Learn the names of those that the events are about. Raises Unavailable."""
        strangers = {event.agent_id for event in events} - self.names.keys() - {None}
        if strangers:
            self.names.update(people.names(self._deps, strangers))

    def name(self, event: Event) -> str:
        """Return the name of the agent that an event is about; nothing if it is about none."""
        if told := event.payload.get("agent"):
            return str(told)
        named = self.names.get(event.agent_id) if event.agent_id else None
        return named.name if named else ""

    def emoji(self, event: Event) -> str:
        """Return the emoji of the agent's persona, if it has one."""
        named = self.names.get(event.agent_id) if event.agent_id else None
        persona_id = event.payload.get("persona") or (named.persona_id if named else None)
        persona = self._deps.personas.personas.get(str(persona_id))
        return persona.emoji if persona else ""

    def username(self, event: Event) -> str | None:
        """Return the username of the agent that an event is about, if there is such an agent."""
        named = self.names.get(event.agent_id) if event.agent_id else None
        return named.username if named else None
