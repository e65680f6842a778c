"""Experiments from the tick to the reading: assigned with the job, written in style, read back once for each age."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import alembic.command
import httpx
import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.social import FeedItem
from fleet.core import clock, db, failpoints, ids
from fleet.core.db import Database
from fleet.core.errors import InvalidInput
from fleet.core.failpoints import Point
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Outside
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger as service
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import prune, sweep
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.controls import commands as fleetwide
from fleet.features.experiments import assign, engagement, experiment_file, measure
from fleet.features.experiments import service as experiments
from fleet.features.experiments.engagement import Assignment, Reading
from fleet.features.experiments.service import check
from fleet.features.experiments.variants import Dimension, Experiment, Variant
from fleet.features.personas.service import personas_of
from fleet.features.publishing.kinds import LIKE, POST
from fleet.llm.base import PostPart, PostRequest, PostWords, Usage
from tests.e2e.world import TOKEN, make_world
from tests.factories import Fleet, Words, make_fleet, reply_lost

AGES = [1, 24, 72]
POSTS_ALONE = {"post": 1.0, "comment": 0.0, "like": 0.0, "browse": 0.0}


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def tried(database_url: str) -> Iterator[Fleet]:
    """The loop with an experiment about captions."""
    made = make_fleet(database_url, experiments="caption_question")
    yield made
    made.deps.close()


def run_all(fleet: Fleet) -> None:
    while messages := fleet.bell.take():
        for message in messages:
            if message.task == "fleet.tick":
                tick(fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
            else:
                perform(fleet.deps, uuid.UUID(str(message.args[0])))


def lives(fleet: Fleet, rounds: int) -> None:
    """Wake whoever there is, and let them do what they decide."""
    for _ in range(rounds):
        fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE next_tick_at IS NOT NULL")
        dispatch(fleet.deps)
        run_all(fleet)


def posted(fleet: Fleet, agent: uuid.UUID, number: int = 1, **payload: object) -> uuid.UUID:
    """Have a post made that belongs to an experiment; return its job."""
    job = NewJob(ids.job(agent, number, 0), agent, POST, "floimg", number, None,
                 {"variants": {"caption_question": "question"}, **payload})  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        service.add(tx, [job])
    perform(fleet.deps, job.id)
    return job.id


def measures(fleet: Fleet) -> list[JobRow]:
    return sorted(fleet.jobs(kind="measure"), key=lambda job: int(job.payload["age_h"]))


def rows(fleet: Fleet) -> list[tuple[Any, ...]]:
    query = ("SELECT age_h, likes, comments, likes_by_agents, comments_by_agents, remote_id FROM engagement"
             " ORDER BY post_job, age_h")  # fmt: skip
    return [tuple(row) for row in fleet.sql(query)]


def shown(fleet: Fleet, **got: int) -> None:
    """Let the surface show every post with these counts."""
    fleet.surface.posts = [
        FeedItem(effect.id, effect.username, "", effect.text, None, **got)  # type: ignore[arg-type]
        for effect in fleet.surface.effects
    ]


def test_a_post_is_assigned_in_the_transaction_that_adds_its_job(tried: Fleet) -> None:
    agents = [tried.agent(weights=POSTS_ALONE) for _ in range(6)]
    lives(tried, 5)
    jobs = tried.jobs(kind="post")
    given = {job.id: job.payload["variants"]["caption_question"] for job in jobs}
    kept = list(tried.sql("SELECT post_job, experiment, variant, agent_id, unit FROM assignments"))
    assert {row.post_job: row.variant for row in kept} == given
    assert len(kept) == len(jobs) == 30
    assert set(given.values()) == {"as_usual", "question"}
    assert {row.agent_id for row in kept} == set(agents)
    assert {row.unit for row in kept} == {f"tick {number}" for number in range(1, 6)}


def test_without_experiments_nothing_is_assigned_and_nothing_measured(fleet: Fleet) -> None:
    fleet.agent(weights=POSTS_ALONE)
    lives(fleet, 2)
    assert [job.payload for job in fleet.jobs(kind="post")] == [{}, {}]
    assert measures(fleet) == []
    assert fleet.sql("SELECT count(*) FROM assignments").scalar() == 0


def test_a_decision_and_its_assignment_are_made_once_after_a_crash_between(tried: Fleet) -> None:
    agent = tried.agent(weights=POSTS_ALONE)
    dispatch(tried.deps)
    tried.bell.take()

    def die(point: Point) -> None:
        if point is Point.TICK_DECIDED:
            raise Died

    failpoints.arm(die)
    try:
        with pytest.raises(Died):
            tick(tried.deps, TickKey(agent, 1))
    finally:
        failpoints.arm(None)
    assert tried.sql("SELECT count(*) FROM assignments").scalar() == 0
    tried.lease_runs_out()
    sweep(tried.deps)
    tick(tried.deps, TickKey(agent, 1))
    tick(tried.deps, TickKey(agent, 1))
    assert tried.sql("SELECT count(*) FROM assignments").scalar() == 1
    assert len(tried.jobs(kind="post")) == 1


def test_the_variants_style_reaches_the_writer_and_others_are_left_alone(
    tried: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PostRequest] = []
    write = Words.write_post

    def listen(self: Words, request: PostRequest, dice: Any) -> tuple[PostWords, Usage]:
        asked.append(request)
        return write(self, request, dice)

    monkeypatch.setattr(Words, "write_post", listen)
    agent = tried.agent()
    posted(tried, agent, 1)
    posted(tried, agent, 2, variants={"caption_question": "as_usual"})
    posted(tried, agent, 3, variants={"caption_question": "gone", "never_known": "x"})
    assert [[style.part for style in request.styles] for request in asked] == [[PostPart.CAPTION], [], []]
    assert "question" in asked[0].styles[0].instruction


def test_readings_are_planned_when_the_post_is_done_and_wait_unrung_for_their_time(tried: Fleet) -> None:
    job = posted(tried, tried.agent())
    planned = measures(tried)
    done_at = tried.job(job).finished_at
    assert done_at is not None
    assert [one.payload["age_h"] for one in planned] == AGES
    for one, age_h in zip(planned, AGES, strict=True):
        assert abs(one.next_attempt_at - done_at - timedelta(hours=age_h)) < timedelta(seconds=5)
        assert (one.priority, one.published_at, one.target) == ("low", None, tried.job(job).remote_id)
        assert one.expires_at > one.next_attempt_at + timedelta(hours=age_h) / 2
    assert tried.bell.take() == []
    perform(tried.deps, planned[0].id)
    assert measures(tried)[0].state == "ready", "an early message claims nothing"
    tried.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE id = :id", id=planned[0].id)
    sweep(tried.deps)
    assert [(one.task, one.queue) for one in tried.bell.take()] == [("fleet.measure", "low")]


def test_a_fleet_that_lives_fast_measures_early(database_url: str) -> None:
    fleet = make_fleet(database_url, experiments="caption_question", tempo=60.0)
    job = posted(fleet, fleet.agent())
    done_at = fleet.job(job).finished_at
    assert done_at is not None
    waits = [one.next_attempt_at - done_at for one in measures(fleet)]
    assert [round(wait.total_seconds() / 60) for wait in waits] == AGES
    fleet.deps.close()


def test_posts_are_measured_without_an_experiment_when_the_owner_says_so(database_url: str) -> None:
    fleet = make_fleet(database_url, measure_posts=True)
    posted(fleet, fleet.agent(), variants={})
    assert len(measures(fleet)) == 3
    fleet.deps.close()


def test_what_a_post_got_is_kept_apart_for_people_and_agents_and_is_no_act_of_the_agent(tried: Fleet) -> None:
    agent = tried.agent()
    posted(tried, agent)
    shown(tried, likes=5, comments=3, likes_by_agents=4, comments_by_agents=1)
    before = tried.row(agent)
    tried.sql("UPDATE agents SET current_action = 'comment' WHERE id = :id", id=agent)
    tried.time_passes()
    for one in measures(tried):
        perform(tried.deps, one.id)
    assert rows(tried) == [(age_h, 5, 3, 4, 1, "e1") for age_h in AGES]
    assert {one.state for one in measures(tried)} == {"done"}
    after = tried.row(agent)
    assert (after.current_action, after.last_action_at) == ("comment", before.last_action_at)


def test_counts_that_do_not_add_up_are_made_consistent(tried: Fleet) -> None:
    item = FeedItem("p", "ann", "", "", None, -1, 2, 3, 4)
    assert measure.counts(item) == {"likes": 0, "comments": 2, "likes_by_agents": 0, "comments_by_agents": 2}
    unknown = FeedItem("p", "ann", "", "", None, 1, 2)
    assert measure.counts(unknown)["likes_by_agents"] is None


@pytest.mark.parametrize("point", [Point.JOB_CLAIMED, Point.JOB_RECORDING, Point.JOB_FINISHED])
def test_there_is_one_row_for_a_post_and_age_wherever_a_worker_dies(tried: Fleet, point: Point) -> None:
    posted(tried, tried.agent())
    shown(tried, likes=2)
    tried.time_passes()
    first = measures(tried)[0].id

    def die(reached: Point) -> None:
        if reached is point:
            raise Died

    failpoints.arm(die)
    try:
        with pytest.raises(Died):
            perform(tried.deps, first)
    finally:
        failpoints.arm(None)
    assert len(rows(tried)) == (point is Point.JOB_FINISHED), "the row and the job's end are one transaction"
    shown(tried, likes=9)
    tried.lease_runs_out()
    sweep(tried.deps)
    tried.time_passes()
    for _ in range(2):
        perform(tried.deps, first)
    assert [row[:2] for row in rows(tried)] == [(1, 2 if point is Point.JOB_FINISHED else 9)]
    assert tried.job(first).state == "done"


@pytest.mark.parametrize("point", [Point.JOB_SENT, Point.JOB_RECORDING, Point.JOB_FINISHED])
def test_a_post_has_its_three_readings_wherever_its_worker_dies(tried: Fleet, point: Point) -> None:
    agent = tried.agent()

    def die(reached: Point) -> None:
        if reached is point:
            raise Died

    failpoints.arm(die)
    try:
        with pytest.raises(Died):
            posted(tried, agent)
    finally:
        failpoints.arm(None)
    (job,) = tried.jobs(kind="post")
    for _ in range(3):
        tried.lease_runs_out()
        sweep(tried.deps)
        tried.time_passes()
        perform(tried.deps, job.id)
    assert (tried.job(job.id).state, len(tried.surface.effects)) == ("done", 1)
    assert [one.payload["age_h"] for one in measures(tried)] == AGES
    assert {one.target for one in measures(tried)} == {"e1"}


def test_a_post_whose_outcome_was_unknown_is_as_old_as_its_sending(tried: Fleet) -> None:
    tried.surface.faults = [reply_lost]
    job = posted(tried, tried.agent())
    sent_at = datetime.now(UTC) - timedelta(minutes=20)
    tried.sql(
        "UPDATE jobs SET sending_at = :at, next_attempt_at = clock_timestamp() WHERE id = :id", at=sent_at, id=job
    )
    perform(tried.deps, job)
    first = measures(tried)[0]
    assert abs(first.next_attempt_at - sent_at - timedelta(hours=1)) < timedelta(seconds=5)


def test_many_workers_at_once_keep_one_reading(tried: Fleet) -> None:
    posted(tried, tried.agent())
    shown(tried, likes=1)
    tried.time_passes()
    jobs = [one.id for one in measures(tried)] * 4
    threads = [threading.Thread(target=perform, args=(tried.deps, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row[0] for row in rows(tried)] == AGES
    with tried.deps.db.transaction() as tx:
        again = Reading(tried.jobs(kind="post")[0].id, 1, uuid.uuid4(), "floimg", "e1", clock.now(), 7, 7)
        assert not engagement.keep(tx, again)


def test_a_post_that_has_gone_ends_as_skipped(tried: Fleet) -> None:
    posted(tried, tried.agent())
    tried.time_passes()
    job = measures(tried)[0].id
    perform(tried.deps, job)
    assert tried.job(job).state == "skipped"
    assert "gone" in str(tried.job(job).error)
    assert rows(tried) == []


def test_a_reading_that_comes_much_too_late_is_none(tried: Fleet) -> None:
    posted(tried, tried.agent())
    shown(tried, likes=1)
    born = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    tried.sql("UPDATE jobs SET payload = payload || jsonb_build_object('posted_at', CAST(:born AS text))", born=born)
    tried.time_passes()
    for one in measures(tried):
        perform(tried.deps, one.id)
    assert [one.state for one in measures(tried)] == ["skipped", "done", "done"]
    assert [row[0] for row in rows(tried)] == [24, 72]


def test_a_reading_waits_for_a_surface_that_is_down_and_not_for_its_agents_rest(tried: Fleet) -> None:
    agent = tried.agent()
    posted(tried, agent)
    first, second, third = (one.id for one in measures(tried))
    shown(tried, likes=1)
    agent_commands.pause(tried.deps, str(agent), by="ada")
    tried.time_passes()
    perform(tried.deps, first)
    assert tried.job(first).state == "done"
    agent_commands.stop(tried.deps, str(agent))
    assert tried.job(second).state == "ready", "sent home, its posts are still looked at"
    tried.surface.item = _down  # type: ignore[method-assign]
    perform(tried.deps, second)
    assert (tried.job(second).state, tried.job(second).attempts) == ("ready", 1)
    fleetwide.throw_kill_switch(tried.deps, by="ada", reason="drill")
    perform(tried.deps, third)
    assert tried.job(third).state == "ready"
    assert "kill" in str(tried.job(third).held)


def _down(*_: object) -> FeedItem:
    raise base.Unreachable("down")


def hours(*windows: tuple[int, int]) -> tuple[Experiment, ...]:
    variants = tuple(Variant(f"v{number}", hours=window) for number, window in enumerate(windows))
    return (Experiment("when", "?", Dimension.POSTING_HOUR, variants),)


def test_an_agent_posts_by_itself_only_in_its_days_window(fleet: Fleet) -> None:
    hour = (datetime.now(UTC).hour + 2) % 24  # agents without a persona live by UTC
    now, later = (0, 24), (hour, hour + 1)
    today = datetime.now(UTC).date()
    agent = fleet.agent(weights=POSTS_ALONE)
    closed = replace(fleet.deps, parts={**fleet.deps.parts, "experiments": hours(later, later)})
    dispatch(fleet.deps)
    tick(closed, TickKey(agent, 1))
    assert fleet.jobs(kind="post") == []
    then, again = decisions.replay_decision(fleet.deps, str(agent), 1)
    assert then == again, "the reason stands in the decision log"
    assert f"today I post from {later[0]} to" in then["thought"]
    key = agent_commands.trigger(fleet.deps, str(agent), action="post", by="ada")
    tick(closed, key)
    (asked,) = fleet.jobs(kind="post")
    assert "variants" not in asked.payload, "what a person wants now is no part of it"
    # An agent plans one post at a time: the one that was asked for has to be over.
    fleet.sql("UPDATE jobs SET state = 'cancelled', finished_at = clock_timestamp()")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
    dispatch(fleet.deps)
    tick(replace(fleet.deps, parts={**fleet.deps.parts, "experiments": hours(now, now)}), TickKey(agent, 3))
    (own,) = (job for job in fleet.jobs(kind="post") if job.tick_no == 3)
    assert set(own.payload["variants"]) == {"when"}
    (unit,) = fleet.sql("SELECT unit FROM assignments").scalars()
    assert unit in {today.isoformat(), datetime.now(UTC).date().isoformat()}


def test_who_could_not_keep_every_window_posts_whenever_it_likes(fleet: Fleet) -> None:
    persona = next(one for one in personas_of(fleet.deps) if one.schedule.peak)
    rhythm = replace(persona.schedule, timezone="UTC", sleep=((0, 6),))
    library = replace(personas_of(fleet.deps), personas={persona.id: replace(persona, schedule=rhythm)})
    deps = replace(fleet.deps, parts={"personas": library, "experiments": hours((2, 4), (12, 14))})
    fleet.agent(weights=POSTS_ALONE, persona_id=persona.id)
    with fleet.deps.db.transaction() as tx:
        row = tx.session.scalars(sa.select(AgentRow)).one()
        actor = ActingAgent(**{name: getattr(row, name) for name in ActingAgent.__slots__})
    nine = datetime(2026, 3, 4, 9, tzinfo=UTC)
    assert assign.waits(deps, actor, nine) == {}
    assert assign.waits(replace(deps, parts={"personas": library, "experiments": hours((7, 8), (12, 14))}), actor, nine)


def test_results_average_within_a_throw_and_say_who_gave_what(fleet: Fleet) -> None:
    def keep(number: int, variant: str, unit: str, likes: int, by_agents: int | None) -> None:
        post = uuid.UUID(int=number)
        engagement.assign(tx, [Assignment("when", post, variant, agent, unit)])
        engagement.keep(tx, Reading(post, 24, agent, "floimg", "p", clock.now(), likes, 1, by_agents,
                                None if by_agents is None else 1))  # fmt: skip

    agent = uuid.uuid4()
    with fleet.deps.db.transaction() as tx:
        keep(1, "a", "monday", 4, 3)
        keep(2, "a", "monday", 0, 0)
        keep(3, "a", "tuesday", 7, 1)
        keep(4, "b", "monday", 9, None)
        engagement.assign(tx, [Assignment("when", uuid.UUID(int=5), "b", agent, "tuesday")])
        sums = engagement.sums(tx, "when", 24)
        tallies = {one.variant: (one.assigned, one.measured) for one in engagement.tallies(tx)}
    one, other = sums["a"], sums["b"]
    assert (one.posts, one.everybody.units, one.everybody.mean) == (3, 2, 5.5), "(5 + 1) / 2 and 8"
    assert (one.people.mean, one.agents.mean) == (3.25, 2.25)
    assert one.everybody.variance == pytest.approx(12.5)
    assert (other.posts, other.everybody.units, other.people.units) == (1, 1, 0)
    assert tallies == {"a": (3, 3), "b": (2, 1)}
    found = experiments.results(fleet.deps, "when", age_h=24)
    assert [line.variant for line in found.lines] == ["a", "b"]
    assert found.standing.experiment is None


def test_what_two_columns_hold_together_is_more_than_one_of_them_holds(fleet: Fleet) -> None:
    """Symptom: a post with 2,147,483,647 likes and a comment, and nobody saw the experiment's results any more."""
    most = 2**31 - 1
    post = uuid.uuid4()
    with fleet.deps.db.transaction() as tx:
        engagement.assign(tx, [Assignment("when", post, "a", uuid.uuid4(), "monday")])
        engagement.keep(tx, Reading(post, 24, uuid.uuid4(), "floimg", "p", clock.now(), most, most, most, most))
        got = engagement.sums(tx, "when", 24)["a"]
    assert (got.everybody.mean, got.agents.mean, got.people.mean) == (2 * most, 2 * most, 0)


def test_old_readings_and_assignments_are_pruned(tried: Fleet) -> None:
    tried.agent(weights=POSTS_ALONE)
    lives(tried, 1)
    shown(tried, likes=1)
    tried.time_passes()
    for one in measures(tried):
        perform(tried.deps, one.id)
    assert prune(tried.deps) == 0
    tried.sql("UPDATE engagement SET measured_at = measured_at - interval '60 days' WHERE age_h < 72")
    tried.sql("UPDATE assignments SET assigned_at = assigned_at - interval '60 days'")
    assert prune(tried.deps) == 3
    assert [row[0] for row in rows(tried)] == [72]


def test_from_the_decision_to_what_people_and_agents_gave_on_a_real_gallery(
    database_url: str, postgres_server: Any, tmp_path: Path
) -> None:
    gallery_database = postgres_server.create_database()
    with make_world(tmp_path, "", gallery_database, "") as world:
        world.start_gallery()
        fleet = make_fleet(
            database_url, experiments="caption_question,prompt_light", gallery_url=world.gallery_url,
            service_token=TOKEN, http_timeout_s=10.0,
        )  # fmt: skip
        fleet = replace(fleet, deps=replace(fleet.deps, outside=Outside()))
        agents = [fleet.agent(account=False, weights=POSTS_ALONE, persona_id="ai_artist") for _ in range(2)]
        lives(fleet, 3)  # an account each, then two posts
        jobs = fleet.jobs(kind="post", state="done")
        assert len(jobs) == 4
        first = str(jobs[0].remote_id)
        _like_as_a_person(world.gallery_url, first)
        other = next(agent for agent in agents if agent != jobs[0].agent_id)
        like = NewJob(ids.job(other, 99, 0), other, LIKE, "floimg", 99, first)
        with fleet.deps.db.transaction() as tx:
            service.add(tx, [like])
        perform(fleet.deps, like.id)
        fleet.time_passes()
        for one in measures(fleet):
            perform(fleet.deps, one.id)
        assert Counter(one.state for one in measures(fleet)) == {"done": 12}
        assert {row[1:5] for row in rows(fleet) if row[5] == first} == {(2, 0, 1, 0)}
        assert {row[1:5] for row in rows(fleet) if row[5] != first} == {(0, 0, 0, 0)}
        for name in ("caption_question", "prompt_light"):
            found = experiments.results(fleet.deps, name, age_h=24)
            assert (found.tells_apart, found.whose, found.standing.on) == (True, experiments.Whose.PEOPLE, True)
            assert sum(line.posts for line in found.lines) == 4
            gave = {
                whose: sum(line.got[whose].mean * line.posts for line in found.lines) for whose in found.lines[0].got
            }
            assert gave == pytest.approx({"people": 1.0, "agents": 1.0, "everybody": 2.0})
        fleet.deps.close()
    postgres_server.drop_database(gallery_database)


def _like_as_a_person(gallery_url: str, post_id: str) -> None:
    with httpx.Client(base_url=gallery_url) as visitor:
        visitor.get("/")
        visitor.get(f"/p/{post_id}")
        told = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin", "Origin": gallery_url}
        assert visitor.post(f"/p/{post_id}/like", headers=told).json()["human_likes"] == 1


def test_a_wrong_setting_is_an_error_before_anything_starts(database_url: str) -> None:
    with pytest.raises(InvalidInput, match="there is no experiment 'captions'"):
        check(make_fleet(database_url, experiments="captions").deps)
    assert [one.name for one in experiment_file.shipped()] == ["caption_question", "posting_window", "prompt_light"]


def test_the_migration_starts_over_after_an_interruption(fresh_database: str) -> None:
    db.migrate(fresh_database)
    database = Database(fresh_database)
    with database.engine.connect() as connection:
        config = db._alembic_config()
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0004")  # what came later is of no concern here
        connection.commit()
    with database.transaction() as tx:  # in the middle of its last exchange, with nothing of it committed after that
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0003'"))
        tx.execute(sa.text("DROP TABLE assignments, engagement"))
        tx.execute(sa.text("ALTER INDEX ix_jobs_odd_kinds RENAME TO ix_jobs_odd_kinds_new"))
        tx.execute(sa.text("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_kind"))
    db.migrate(fresh_database)
    with database.transaction() as tx:
        index = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'ix_jobs_odd_kinds%'"
        constraint = "SELECT count(*) FROM pg_constraint WHERE conname = 'ck_jobs_kind'"
        left, constraints = tx.scalar(sa.text(index)), tx.scalar(sa.text(constraint))
    assert left == 0  # neither the one under way, nor the finished one: a later migration has another in its place
    assert constraints == 0  # kinds are no list of the database any more
    assert db.pending_migrations(database) == []
    database.close()
