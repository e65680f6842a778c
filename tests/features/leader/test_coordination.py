"""The team leader in the loop: it asks each team once, agents answer from their own rows, and networks are scored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.access import organisations
from fleet.core.db import visibility
from fleet.core.errors import NotFound
from fleet.engine import registry, system_agents
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.points import network_measures as measures
from fleet.engine.points.network_measures import Measured
from fleet.engine.tick import tick
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.controls import commands as controls
from fleet.features.leader import agent, queries, service
from fleet.features.leader.kinds import MessagePriority, MessageType
from fleet.features.leader.models import TeamRoundRow
from tests.factories import Fleet, make_fleet


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    system_agents.staff(made.deps.db)
    yield made
    made.deps.close()


def leader(fleet: Fleet) -> uuid.UUID:
    return fleet.sql("SELECT id FROM agents WHERE kind = 'team_leader'").scalar_one()


def member(fleet: Fleet, kind: str = "x", **changes: Any) -> uuid.UUID:
    return fleet.agent(kind=kind, surface=kind, weights={"browse": 1.0}, persona_id="ai_artist", **changes)


def wake(fleet: Fleet, agent_id: uuid.UUID) -> dict[str, Any]:
    """Open the next tick of an agent and decide it; return the outcome."""
    fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE id = :id", id=agent_id)
    number = fleet.row(agent_id).tick_no
    fleet.sql(
        "INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())", id=agent_id, no=number
    )
    tick(fleet.deps, TickKey(agent_id, number))
    row = fleet.sql(
        "SELECT inputs, outcome, error FROM ticks WHERE agent_id = :id AND tick_no = :no", id=agent_id, no=number
    ).one()
    assert row.error is None
    agent.from_data(row.inputs)
    return row.outcome


def answer(fleet: Fleet) -> None:
    for job in fleet.jobs(state="ready"):
        perform(fleet.deps, job.id)


def ended(fleet: Fleet, agent_id: uuid.UUID, kind: str, state: str, number: int) -> None:
    """Let an agent have so many jobs that ended an hour ago."""
    fleet.sql(
        """INSERT INTO jobs (id, agent_id, kind, priority, surface, state, dead_reason, max_attempts, expires_at,
               finished_at, once, rare)
           SELECT gen_random_uuid(), :agent, :kind, 'normal', 'x', :state, :reason, 10, now(),
               now() - interval '1 h', false, false
           FROM generate_series(1, :number)""",
        agent=agent_id, kind=kind, state=state, number=number, reason="permanent" if state == "dead" else None,
    )  # fmt: skip


def hours_pass(fleet: Fleet, hours: float) -> None:
    fleet.sql("UPDATE team_rounds SET asked_at = asked_at - :h * interval '1 h'", h=hours)


def test_a_team_is_asked_once_answers_from_its_rows_and_its_networks_are_scored(fleet: Fleet) -> None:
    boss, ann, bob = leader(fleet), member(fleet, "x"), member(fleet, "linkedin")
    ended(fleet, ann, "post", "done", 6)
    ended(fleet, ann, "comment", "dead", 2)
    assert len(wake(fleet, boss)["ask"]) == 1
    assert wake(fleet, boss)["ask"] == []  # the coordination is under way
    questions = fleet.jobs(kind="status_request")
    assert {job.agent_id for job in questions} == {ann, bob}
    assert {job.priority for job in questions} == {"low"}
    answer(fleet)
    assert wake(fleet, boss)["scores"][0]["networks"].keys() == {"x", "linkedin"}
    (team,) = queries.teams(fleet.deps)
    assert (team.number, team.asked, team.answered) == (1, 2, 2)
    best, other = team.networks
    assert (best.network, best.parts[1]["points"], best.covered) == ("x", 22.5, 30)
    assert best.parts[1]["words"] == "6 of 8 public jobs done"
    assert best.missing[0] == "engagement: no engagement was measured in this period"
    assert other.points is None and other.covered == 0  # nothing is invented
    answers = {one.username: one.answer for one in team.members}
    assert "within a day 6 done, 2 failed" in (answers[fleet.row(ann).username] or "")
    assert "no post yet" in (answers[fleet.row(bob).username] or "")
    assert wake(fleet, boss)["ask"] == []  # six hours have not passed
    hours_pass(fleet, 6.1)
    assert len(wake(fleet, boss)["ask"]) == 1


def test_agents_that_do_not_answer_in_time_are_scored_without_their_answers(fleet: Fleet) -> None:
    boss, ann = leader(fleet), member(fleet)
    ended(fleet, ann, "post", "done", 1)
    wake(fleet, boss)
    assert wake(fleet, boss)["scores"] == []
    hours_pass(fleet, 0.2)
    assert len(wake(fleet, boss)["scores"]) == 1
    (team,) = queries.teams(fleet.deps)
    assert (team.asked, team.answered, team.networks[0].points) == (1, 0, 100.0)


def test_engagement_and_growth_come_from_features_that_measure_them(fleet: Fleet, monkeypatch: Any) -> None:
    boss, ann = leader(fleet), member(fleet)
    ended(fleet, ann, "post", "done", 2)
    known = registry.current().extensions
    found = {"x": Measured(reaction_percent=3.2, sample=2, growth_percent=2.5)}
    monkeypatch.setattr(
        registry.Registry, "extensions",
        lambda _, point: (lambda *_: found,) if point == measures.POINT else known(point),
    )  # fmt: skip
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    (team,) = queries.teams(fleet.deps)
    assert [one["points"] for one in team.networks[0].parts[:3]] == [40, 30, 10]
    assert team.networks[0].band == "excellent"


def test_each_organisation_has_a_team_of_its_own_and_its_members_see_no_other(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    boss, ann, eve = leader(fleet), member(fleet), member(fleet, organisation_id=other)
    ended(fleet, ann, "post", "done", 3)
    ended(fleet, eve, "post", "dead", 3)
    assert len(wake(fleet, boss)["ask"]) == 2
    answer(fleet)
    wake(fleet, boss)
    ours, theirs = queries.teams(fleet.deps)
    assert (ours.networks[0].points, theirs.networks[0].points) == (100.0, 0.0)
    with visibility.restricted(frozenset({other})):
        (seen,) = queries.teams(fleet.deps)
        assert seen.organisation == "Other" and [one.id for one in seen.members] == [eve]
        assert {one.agent for one in queries.messages(fleet.deps, queries.MessageFilter())} == {fleet.row(eve).username}
        with fleet.deps.db.transaction() as tx:
            assert tx.session.scalars(sa.select(TeamRoundRow.organisation_id)).all() == [other]
        with pytest.raises(NotFound):
            service.send(fleet.deps, MessageType.STATUS_REQUEST, str(ann), by="eve")


def test_a_paused_agent_answers_that_it_is_paused_and_makes_no_content(fleet: Fleet) -> None:
    ann = member(fleet)
    controls.throw_kill_switch(fleet.deps, by="ann", reason="fire")
    status, content = (
        service.send(fleet.deps, type_, "x", by="ann", note="<b>now</b>", priority=MessagePriority.URGENT)[0]
        for type_ in (MessageType.STATUS_REQUEST, MessageType.CONTENT_REQUEST)
    )
    assert fleet.job(status).priority == "critical"
    answer(fleet)
    found = {
        one.type: one for one in queries.messages(fleet.deps, queries.MessageFilter(agent=fleet.row(ann).username))
    }
    assert "kill switch: fire" in (found[MessageType.STATUS_REQUEST].answer or "")
    assert found[MessageType.CONTENT_REQUEST].answer == "No: kill switch: fire."
    assert found[MessageType.CONTENT_REQUEST].state == "skipped"
    assert found[MessageType.STATUS_REQUEST].note == "<b>now</b>"
    assert content == found[MessageType.CONTENT_REQUEST].id


def test_a_request_for_content_wakes_its_agent_once_for_a_post(fleet: Fleet) -> None:
    ann = member(fleet)
    (message,) = service.send(fleet.deps, MessageType.CONTENT_REQUEST, str(ann), by="bob")
    for _ in range(2):  # a second delivery finds nothing to claim
        perform(fleet.deps, message)
    asked = fleet.sql("SELECT asked_for, requested_by FROM ticks WHERE agent_id = :id", id=ann).all()
    assert [tuple(one) for one in asked] == [("post", "bob")]


def test_a_person_can_have_teams_coordinated_before_their_time(fleet: Fleet) -> None:
    boss = leader(fleet)
    member(fleet)
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    service.coordinate(fleet.deps, by="ann")
    number = fleet.row(boss).tick_no
    tick(fleet.deps, TickKey(boss, number))
    (team,) = queries.teams(fleet.deps)
    assert team.number == 2
    with fleet.deps.db.transaction() as tx:
        assert tx.scalar(sa.select(TeamRoundRow.requested_by).where(TeamRoundRow.number == 2)) == "ann"


def test_old_coordinations_are_pruned_but_not_the_newest_of_a_team(fleet: Fleet) -> None:
    boss = leader(fleet)
    member(fleet)
    for _ in range(2):
        wake(fleet, boss)
        answer(fleet)
        wake(fleet, boss)
        hours_pass(fleet, 24 * 40)
    with fleet.deps.db.transaction() as tx:
        assert service.prune(tx, days=30, limit=10) == 1
        assert tx.session.scalars(sa.select(TeamRoundRow.number)).all() == [2]


def test_what_is_wrong_with_a_team_is_found_told_once_and_ended_when_it_is_over(fleet: Fleet, monkeypatch: Any) -> None:
    brands.put(fleet.deps, "fleet", {"banned": ["miracle"]}, by="ann", reason="the law")
    known, found = registry.current().extensions, {"x": Measured(reaction_percent=0.1, sample=2)}
    monkeypatch.setattr(
        registry.Registry, "extensions",
        lambda _, point: (lambda *_: found,) if point == measures.POINT else known(point),
    )  # fmt: skip
    boss, ann = leader(fleet), member(fleet)
    ended(fleet, ann, "comment", "dead", 3)
    ended(fleet, ann, "post", "done", 1)
    fleet.sql("""UPDATE jobs SET result = '{"text": "<b>A miracle lamp.</b>"}' WHERE kind = 'post'""")
    for number in (1, 2, 3):
        wake(fleet, boss)
        answer(fleet)
        wake(fleet, boss)
        hours_pass(fleet, 7)
        kinds = {one.kind: one.words for one in queries.teams(fleet.deps)[0].findings}
        assert kinds.keys() == {"dead_letters", "brand", *(["lowest_band"] if number > 1 else [])}
    assert "\u201cmiracle\u201d is banned" in kinds["brand"]
    told = fleet.sql("SELECT payload->>'finding' FROM events WHERE subject = 'alert.team' ORDER BY id").scalars().all()
    assert sorted(told) == ["brand", "dead_letters", "lowest_band"]  # each once
    brands.put(fleet.deps, "fleet", {}, by="ann", reason="another law")
    found["x"] = Measured(reaction_percent=2.0, sample=2)
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    assert [one.kind for one in queries.teams(fleet.deps)[0].findings] == ["dead_letters"]


def test_a_budget_that_is_nearly_spent_is_found_for_those_whom_it_concerns(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    boss, ann, eve = leader(fleet), member(fleet), member(fleet, organisation_id=other)
    for scope, key, spent in (("agent", ann, 80), ("agent", eve, 79), ("fleet", "*", 100), ("organisation", other, 85)):
        fleet.sql(
            """INSERT INTO budgets (scope, key, period, period_start, limit_microusd, spent_microusd, set_by)
               VALUES (:scope, :key, 'month', date_trunc('month', now(), 'UTC'), 100, :spent, 'ann')""",
            scope=scope, key=str(key), spent=spent,
        )  # fmt: skip
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    ours, theirs = queries.teams(fleet.deps)
    assert sorted(one.words for one in ours.findings) == [
        f"the monthly budget of agent {fleet.row(ann).username} is nearly spent",
        "the monthly budget of the fleet is spent",
    ]
    assert [one.words for one in theirs.findings] == ["the monthly budget of the organisation is nearly spent"]
    fleet.sql("UPDATE team_findings SET ended_at = now() - interval '31 d' WHERE organisation_id = :id", id=other)
    with fleet.deps.db.transaction() as tx:
        assert service.prune_findings(tx, days=30, limit=10) == 1
        assert service.prune_findings(tx, days=30, limit=10) == 0  # open ones stay
