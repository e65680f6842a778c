"""Supervised agents on a real database: what wakes them, what they read, what they propose, what a crash costs."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.social import FeedItem, Offers, SaidComment
from fleet.core import failpoints, ids
from fleet.core.db import Tx
from fleet.core.failpoints import Point
from fleet.engine import controls
from fleet.engine.agents import loop
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.tick import tick
from fleet.features.activity import queries as activity_queries
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions
from fleet.features.approvals import service as approving
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.rules import Person
from fleet.features.approvals.states import RequestState
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.models import DraftRow, SeenRow
from fleet.features.drafts.scanning import handler as scan_handler
from fleet.llm.scan_request import Idea, ScanAnswer, ScanRequest
from tests.factories import WITHIN_S, Fleet


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


def post(name: str, author: str = "zoe", *, comments: int = 0, by_agent: bool = False) -> FeedItem:
    text = f"Picture {name} of a brass lamp on wet slate."
    return FeedItem(
        name, author, author.title(), text, datetime.now(UTC), 3, comments, author_id=f"id-{author}", by_agent=by_agent
    )


def supervised(fleet: Fleet, **changes: Any) -> uuid.UUID:
    """Create a supervised agent that is due now."""
    agent = fleet.agent(**changes)
    fleet.sql("UPDATE agents SET autonomy = 'supervised' WHERE id = :id", id=agent)
    return agent


def proposing(*ideas: Idea) -> Callable[[ScanRequest], ScanAnswer]:
    return lambda _: ScanAnswer(ideas)


COMMENT = Idea("comment", "p1", "The slate holds the light well.", confidence=0.7, reason="it is about light")
POST = Idea("post", "", "A lamp, lit twice.", image_prompt="A brass lamp on slate.", alt_text="A lamp.")
LOVE = Idea("reaction", "p1", type="love")
ASK = Idea("connection", "u1", "May I follow your lamps?")


def scan(fleet: Fleet, agent: uuid.UUID) -> uuid.UUID:
    """Let an agent look at its feed once; return the job."""
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE id = :id", id=agent)
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, fleet.row(agent).tick_no))
    job = fleet.jobs(kind="scan_feed", agent_id=agent)[-1]
    perform(fleet.deps, job.id)
    return job.id


def drafts(fleet: Fleet, **where: Any) -> list[DraftRow]:
    with fleet.deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.select(DraftRow).filter_by(**where).order_by(DraftRow.created_at)))


def seen(fleet: Fleet, agent: uuid.UUID) -> set[str]:
    with fleet.deps.db.transaction() as tx:
        return set(tx.session.scalars(sa.select(SeenRow.item_id).where(SeenRow.agent_id == agent)))


def told(fleet: Fleet, subject: str) -> list[dict[str, Any]]:
    found = activity_queries.latest(fleet.deps, subjects=(subject,))
    return [dict(event.payload) for event in reversed(found)]


def test_a_supervised_agent_wakes_by_its_scan_interval_at_every_hour(fleet: Fleet) -> None:
    agent = supervised(fleet, persona_id="ux_designer")
    fleet.sql("UPDATE agents SET config = config || '{\"scan_interval_s\": 900}'")
    dispatch(fleet.deps)
    wakes = fleet.row(agent).next_tick_at
    assert wakes is not None
    assert timedelta(seconds=890) < wakes - datetime.now(UTC) <= timedelta(seconds=900)


def test_all_that_a_supervised_agent_decides_is_to_look_at_its_feed(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agent = supervised(fleet)
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    assert [job.kind for job in fleet.jobs()] == ["scan_feed"]
    assert decisions.replay_decision(fleet.deps, fleet.row(agent).username, 1)[0]["plans"][0]["kind"] == "scan_feed"


def test_a_new_post_becomes_drafts_that_wait_for_a_person(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT, POST, LOVE, ASK)
    agent = supervised(fleet)
    job = scan(fleet, agent)
    assert fleet.job(job).state == JobState.DONE
    made = {draft.kind: draft for draft in drafts(fleet)}
    assert set(made) == {"comment", "post", "reaction", "connection"}
    assert {draft.status for draft in made.values()} == {"pending"}
    assert (made["comment"].target, made["connection"].target) == ("a", "id-zoe")
    assert made["comment"].content["text"] == "The slate holds the light well."
    assert (made["comment"].confidence, made["comment"].context) == (0.7, "it is about light")
    assert all(draft.request_id is not None for draft in made.values())
    assert fleet.surface.writes_begun == 0
    life = made["comment"].expires_at - made["comment"].created_at
    assert timedelta(days=6, hours=23) < life <= timedelta(days=7)


def test_events_tell_the_scan_its_answer_and_each_draft_in_the_words_of_the_seed(fleet: Fleet) -> None:
    then = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    fleet.surface.posts = [
        dataclasses.replace(post("a", comments=1), reactions={"love": 2}, image_url="http://127.0.0.1/a.png")
    ]
    fleet.surface.said["a"] = [SaidComment("c1", "ben", "Ben", "Nice slate.", created_at=then)]
    fleet.words.proposals = proposing(COMMENT, ASK)
    job = str(scan(fleet, supervised(fleet)))
    (scanned,), (answer,) = told(fleet, "agent.feed.scanned"), told(fleet, "agent.feed.answer.received")
    assert scanned["scanId"] == job
    seen_post = scanned["feedData"]["posts"][0]
    assert seen_post["id"] == "a"
    assert seen_post["media"] == [{"id": "a", "url": "http://127.0.0.1/a.png", "type": "image"}]
    assert seen_post["reactionsSummary"] == [{"type": "like", "count": 3}, {"type": "love", "count": 2}]
    assert scanned["feedData"]["comments"] == [
        {"id": "c1", "postId": "a", "userId": "ben", "content": "Nice slate.", "createdAt": then.isoformat(),
         "isAgent": False}
    ]  # fmt: skip
    assert [one["status"] for one in told(fleet, "agent.feed.digested")] == ["processing"]
    assert (answer["scanId"], answer["correlationId"]) == (job, job)
    assert answer["response"]["comments"] == [{"postId": "a", "content": COMMENT.text}]
    assert answer["response"]["connectionRequests"] == [{"userId": "id-zoe", "message": ASK.text}]
    assert answer["metadata"]["modelProvider"] == "test"
    assert answer["metadata"]["tokensUsed"] == 10
    (comment,) = told(fleet, "agent.draft.comment.created")
    assert (comment["postId"], comment["status"], comment["metadata"]["scanId"]) == ("a", "pending", job)
    assert comment["metadata"]["suggestedBy"] == "activity_worker"
    (request,) = told(fleet, "agent.draft.connection.request.created")
    assert request["targetUserId"] == "id-zoe"


def test_a_scan_tells_how_long_ago_the_last_one_was(fleet: Fleet) -> None:
    agent = supervised(fleet)
    fleet.sql("UPDATE agents SET config = config || '{\"scan_interval_s\": 7200}'")
    for name in ("a", "b"):
        fleet.surface.posts = [post(name)]
        job = scan(fleet, agent)
        fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '45 min' WHERE id = :id", id=job)
    first, second = told(fleet, "agent.feed.scanned")
    assert first["scanInterval"] == 120  # there was none: the interval that is set
    assert 45 <= second["scanInterval"] < 120


def test_a_draft_says_that_a_person_had_the_agent_look(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT)
    agent = supervised(fleet, username="ada_1")
    tick(fleet.deps, drafting.scan(fleet.deps, "ada_1", by="ann"))
    perform(fleet.deps, fleet.jobs(kind="scan_feed", agent_id=agent)[0].id)
    (made,) = drafts(fleet)
    (event,) = told(fleet, "agent.draft.comment.created")
    assert (made.suggested_by, event["metadata"]["suggestedBy"]) == ("manual", "manual")


def test_a_scan_of_an_older_version_is_shown_without_the_fields_that_it_lacks() -> None:
    item = {"post_id": "a", "author_id": "", "author": "zoe", "text": "", "created_at": None, "likes": 3,
            "comments_count": 1, "by_agent": False,
            "comments": [{"id": "c1", "author": "ben", "text": "Nice.", "by_agent": False}]}  # fmt: skip
    feed = scan_handler._feed_data({"items": [item]})
    assert (feed["posts"][0]["media"], feed["comments"][0]["createdAt"]) == ([], None)
    assert feed["posts"][0]["reactionsSummary"] == [{"type": "like", "count": 3}]


def test_a_scan_remembers_the_latest_comments_and_their_recipients(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT)
    agent = supervised(fleet)
    scan(fleet, agent)
    (draft,) = drafts(fleet)
    drafting.approve(fleet.deps, [str(draft.id)], Person("ann", frozenset({"owner"})))
    perform(fleet.deps, ids.derived("publish", draft.id))
    fleet.surface.posts = [post("b", "ben"), post("c")]
    scan(fleet, agent)
    assert fleet.words.asked[0].memories == ()
    assert fleet.words.asked[1].memories == (f"Told Zoe: {COMMENT.text}",)


def test_nothing_new_means_no_call_to_a_model(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agent = supervised(fleet)
    scan(fleet, agent)
    assert (fleet.words.calls, seen(fleet, agent)) == (1, {"a"})
    again = scan(fleet, agent)
    assert fleet.words.calls == 1
    assert fleet.job(again).result["drafts"] == fleet.job(again).result["new"] == 0
    fleet.surface.posts.insert(0, post("b"))
    scan(fleet, agent)
    assert [item.text for item in fleet.words.asked[-1].items] == [post("b").caption]


def test_what_agents_wrote_is_left_out_unless_it_is_asked_for_and_is_marked_then(fleet: Fleet) -> None:
    fleet.agent(username="robo_1")
    fleet.surface.posts = [post("a", "robo_1"), post("b", "hal", by_agent=True), post("c", "zoe", comments=2)]
    fleet.surface.said["c"] = [SaidComment("1", "robo_1", "Robo", "Beep."), SaidComment("2", "ben", "Ben", "Yes.")]
    agent = supervised(fleet)
    scan(fleet, agent)
    (item,) = fleet.words.asked[-1].items
    assert [(comment.author, comment.by_agent) for comment in item.comments] == [("Ben", False)]
    fleet.sql("UPDATE agents SET config = config || '{\"heeds_agents\": true}'")
    scan(fleet, agent)
    assert [item.by_agent for item in fleet.words.asked[-1].items] == [True, True]


def test_comments_are_read_up_to_twenty_and_three_a_post(fleet: Fleet) -> None:
    fleet.surface.posts = [post(f"p{number}", comments=9) for number in range(12)]
    for item in fleet.surface.posts:
        fleet.surface.said[item.id] = [SaidComment(str(n), "ben", "Ben", f"Word {n}.") for n in range(9)]
    scan(fleet, supervised(fleet))
    counts = [len(item.comments) for item in fleet.words.asked[-1].items]
    assert counts[0] == 3
    assert sum(counts) == 20


def test_an_agent_sees_the_feed_that_its_privacy_settings_say(fleet: Fleet) -> None:
    agent = supervised(fleet)
    scan(fleet, agent)
    fleet.sql("UPDATE agents SET audience = 'friends'")
    scan(fleet, agent)
    assert fleet.surface.audiences == ["public", "friends"]


def test_the_model_is_offered_only_what_the_surface_takes(fleet: Fleet) -> None:
    fleet.surface.posts, fleet.surface.offered = [post("a")], Offers()
    fleet.words.proposals = proposing(
        LOVE, ASK, Idea("reaction", "p1", type="like"), Idea("post", "", "For few.", visibility="friends")
    )
    job = scan(fleet, supervised(fleet))
    asked = fleet.words.asked[-1]
    assert (asked.kinds, asked.reactions, asked.visibilities) == (
        ("post", "comment", "reaction"),
        ("like",),
        ("public",),
    )
    assert [draft.content["type"] for draft in drafts(fleet)] == ["like"]
    assert (fleet.job(job).result or {})["dropped"] == {"not offered": 3}


def test_scanning_can_be_switched_off_for_all_and_for_one(fleet: Fleet) -> None:
    agent = supervised(fleet)
    fleet.sql("UPDATE agents SET config = config || '{\"scans\": false}'")
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    fleet.sql("UPDATE agents SET config = config || '{\"scans\": true}', next_tick_at = clock_timestamp()")
    with fleet.deps.db.transaction() as tx:
        controls.pause(tx, "kind", "scan_feed", by="ada")
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 2))
    assert fleet.jobs() == []
    assert "paused" in (fleet.row(agent).last_thought or "")


def test_an_agent_that_has_not_come_round_to_its_last_look_begins_no_other(fleet: Fleet) -> None:
    agent = supervised(fleet)
    for number in (1, 2):
        fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
        dispatch(fleet.deps)
        tick(fleet.deps, TickKey(agent, number))
    assert len(fleet.jobs(kind="scan_feed")) == 1


def test_scans_beyond_the_limit_wait_and_lose_no_attempt(fleet: Fleet) -> None:
    agents = [supervised(fleet) for _ in range(3)]
    dispatch(fleet.deps)
    for agent in agents:
        tick(fleet.deps, TickKey(agent, 1))
    fleet.set_setting("scan_concurrency", 2)
    first, second, third = fleet.jobs(kind="scan_feed")
    for job in (first, second):
        fleet.sql("UPDATE jobs SET state = 'running', lease_token = 1, lease_until = clock_timestamp() + interval '1 h'"
                  " WHERE id = :id", id=job.id)  # fmt: skip
        fleet.sql("INSERT INTO job_attempts (job_id, lease_token, worker) VALUES (:id, 1, 'w')", id=job.id)
    perform(fleet.deps, third.id)
    assert (fleet.job(third.id).state, fleet.job(third.id).attempts) == (JobState.READY, 0)
    assert "2 scans" in (fleet.job(third.id).held or "")
    fleet.sql("UPDATE jobs SET state = 'done', finished_at = clock_timestamp(), lease_until = NULL WHERE id = :id",
              id=first.id)  # fmt: skip
    fleet.time_passes()
    perform(fleet.deps, third.id)
    assert fleet.job(third.id).state == JobState.DONE


def test_the_more_scans_wait_the_longer_each_does(fleet: Fleet) -> None:
    under_way, asking, *_ = (supervised(fleet) for _ in range(62))
    dispatch(fleet.deps)
    for (agent_id,) in fleet.sql("SELECT id FROM agents").all():
        tick(fleet.deps, TickKey(agent_id, 1))
    fleet.set_setting("scan_concurrency", 1)
    jobs = {job.agent_id: job.id for job in fleet.jobs(kind="scan_feed")}
    fleet.sql("UPDATE jobs SET state = 'running', lease_token = 1, lease_until = clock_timestamp() + interval '1 h'"
              " WHERE id = :id", id=jobs[under_way])  # fmt: skip
    fleet.sql("INSERT INTO job_attempts (job_id, lease_token, worker) VALUES (:id, 1, 'w')", id=jobs[under_way])
    perform(fleet.deps, jobs[asking])
    (waits_s,) = fleet.sql("SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM jobs WHERE id = :id",
                           id=jobs[asking]).scalars()  # fmt: skip
    assert waits_s > 5, "sixty others: six times as long as when few wait"


def test_of_the_same_idea_twice_one_becomes_a_draft(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT, LOVE)
    agent = supervised(fleet)
    scan(fleet, agent)
    fleet.sql("DELETE FROM seen_items")
    job = scan(fleet, agent)
    assert len(drafts(fleet)) == 2
    assert (fleet.job(job).result or {})["dropped"] == {"a duplicate": 2}


def test_what_the_agent_has_published_is_not_proposed_again(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agent = supervised(fleet)
    fleet.sql("INSERT INTO jobs (id, agent_id, kind, priority, target, state, max_attempts, expires_at, finished_at)"
              " VALUES (gen_random_uuid(), :agent, 'like', 'low', 'a', 'done', 5, now(), now())",
              agent=agent)  # fmt: skip
    fleet.words.proposals = proposing(LOVE)
    scan(fleet, agent)
    assert drafts(fleet) == []


def test_comments_of_agents_on_a_post_never_exceed_the_human_ones_plus_three(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a", comments=1)]
    fleet.words.proposals = proposing(COMMENT)
    for _ in range(6):
        scan(fleet, supervised(fleet))
    assert len(drafts(fleet, kind="comment")) == 4


def test_agents_that_scan_at_the_same_time_crowd_no_post_either(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agents = [supervised(fleet) for _ in range(5)]
    together = threading.Barrier(len(agents))

    def all_at_once(_: ScanRequest) -> ScanAnswer:
        together.wait(timeout=30)  # nobody has proposed anything yet when the last one asks
        return ScanAnswer((COMMENT,))

    fleet.words.proposals = all_at_once
    dispatch(fleet.deps)
    for agent in agents:
        tick(fleet.deps, TickKey(agent, 1))
    threads = [threading.Thread(target=perform, args=(fleet.deps, job.id)) for job in fleet.jobs(kind="scan_feed")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {job.state for job in fleet.jobs(kind="scan_feed")} == {JobState.DONE}
    assert len(drafts(fleet, kind="comment")) == 3


def test_words_that_must_not_be_published_become_no_draft(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(Idea("comment", "p1", "Write to me at ada@example.org or call +49 171 2345678."))
    job = scan(fleet, supervised(fleet))
    assert drafts(fleet) == []
    assert (fleet.job(job).result or {})["dropped"] == {"refused": 1}


@pytest.mark.parametrize(
    "point", [Point.JOB_CLAIMED, Point.CALL_RESERVED, Point.CALL_SETTLED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED,
              Point.JOB_RECORDING, Point.JOB_FINISHED]
)  # fmt: skip
@pytest.mark.parametrize("reached", [1, 2, 3])
def test_a_scan_that_dies_anywhere_loses_and_doubles_nothing(fleet: Fleet, point: Point, reached: int) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT, POST, LOVE)
    agent = supervised(fleet)
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    (job,) = fleet.jobs(kind="scan_feed")
    times = iter(range(1, 100))

    def die(at: Point) -> None:
        if at is point and next(times) == reached:
            raise Killed

    failpoints.arm(die)
    try:
        with pytest.raises(Killed):
            perform(fleet.deps, job.id)
            raise Killed  # it does not come to this point so often
    finally:
        failpoints.arm(None)
    fleet.lease_runs_out()
    sweep(fleet.deps)
    fleet.time_passes()
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.DONE
    assert sorted(draft.kind for draft in drafts(fleet)) == ["comment", "post", "reaction"]
    assert seen(fleet, agent) == {"a"}
    assert len(told(fleet, "agent.feed.answer.received")) == 1
    assert len(told(fleet, "agent.draft.comment.created")) == 1
    (requests,) = fleet.sql("SELECT count(*) FROM approval_requests").one()
    assert requests == 3
    # A call that was answered and not yet saved is made again; one that was saved never is.
    assert fleet.words.calls <= 2


def test_a_surface_that_is_away_costs_an_attempt_and_marks_nothing_as_seen(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agent = supervised(fleet)
    fleet.surface.feed_faults = [base.Unreachable("away")]
    job = scan(fleet, agent)
    assert (fleet.job(job).state, fleet.job(job).attempts, seen(fleet, agent)) == (JobState.READY, 1, set())
    fleet.time_passes()
    perform(fleet.deps, job)
    assert (fleet.job(job).state, seen(fleet, agent)) == (JobState.DONE, {"a"})


def test_an_answer_without_budget_is_queued_and_a_failed_one_is_an_error(fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    agent = supervised(fleet)
    fleet.words.scan_faults = [RuntimeError("no words")]
    job = scan(fleet, agent)
    assert [one["status"] for one in told(fleet, "agent.feed.digested")] == ["processing", "error"]
    fleet.sql("INSERT INTO budgets (scope, key, period, limit_microusd, period_start, set_by)"
              " VALUES ('fleet', '*', 'day', 0, date_trunc('day', now()), 'ada')")  # fmt: skip
    fleet.time_passes()
    perform(fleet.deps, job)
    assert [one["status"] for one in told(fleet, "agent.feed.digested")][-1] == "queued"
    assert (fleet.job(job).attempts, seen(fleet, agent)) == (1, set())


def test_a_newly_supervised_agent_writes_nothing_without_approval(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1.0})
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    (job,) = fleet.jobs(kind="post")
    fleet.sql("UPDATE agents SET autonomy = 'supervised'")
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.SKIPPED
    assert "supervised" in (fleet.job(job.id).error or "")
    assert fleet.surface.effects == []


@pytest.mark.parametrize("meanwhile", ["deleted", "autonomous"])
def test_an_agent_that_is_gone_or_decides_for_itself_by_now_proposes_nothing(fleet: Fleet, meanwhile: str) -> None:
    agent = supervised(fleet)
    fleet.surface.posts = [post("a")]

    def and_meanwhile(_: ScanRequest) -> ScanAnswer:
        if meanwhile == "deleted":
            agent_commands.delete(fleet.deps, str(agent), by="cli:ann")
        else:
            agent_commands.update(fleet.deps, str(agent), {"autonomy": "autonomous"})
        return ScanAnswer((COMMENT, POST))

    fleet.words.proposals = and_meanwhile
    job = fleet.job(scan(fleet, agent))
    assert (job.state, drafts(fleet), approving.page(fleet.deps, RequestFilter((RequestState.PENDING,)))) == (
        JobState.SKIPPED,
        [],
        [],
    )
    assert "deleted or decides for itself" in str(job.result or job.error or job.held)


def test_what_a_scan_opens_while_its_agent_is_being_deleted_is_taken_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = supervised(fleet)
    fleet.surface.posts = [post("a")]
    has_looked, has_opened, lock = threading.Event(), threading.Event(), loop.lock
    deleting = threading.Thread(target=agent_commands.delete, args=(fleet.deps, str(agent)), kwargs={"by": "cli:ann"})

    def and_first_a_scan(tx: Tx, agent_id: uuid.UUID) -> AgentRow | None:
        has_looked.set()  # at its requests, of which there was none
        assert has_opened.wait(WITHIN_S)
        return lock(tx, agent_id)

    def meanwhile(_: ScanRequest) -> ScanAnswer:
        deleting.start()
        assert has_looked.wait(WITHIN_S)
        return ScanAnswer((COMMENT,))

    fleet.words.proposals = meanwhile
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, fleet.row(agent).tick_no))
    job = fleet.jobs(kind="scan_feed")[-1]
    monkeypatch.setattr(loop, "lock", and_first_a_scan)
    perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == JobState.DONE
    has_opened.set()
    deleting.join(WITHIN_S)
    assert [draft.status for draft in drafts(fleet)] == ["withdrawn"]
    assert approving.page(fleet.deps, RequestFilter((RequestState.PENDING,))) == []


@pytest.mark.parametrize("unstorable", ["\x00", "\ud800"], ids=["nul", "half_a_character"])
def test_signs_that_no_database_keeps_stop_no_scan(fleet: Fleet, unstorable: str) -> None:
    """Both are valid in JSON, so any server and any model can send them."""
    shown = post("a")
    fleet.surface.posts = [dataclasses.replace(shown, caption=f"A lamp{unstorable} on slate.", author_name=unstorable)]
    named = Idea("comment", f"p1{unstorable}", "Lost to us.")
    fleet.words.proposals = proposing(COMMENT, named)
    job = scan(fleet, supervised(fleet))
    assert fleet.job(job).state == JobState.DONE
    (draft,) = drafts(fleet)
    assert draft.about["text"] == "A lamp on slate."
