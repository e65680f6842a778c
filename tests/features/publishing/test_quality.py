"""What is published has been reviewed, and the picture looked at: through `perform`, on a real ledger."""

from __future__ import annotations

import base64
import io
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from fleet.adapters import base
from fleet.adapters.base import AnyAction
from fleet.adapters.pictures import PictureOrder
from fleet.core import events, ids
from fleet.core.failpoints import Point
from fleet.engine import registry, surface_pictures
from fleet.engine.attempts import work as work_module
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.states import JobState
from fleet.features.content import review
from fleet.features.personas.service import personas_of
from fleet.features.publishing.handlers import post
from fleet.features.publishing.kinds import COMMENT, POST
from fleet.features.publishing.words import published_texts
from fleet.features.publishing.words.quality import Quality
from fleet.images.checks import why_unfit
from fleet.images.editing import Format, encode
from fleet.images.marks import Marks, PictureSource, read_marks
from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords, Usage
from tests.database_roles import as_owner
from tests.factories import Fleet, make_fleet, raises, reply_lost

POEMS = ["Fog over the quiet harbour.", "Seven lamps, one window.", "A train that never comes.", "Salt on the glass."]
SECRET = "fst_abcdefgh12345678"


class Died(BaseException):
    """The process ends here."""


class Script:
    """A writer that says what it is told to, and counts."""

    name = "script"

    def __init__(self, *texts: str, prompt: str = "a quiet harbour at dawn", alt_text: str = "A harbour.") -> None:
        self.texts, self.prompt, self.alt_text = list(texts), prompt, alt_text
        self.dice: list[float] = []
        self.objections: list[tuple[str, ...]] = []
        self.heard: list[tuple[str, ...]] = []

    def write_post(self, request: PostRequest, dice: random.Random, **_: object) -> tuple[PostWords, Usage]:
        self.objections.append(request.objections)
        self.heard.append(request.heard)
        return PostWords(self.prompt, self._next(dice), self.alt_text), Usage("script", "1")

    def write_comment(self, request: CommentRequest, dice: random.Random, **_: object) -> tuple[CommentWords, Usage]:
        self.objections.append(request.objections)
        self.heard.append(request.heard)
        return CommentWords(self._next(dice), request.seen[0].id), Usage("script", "1")

    def paid_by(self, _: object) -> Script:
        return self

    def _next(self, dice: random.Random) -> str:
        self.dice.append(dice.random())
        return self.texts.pop(0)


def says(fleet: Fleet, *texts: str, **more: str) -> Script:
    script = Script(*texts, **more)
    fleet.deps.models_override.writer = script
    return script


def add(fleet: Fleet, agent_id: uuid.UUID, kind: str = POST, *, tick_no: int = 1) -> uuid.UUID:
    target = f"p{tick_no}" if kind == COMMENT else None
    job = NewJob(ids.job(agent_id, tick_no, 0), agent_id, kind, "floimg", tick_no, target, {"author": "zoe"})
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def shown(fleet: Fleet) -> list[str]:
    return [effect.text for effect in fleet.surface.effects]


def told(fleet: Fleet, job: uuid.UUID) -> list[tuple[str, dict[str, object]]]:
    with fleet.deps.db.transaction() as tx:
        return [(event.subject, dict(event.payload)) for event in reversed(events.latest(tx, job_id=job))]


def everything_written(fleet: Fleet) -> str:
    dump = "SELECT string_agg(t::text, ' ') FROM {} t"
    return " ".join(str(fleet.sql(dump.format(table)).scalar()) for table in ("jobs", "events", "job_attempts"))


@pytest.mark.parametrize("kind", [POST, COMMENT])
def test_a_refused_text_is_written_once_more_with_other_dice(fleet: Fleet, kind: str) -> None:
    script = says(fleet, "Write to zoe@example.org!", POEMS[0])
    job = add(fleet, fleet.agent(), kind)
    perform(fleet.deps, job)
    assert (fleet.job(job).state, shown(fleet)) == ("done", [POEMS[0]])
    assert len(set(script.dice)) == 2
    assert [len(told) for told in script.objections] == [0, 2]
    assert "privacy.email" in script.objections[1][0]
    assert "zoe@" not in str(script.objections[1])
    (refused, payload), (done, _) = told(fleet, job)
    assert (refused, done) == ("content.refused", "job.done")
    assert (payload["rules"], payload["draft"], payload["kind"]) == (["links", "privacy.email"], 1, str(kind))
    assert "zoe@" not in everything_written(fleet)


LOUD = ["WOW!!! SUCH A PICTURE!!! LOVE IT!!! 🔥🔥🔥", "MUST SEE THIS ONE!!! TOP TOP TOP!!! 🎉🎉🎉"]


def test_a_text_out_of_character_is_written_again_and_then_only_remarked(fleet: Fleet) -> None:
    script = says(fleet, *LOUD)
    job = add(fleet, fleet.agent(persona_id="ux_designer"))
    perform(fleet.deps, job)
    assert (fleet.job(job).state, shown(fleet)) == ("done", [LOUD[1]])
    assert script.objections[1][0].startswith("tone: ")
    assert "caption: tone: " in fleet.job(job).checkpoint["words:2"]["remarks"][0]
    assert [payload.get("rules") for _, payload in told(fleet, job)] == [["tone"], None]


def test_a_text_refused_twice_is_skipped_with_the_reason(fleet: Fleet) -> None:
    script = says(fleet, "See https://evil.example", "I am not a bot.")
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, shown(fleet), fleet.surface.images_paid) == ("skipped", [], [])
    assert row.error is not None
    assert "banned" in row.error
    assert [(subject, payload.get("rules")) for subject, payload in told(fleet, job)] == [
        ("content.refused", ["links"]), ("content.refused", ["banned", "denial"]), ("job.skipped", None)
    ]  # fmt: skip
    assert len(script.dice) == 2


@pytest.mark.parametrize("where", ["caption", "prompt", "alt_text"])
def test_a_secret_in_any_text_is_never_written_anywhere(fleet: Fleet, where: str) -> None:
    more = {} if where == "caption" else {where: f"A harbour {SECRET}."}
    says(fleet, *([f"Look: {SECRET}"] * 2 if where == "caption" else POEMS), **more)
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == "skipped"
    assert SECRET not in everything_written(fleet)


def test_an_agent_does_not_repeat_itself_nor_others_across_processes(fleet: Fleet, database_url: str) -> None:
    ada = fleet.agent()
    says(fleet, POEMS[0])
    perform(fleet.deps, add(fleet, ada))
    other = make_fleet(database_url)
    try:
        script = says(other, POEMS[0].upper() + " 🔥", POEMS[1], POEMS[0], POEMS[2])
        own, toms = add(other, ada, tick_no=2), add(other, other.agent(), tick_no=3)
        perform(other.deps, own)
        perform(other.deps, toms)
        assert shown(other) == [POEMS[1], POEMS[2]]
        assert POEMS[0] in script.heard[-1], "the next text begins otherwise"
        assert [told(other, job)[0][1]["rules"] for job in (own, toms)] == [["similar.own"], ["similar.fleet"]]
    finally:
        other.deps.close()


def test_what_this_process_has_just_written_is_known_before_it_is_sent(fleet: Fleet) -> None:
    says(fleet, POEMS[0], POEMS[0], POEMS[1])
    first, second = add(fleet, fleet.agent()), add(fleet, fleet.agent(), tick_no=2)
    fleet.surface.image_faults = [base.Uncertain("timeout")]
    perform(fleet.deps, first)
    assert fleet.job(first).sending_at is None
    perform(fleet.deps, second)
    assert shown(fleet) == [POEMS[1]]


def test_a_second_draft_counts_as_what_was_said(fleet: Fleet) -> None:
    agent = fleet.agent()
    says(fleet, "I am not a bot.", POEMS[0])
    perform(fleet.deps, add(fleet, agent))
    with fleet.deps.db.transaction() as tx:
        assert published_texts.recent_results(tx, agent, POST, "caption") == [POEMS[0]]
        assert [sent.text for sent in published_texts.texts_sent(tx, "floimg", None, limit=5)] == [POEMS[0]]


def test_what_another_process_has_written_is_known_before_it_is_sent(fleet: Fleet, database_url: str) -> None:
    other = make_fleet(database_url)
    others = add(other, other.agent())
    says(other, POEMS[0], POEMS[1])

    def meanwhile(order: PictureOrder, *, timeout_s: float) -> str:
        perform(other.deps, others)
        return "http://127.0.0.1/images/1.png"

    try:
        says(fleet, POEMS[0])
        fleet.surface.make = meanwhile  # type: ignore[method-assign]
        perform(fleet.deps, add(fleet, fleet.agent(), tick_no=2))
        assert (shown(other), shown(fleet)) == ([POEMS[1]], [POEMS[0]])
    finally:
        other.deps.close()


def test_words_that_went_out_while_their_job_waited_are_not_said_again(fleet: Fleet, database_url: str) -> None:
    says(fleet, POEMS[0])
    waiting = add(fleet, fleet.agent())
    fleet.surface.image_faults = [base.Uncertain("timeout")]
    perform(fleet.deps, waiting)
    assert fleet.job(waiting).state == "ready", "its words are saved, and no lease shows them to others"
    other = make_fleet(database_url)
    try:
        says(other, POEMS[0])
        perform(other.deps, add(other, other.agent(), tick_no=2))
        assert shown(other) == [POEMS[0]]
    finally:
        other.deps.close()
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE state = 'ready'")
    perform(fleet.deps, waiting)
    row = fleet.job(waiting)
    assert (row.state, row.error, shown(fleet)) == ("skipped", "the same words have been published meanwhile", [])


def test_no_more_texts_are_looked_at_than_a_new_one_must_not_repeat(fleet: Fleet) -> None:
    """Symptom: for a job that had waited for a day at a surface's cap, all that had gone there since was read."""
    says(fleet, *POEMS[:2])
    since = fleet.deps.now()
    for _ in range(2):
        perform(fleet.deps, add(fleet, fleet.agent()))
    with fleet.deps.db.transaction() as tx:
        asked = [
            published_texts.was_sent(tx, "floimg", POEMS[0], since=since, but=ids.new(), most=most) for most in (1, 2)
        ]
    assert asked == [False, True]


def test_texts_may_repeat_where_the_owner_turned_comparison_off(fleet: Fleet, database_url: str) -> None:
    free = make_fleet(database_url, recent_texts=0)
    try:
        says(free, POEMS[0], POEMS[0])
        for number in (1, 2):
            perform(free.deps, add(free, free.agent(), tick_no=number))
        assert shown(free) == [POEMS[0]] * 2
    finally:
        free.deps.close()


def test_the_queries_for_recent_texts_use_their_indexes(fleet: Fleet) -> None:
    many = """
        INSERT INTO jobs (id, agent_id, kind, priority, max_attempts, expires_at, state, sending_at, finished_at)
        SELECT gen_random_uuid(), :agent, 'post', 'normal', 3, now(), 'done', now() - n * interval '1 min', now()
        FROM generate_series(1, 5000) n
    """
    agent = fleet.agent()
    fleet.sql(many, agent=agent)
    as_owner(fleet.deps.settings.database_url, "ANALYZE jobs")
    with fleet.deps.db.transaction() as tx:
        asked: list[tuple[str, Any]] = []
        sa.event.listen(
            tx.session.connection(), "before_cursor_execute", lambda *call: asked.append((call[2], call[3]))
        )
        published_texts.texts_sent(tx, "floimg", fleet.deps.now(), limit=50)
        published_texts.texts_under_way(tx, "floimg")
        plans = [
            " ".join(row[0] for row in tx.session.connection().exec_driver_sql(f"EXPLAIN {sql}", params))
            for sql, params in [*asked]
        ]
        sql, _ = published_texts._SENT_SINCE._compiled
        values = {"surface": "floimg", "words": POEMS[0], "since": fleet.deps.now(), "but": agent, "most": 9}
        plans.append(" ".join(row[0] for row in tx._driver.execute(b"EXPLAIN " + sql, values)))
    indexes = ("ix_jobs_surface_writes", "ix_jobs_leases", "ix_jobs_surface_writes")
    assert [name in plan for name, plan in zip(indexes, plans, strict=True)] == [True] * 3


@pytest.mark.parametrize("times", [1, 2])
def test_a_crash_between_drafts_pays_for_none_twice(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    script = says(fleet, "I am not a bot.", POEMS[0])
    job = add(fleet, fleet.agent())
    passed: Iterator[int] = iter(range(1, 100))

    def reach(point: Point) -> None:
        if point is Point.JOB_STEP_SAVED and next(passed) == times:
            raise Died

    monkeypatch.setattr(work_module, "reach", reach)
    with pytest.raises(Died):
        perform(fleet.deps, job)
    monkeypatch.undo()
    fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL, next_attempt_at = clock_timestamp()")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, shown(fleet), len(script.dice)) == ("done", [POEMS[0]], 2)
    assert [subject for subject, _ in told(fleet, job)] == ["content.refused", "job.done"]


def sent_picture(fleet: Fleet, job: uuid.UUID) -> str:
    sent: list[AnyAction] = []
    fleet.surface.faults = [sent.append]  # type: ignore[list-item]
    perform(fleet.deps, job)
    return str(getattr(sent[0].payload, "image_url", "")) if sent else ""


def picture(image: Image.Image, format: Format = Format.PNG) -> bytes:
    return encode(image, Marks(PictureSource.AI, "x"), format)


GOOD = picture(Image.effect_noise((128, 128), 60).convert("RGB"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (picture(Image.new("RGB", (512, 512), "white")), "blank"),
        (picture(Image.effect_noise((512, 512), 1.5).convert("RGB"), Format.JPEG), "blank"),
        (picture(Image.new("RGBA", (512, 512), (200, 0, 0, 0))), "blank"),
        (GOOD[: len(GOOD) // 2], "broken"),
        (b"<html>502</html>", "not a picture"),
        (b"", "empty"),
        (picture(Image.effect_noise((20, 20), 60).convert("RGB")), "20 x 20"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * (9 << 20), "bytes"),
    ],
)
def test_a_bad_picture_is_paid_once_and_replaced_by_our_own(fleet: Fleet, data: bytes, why: str) -> None:
    assert why in str(why_unfit(data))
    fleet.surface.picture, fleet.surface.picture_type = data, ""
    job = add(fleet, fleet.agent())
    assert sent_picture(fleet, job).startswith("data:image/jpeg;base64,")
    row = fleet.job(job)
    assert (row.state, len(fleet.surface.images_paid)) == ("done", 1)
    assert row.checkpoint["image"]["by"] == "workflow"
    assert why in row.checkpoint["picture"]["why"]
    assert [(subject, payload.get("why")) for subject, payload in told(fleet, job)] == [
        ("picture.replaced", row.checkpoint["picture"]["why"]), ("job.done", None)
    ]  # fmt: skip


def test_a_good_picture_is_posted_by_its_address(fleet: Fleet) -> None:
    assert why_unfit(GOOD, "image/png; charset=binary") is None
    assert "came as image/gif" in str(why_unfit(GOOD, "image/gif"))
    assert "came as text/html" in str(why_unfit(GOOD, "Text/HTML; charset=utf-8"))
    assert why_unfit(GOOD, "application/octet-stream") is None
    job = add(fleet, fleet.agent())
    assert sent_picture(fleet, job) == "http://127.0.0.1/images/1.png"
    done = fleet.job(job)
    assert done.checkpoint["picture"] == {"fit": True, "marked": True, "preview": done.result["picture"]}
    assert [subject for subject, _ in told(fleet, job)] == ["job.done"]


def test_a_post_whose_outcome_is_unknown_is_looked_for_without_its_picture(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add(fleet, fleet.agent())
    fleet.surface.faults = [reply_lost]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "unknown"
    monkeypatch.setattr(post, "picture", lambda *_: pytest.fail("a picture was made for a look"))
    fleet.time_passes()
    perform(fleet.deps, job)
    assert (fleet.job(job).state, len(fleet.surface.effects)) == ("done", 1)


def test_a_picture_that_came_without_a_mark_is_posted_with_one(fleet: Fleet) -> None:
    out = io.BytesIO()
    Image.effect_noise((128, 128), 60).convert("RGB").save(out, "JPEG")
    fleet.surface.picture = out.getvalue()
    job = add(fleet, fleet.agent())
    fleet.surface.faults = [raises(base.Uncertain("no answer"))]
    perform(fleet.deps, job)
    fleet.time_passes()
    perform(fleet.deps, job)
    fleet.time_passes()
    posted = sent_picture(fleet, job)
    marks = read_marks(base64.b64decode(posted.partition(",")[2]))
    assert (marks and marks.source, len(fleet.surface.images_paid), fleet.job(job).state) == (
        PictureSource.AI,
        1,
        "done",
    )


def test_own_surfaces_may_stay_unmarked_when_their_owner_says_so(database_url: str) -> None:
    fleet = make_fleet(database_url, label_agents=False, label_off_reason="a test")
    try:
        out = io.BytesIO()
        Image.effect_noise((128, 128), 60).save(out, "JPEG")
        fleet.surface.picture = out.getvalue()
        assert sent_picture(fleet, add(fleet, fleet.agent())) == "http://127.0.0.1/images/1.png"
    finally:
        fleet.deps.close()


def test_a_picture_is_ordered_in_one_of_the_personas_ways_the_same_in_every_attempt(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered: list[PictureOrder] = []

    def refuse_once(order: PictureOrder, *, timeout_s: float) -> str:
        ordered.append(order)
        if len(ordered) == 1:
            raise base.Uncertain("timeout")
        return "http://127.0.0.1/images/1.png"

    monkeypatch.setattr(fleet.surface, "make", refuse_once)
    job = add(fleet, fleet.agent(persona_id="ai_artist"))
    perform(fleet.deps, job)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert ordered[0] == ordered[1]
    assert fleet.job(job).checkpoint["image"]["workflow"] == ordered[0].workflow_type
    assert ordered[0].workflow_type in personas_of(fleet.deps).get(str(ordered[0].account.persona_id)).workflow_types


def test_a_picture_that_cannot_be_fetched_is_tried_once_more_and_never_paid_again(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent())
    fleet.surface.fetch_faults = [base.Unreachable("down"), base.Unreachable("down")]
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).attempts) == ("ready", 1)
    fleet.time_passes()
    assert sent_picture(fleet, job).startswith("data:")
    assert (fleet.job(job).state, fleet.surface.images_paid) == ("done", [f"{job}:image"])


def test_a_picture_on_a_strange_host_is_not_fetched_and_waits_for_a_person(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet.surface, "make", lambda order, *, timeout_s: "http://169.254.169.254/latest")
    real = surface_pictures.fetcher(fleet.surface, fleet.deps.settings)
    monkeypatch.setattr(fleet.deps.pictures(), "_fetch", real)
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.dead_reason, fleet.surface.images_fetched) == ("dead", "policy", [])
    assert "FLEET_IMAGE_HOSTS" in str(row.error)
    assert row.checkpoint["image"]["url"].startswith("http://169"), "it is paid, and kept for the replay"


def test_owners_may_leave_pictures_unlooked_at(database_url: str) -> None:
    fleet = make_fleet(database_url, check_images=False)
    try:
        fleet.surface.picture = b""
        assert sent_picture(fleet, add(fleet, fleet.agent())) == "http://127.0.0.1/images/1.png"
        assert fleet.surface.images_fetched == []
    finally:
        fleet.deps.close()


def test_no_post_goes_out_without_an_alternative_text(fleet: Fleet) -> None:
    says(fleet, *POEMS[:2], alt_text=" ")
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.SKIPPED
    assert "empty" in str(fleet.job(job).error)
    assert not fleet.surface.effects
    assert not fleet.surface.images_paid


def test_the_rules_of_unused_settings_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: each change of a word list left its compiled rules in every worker for good."""
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(review, "standards", lambda words, *_: made.append(words) or object())
    data, base = Quality(None), registry.load_settings(_env_file=None)  # type: ignore[arg-type]
    for number in (*range(200), 199, 0):
        data.standards(base.model_copy(update={"banned_words": (f"word {number}",)}))
    assert len(made) == 201, "the newest are kept, the oldest are not"
