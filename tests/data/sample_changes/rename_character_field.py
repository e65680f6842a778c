"""The field has its new name in forms, the API, commands, persona files and prompts; its column keeps the old one."""

import random
import tempfile
from pathlib import Path

import sqlalchemy as sa

from fleet import app
from fleet.engine import registry
from fleet.engine.agents import loop
from fleet.engine.agents.models import AgentRow
from fleet.features.agents import form
from fleet.features.personas import library, persona_file
from fleet.llm import prompts
from fleet.llm.base import CommentRequest, PostRequest, SeenPost, Speaker
from fleet.llm.offline.provider import OfflineProvider

app.load()
agents_api, agents_cli, personas_api, personas_cli = (
    registry.load(f"fleet.features.{module}") for module in ("agents.api", "agents.cli", "personas.api", "personas.cli")
)
personas = library.load()
designer = personas.get("ux_designer")
assert designer.character.manner == "minimal"
assert ("Manner", "minimal") in personas_cli.character_facts(designer.character.values())
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "own.yaml"
    renamed = (library.SHIPPED / "ux_designer.yaml").read_text(encoding="utf-8").replace("\nvibe:", "\nmanner:")
    file.write_text(renamed, encoding="utf-8")
    shape, problems = persona_file.read_persona(file)
assert (shape and shape.character()) == designer.character, problems

filled = form.with_character(form.AgentForm({"persona": "ux_designer"}), personas)
assert filled.get("manner") == "minimal"
assert not filled.get("vibe")
for model in (agents_api.Agent, agents_api.AgentIn, agents_api.AgentChanges, personas_api.PersonaOut):
    assert "manner" in model.model_fields
    assert "vibe" not in model.model_fields
for name in ("create", "edit"):
    options = {option for parameter in agents_cli.agents.commands[name].params for option in parameter.opts}
    assert "--manner" in options
    assert "--vibe" not in options

assert "manner" not in AgentRow.__table__.columns
assert AgentRow(personality="", manner="dry", interests=[]).character.manner == "dry"
own = range(len(loop.ActingAgent.__slots__) - 1)
assert loop.actor((*own, "", "dry", [])).character.manner == "dry"
assert "SET vibe=" in str(sa.update(AgentRow).values(manner="dry"))

speaker = Speaker("Ann", None, designer.character)
assert '"manner": "minimal"' in prompts.post(PostRequest(speaker), random.Random(1)).persona
assert OfflineProvider().write_comment(CommentRequest(speaker, (SeenPost("1", "Zoe", "Fog."),)), random.Random(1))
