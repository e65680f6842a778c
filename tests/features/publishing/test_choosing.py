"""Which post a comment answers: offered by the tick, chosen by the writer, held to the rules until it is sent."""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from typing import Any

import pytest

from fleet.adapters import base
from fleet.adapters.social import FeedItem
from fleet.core import ids
from fleet.core.failpoints import Point
from fleet.engine.attempts import work as work_module
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import TickRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.publishing.kinds import COMMENT
from fleet.features.publishing.words import review_words
from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords, Usage
from tests.factories import Fleet, raises, reply_lost

_THINGS = [
    f"{a}{b}" for a in ("salt", "lamp", "moss", "tin", "fog", "rope") for b in ("light", "stone", "work", "song")
]
_TEXTS = itertools.count()


class Died(BaseException):
    """The process ends here."""


class Chooser:
    """A writer that answers the post it is told to, or the last one that it sees, and remembers what it saw."""

    name = "chooser"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[CommentRequest] = []
        self.pause: threading.Barrier | None = None

    def write_post(self, request: PostRequest, dice: random.Random, **_: object) -> tuple[PostWords, Usage]:
        pytest.fail("no post was to be written")

    def write_comment(self, request: CommentRequest, dice: random.Random, **_: object) -> tuple[CommentWords, Usage]:
        self.asked.append(request)
        number = len(self.asked)
        answers = self.answers.pop(0) if self.answers else request.seen[-1].id
        if self.pause is not None and number <= 2:
            self.pause.wait(10)
        text = " ".join(random.Random(next(_TEXTS)).sample(_THINGS, 6)).capitalize() + "."
        return CommentWords(text, answers, f"Reason {number}."), Usage("chooser", "1")

    def paid_by(self, _: object) -> Chooser:
        return self

    @property
    def saw(self) -> list[list[str]]:
        return [[post.id for post in request.seen] for request in self.asked]


def chooser(fleet: Fleet, *answers: str) -> Chooser:
    made = Chooser(*answers)
    fleet.deps.models_override.writer = made
    return made


def offer(fleet: Fleet, agent: uuid.UUID, *posts: str, tick_no: int = 1, **told: Any) -> uuid.UUID:
    seen = [{"id": post, "author": "zoe", "author_name": f"Author of {post}", "caption": f"Picture {post}",
             "comments": 0, "ours": 0, **told} for post in posts]  # fmt: skip
    job = NewJob(ids.job(agent, tick_no, 0), agent, COMMENT, "floimg", tick_no, None, {"seen": seen})
    with fleet.deps.db.transaction() as tx:
        assert ledger.add(tx, [job])
    return job.id


def shown(fleet: Fleet) -> list[tuple[str, str | None]]:
    return [(effect.username, effect.target) for effect in fleet.surface.effects]


def test_one_call_sees_the_posts_and_its_choice_is_recorded_with_the_reason(fleet: Fleet) -> None:
    writer, agent = chooser(fleet, "p2"), fleet.agent()
    job = offer(fleet, agent, "p1", "p2", "p3")
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert writer.saw == [["p1", "p2", "p3"]]
    assert (row.state, row.target) == ("done", "p2")
    assert row.result is not None
    assert {name: row.result[name] for name in ("target", "to", "reason")} == {
        "target": "p2", "to": "Author of p2", "reason": "Reason 1."
    }  # fmt: skip
    assert (row.checkpoint["words"]["post"], row.checkpoint["words"]["reason"]) == ("p2", "Reason 1.")
    assert shown(fleet) == [(fleet.row(agent).username, "p2")]


def test_the_decision_log_says_what_was_offered(fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 0, "comment": 1, "like": 0, "browse": 0})
    fleet.surface.posts = [FeedItem(f"p{n}", "zoe", "Zoe", "A pier.", None) for n in range(3)]
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    (job,) = fleet.jobs()
    with fleet.deps.db.transaction() as tx:
        row = tx.session.get(TickRow, (agent, 1))
        assert row is not None and row.outcome is not None
    (plan,) = row.outcome["plans"]
    assert job.target is None
    assert sorted(seen["id"] for seen in plan["payload"]["seen"]) == ["p0", "p1", "p2"]
    assert plan["payload"] == job.payload


@pytest.mark.parametrize("fault", [reply_lost, raises(base.Uncertain("502")), raises(base.Unreachable("down"))])
def test_the_choice_is_the_same_in_every_attempt_and_where_a_probe_looks(fleet: Fleet, fault: Any) -> None:
    writer = chooser(fleet, "p2", "p3")
    job = offer(fleet, fleet.agent(), "p1", "p2", "p3")
    fleet.surface.faults = [fault]
    for _ in range(4):
        fleet.time_passes()
        perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    assert [target for _, target in shown(fleet)] == ["p2"]
    assert len(writer.asked) == 1


def test_what_is_not_open_any_more_is_not_offered_nor_paid_for(fleet: Fleet) -> None:
    agent = fleet.agent()
    chooser(fleet, "p1")
    perform(fleet.deps, offer(fleet, agent, "p1"))
    writer = chooser(fleet)
    second = offer(fleet, agent, "p1", "p2", tick_no=2)
    perform(fleet.deps, second)
    third = offer(fleet, agent, "p1", "p2", tick_no=3)
    perform(fleet.deps, third)
    assert writer.saw == [["p2"]]
    assert (fleet.job(third).state, fleet.job(third).target) == ("skipped", None)
    assert "open" in (fleet.job(third).error or "")


def test_a_post_that_the_fleet_crowds_is_left_out_and_counted_again_before_the_write(fleet: Fleet) -> None:
    writer = chooser(fleet, *["p1"] * 3)
    for n in range(3):
        perform(fleet.deps, offer(fleet, fleet.agent(), "p1", "p2", tick_no=n + 1))
    late = offer(fleet, fleet.agent(), "p1", "p2")
    perform(fleet.deps, late)
    assert writer.saw[-1] == ["p2"]

    def meanwhile(request: CommentRequest, dice: random.Random, **_: object) -> tuple[CommentWords, Usage]:
        chooser(fleet, *["p9"] * 3)
        for n in range(3):
            perform(fleet.deps, offer(fleet, fleet.agent(), "p9", tick_no=n + 10))
        return CommentWords("Late to it all, I say so.", "p9", ""), Usage("chooser", "1")

    chooser(fleet).write_comment = meanwhile  # type: ignore[method-assign]
    crowded = offer(fleet, fleet.agent(), "p9")
    perform(fleet.deps, crowded)
    assert (fleet.job(crowded).state, fleet.job(crowded).error) == (
        "skipped", "enough of us have commented on this post"
    )  # fmt: skip


def test_two_jobs_of_one_agent_at_once_never_answer_the_same_post(fleet: Fleet) -> None:
    writer, agent = chooser(fleet, "p1", "p1"), fleet.agent()
    writer.pause = threading.Barrier(2)
    jobs = [offer(fleet, agent, "p1", "p2", tick_no=n) for n in (1, 2)]
    threads = [threading.Thread(target=perform, args=(fleet.deps, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(fleet.job(job).target) for job in jobs) == ["p1", "p2"]
    assert len(set(shown(fleet))) == 2
    assert writer.asked[2].objections == ("taken: this account answers that post already; choose another one",)
    assert writer.saw[2] == ["p2"]


def test_a_choice_outside_of_what_was_offered_is_made_again_without_a_model(fleet: Fleet) -> None:
    chooser(fleet, "elsewhere")
    job = offer(fleet, fleet.agent(), "p1", "p2")
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    assert fleet.job(job).target in ("p1", "p2")
    assert fleet.job(job).checkpoint["words"]["by"].startswith("offline/")


@pytest.mark.parametrize("point", [Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED])
def test_a_crash_around_the_choice_leaves_one_target_and_one_comment(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    writer = chooser(fleet, "p1", "p2")
    job = offer(fleet, fleet.agent(), "p1", "p2")

    def die(reached: Point) -> None:
        if reached is point:
            raise Died

    monkeypatch.setattr(work_module, "reach", die)
    with pytest.raises(Died):
        perform(fleet.deps, job)
    assert fleet.job(job).target == "p1"
    monkeypatch.undo()
    fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL, next_attempt_at = clock_timestamp()")
    perform(fleet.deps, job)
    saved = point is Point.JOB_STEP_SAVED
    assert (fleet.job(job).target, len(writer.asked)) == (("p1", 1) if saved else ("p2", 2))
    assert [target for _, target in shown(fleet)] == [fleet.job(job).target]


def test_who_has_lost_the_lease_changes_no_target(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    chooser(fleet, "p1")
    job = offer(fleet, fleet.agent(), "p1", "p2")
    aimed = review_words._aimed

    def late(*given: Any) -> bool:
        fleet.sql("UPDATE jobs SET lease_token = lease_token + 1")
        return aimed(*given)

    monkeypatch.setattr(review_words, "_aimed", late)
    perform(fleet.deps, job)
    assert (fleet.job(job).target, fleet.job(job).checkpoint, shown(fleet)) == (None, {}, [])
