"""Ask new agents for their first posts, so that the gallery of a new fleet shows every persona within a minute."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.features.agents import commands as agent_commands
from fleet.features.publishing.kinds import POST


def one_of_each_persona(deps: Deps, usernames: Sequence[str]) -> list[str]:
    """Return the first agent of each persona."""
    with deps.db.transaction() as tx:
        agents = [queries.named(tx, username) for username in usernames]
    return list({agent.persona_id: agent.username for agent in reversed(agents)}.values())


def ask(deps: Deps, usernames: Sequence[str], *, by: str) -> list[str]:
    """Ask each agent that has an account for a post; return the others, and those that are deciding just now."""
    return [username for username in usernames if not _is_asked(deps, username, by)]


def _is_asked(deps: Deps, username: str, by: str) -> bool:
    try:
        with deps.db.transaction() as tx:
            has_account = queries.named(tx, username).remote_account is not None
        if has_account:
            agent_commands.trigger(deps, username, action=POST, by=by)
    except Conflict:
        return False
    except (NotFound, InvalidInput):  # the agent was deleted meanwhile
        return True
    return has_account
