"""The persona in whose voice an agent writes."""

from __future__ import annotations

from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.voices import Voices
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of
from fleet.llm.base import Speaker


def speaker_of(deps: Deps, agent: ActingAgent) -> Speaker:
    """Return an agent as the writer of its texts. Raises NotFound for a persona that is gone."""
    persona = personas_of(deps).get(agent.persona_id) if agent.persona_id else None
    own, voice = agent.character, deps.part("voices", lambda own: Voices(own.db), for_all=True).of(agent.id)
    if voice:
        own = own.changed({"personality": f"{own.personality}\n{voice}".strip()})
    return Speaker(
        agent.name, agent.persona_id, own,
        persona.workflow_types if persona else (), persona.grammar if persona else {},
    )  # fmt: skip
