"""One file a kind of agent: what it sees, how it decides, what it does. Called by `fleet.engine.tick`.

A new kind is a file in the shape of `mind.Mind` and a line here; its rows in `agents` bear the name.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleet.core.errors import InvalidInput
from fleet.engine.agent_type import Mind
from fleet.features.approvals import agent as approval
from fleet.features.publishing import agent as gallery
from fleet.features.webhooks import agent as hooks

MINDS: Mapping[str, Mind] = {
    "gallery": gallery,
    "approval": approval,
    "hooks": hooks,
}
"""By kind of agent."""


def mind_of(kind: str) -> Mind:
    """Return the mind of a kind of agent. Raises InvalidInput for a kind of a newer version."""
    if kind not in MINDS:
        raise InvalidInput(f"This version knows no agents of the kind {kind!r}.", fix="Upgrade its workers.")
    return MINDS[kind]
