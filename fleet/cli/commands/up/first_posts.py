"""Ask new agents for their first posts, so that the gallery of a new fleet shows every persona within a minute."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.events import Event
from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.features.agents import commands as agent_commands
from fleet.features.publishing.kinds import POST, PROVISION


class FirstPosts:
    """One agent of each persona, until it has an account and has been asked for a post."""

    def __init__(self, deps: Deps, usernames: Iterable[str], *, by: str) -> None:
        self._deps, self._by = deps, by
        with deps.db.transaction() as tx:
            agents = [queries.named(tx, username) for username in usernames]
        self._waiting = set({agent.persona_id: agent.id for agent in reversed(agents)}.values())
        self._ready: set[uuid.UUID] = set()

    def look(self, events: Iterable[Event]) -> None:
        """Ask the agents whose account has come. An agent that is deciding is asked at the next look."""
        for event in events:
            if event.agent_id in self._waiting and event.payload.get("kind") == PROVISION:
                self._waiting.discard(event.agent_id)
                self._ready.add(event.agent_id)
        for agent_id in sorted(self._ready):
            try:
                agent_commands.trigger(self._deps, str(agent_id), action=POST, by=self._by)
            except Conflict:
                continue
            except (NotFound, InvalidInput):  # the agent was deleted meanwhile
                pass
            self._ready.discard(agent_id)
