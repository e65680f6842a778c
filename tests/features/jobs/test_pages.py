"""The pages about jobs: what they show, what their buttons do, for whom, and that nothing of strangers comes alive."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from typing import Any

import pytest

from fleet.engine.jobs.states import FINAL, LEASED, DeadReason, JobState
from fleet.engine.registry import MESSAGE
from fleet.features.publishing.kinds import LIKE, POST
from tests.web_client import Web

_TARGETS = itertools.count()
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{13371337*73317331}}\x1b[31m"


def add_job(web: Web, state: JobState = JobState.READY, *, kind: str = POST, agent: uuid.UUID | None = None,
            priority: str = "normal", made_h: float = 0.0, ended_h: float = 0.0, stale: bool = False,
            reason: DeadReason = DeadReason.EXHAUSTED, **more: Any) -> uuid.UUID:  # fmt: skip
    """Add a job in a state, made and ended so many hours ago; `more` are columns, JSON ones as dicts."""
    job_id = uuid.uuid4()
    values: dict[str, Any] = {
        "id": job_id, "agent_id": agent or web.fleet.agent(), "kind": str(kind), "priority": priority,
        "target": f"p{next(_TARGETS)}", "state": str(state), "max_attempts": 5,
        "dead_reason": str(reason) if state is JobState.DEAD else None,
    }  # fmt: skip
    values |= {name: json.dumps(value) if isinstance(value, dict) else value for name, value in more.items()}
    columns = ", ".join(values)
    given = ", ".join(
        f"CAST(:{name} AS jsonb)" if name in ("payload", "checkpoint", "result") else f":{name}" for name in values
    )
    web.fleet.sql(
        f"INSERT INTO jobs ({columns}, created_at, expires_at, finished_at, lease_until) SELECT {given},"
        " now - make_interval(secs => :made), now + make_interval(secs => :worth),"
        " CASE WHEN :ended THEN now - make_interval(secs => :at) END, CASE WHEN :leased THEN now + interval '1 h' END"
        " FROM (SELECT clock_timestamp() AS now) AS clock",
        **values, made=made_h * 3600.0, at=ended_h * 3600.0, ended=state in FINAL, leased=state in LEASED,
        worth=-60.0 if stale else 3600.0,
    )  # fmt: skip
    return job_id


def shown(page: str, *jobs: uuid.UUID) -> list[bool]:
    return [f"/jobs/{job}" in page for job in jobs]


def test_the_list_shows_what_its_filters_say(web: Web) -> None:
    ana, bob = web.fleet.agent(username="ana_1"), web.fleet.agent(username="bob_1")
    ready = add_job(web, agent=ana, made_h=0.5)
    like = add_job(web, JobState.DONE, kind=LIKE, agent=bob, priority="low", made_h=30, ended_h=30)
    urgent = add_job(web, agent=bob, priority="high", made_h=200)
    dead = add_job(web, JobState.DEAD, agent=bob, made_h=5, ended_h=3, error="the surface said no")
    viewer = web.browser("viewer")
    every = (ready, like, urgent, dead)
    for query, expected in {
        "": every, "state=ready": (ready, urgent), "kind=like": (like,), "priority=high": (urgent,),
        "priority=low": (like,), "priority=low&kind=post": (), "agent=ana_1": (ready,),
        "since=1h": (ready,), "since=1d": (ready, dead), "since=7d": (ready, like, dead),
        "state=&kind=&priority=&agent=&since=&before=": every, f"before={ready}": (dead, like, urgent),
        "order=oldest": every, f"order=oldest&before={like}": (ready, dead), "deliveries=true": (),
        "q=SURFACE%20said": (dead,), "q=100%25": (), f"q={str(like)[:8]}": (like,), "q=said&state=ready": (),
        "state=dead&since=1d&agent=bob_1&kind=post&priority=normal": (dead,),
    }.items():  # fmt: skip
        page = viewer.get(f"/jobs?{query}")
        assert page.status_code == 200, query
        assert shown(page.text, *every) == [one in expected for one in every], query
    assert "the surface said no" in viewer.get("/jobs").text


def test_the_tabs_count_what_the_other_filters_leave(web: Web) -> None:
    agent = web.fleet.agent(username="ana_1")
    add_job(web, agent=agent)
    add_job(web, JobState.DONE, agent=agent, checkpoint={"words": {"caption": "A quiet harbour"}})
    add_job(web, JobState.DONE)
    viewer = web.browser("viewer")

    def tabs(query: str) -> dict[str, str]:
        found = re.findall(r'<a href="/jobs[^"]*"[^>]*>(\w+) <span class="count">([^<]+)<', viewer.get(query).text)
        return {label: number for label, number in found if number != "0"}

    assert tabs("/jobs") == {"All": "3", "Ready": "1", "Done": "2"}
    assert tabs("/jobs?agent=ana_1&state=done") == {"All": "2", "Ready": "1", "Done": "1"}
    assert tabs("/jobs?q=quiet+HARBOUR") == {"All": "1", "Done": "1"}, "what was prepared to be said is searched"


def test_long_lists_go_down_page_by_page(web: Web) -> None:
    agent = web.fleet.agent()
    ids = [add_job(web, agent=agent, made_h=n) for n in range(60)]
    viewer = web.browser("viewer")
    first = viewer.get("/jobs").text
    assert shown(first, *ids) == [True] * 50 + [False] * 10
    assert f"/jobs?before={ids[49]}" in first
    below = viewer.get(f"/jobs?before={ids[49]}").text
    assert shown(below, *ids) == [False] * 50 + [True] * 10
    assert "Back to the newest" in below


def test_retry_and_cancel_do_what_they_say_and_a_second_time_nothing(web: Web) -> None:
    waiting = add_job(web, held="a cap")
    web.fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() + interval '1 h'")
    oda = web.browser("operator", "oda")
    assert oda.post(f"/jobs/{waiting}/retry").headers["location"] == f"/jobs/{waiting}"
    row = web.fleet.job(waiting)
    assert row.held is None and row.next_attempt_at < web.deps.now()
    assert [message.args for message in web.fleet.bell.take()] == [(str(waiting),)]
    oda.post(f"/jobs/{waiting}/cancel")
    assert "is cancelled" in oda.get(f"/jobs/{waiting}").text
    oda.post(f"/jobs/{waiting}/cancel")
    assert "only jobs that have not started can be cancelled" in oda.get("/jobs").text
    oda.post(f"/jobs/{waiting}/retry")
    assert "only waiting jobs can be retried" in oda.get("/jobs").text
    assert web.fleet.job(waiting).state == JobState.CANCELLED
    told = web.fleet.sql("SELECT payload->>'by' FROM events WHERE subject = 'job.cancelled'").scalars().all()
    assert told == ["web:oda"]


def test_selected_jobs_are_moved_one_by_one_and_failures_are_reported(web: Web) -> None:
    ready, done = [add_job(web), add_job(web)], add_job(web, JobState.DONE)
    oda = web.browser("operator")
    sent = {"csrf": oda.csrf, "id": [str(one) for one in (*ready, done, ready[0])]}
    answer = oda.client.post("/jobs/cancel", data=sent, headers={"referer": "http://127.0.0.1/jobs?state=ready"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?state=ready")
    assert [web.fleet.job(one).state for one in (*ready, done)] == ["cancelled", "cancelled", "done"]
    page = oda.get("/jobs").text
    assert "2 jobs are cancelled. Not 1:" in page
    oda.client.post("/jobs/retry", data={"csrf": oda.csrf})
    assert "Select some jobs first." in oda.get("/jobs").text


@pytest.mark.parametrize("referer", ["https://evil.example/jobs", "http://127.0.0.1//evil.example", "", "null"])
def test_an_action_redirects_to_no_foreign_address(web: Web, referer: str) -> None:
    oda = web.browser("operator")
    answer = oda.client.post("/jobs/retry", data={"csrf": oda.csrf}, headers={"referer": referer})
    assert answer.headers["location"] == "/jobs"


def test_only_who_may_control_jobs_moves_them_and_sees_the_buttons(web: Web) -> None:
    waiting, letter = add_job(web), add_job(web, JobState.DEAD)
    for role in ("viewer", "reviewer"):
        person = web.browser(role)
        for path in (f"/jobs/{waiting}/retry", f"/jobs/{waiting}/cancel", "/jobs/retry", "/jobs/cancel",
                     f"/jobs/{letter}/replay", f"/jobs/{letter}/discard"):  # fmt: skip
            assert person.post(path, id=str(waiting)).status_code == 403, path
        page = person.get("/jobs").text
        assert shown(page, waiting) == [True] and "Retry selected" not in page and "/cancel" not in page
        assert "Retry now" not in person.get(f"/jobs/{waiting}").text
    assert [web.fleet.job(one).state for one in (waiting, letter)] == ["ready", "dead"]


def test_a_job_shows_all_that_is_known_of_it(web: Web) -> None:
    agent = web.fleet.agent(name="Ada", username="ada_1")
    job = add_job(
        web, JobState.DONE, agent=agent, tick_no=7, requested_by="cli:eve", remote_id="r-17",
        payload={"caption": "A harbour.", "api_key": "very secret words", "n": 3, "deep": {"url": "http://u:pw@h/"}},
        checkpoint={"words": {"text": "x" * 300}}, result={"text": "Came out well."},
    )  # fmt: skip
    web.fleet.sql(
        "INSERT INTO job_attempts (job_id, lease_token, worker, outcome, error, ended_at) VALUES"
        " (:job, 1, 'host-1:42', 'retry', 'a timeout', clock_timestamp()), (:job, 2, 'host-2:43', 'done', NULL, NULL)",
        job=job,
    )
    web.fleet.sql("INSERT INTO events (subject, job_id, payload) VALUES ('job.done', :job, '{\"kind\": \"post\"}')",
                  job=job)  # fmt: skip
    page = web.browser("viewer").get(f"/jobs/{str(job)[:13]}").text
    for told in ("A harbour.", "Came out well.", "host-1:42", "a timeout", "job.done", "cli:eve", "tick 7", "Ada",
                 "Attempt 1: retry", 'href="http://127.0.0.1:8640/post/ada_1/r-17"', "<details>"):  # fmt: skip
        assert told in page, told
    assert "very secret words" not in page and "u:pw" not in page


@pytest.mark.parametrize("remote", ["javascript:alert(1)", "r-17", "ftp://example.org/x", "http://a@evil.example/",
                                    "data:text/html,x", "//evil.example/", "https://"])  # fmt: skip
def test_no_id_of_a_surface_becomes_a_link_by_itself(web: Web, remote: str) -> None:
    page = web.browser("viewer").get(f"/jobs/{add_job(web, JobState.DONE, remote_id=remote)}").text
    assert "Remote id" in page and f'href="{remote}' not in page


def test_hostile_words_are_inert(web: Web) -> None:
    agent = web.fleet.agent(name=HOSTILE[:90], username="mallory_1")
    job = add_job(
        web, JobState.DEAD, agent=agent, error=HOSTILE, target=HOSTILE, remote_id=HOSTILE, held=HOSTILE,
        requested_by=HOSTILE, payload={HOSTILE: HOSTILE}, checkpoint={"words": {"caption": HOSTILE * 9}},
        result={"text": HOSTILE},
    )  # fmt: skip
    web.fleet.sql("INSERT INTO job_attempts (job_id, lease_token, worker, error) VALUES (:job, 1, 'w', :e)",
                  job=job, e=HOSTILE)  # fmt: skip
    web.fleet.sql("INSERT INTO events (subject, job_id, payload) VALUES ('job.dead', :job, CAST(:p AS jsonb))",
                  job=job, p=json.dumps({"why": HOSTILE}))  # fmt: skip
    owner = web.browser()
    for path in (f"/jobs/{job}", "/jobs", "/jobs?agent=mallory_1"):
        page = owner.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text and "<img src=x" not in page.text, path
        assert str(13371337 * 73317331) not in page.text, path


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/jobs?state=nonsense", 422), ("/jobs?kind=%00", 422), ("/jobs?since=100y", 422), ("/jobs?priority=0", 422),
        ("/jobs?agent=nobody_here", 404), ("/jobs?agent=%00", 200), ("/jobs?agent=%00x%27%3B--", 404),
        ("/jobs?before=zzzz", 422), ("/jobs?before=%00%00%00%00", 422), (f"/jobs?before={uuid.UUID(int=1)}", 404),
        ("/jobs?agent=" + "x" * 3000, 422), ("/jobs/%00", 422), ("/jobs/x", 422), ("/jobs/" + "a" * 500, 422),
        (f"/jobs/{uuid.UUID(int=2)}", 404), ("/jobs/deadbeef", 404), ("/jobs?agent=%ED%A0%80", 404),
    ],
)  # fmt: skip
def test_wrong_input_gives_a_page_with_words(web: Web, path: str, code: int) -> None:
    answer = web.browser("viewer").get(path)
    assert answer.status_code == code
    assert "<h1" in answer.text and "Something broke" not in answer.text


def test_wrong_ids_in_forms_are_errors(web: Web) -> None:
    oda = web.browser("operator")
    for path in ("/jobs/%00/retry", "/jobs/zz/cancel", f"/jobs/{uuid.uuid4()}/replay", "/jobs/abc!/discard"):
        assert oda.post(path).status_code == 303, path
        assert 'class="said wrong"' in oda.get("/jobs").text, path
    for ids in (["\x00"], ["nonsense"], [str(uuid.uuid4())]):
        answer = oda.client.post("/jobs/retry", data={"csrf": oda.csrf, "id": ids})
        assert answer.status_code == 303
        assert 'class="said wrong"' in oda.get("/jobs").text
    assert oda.client.post("/jobs/retry", data={"csrf": oda.csrf, "id": ["aaaa"] * 51}).status_code == 422


def test_recent_durations_are_shown_by_kind(web: Web) -> None:
    agent = web.fleet.agent()
    for n in range(4):
        job = add_job(web, JobState.DONE, agent=agent, lease_token=2)
        web.fleet.sql(
            "INSERT INTO job_attempts (job_id, lease_token, worker, started_at, ended_at) SELECT :job, token,"
            " 'w', next_attempt_at + interval '2 s', next_attempt_at + make_interval(secs => 2 + :run)"
            " FROM jobs, unnest(ARRAY[1, 2]) AS token WHERE id = :job",
            job=job, run=float(3 + n),
        )  # fmt: skip
    page = web.browser("viewer").get("/jobs").text
    assert "Of the 4 jobs that were done last" in page
    row = page[page.index(">post</th>") :]
    assert row.count("2.0 s") == 3 and "4.5 s" in row and "6.0 s" in row


def hidden(page: str) -> dict[str, list[str]]:
    """Return what the form of a page that asks for confirmation would send."""
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page[page.index("<main") :]):
        fields.setdefault(name, []).append(value)
    return fields


def test_dead_letters_are_grouped_by_reason_with_the_fix(web: Web) -> None:
    agent = web.fleet.agent(username="ana_1")
    tired = add_job(web, JobState.DEAD, agent=agent, ended_h=2)
    odd = add_job(web, JobState.DEAD, kind=LIKE, reason=DeadReason.UNKNOWN_OUTCOME, ended_h=30)
    old = add_job(web, JobState.DEAD, reason=DeadReason.EXPIRED, ended_h=200, stale=True)
    alive = add_job(web)
    viewer = web.browser("viewer")
    page = viewer.get("/dead").text
    for words in ("Every attempt failed", "the outcome could not be", "too old to be worth another try", "stale"):
        assert words in page
    every = (tired, odd, old, alive)
    for query, expected in {
        "": (tired, odd, old), "reason=expired": (old,), "kind=like": (odd,), "agent=ana_1": (tired,),
        "age=last-day": (tired,), "age=over-a-day": (odd, old), "age=over-a-week": (old,), "reason=policy": (),
        f"before={tired}": (odd, old),
    }.items():  # fmt: skip
        assert shown(viewer.get(f"/dead?{query}").text, *every) == [one in expected for one in every], query
    assert "/dead/replay" not in page
    assert viewer.get(f"/dead/replay?id={tired}").status_code == 403


def test_replay_asks_first_says_how_many_and_brings_back_exactly_these(web: Web) -> None:
    agent = web.fleet.agent()
    fresh = [add_job(web, JobState.DEAD, agent=agent, ended_h=n + 1) for n in range(3)]
    stale = add_job(web, JobState.DEAD, agent=agent, ended_h=5, stale=True)
    other = add_job(web, JobState.DEAD, kind=LIKE, ended_h=5)
    message = add_job(web, JobState.DEAD, kind=MESSAGE.kind, reason=DeadReason.UNREADABLE, ended_h=5)
    oda = web.browser("operator", "oda")
    asked = oda.get("/dead/replay?kind=post&all=true").text
    assert "Replay 4 dead letters?" in asked and "Also the 1 whose time has passed" in asked
    sent = hidden(asked)
    late = add_job(web, JobState.DEAD, agent=agent)  # dies while somebody reads the question
    assert oda.client.post("/dead/replay", data=sent).headers["location"] == "/dead"
    assert "3 dead letters are replayed" in oda.get("/dead").text
    assert [web.fleet.job(one).state for one in fresh] == ["ready"] * 3
    assert [web.fleet.job(one).state for one in (stale, other, message, late)] == ["dead"] * 4
    tokens = [web.fleet.job(one).lease_token for one in fresh]
    oda.client.post("/dead/replay", data=sent)
    assert "Nothing was left to do" in oda.get("/dead").text
    assert [web.fleet.job(one).lease_token for one in fresh] == tokens
    oda.client.post("/dead/replay", data={**sent, "stale": "true"})
    assert web.fleet.job(stale).state == "ready" and web.fleet.job(late).state == "dead"
    assert "None of them can be replayed" in oda.get(f"/dead/replay?id={message}").text
    assert web.fleet.sql("SELECT count(*) FROM events WHERE subject = 'job.replayed'").scalar() == 4


def test_discard_takes_the_selected_ones_once(web: Web) -> None:
    letters = [add_job(web, JobState.DEAD, ended_h=n) for n in range(3)]
    oda = web.browser("operator", "oda")
    asked = oda.get(f"/dead/discard?id={letters[0]}&id={letters[2]}").text
    assert "Discard 2 dead letters?" in asked
    for _ in range(2):
        oda.client.post("/dead/discard", data=hidden(asked))
    assert [web.fleet.job(one).state for one in letters] == ["cancelled", "dead", "cancelled"]
    told = web.fleet.sql("SELECT payload->>'number' FROM events WHERE subject = 'job.discarded'").scalars().all()
    assert told == ["2"]
    assert "somebody else was quicker" in oda.get(f"/dead/replay?id={letters[0]}").text


def test_single_letters_are_replayed_and_discarded_from_their_page(web: Web) -> None:
    one, other, old = (add_job(web, JobState.DEAD, stale=n == 2) for n in range(3))
    oda = web.browser("operator")
    oda.post(f"/jobs/{one}/replay")
    oda.post(f"/jobs/{other}/discard")
    oda.post(f"/jobs/{old}/replay")
    assert [web.fleet.job(it).state for it in (one, other, old)] == ["ready", "cancelled", "dead"]
    oda.post(f"/jobs/{old}/replay", stale="true")
    assert web.fleet.job(old).state == "ready"
    oda.post(f"/jobs/{one}/replay")
    assert "was not replayed" in oda.get("/").text


def test_nothing_selected_is_not_everything(web: Web) -> None:
    letter = add_job(web, JobState.DEAD)
    oda = web.browser("operator")
    for act in ("replay", "discard"):
        assert oda.get(f"/dead/{act}").headers["location"] == "/dead"
        assert "Select some dead letters first." in oda.get("/dead").text
        assert oda.post(f"/dead/{act}").status_code == 422
    assert web.fleet.job(letter).state == "dead"


def test_hostile_dead_letters_are_inert(web: Web) -> None:
    letter = add_job(web, JobState.DEAD, error=HOSTILE, target=HOSTILE)
    oda = web.browser("operator")
    for path in ("/dead", f"/dead/replay?id={letter}", "/dead/discard?all=true&agent="):
        page = oda.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text and "<img src=x" not in page.text, path


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/dead?reason=none", 422), ("/dead?agent=nobody", 404), ("/dead?agent=%00", 200), ("/dead?age=%00", 422),
        ("/dead?before=zz", 422), ("/dead/replay?id=zz", 422), (f"/dead/replay?id={uuid.UUID(int=3)}", 404),
        ("/dead/burn?all=true", 422), ("/dead/discard?all=maybe", 422), ("/dead/replay?id=%00%00%00%00", 422),
        ("/dead/replay?all=true&agent=nobody", 404), ("/dead/replay?" + "&".join(["id=aaaa"] * 51), 422),
    ],
)  # fmt: skip
def test_wrong_input_about_dead_letters_gives_a_page_with_words(web: Web, path: str, code: int) -> None:
    answer = web.browser("operator").get(path)
    assert answer.status_code == code
    assert "<h1" in answer.text and "Something broke" not in answer.text


@pytest.mark.parametrize(
    "fields",
    [{"first": "\x00", "last": "x"}, {"first": "2026-01-01T00:00:00", "last": "2026-01-01T00:00:00"},
     {"first": "99999-01-01T00:00:00Z", "last": "0001-01-01T00:00:00Z"}],
)  # fmt: skip
def test_forged_spans_are_refused(web: Web, fields: dict[str, str]) -> None:
    assert web.browser("operator").post("/dead/discard", **fields).status_code == 422


@pytest.mark.parametrize("state", JobState)
def test_what_the_page_of_a_job_offers_is_what_its_buttons_do(web: Web, state: JobState) -> None:
    oda = web.browser("operator")
    for act in ("retry", "cancel", "replay", "discard"):
        job = add_job(web, state)
        page = oda.get(f"/jobs/{job}").text
        is_offered = f'action="/jobs/{job}/{act}"' in page or f'href="/dead/{act}?id={job}"' in page
        before = web.fleet.job(job)
        oda.post(f"/jobs/{job}/{act}")
        after = web.fleet.job(job)
        moved = (after.state, after.next_attempt_at) != (before.state, before.next_attempt_at)
        assert moved == is_offered, act
        assert ('class="said wrong"' in oda.get("/jobs").text) == (not is_offered), act
