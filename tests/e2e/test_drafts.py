"""From feed to draft to approval in real processes: beat, a worker, the approval agent, and a person at a terminal."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from fleet.cli.app import cli as root
from fleet.core import ids
from fleet.engine.agents import lookup
from fleet.engine.system_agents import staff
from fleet.features.agents import commands as agent_commands
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.commands import DraftView
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftStatus
from tests.e2e.world import World, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def fleet(world: World, *arguments: str) -> str:
    """Run a command as a person does and return what it prints."""
    done = CliRunner().invoke(root, arguments, env=world.environment())
    assert done.exit_code == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def drafts(world: World, **which: Any) -> list[DraftView]:
    return drafting.page(world.deps, DraftFilter(**which), limit=100)


def named(world: World, draft: DraftView) -> DraftView:
    return drafting.show(world.deps, str(draft.row.id))[0]


def shown(world: World, draft: DraftView) -> list[str]:
    """Return what the gallery was told for a draft, in its own record."""
    told = world.rows(
        "SELECT content FROM witnessed WHERE key LIKE :key AND kind NOT IN ('image', 'repeat')", gallery=True,
        key=f"{ids.derived('publish', draft.row.id)}%",
    )  # fmt: skip
    return [row.content for row in told]


def guests(world: World, number: int) -> None:
    for place in range(number):
        world.post_as_guest(f"visitor{place}")
    engine = sa.create_engine(world.gallery_database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE users SET is_agent = false WHERE username LIKE 'visitor%'"))
    engine.dispose()


def test_a_person_approves_rejects_sends_back_and_lets_expire(world: World) -> None:
    deps = world.deps
    guests(world, 6)
    agent_commands.create(
        deps, agent_commands.draft(deps, username="ann_1", name="Ann", persona_id="ai_artist", by="ann")
    )
    # Its dice follow from its id: of some agents, two of their comments are too much alike for both to be published.
    world.sql("UPDATE agents SET id = :id WHERE username = 'ann_1'", id=uuid.UUID(int=1))
    agent_commands.update(deps, "ann_1", {"autonomy": "supervised"})
    staff(deps.db)
    world.start_worker()
    world.start_beat()
    fleet(world, "scan", "ann_1")  # its first wake gives it an account
    wait_until("it has an account", lambda: lookup.agent(deps.db, "ann_1").remote_account)
    wait_until("nothing is under way", world.all_ended)
    fleet(world, "scan", "ann_1")
    waiting = wait_until("drafts wait", lambda: drafts(world, status=DraftStatus.PENDING))
    wait_until("the scan has ended", world.all_ended)
    waiting = drafts(world, status=DraftStatus.PENDING)
    back = next(one for one in waiting if one.row.kind == "comment")
    refused, late, *rest = (one for one in waiting if one.row.id != back.row.id)
    assert rest, [one.row.kind for one in waiting]

    fleet(world, "drafts", "reject", str(refused.row.id), "--reason", "too eager")
    fleet(world, "drafts", "revise", str(back.row.id), "Say it in other words.")
    rewritten = wait_until("it is written anew", lambda: _of_revision(named(world, back), 2))
    assert rewritten.row.status == "pending"
    assert rewritten.row.content["text"] != back.row.content["text"]
    world.sql(
        "UPDATE approval_requests SET expires_at = clock_timestamp(), next_step_at = clock_timestamp() WHERE id = :id",
        id=late.row.request_id,
    )
    world.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE kind = 'approval'")
    wait_until("what nobody decided has expired", lambda: named(world, late).row.status == "expired")
    fleet(world, "drafts", "bulk", "approve", "--yes")
    wait_until("all are settled", lambda: not drafts(world, status=DraftStatus.PENDING))
    world.wait_all_ended()

    published = [one for one in drafts(world) if one.row.status == "approved"]
    assert {one.row.id for one in waiting} - {one.row.id for one in published} == {refused.row.id, late.row.id}
    assert {one.outcome for one in published} == {"published"}
    assert {one.row.id: len(shown(world, one)) for one in published} == {one.row.id: 1 for one in published}
    assert shown(world, named(world, back)) == [rewritten.row.content["text"]]
    assert shown(world, refused) == shown(world, late) == []
    listed = json.loads(fleet(world, "drafts", "list", "--status", "rejected", "--json"))
    assert [(one["id"], one["reason"]) for one in listed["items"]] == [(str(refused.row.id), "too eager")]


def _of_revision(draft: DraftView, revision: int) -> DraftView | None:
    return draft if draft.row.revision == revision else None
