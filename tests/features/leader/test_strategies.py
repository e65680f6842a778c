"""Changes of strategies: within bounds, one in a cool-down, carried out once, and undone exactly."""

from __future__ import annotations

import itertools
import json
import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from fleet.access import Role, organisations
from fleet.core.db import visibility
from fleet.core.errors import Conflict, NotFound
from fleet.engine import system_agents
from fleet.engine.attempts.perform import perform
from fleet.features.agents import commands as agents
from fleet.features.engagement import network_measures
from fleet.features.leader.strategies import rules, service
from fleet.features.leader.strategies.rules import AgentStrategy, PostFigures, StrategyBounds, StrategyChange
from tests.factories import Fleet, Surface, make_fleet
from tests.features.leader.test_coordination import answer, leader, member, wake
from tests.web_client import Web

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BANDS = st.sampled_from(["excellent", "good", "average", "poor", "very_poor", None])


@st.composite
def bounds(draw: Any) -> StrategyBounds:
    least, most = sorted(draw(st.tuples(st.integers(1, 24), st.integers(1, 24))))
    first, last = sorted(draw(st.tuples(st.integers(0, 23), st.integers(0, 23))))
    return StrategyBounds(least, most, first, last, draw(st.integers(0, 9)), draw(st.integers(2, 30)),
                          draw(st.floats(1, 1e6)), draw(st.integers(0, 9)))  # fmt: skip


def figures(keys: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[PostFigures, ...]]:
    one = st.builds(PostFigures, keys, st.integers(0, 60), st.floats(0, 9), st.floats(0, 2))
    return st.lists(one, max_size=8, unique_by=lambda found: found.key).map(tuple)


@st.composite
def strategies(draw: Any) -> AgentStrategy:
    hours = tuple(sorted(draw(st.sets(st.integers(0, 23), min_size=1, max_size=8))))
    formats = draw(st.dictionaries(st.sampled_from(["post", "story", "reel"]), st.integers(1, 9).map(float)))
    topics = draw(st.dictionaries(st.sampled_from(["lamps", "wet slate", "fog"]), st.integers(1, 9).map(float)))
    values = {"post_hours": ",".join(map(str, hours)),
              "formats": ",".join(f"{name}:{weight:g}" for name, weight in formats.items()),
              "topics": ",".join(f"{name}:{weight:g}" for name, weight in topics.items())}  # fmt: skip
    return AgentStrategy(
        "a", "ann", "x", hours, formats, values, draw(bounds()), draw(figures(st.integers(0, 23).map(str))),
        draw(figures(st.sampled_from(["post", "story", "reel"]))), topics,
        draw(figures(st.sampled_from(["lamps", "wet slate", "fog"]))),
    )  # fmt: skip


def hours_in(change: StrategyChange) -> set[int]:
    return {int(one) for one in change.after.split(",")}


def carried_out(one: AgentStrategy, change: StrategyChange, at: datetime) -> AgentStrategy:
    """Return the strategy after a change."""
    values = {**one.values, change.setting: change.after}
    hours = tuple(sorted(hours_in(change))) if change.setting == "post_hours" else one.hours
    formats, topics = ({name: float(weight) for name, _, weight in
                        (part.partition(":") for part in values[setting].split(",") if part)}
                       for setting in ("formats", "topics"))  # fmt: skip
    return replace(
        one,
        values=values,
        hours=hours,
        formats=formats,
        topics=topics,
        version=change.version,
        changed_at=at.isoformat(),
    )


@given(strategies(), BANDS, st.integers(0, 60))
def test_no_change_leaves_the_bounds(one: AgentStrategy, band: str | None, measured: int) -> None:
    change = rules.decide(one, NOW, NOW - timedelta(days=7), band, measured)
    if change is None:
        return
    assert change.before == one.values[change.setting] != change.after
    if change.setting == "post_hours":
        after, own = hours_in(change), {*one.hours}
        assert all(one.bounds.has(hour) for hour in after - own)
        assert one.bounds.least_posts <= len(after) <= one.bounds.most_posts
        assert len(after ^ own) == (2 if change.kind == "hours" else 1)
    else:
        is_topic = change.setting == "topics"
        was, now = (found.topics if is_topic else found.formats for found in (one, carried_out(one, change, NOW)))
        raised = {name for name, weight in now.items() if weight != was[name]}
        assert len(raised) == 1 and now.keys() == was.keys()
        assert now[raised.pop()] <= (one.bounds.most_topic_weight if is_topic else one.bounds.most_weight)
    samples = [found["posts"] for found in change.evidence.get("figures", [])] or [change.evidence["posts"]]
    assert min(samples) >= one.bounds.least_sample


@given(strategies(), st.lists(st.tuples(BANDS, st.integers(0, 60), st.floats(0, 1e6)), max_size=12))
def test_two_changes_are_never_within_one_cool_down_and_undoing_each_restores_what_was(
    one: AgentStrategy, steps: list[tuple[str | None, int, float]]
) -> None:
    at, changed = NOW, []
    for band, measured, passes in steps:
        at += timedelta(seconds=passes)
        change = rules.decide(one, at, at - timedelta(days=7), band, measured)
        if change is None:
            continue
        was, one = one, carried_out(one, change, at)
        assert rules.undone_value(one.values[change.setting], change.before, change.after) == was.values[change.setting]
        assert rules.undone_value("a person's", change.before, change.after) is None
        retried = replace(was, undone=((change.setting, change.after),))
        again = rules.decide(retried, at, at - timedelta(days=7), band, measured)
        assert again is None or (again.setting, again.after) != (change.setting, change.after)
        changed.append(at)
    assert all((b - a).total_seconds() >= one.bounds.cooldown_s - 1e-3
               for a, b in itertools.pairwise(changed))  # fmt: skip


def test_a_better_hour_replaces_the_worst_one_only_when_chance_does_not_explain_it() -> None:
    limits = StrategyBounds(1, 4, 7, 22, 0, 10, 60)
    one = AgentStrategy("a", "ann", "x", (8, 12), {}, {"post_hours": "8,12", "formats": ""}, limits)
    found = (PostFigures("8", 20, 1.0, 0.5), PostFigures("12", 20, 2.0, 0.5), PostFigures("19", 20, 3.0, 0.5))
    change = rules.decide(replace(one, by_hour=found), NOW, NOW, "average", 60)
    assert change is not None and (change.kind, change.after) == ("hours", "12,19")
    assert change.words == "ann posts at 19:00 in place of 8:00: posts at that hour had more engagement"
    noisy = tuple(replace(one, variance=60.0) for one in found)
    assert rules.decide(replace(one, by_hour=noisy), NOW, NOW, "average", 60) is None


def test_chance_seldom_makes_one_of_many_topics_the_best() -> None:
    dice, names = random.Random(1), [f"topic {number}" for number in range(8)]
    limits = StrategyBounds(1, 4, 7, 22, 0, 10, 60, most_topic_weight=9)
    one = AgentStrategy(
        "a", "ann", "x", (), {}, {"topics": "", "post_hours": "", "formats": ""}, limits,
        topics=dict.fromkeys(names, 1.0),
    )  # fmt: skip
    changed = 0
    for _ in range(300):
        posts = [(name, 1, log, log * log) for name in names for log in (dice.gauss(2, 1) for _ in range(20))]
        changed += rules.decide(replace(one, by_topic=rules.summed(posts)), NOW, NOW, "average", 60) is not None
    assert changed < 30, "all topics are alike: about one change in twenty is chance"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"brass": Surface()}, team_adjusts=True, team_cooldown_days=7)
    system_agents.staff(made.deps.db)
    made.account("brass", adapter="x")
    yield made
    made.deps.close()


def coordinated(fleet: Fleet, boss: uuid.UUID) -> None:
    wake(fleet, boss)
    answer(fleet)
    wake(fleet, boss)
    fleet.sql("UPDATE team_rounds SET asked_at = asked_at - interval '7 h'")


def test_good_engagement_adds_a_post_a_day_once_and_people_undo_it(fleet: Fleet) -> None:
    boss, ann = leader(fleet), member(fleet, account_id=fleet.accounts["brass"])
    fleet.sql("UPDATE agents SET status = 'running' WHERE id = :id", id=ann)
    fleet.sql(
        """INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, measured, rated, audience)
           VALUES (:agent, :account, date_trunc('hour', now() - interval '1 d', 'UTC'), 'x', 20, 20, 50, 1000)""",
        agent=ann, account=fleet.accounts["brass"],
    )  # fmt: skip
    coordinated(fleet, boss)
    (change,) = service.listed(fleet.deps)
    assert (change.state, change.version, change.before, change.after) == ("proposed", 1, "", "8,10,12,16,20")
    assert change.evidence["posts"] == 20 and change.evidence["band"] == "excellent"
    (job,) = fleet.jobs(kind="schedule_update")
    coordinated(fleet, boss)
    assert len(service.listed(fleet.deps)) == 1  # the cool-down allows no second one
    for _ in range(2):  # the second delivery, and a replay after a crash, change nothing
        perform(fleet.deps, job.id)
        service.carry_out(fleet.deps, change.id)
    assert fleet.row(ann).config["post_hours"] == "8,10,12,16,20"
    assert fleet.job(job.id).result["text"].startswith("Yes: ")
    undone = service.undo(fleet.deps, change.id, by="bea")
    assert (undone.state, undone.undone_by, fleet.row(ann).config["post_hours"]) == ("undone", "bea", "")
    with pytest.raises(Conflict):
        service.undo(fleet.deps, change.id, by="bea")
    subjects = "SELECT subject, payload FROM events WHERE subject LIKE 'team.strategy.%' ORDER BY id"
    first, second = fleet.sql(subjects).all()
    assert (first.subject, second.subject) == ("team.strategy.changed", "team.strategy.undone")
    assert first.payload["evidence"]["posts"] == 20
    with fleet.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    with visibility.restricted(frozenset({other})):
        assert service.listed(fleet.deps) == []
        with pytest.raises(NotFound):
            service.undo(fleet.deps, change.id, by="eve")


def posted(fleet: Fleet, agent: uuid.UUID, number: int, likes: int, **told: str) -> None:
    """Let an agent have posts of two days ago that reached so many likes, each a little different."""
    for one in range(number):
        fleet.sql(
            """WITH post AS (
                   INSERT INTO jobs (id, agent_id, kind, priority, surface, state, max_attempts, expires_at,
                       finished_at, payload, once, rare)
                   SELECT gen_random_uuid(), :agent, 'post', 'normal', 'x', 'done', 10, now(), now() - interval '2 d',
                       CAST(:told AS jsonb), false, false
                   RETURNING id)
               INSERT INTO post_metrics (post_job, agent_id, account_id, surface, remote_id, posted_at, measured_at,
                   likes, comments, interactions)
               SELECT id, :agent, :account, 'x', 'p', now() - interval '2 d', now(), :likes, 0, :likes FROM post""",
            agent=agent, account=fleet.accounts["brass"], told=json.dumps(told), likes=likes + one % 3,
        )  # fmt: skip


def test_the_best_topic_weighs_more_within_its_bound_and_people_undo_it(database_url: str) -> None:
    fleet = make_fleet(database_url, systems={"brass": Surface()}, team_adjusts=True, team_topic_weight=4)
    system_agents.staff(fleet.deps.db)
    fleet.account("brass", adapter="x")
    boss, ann = leader(fleet), member(fleet, account_id=fleet.accounts["brass"])
    agents.update(fleet.deps, str(ann), {"topics": "Brass lamps : 3, wet slate"})
    assert fleet.row(ann).config["topics"] == "Brass lamps:3,wet slate:1"
    fleet.sql("UPDATE agents SET status = 'running' WHERE id = :id", id=ann)
    posted(fleet, ann, 12, 40, topic="Brass lamps")
    posted(fleet, ann, 12, 1, topic="wet slate")
    posted(fleet, ann, 12, 900, topic="a topic of before")
    coordinated(fleet, boss)
    (change,) = service.listed(fleet.deps)
    assert (change.kind, change.setting, change.after) == ("topics", "topics", "Brass lamps:4,wet slate:1")
    assert "posts more about Brass lamps" in change.words
    assert [one["posts"] for one in change.evidence["figures"]] == [12, 12]
    service.carry_out(fleet.deps, change.id)
    assert fleet.row(ann).config["topics"] == "Brass lamps:4,wet slate:1"
    assert service.undo(fleet.deps, change.id, by="bea").state == "undone"
    assert fleet.row(ann).config["topics"] == "Brass lamps:3,wet slate:1"
    fleet.sql(
        "UPDATE team_strategies SET decided_at = decided_at - interval '30 d', ended_at = now() - interval '30 d'"
    )
    agents.update(fleet.deps, str(ann), {"topics": "Brass lamps:4,wet slate:1"})
    coordinated(fleet, boss)
    assert len(service.listed(fleet.deps)) == 1, "4 is the bound"
    fleet.deps.close()


def test_the_best_format_is_found_in_the_figures_of_posts(database_url: str) -> None:
    fleet = make_fleet(database_url, systems={"brass": Surface()}, team_adjusts=True, team_format_weight=5)
    system_agents.staff(fleet.deps.db)
    fleet.account("brass", adapter="x")
    ann = member(fleet, kind="instagram", account_id=fleet.accounts["brass"])
    fleet.sql("UPDATE agents SET status = 'running', config = config || :own WHERE id = :id", id=ann,
              own=Jsonb({"formats": "post:1,reel:1"}))  # fmt: skip
    posted(fleet, ann, 12, 2)
    posted(fleet, ann, 12, 50, format="reel")
    fleet.sql("UPDATE jobs SET surface = 'instagram' WHERE kind = 'post'")
    fleet.sql("UPDATE post_metrics SET surface = 'instagram'")
    now = fleet.deps.now()
    with fleet.deps.db.transaction() as tx:
        own = fleet.row(ann).organisation_id
        found = {one.format: one for one in network_measures.samples(fleet.deps, tx, own, now - timedelta(days=7), now)}
        assert {name: one.number for name, one in found.items()} == {"post": 12, "reel": 12}
        logs = [math.log1p(50 + one % 3) for one in range(12)]
        assert found["reel"].log_sum == pytest.approx(sum(logs))
        assert found["reel"].log_squares == pytest.approx(sum(log * log for log in logs))
        late = network_measures.samples(fleet.deps, tx, own, now - timedelta(days=1), now)
        assert not [one for one in late if one.format], "before the period"
        other = organisations.create(tx, "Other").id
        assert network_measures.samples(fleet.deps, tx, other, now - timedelta(days=7), now) == []
    coordinated(fleet, leader(fleet))
    (change,) = service.listed(fleet.deps)
    assert (change.kind, change.before, change.after) == ("formats", "post:1,reel:1", "post:1,reel:2")
    fleet.deps.close()


def proposed(fleet: Fleet, agent: uuid.UUID) -> uuid.UUID:
    change_id, job_id = uuid.uuid4(), uuid.uuid4()
    change = StrategyChange(str(agent), "x", rules.StrategyKind.HOURS, "post_hours", "", "9,19", "ann posts", 1)
    with fleet.deps.db.transaction() as tx:
        service.record(tx, fleet.row(agent).organisation_id, change, change_id, job_id)
    return change_id


def test_what_a_person_changed_is_never_overwritten_neither_by_a_change_nor_by_undoing_one(fleet: Fleet) -> None:
    ann, bob = member(fleet), member(fleet)
    before = proposed(fleet, ann)
    agents.update(fleet.deps, str(ann), {"post_hours": "10"})
    assert service.carry_out(fleet.deps, before) == "No: a person changed it meanwhile."
    assert fleet.row(ann).config["post_hours"] == "10"
    after = proposed(fleet, bob)
    service.carry_out(fleet.deps, after)
    agents.update(fleet.deps, str(bob), {"post_hours": "11"})
    with pytest.raises(Conflict, match="changed since"):
        service.undo(fleet.deps, after, by="bea")
    assert fleet.row(bob).config["post_hours"] == "11"
    assert {one.agent: one.state for one in service.listed(fleet.deps)} == {
        fleet.row(ann).username: "overtaken", fleet.row(bob).username: "applied",
    }  # fmt: skip


def test_people_undo_a_change_by_the_page_and_by_the_api(fleet: Fleet) -> None:
    ann, bob = member(fleet), member(fleet)
    first, second = proposed(fleet, ann), proposed(fleet, bob)
    for one in (first, second):
        service.carry_out(fleet.deps, one)
    web = Web(fleet)
    browser, program = web.browser(), web.program()
    page = browser.get("/team").text
    assert f"/team/strategies/{first}/undo" in page and f"/team/strategies/{second}/undo" in page
    assert browser.post(f"/team/strategies/{first}/undo").status_code == 303
    assert fleet.row(ann).config["post_hours"] == ""
    assert f"/team/strategies/{first}/undo" not in browser.get("/team").text
    undone = program.post(f"/api/v1/team/strategies/{second}/undo")
    assert (undone.status_code, undone.json()["state"], undone.json()["undone_by"]) == (200, "undone", "api:owner-api")
    assert program.post(f"/api/v1/team/strategies/{second}/undo").status_code == 409
    assert {one["state"] for one in program.get("/api/v1/team/strategies").json()["items"]} == {"undone"}
    viewer = web.program(Role.VIEWER)
    assert viewer.post(f"/api/v1/team/strategies/{first}/undo").status_code == 403
