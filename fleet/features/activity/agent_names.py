"""Names and emoji of the agents in a feed, each read once. Called by feeds in terminals and on pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fleet.core.events import Event
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Named
from fleet.engine.deps import Deps
from fleet.engine.events import event_text
from fleet.engine.events.event_text import Description
from fleet.features.personas.service import personas_of
from fleet.web import links


class AgentNames:
    """The agents that events were about so far. Not thread-safe."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self.names: dict[uuid.UUID, Named] = {}

    def load(self, events: Iterable[Event]) -> None:
        """Read the names that these events need and that are not known yet. Raises Unavailable."""
        unknown = {one for event in events for one in (event.agent_id, _scope(event))} - self.names.keys() - {None}
        if unknown:
            self.names.update(lookup.names(self._deps.db, unknown))

    def describe(self, event: Event) -> Description | None:
        """Describe an event; the agent that a budget or a pause is for is called by its username."""
        named = self._named(_scope(event))
        return event_text.describe(replace(event, payload={**event.payload, "key": named.username}) if named else event)

    def in_words(self, event: Event) -> dict[str, Any]:
        """Return what feeds show of an event: the agent's name and emoji, the words, None for a hidden event, and the
        address of what it published.
        """
        found, name = self.describe(event), event_text.clip(self.name(event), 60)
        words = found.words if found else None
        return {"name": name, "emoji": self.emoji(event), "words": words, "url": self.url(event)}

    def url(self, event: Event) -> str | None:
        """Return the address of what an event says was published; None for other events."""
        return links.url_of_event(self._deps, event, self.username(event))

    def name(self, event: Event) -> str:
        """Return the name of the agent that an event is about; empty if it is about none."""
        if name := event.payload.get("agent"):
            return str(name)
        named = self._named(event.agent_id)
        return named.name if named else ""

    def emoji(self, event: Event) -> str:
        """Return the emoji of the agent's persona, if it has one."""
        named = self._named(event.agent_id)
        persona_id = event.payload.get("persona") or (named.persona_id if named else None)
        persona = personas_of(self._deps).personas.get(str(persona_id))
        return persona.emoji if persona else ""

    def username(self, event: Event) -> str | None:
        """Return the username of the agent that an event concerns, if there is one."""
        named = self._named(event.agent_id)
        return named.username if named else None

    def _named(self, agent_id: uuid.UUID | None) -> Named | None:
        return self.names.get(agent_id) if agent_id else None


def _scope(event: Event) -> uuid.UUID | None:
    """Return the agent in the payload's scope, if the scope is one agent."""
    try:
        return uuid.UUID(event.payload.get("key")) if event.payload.get("scope") == "agent" else None
    except (ValueError, TypeError, AttributeError):  # written by another version, or no agent's id
        return None
