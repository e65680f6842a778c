"""Workers of the version before and of this one share the table of agents while a deploy is under way.

`tests/data/agents_statements_0020.sql` holds what the version before sends. Drop this file with its columns.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import alembic.command
import psycopg
import sqlalchemy as sa

from fleet.core import db, ids
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent, settings_of
from fleet.engine.attempts.perform import perform
from fleet.features.agents import commands as agent_commands
from tests import TESTS
from tests.engine.test_perform import add
from tests.factories import Fleet

_TEXT = (TESTS / "data" / "agents_statements_0020.sql").read_text()
OLD = dict(re.findall(r"-- name: (\w+)\n(.*?)(?=\n-- name|\Z)", _TEXT, re.S))
ADA: dict[str, Any] = {
    "kind": "gallery", "name": "Ada", "username": "ada_1", "persona_id": None, "personality": "", "vibe": "",
    "interests": [], "post_weight": 0.25, "comment_weight": 0.0, "like_weight": 2.0, "browse_weight": 1.0,
    "min_interval_s": 60, "max_interval_s": 300, "autonomy": "supervised", "scans": False, "scan_interval_s": 900,
    "audience": "friends", "heeds_agents": True, "draft_days": 3, "surface": "floimg", "owner": "cli:ann",
}  # fmt: skip
WEIGHTS = ("post_weight", "comment_weight", "like_weight", "browse_weight")
SETTINGS = ("scans", "scan_interval_s", "audience", "heeds_agents", "draft_days")


def inserted(fleet: Fleet, **changes: Any) -> uuid.UUID:
    """Insert an agent as the version before does."""
    agent = ids.new()
    fleet.sql(OLD["insert_agent"], **{**ADA, "id": agent, **changes})
    return agent


def old_view(fleet: Fleet, agent: uuid.UUID) -> dict[str, Any]:
    """Return the weights and settings that the version before reads."""
    actor = fleet.sql(OLD["read_actor"], id=agent).mappings().one()
    habits = fleet.sql(OLD["read_habits"], id=agent).mappings().one()
    found = {name.removeprefix("actor_"): value for name, value in {**actor, **habits}.items()}
    return {name: found[name] for name in (*WEIGHTS, *SETTINGS)}


def new_view(fleet: Fleet, agent: uuid.UUID) -> dict[str, Any]:
    """Return the weights and settings that this version reads."""
    found = settings_of(fleet.row(agent))
    return {name: found[name] for name in (*WEIGHTS, *SETTINGS)}


def finish_as_before(fleet: Fleet, agent: uuid.UUID, target: str) -> None:
    """Finish a like as a worker of the version before does that had claimed it."""
    job = add(fleet, agent, "like", target=target, tick_no=int(target[1:]))
    fleet.sql("UPDATE jobs SET state = 'running', lease_token = 7, lease_until = clock_timestamp() WHERE id = :id",
              id=job)  # fmt: skip
    call = {
        "n": 0,
        "a_job": str(job),
        "a_token": 7,
        "an_id": "r1",
        "a_result": {},
        "subject": "job.done",
        "payload": {},
    }
    assert len(fleet.sql(OLD["finish_like"], calls=json.dumps([call])).all()) == 1


def test_an_agent_of_the_version_before_is_read_with_its_weights_and_settings(fleet: Fleet) -> None:
    agent = inserted(fleet)
    row = fleet.row(agent)
    assert row.weights == {"post": 0.25, "comment": 0.0, "like": 2.0, "browse": 1.0}
    assert row.totals == {}
    assert new_view(fleet, agent) == {name: ADA[name] for name in (*WEIGHTS, *SETTINGS)}
    plain = inserted(fleet, username="bea_1", scans=True, scan_interval_s=3600, audience="public", heeds_agents=False,
                     draft_days=7)  # fmt: skip
    assert fleet.row(plain).config == {}, "defaults are not stored"


def test_what_the_version_before_edits_is_seen_here_and_nothing_else_changes(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1.0, "like": 2.0}, config={"draft_days": 5})
    fleet.sql(OLD["edit_weight"], id=agent, like_weight=0.5)
    assert fleet.row(agent).weights == {"post": 1.0, "comment": 0.0, "like": 0.5, "browse": 0.0}
    changed = {"autonomy": "supervised", "scans": False, "scan_interval_s": 3600, "audience": "public",
               "heeds_agents": True, "draft_days": 5}  # fmt: skip
    fleet.sql(OLD["edit_settings"], id=agent, **changed)
    assert fleet.row(agent).config == {"draft_days": 5, "scans": False, "heeds_agents": True}
    assert old_view(fleet, agent) == new_view(fleet, agent)


def test_what_is_created_or_edited_here_is_seen_by_the_version_before(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        new = NewAgent("Ada", "ada_1", {"like": 2.0}, kind="gallery", config={"audience": "friends"})
        agent = commands.create(tx, new)
    assert old_view(fleet, agent) == new_view(fleet, agent)
    assert old_view(fleet, agent)["comment_weight"] == 0.4, "the default of the type"
    changes = {"post_weight": 0.0, "scans": False, "scan_interval_s": 30, "draft_days": 90}
    agent_commands.update(fleet.deps, str(agent), changes)
    assert old_view(fleet, agent) == new_view(fleet, agent)
    assert changes.items() <= old_view(fleet, agent).items()


def test_both_versions_count_one_total(fleet: Fleet) -> None:
    agent = fleet.agent()
    finish_as_before(fleet, agent, "p1")
    perform(fleet.deps, add(fleet, agent, "like", target="p2", tick_no=2))
    finish_as_before(fleet, agent, "p3")
    assert fleet.row(agent).totals == {"like": 3}


def test_a_finished_job_writes_its_agents_row_once(fleet: Fleet, owner_url: str) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, "like", target="p1")
    fleet.sql("UPDATE agents SET current_action = 'like'")  # so that the claim need not show it
    with psycopg.connect(owner_url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("VACUUM FULL agents")  # else the row may take the place of one that an earlier test deleted
    before = fleet.sql("SELECT ctid::text FROM agents").scalar()
    perform(fleet.deps, job)
    after = fleet.sql("SELECT ctid::text FROM agents").scalar()
    versions = [int(ctid.strip("()").split(",")[1]) for ctid in (before, after)]
    assert versions[1] - versions[0] == 1
    assert fleet.row(agent).totals == {"like": 1}


def test_the_downgrade_writes_what_was_counted_here_to_the_old_columns(fleet: Fleet, owner_url: str) -> None:
    agent = inserted(fleet)
    perform(fleet.deps, add(fleet, agent, "like", target="p1"))
    fleet.sql('UPDATE agents SET totals = \'{"like": 4, "react": 1}\'')
    expected = new_view(fleet, agent)
    fleet.deps.db.close()
    engine = sa.create_engine(owner_url)
    with engine.connect() as connection:
        config = db._alembic_config()
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0020")
        (row,) = connection.execute(sa.text("SELECT * FROM agents")).mappings()
        alembic.command.upgrade(config, "0021")
        (again,) = connection.execute(sa.text("SELECT weights, totals, config FROM agents")).mappings()
    engine.dispose()
    assert {name: row[name] for name in expected} == expected
    assert (row["total_likes"], row["total_posts"]) == (4, 0)
    assert again["totals"] == {"like": 4}
    assert again["weights"] == {"post": 0.25, "comment": 0.0, "like": 2.0, "browse": 1.0}
