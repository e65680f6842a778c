"""Posts of accounts against their networks: planted differences are all found, and nothing else is."""

from __future__ import annotations

import html
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.core import failpoints, ids
from fleet.core.failpoints import Point
from fleet.engine import publish as publish_jobs
from fleet.engine import tick
from fleet.engine.attempts import perform
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.features.reconciliation import agent, service
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from fleet.features.reconciliation.posts import run
from fleet.features.reconciliation.posts.rules import compared_since
from fleet.features.reconciliation.rules import Remedy
from tests.features.engagement.world import World, world
from tests.features.stores.test_kills import Killed, dies_at, disarmed
from tests.web_client import Web

__all__ = ["disarmed"]

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def at(database_url: str) -> Iterator[World]:
    with world(database_url) as made:
        made.fleet.sql("UPDATE accounts SET created_at = created_at - interval '30 d'")
        yield made


def as_mastodon_writes(text: str) -> str:
    """Return the HTML that a Mastodon server makes of a text: shortened links, entities, paragraphs."""
    parts = []
    for word in html.escape(text, quote=False).split(" "):
        if word.startswith("https://"):
            shown = word.removeprefix("https://")
            parts.append(
                f'<a href="{word}" target="_blank" rel="nofollow noopener"><span class="invisible">https://</span>'
                f'<span class="ellipsis">{shown[:30]}</span><span class="invisible">{shown[30:]}</span></a>'
            )
        elif word.startswith("@"):
            name = word.split("@")[1]
            parts.append(
                f'<span class="h-card"><a href="https://x.example/@{name}" class="u-url mention">'
                f"@<span>{name}</span></a></span>"
            )
        elif word.startswith("#"):
            parts.append(
                f'<a href="https://x.example/tags/{word[1:]}" class="mention hashtag">#<span>{word[1:]}</span></a>'
            )
        else:
            parts.append(word)
    return "<p>" + " ".join(parts).replace("\n\n", "</p><p>").replace("\n", "<br>") + "</p>"


def publish(at: World, number: int) -> list[uuid.UUID]:
    """Publish posts through the ledger, some hours ago."""
    jobs = [at.post() for _ in range(number)]
    age(at, timedelta(hours=3))
    return jobs


def age(at: World, by: timedelta) -> None:
    """Let everything have happened earlier."""
    at.fleet.sql("UPDATE jobs SET sending_at = sending_at - :by, created_at = created_at - :by", by=by)
    at.fleet.sql("UPDATE missed_posts SET first_at = first_at - :by", by=by)
    at.fleet.sql("UPDATE reconciliations SET started_at = started_at - :by", by=by)
    for one in at.server.statuses:
        one["created_at"] = (datetime.fromisoformat(one["created_at"]) - by).isoformat()


def foreign(at: World, text: str, *, hours: float = 2, **more: Any) -> dict[str, Any]:
    """Post by hand."""
    one = {
        "id": str(len(at.server.statuses) + 5000), "text": text, "content": as_mastodon_writes(text),
        "created_at": (datetime.now(UTC) - timedelta(hours=hours)).isoformat(), "in_reply_to_id": None,
        "account": {"id": "7"}, **more,
    }  # fmt: skip
    at.server.statuses.append(one)
    return one


def retext(at: World, number: int, text: str, *, job: uuid.UUID | None = None) -> None:
    """Give a published post another text in the ledger, in the form in which the server shows it."""
    at.server.statuses[number]["content"] = as_mastodon_writes(text)
    remote = at.server.statuses[number]["id"]
    at.fleet.sql("UPDATE jobs SET result = result || jsonb_build_object('text', CAST(:text AS text))"
                 " WHERE remote_id = :id", text=text, id=remote)  # fmt: skip


def wake(at: World) -> dict[str, Any]:
    """Have the reconciler decide; return the outcome."""
    row = at.fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE kind = 'reconciler' RETURNING id, tick_no").one()
    at.fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
                 id=row.id, no=row.tick_no)  # fmt: skip
    tick.tick(at.fleet.deps, TickKey(row.id, row.tick_no))
    done = at.fleet.sql("SELECT inputs, outcome, error FROM ticks WHERE agent_id = :id AND tick_no = :no",
                        id=row.id, no=row.tick_no).one()  # fmt: skip
    assert done.error is None
    assert agent.to_data(agent.from_data(done.inputs)) == done.inputs
    return dict(done.outcome)


def work(at: World) -> list[Any]:
    """Carry out the jobs of comparisons that are ready; return them as they ended."""
    jobs = [one.id for one in at.fleet.jobs(kind="reconcile_posts", state="ready")]
    for one in jobs:
        perform.perform(at.fleet.deps, one)
    return [at.fleet.job(one) for one in jobs]


def compare(at: World) -> ReconciliationRow:
    """Compare the account's posts; return the run."""
    run_id = service.request(at.fleet.deps, "masto", by="web:ana")
    (ended,) = work(at)
    assert ended.state in ("done", "skipped"), ended.error
    return run_of(at, run_id)


def run_of(at: World, run_id: uuid.UUID) -> ReconciliationRow:
    with at.fleet.deps.db.transaction() as tx:
        return tx.session.get_one(ReconciliationRow, run_id)


def rows(at: World, state: str = "open") -> list[DiscrepancyRow]:
    with at.fleet.deps.db.transaction() as tx:
        query = sa.select(DiscrepancyRow).order_by(DiscrepancyRow.found_at, DiscrepancyRow.id)
        return [one for one in tx.session.scalars(query) if one.state == state]


def test_the_reconciler_finds_a_deleted_post_after_two_readings_apart(at: World) -> None:
    publish(at, 3)
    assert wake(at)["posts"] == ["masto"]
    (ended,) = work(at)
    assert ended.state == "done" and rows(at) == []
    gone = at.server.statuses.pop(1)
    run = compare(at)
    assert (run.state, run.counts["missed"], rows(at)) == ("done", 1, []), "one reading is no evidence"
    assert wake(at)["again"] == [], "the second reading is to be apart from the first one"
    age(at, timedelta(minutes=11))
    at.server.calls.clear()
    assert wake(at) == {"due": [], "lost": [], "posts": [], "again": ["masto"]}
    (ended,) = work(at)
    assert [one for one in at.server.calls if "/statuses" in one] == [f"GET /api/v1/statuses/{gone['id']}"]
    (row,) = rows(at)
    assert (row.type, row.severity, row.external_id, row.remote) == ("deleted_there", "high", gone["id"], None)
    assert row.local == gone["text"] and row.key == str(at.fleet.sql(
        "SELECT id FROM jobs WHERE remote_id = :id", id=gone["id"]).scalar_one())  # fmt: skip
    assert at.fleet.sql("SELECT count(*) FROM missed_posts").scalar_one() == 0
    assert wake(at)["again"] == []


EQUAL = (
    "A lamp for the harbour: https://shop.example/lamps/harbour-lamp-number-seven?utm_source=fleet&n=1",
    "Dawn & dusk <3 at the bay.\n\nTwo paragraphs,\nand a line.",
    "Thanks @ana@other.example for the idea #lamps #light",
    "“Quiet”, 静か — e\u0301te\u0301 … https://www.example.org/",
    "See (https://example.org/a_(b)), then https://example.org/c.",
    "   White   space\tof all kinds ",
)
CHANGED = {
    "A lamp for the harbour.": ("A lamp for the airport.", "medium"),
    "Light at dawn https://shop.example/a": ("Light at dawn https://evil.example/a", "high"),
    "Nothing to see": ("Nothing to see https://evil.example", "high"),
    "Ten lamps": ("", "medium"),
}  # fmt: skip


def test_planted_differences_are_all_found_and_nothing_else(at: World) -> None:
    jobs = publish(at, len(EQUAL) + len(CHANGED) + 5)
    for number, text in enumerate(EQUAL):
        retext(at, number, text)
    for number, (sent, (shown, _)) in enumerate(CHANGED.items(), start=len(EQUAL)):
        retext(at, number, sent)
        at.server.statuses[number]["content"] = as_mastodon_writes(shown)
    deleted = [at.server.statuses.pop()["id"] for _ in range(4)]
    by_hand = [foreign(at, f"By hand {number}") for number in range(3)]
    answer = foreign(at, "An answer by hand", in_reply_to_id="77")
    foreign(at, "Of long ago", hours=24 * 20)
    by_hand.append(foreign(at, "Of this minute", hours=0))
    first = compare(at)
    assert len(rows(at)) == 8
    assert (first.state, first.counts["missed"], first.counts["waiting"]) == ("done", 4, 1), first.problem
    age(at, timedelta(minutes=11))
    run = compare(at)
    assert run.state == "done"
    found = Counter((one.type, one.severity) for one in rows(at))
    assert found == {
        ("deleted_there", "high"): 4, ("changed_text", "medium"): 2, ("changed_text", "high"): 2,
        ("foreign_post", "high"): 4, ("foreign_post", "low"): 1,
    }  # fmt: skip
    assert {one.external_id for one in rows(at) if one.type == "deleted_there"} == set(deleted)
    assert {one.key for one in rows(at) if one.type == "foreign_post"} == {one["id"] for one in (*by_hand, answer)}
    changed = {one.local: (one.remote, one.severity) for one in rows(at) if one.type == "changed_text"}
    assert changed == CHANGED
    assert all(uuid.UUID(one.key) in jobs for one in rows(at) if one.type != "foreign_post")
    assert compare(at).counts["new"] == 0
    assert len(at.events("discrepancy.found")) == 13


def test_differences_that_are_gone_are_settled(at: World) -> None:
    publish(at, 3)
    first, second = at.server.statuses[:2]
    content, by_hand = first["content"], foreign(at, "By hand")
    first["content"] = "<p>Another lamp.</p>"
    at.server.statuses.remove(second)
    compare(at)
    age(at, timedelta(minutes=11))
    compare(at)
    assert sorted(one.type for one in rows(at)) == ["changed_text", "deleted_there", "foreign_post"]
    first["content"] = content
    at.server.statuses.remove(by_hand)
    at.server.statuses.append(second)  # as a network's index that lagged behind
    assert compare(at).counts["settled"] == 3
    assert rows(at) == []


@pytest.mark.parametrize("status", [403, 422, 500, 503, 429])
def test_a_refusal_or_an_outage_is_no_evidence(at: World, status: int) -> None:
    publish(at, 2)
    gone = at.server.statuses.pop()
    at.server.statuses.append({**gone, "created_at": (datetime.now(UTC) - timedelta(days=20)).isoformat()})
    at.server.refused[gone["id"]] = status
    service.request(at.fleet.deps, "masto", by="web:ana")
    for _ in range(3):
        at.fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE kind = 'reconcile_posts'")
        work(at)
        age(at, timedelta(minutes=11))
    assert at.fleet.sql("SELECT count(*) FROM missed_posts").scalar_one() == 0
    assert rows(at) == []
    row = at.fleet.sql("SELECT state, counts FROM reconciliations").one()
    assert row.state == {403: "done", 422: "done", 429: "running"}.get(status, "failed")
    assert row.counts.get("unread", 0) == (1 if row.state == "done" else 0)


def test_an_outage_of_the_list_finds_nothing_and_an_empty_account_is_not_believed(at: World) -> None:
    publish(at, 4)
    at.server.answers = [(503, {}, {"error": "down"})] * 3
    wake(at)
    for _ in range(3):
        at.fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE kind = 'reconcile_posts'")
        work(at)
    assert at.fleet.sql("SELECT state FROM reconciliations").scalars().all() == ["failed"] and not at.server.answers
    at.fleet.sql("DELETE FROM events")
    at.server.statuses.clear()
    run = compare(at)
    assert (run.state, run.counts) == ("failed", {**run.counts, "missed": 0}) and "suspended" in run.problem
    assert at.fleet.sql("SELECT count(*) FROM missed_posts").scalar_one() == 0
    assert [one.payload["store"] for one in at.events("reconciliation.failed")] == ["masto"]


@pytest.mark.parametrize("point", [Point.JOB_CLAIMED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED, Point.JOB_RECORDING])
def test_a_kill_at_any_point_goes_on(at: World, point: Point) -> None:
    publish(at, 5)
    at.server.statuses.pop()
    for number in range(60):  # more than a page
        foreign(at, f"By hand {number}")
    compare(at)
    age(at, timedelta(minutes=11))
    at.fleet.sql("UPDATE discrepancies SET state = 'dismissed'")
    at.fleet.sql("DELETE FROM discrepancies WHERE about LIKE '%By hand 1%'")
    run_id = service.request(at.fleet.deps, "masto", by="web:ana")
    dies_at(point, 2)
    killed = 0
    for _ in range(10):
        waiting = at.fleet.jobs(kind="reconcile_posts", state="ready")
        if not waiting:
            break
        try:
            perform.perform(at.fleet.deps, waiting[0].id)
        except Killed:
            killed += 1
            at.fleet.lease_runs_out()
            sweep(at.fleet.deps)
        at.fleet.time_passes()
    failpoints.arm(None)
    assert killed == 2
    run = run_of(at, run_id)
    assert (run.state, run.counts["read"], run.counts["new"]) == ("done", 64, 12)
    assert Counter(one.type for one in rows(at)) == {"foreign_post": 11, "deleted_there": 1}


def test_a_post_of_an_unknown_outcome_is_matched_and_not_foreign(at: World) -> None:
    lost, unknown, other = publish(at, 3)
    at.fleet.sql("""UPDATE jobs SET state = 'dead', dead_reason = 'unknown_outcome', remote_id = NULL, result = NULL
                    WHERE id = :job""", job=lost)  # fmt: skip
    at.fleet.sql("""UPDATE jobs SET state = 'unknown', remote_id = NULL, result = NULL, finished_at = NULL,
                    next_attempt_at = clock_timestamp() + interval '1 h' WHERE id = :job""", job=unknown)  # fmt: skip
    run = compare(at)
    assert (run.counts["matched"], run.counts["found"]) == (2, 1)
    (row,) = rows(at)
    assert (row.type, row.severity, row.key) == ("outcome_found", "low", str(lost))
    foreign(at, row.local, hours=2.9)  # the same words a second time: one of both is foreign
    assert [one.type for one in rows(at)] == ["outcome_found"]
    compare(at)
    assert Counter(one.type for one in rows(at)) == {"outcome_found": 1, "foreign_post": 1}
    at.fleet.sql("""UPDATE jobs SET state = 'done', dead_reason = NULL, remote_id = :id,
                    result = jsonb_build_object('text', CAST(:text AS text)) WHERE id = :job""",
                 job=lost, id=row.external_id, text=row.local)  # fmt: skip
    compare(at)
    assert other and [one.type for one in rows(at)] == ["foreign_post"], "the replayed job has its post"


def test_posts_of_before_the_account_or_its_jobs_are_not_foreign(at: World) -> None:
    publish(at, 1)
    foreign(at, "Of before", hours=24 * 3)
    at.fleet.sql("UPDATE accounts SET created_at = created_at + interval '28 d'")
    assert compare(at).counts["found"] == 0
    at.fleet.sql("UPDATE accounts SET created_at = created_at - interval '28 d'")
    assert compared_since(NOW, days=14, retention_days=3, added_at=NOW - timedelta(days=90)) == NOW - timedelta(
        days=1.5
    )
    assert compare(at).counts["found"] == 1


def test_the_account_of_the_settings_has_posts_too(at: World) -> None:
    agent = at.fleet.agent()
    job = NewJob(ids.new(), agent, "post", "floimg", payload={"topic": "lamps"})
    with at.fleet.deps.db.transaction() as tx:
        publish_jobs.add_jobs(tx, at.fleet.deps.publisher, [job])
    perform.perform(at.fleet.deps, job.id)
    assert set(wake(at)["posts"]) == {"gallery", "masto"}
    gallery, _ = work(at)
    assert (gallery.account_id, gallery.state, gallery.result["found"]) == (None, "done", 0), gallery.error
    at.fleet.surface.effects[0].text = "Another text."
    service.request(at.fleet.deps, "gallery", by="web:ana")
    work(at)
    assert [(one.type, one.remote) for one in rows(at)] == [("changed_text", "Another text.")]


def pause(at: World) -> None:
    at.fleet.sql("""INSERT INTO controls (scope, key, hold, reason, set_by)
                    VALUES ('account', :key, 'pause', '', 'ana')""", key=str(at.account))  # fmt: skip


def test_posts_of_a_paused_account_are_not_read(at: World) -> None:
    publish(at, 1)
    pause(at)
    assert wake(at)["posts"] == []
    at.fleet.sql("DELETE FROM controls")
    assert wake(at)["posts"] == ["masto"]
    pause(at)
    at.server.calls.clear()
    (waiting,) = work(at)
    assert (waiting.state, at.server.calls) == ("ready", []) and "paused" in str(waiting.held)


def test_posts_below_the_last_page_that_is_read_are_left_alone(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(at, 3)
    age(at, timedelta(hours=30))
    for number in range(50):
        foreign(at, f"By hand {number}")
    at.server.statuses = at.server.statuses[3:]  # all of the ledger are gone, and nobody looks
    monkeypatch.setattr(run, "_MOST_PAGES", 1)
    at.server.calls.clear()
    assert (compare(at).counts["read"], compare(at).state) == (40, "done")
    assert not [one for one in at.server.calls if one.startswith("GET /api/v1/statuses/")]


def test_a_job_that_ended_without_its_run_is_a_failed_run(at: World) -> None:
    publish(at, 1)
    wake(at)
    at.fleet.sql("UPDATE jobs SET state = 'cancelled', finished_at = now(), error = 'called off'"
                 " WHERE kind = 'reconcile_posts'")  # fmt: skip
    assert len(wake(at)["lost"]) == 1
    assert at.fleet.sql("SELECT state, problem FROM reconciliations").one() == ("failed", "called off")


def test_people_accept_dismiss_and_take_back(at: World) -> None:
    publish(at, 2)
    at.server.statuses[0]["content"] = "<p>By a person.</p>"
    by_hand = foreign(at, "By hand")
    compare(at)
    browser = Web(at.fleet).browser()
    page = browser.get("/reconciliation").text
    assert "By hand" in page and "changed text" in page and "foreign post" in page
    found = browser.get("/api/v1/discrepancies?store=masto").json()["items"]
    assert [one["severity"] for one in found] == ["high", "medium"]
    hand, changed = found[0]["id"], found[1]["id"]
    detail = browser.get(f"/reconciliation/{changed}").text
    assert "By a person." in detail and found[1]["key"] in detail and f"{at.server.url}/statuses/" in detail
    done = browser.post("/reconciliation/decide", ids=changed, verb="accept", counted="1")
    assert done.status_code == 303
    refused = service.fix(at.fleet.deps, [uuid.UUID(hand)], by="web:ana", action=Remedy.PUSH)
    assert refused.changed == 0 and "is a post" in refused.problems[0]
    service.dismiss(at.fleet.deps, [uuid.UUID(hand)], by="web:ana")
    assert compare(at).counts["new"] == 0 and rows(at) == []
    at.server.statuses[0]["content"] = "<p>By another person.</p>"
    by_hand["content"] = "<p>By hand, edited</p>"
    assert compare(at).counts["new"] == 2, "the network's side changed"
    (again,) = [one for one in rows(at) if one.type == "changed_text"]
    service.fix(at.fleet.deps, [again.id], by="web:ana")
    service.undo(at.fleet.deps, [again.id], by="web:ana")
    assert again.id in [one.id for one in rows(at)]
    assert [one.payload["by"] for one in at.events("discrepancy.accepted", "discrepancy.undone")] \
        == ["web:owner-1", "web:ana", "web:ana"]  # fmt: skip
