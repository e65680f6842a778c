"""From a visitor's post to a published comment, on the real gallery, with the writer that needs no model."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.core import ids
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Deps
from fleet.engine.jobs.queries import JobFilter as Jobs
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals.rules import Person
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftStatus
from fleet.features.jobs import commands as job_commands
from tests.e2e.world import World, make_world

OWNER = Person("ann", frozenset({"owner"}))


@pytest.fixture
def world(tmp_path: Path, database_url: str, postgres_server: Any, broker_url: str) -> Iterator[World]:
    """A gallery process, and the loop in this process."""
    gallery = postgres_server.create_database()
    with make_world(tmp_path, database_url, gallery, broker_url) as made:
        made.start_gallery()
        yield made
    postgres_server.drop_database(gallery)


def do(deps: Deps, **which: Any) -> None:
    """Carry out every job that may be carried out now."""
    rows, _ = job_commands.list_jobs(deps, Jobs(states=(JobState.READY, JobState.UNKNOWN), **which), limit=100)
    for row in rows:
        perform(deps, row.id)


def look(deps: Deps, name: str) -> None:
    """Let an agent look at its feed, or first get its account."""
    key = drafting.scan(deps, name, by="test")
    tick(deps, TickKey(key.agent_id, key.tick_no))
    do(deps)


def ann(world: World) -> None:
    """Make a supervised agent whose dice are known: of some, two comments are too much alike for both to go out."""
    deps = world.deps
    agent_commands.create(
        deps, agent_commands.draft(deps, username="ann_1", name="Ann", persona_id="ai_artist", by="ann")
    )
    world.sql("UPDATE agents SET id = :id WHERE username = 'ann_1'", id=uuid.UUID(int=1))
    agent_commands.update(deps, "ann_1", {"autonomy": "supervised"})


def guest_posts(world: World, number: int) -> None:
    """Have people post pictures."""
    for place in range(number):
        world.post_as_guest(f"visitor{place}")
    _in_the_gallery(world, "UPDATE users SET is_agent = false WHERE username LIKE 'visitor%'")


def _in_the_gallery(world: World, statement: str) -> None:
    engine = sa.create_engine(world.gallery_database_url)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(statement))
    finally:
        engine.dispose()


def test_a_visitors_post_becomes_a_comment_that_a_person_approved(world: World) -> None:
    deps = world.deps
    ann(world)
    guest_posts(world, 4)
    look(deps, "ann_1")  # its account
    look(deps, "ann_1")
    found = drafting.page(deps, DraftFilter(status=DraftStatus.PENDING), limit=100)
    kinds = {one.row.kind for one in found}
    assert {"post", "comment", "reaction"} <= kinds
    assert world.rows("SELECT count(*) FROM comments", gallery=True)[0][0] == 0
    answers = drafting.approve(deps, [str(one.row.id) for one in found], OWNER)
    assert all(answer.error is None for answer in answers)
    do(deps)
    became = {one.row.id: one for one in drafting.page(deps, DraftFilter(), limit=100)}
    assert {one.outcome for one in became.values()} == {"published"}
    for one in became.values():
        assert one.job is not None
        key = str(ids.derived("publish", one.row.id))
        witnessed = world.rows(
            "SELECT kind, content FROM witnessed WHERE key LIKE :key AND kind NOT IN ('image', 'repeat')", gallery=True,
            key=f"{key}%",
        )  # fmt: skip
        assert len(witnessed) == 1
        if one.row.kind in ("comment", "post"):
            assert witnessed[0].content == one.row.content["text"]
    look(deps, "ann_1")
    assert len(drafting.page(deps, DraftFilter(), limit=100)) == len(found)  # nothing new, so nothing more


def test_a_post_that_was_removed_meanwhile_ends_as_a_skipped_job(world: World) -> None:
    deps = world.deps
    ann(world)
    guest_posts(world, 3)
    look(deps, "ann_1")
    look(deps, "ann_1")
    comments = drafting.page(deps, DraftFilter(status=DraftStatus.PENDING), limit=100)
    answers = drafting.approve(deps, [str(one.row.id) for one in comments if one.row.target], OWNER)
    assert answers
    _in_the_gallery(world, "UPDATE posts SET hidden_at = now()")
    do(deps)
    ended = [
        one
        for one in drafting.page(deps, DraftFilter(), limit=100)
        if one.job is not None and one.row.kind != "connection"
    ]
    assert ended
    for one in ended:
        assert one.outcome.startswith("skipped: gone"), one.outcome
