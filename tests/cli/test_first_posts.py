"""A new fleet asks one agent of each persona for a post, as soon as it has an account."""

from __future__ import annotations

from fleet.cli.commands.up import first_posts
from fleet.features.agents import commands as agent_commands
from fleet.features.personas.service import personas_of
from tests.factories import Fleet


def test_one_agent_of_each_persona_is_asked_for_a_post(fleet: Fleet) -> None:
    """Symptom: the data visualiser posted after ten minutes, so that the first page showed five personas of six."""
    usernames = agent_commands.seed(fleet.deps, count=12, by="tests", start=True)
    waiting = first_posts.one_of_each_persona(fleet.deps, usernames)
    assert first_posts.ask(fleet.deps, waiting, by="tests") == waiting, "nobody can post yet"
    fleet.sql("UPDATE agents SET remote_account = username")
    assert first_posts.ask(fleet.deps, waiting, by="tests") == []
    asked = fleet.sql("SELECT a.persona_id FROM ticks t JOIN agents a ON a.id = t.agent_id WHERE t.asked_for = 'post'")
    assert sorted(asked.scalars()) == sorted(personas_of(fleet.deps).ids)
