"""Changes of strategies: within bounds, one in a cool-down, carried out once, and undone exactly."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.access import Role, organisations
from fleet.core.db import visibility
from fleet.core.errors import Conflict, NotFound
from fleet.engine import system_agents
from fleet.engine.attempts.perform import perform
from fleet.features.agents import commands as agents
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
                          draw(st.floats(1, 1e6)))  # fmt: skip


def figures(keys: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[PostFigures, ...]]:
    one = st.builds(PostFigures, keys, st.integers(0, 60), st.floats(0, 9), st.floats(0, 2))
    return st.lists(one, max_size=8, unique_by=lambda found: found.key).map(tuple)


@st.composite
def strategies(draw: Any) -> AgentStrategy:
    hours = tuple(sorted(draw(st.sets(st.integers(0, 23), min_size=1, max_size=8))))
    formats = draw(st.dictionaries(st.sampled_from(["post", "story", "reel"]), st.integers(1, 9).map(float)))
    values = {"post_hours": ",".join(map(str, hours)),
              "formats": ",".join(f"{name}:{weight:g}" for name, weight in formats.items())}  # fmt: skip
    return AgentStrategy(
        "a", "ann", "x", hours, formats, values, draw(bounds()), draw(figures(st.integers(0, 23).map(str))),
        draw(figures(st.sampled_from(["post", "story", "reel"]))),
    )  # fmt: skip


def hours_in(change: StrategyChange) -> set[int]:
    return {int(one) for one in change.after.split(",")}


def carried_out(one: AgentStrategy, change: StrategyChange, at: datetime) -> AgentStrategy:
    """Return the strategy after a change."""
    values = {**one.values, change.setting: change.after}
    hours = tuple(sorted(hours_in(change))) if change.setting == "post_hours" else one.hours
    formats = {name: float(weight) for name, _, weight in
               (part.partition(":") for part in values["formats"].split(",") if part)}  # fmt: skip
    return replace(one, values=values, hours=hours, formats=formats, version=change.version, changed_at=at.isoformat())


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
        raised = {name for name, weight in carried_out(one, change, NOW).formats.items() if weight != one.formats[name]}
        assert len(raised) == 1
        assert carried_out(one, change, NOW).formats[raised.pop()] <= one.bounds.most_weight
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
