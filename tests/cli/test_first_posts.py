"""A new fleet asks one agent of each persona for a post, as soon as it has an account."""

from __future__ import annotations

import uuid

from fleet.cli.commands.up.first_posts import FirstPosts
from fleet.core import clock
from fleet.core.events import Event, Position
from fleet.features.agents import commands as agent_commands
from fleet.features.personas.service import personas_of
from tests.factories import Fleet


def account_came(agent_id: uuid.UUID) -> Event:
    return Event(Position(), clock.now(), "job.done", agent_id, None, {"kind": "provision"})


def test_one_agent_of_each_persona_is_asked_for_a_post(fleet: Fleet) -> None:
    """Symptom: the data visualiser posted after ten minutes, so that the first page showed five personas of six."""
    usernames = agent_commands.seed(fleet.deps, count=12, by="tests", start=True)
    agents = fleet.sql("SELECT id, persona_id FROM agents").all()
    first_posts = FirstPosts(fleet.deps, usernames, by="tests")
    first_posts.look([])
    assert fleet.sql("SELECT count(*) FROM ticks WHERE asked_for = 'post'").scalar() == 0, "nobody can post yet"
    first_posts.look([account_came(agent.id) for agent in agents])
    first_posts.look([account_came(agent.id) for agent in agents])
    asked = fleet.sql("SELECT a.persona_id FROM ticks t JOIN agents a ON a.id = t.agent_id WHERE t.asked_for = 'post'")
    assert sorted(asked.scalars()) == sorted(personas_of(fleet.deps).ids)
