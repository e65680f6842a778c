"""The page of the calendar: what each view shows, what it counts, and what its forms change."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.accounts.sealing import new_key
from fleet.engine.jobs.states import JobState
from tests.factories import make_fleet
from tests.features.jobs.test_pages import HOSTILE, add_job
from tests.web_client import Web

DAY = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    fleet = make_fleet(database_url, secret_keys=new_key())
    yield Web(fleet)
    fleet.deps.close()


def done(web: Web, at: datetime = DAY, **more: Any) -> uuid.UUID:
    """Add a post that was published at a time."""
    job_id = add_job(web, JobState.DONE, result={"text": more.pop("text", "a lamp")}, **more)
    web.fleet.sql("UPDATE jobs SET finished_at = :at WHERE id = :id", at=at, id=job_id)
    return job_id


def waiting(web: Web, at: datetime, **more: Any) -> uuid.UUID:
    """Add a post that is due at a time."""
    return add_job(web, JobState.READY, next_attempt_at=at, checkpoint={"words": {"caption": "planned"}}, **more)


def later(days: float = 3) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def test_a_month_shows_the_first_entries_of_a_day_and_counts_the_rest(web: Web) -> None:
    agent = web.fleet.agent()
    jobs = [done(web, DAY + timedelta(minutes=number), agent=agent) for number in range(6)]
    elsewhere = done(web, DAY + timedelta(days=60), agent=agent)
    page = web.browser().get("/calendar?day=2026-03-01").text
    assert [f"/jobs/{job}?" in page for job in jobs] == [True] * 4 + [False] * 2
    assert f"/jobs/{elsewhere}?" not in page
    assert "+ 2 more" in page
    assert re.search(r"Saturday, 14 March: 6\s+entries", page)
    day = web.browser(name="ann").get("/calendar?view=list&day=2026-03-14&limit=5").text
    assert [f"/jobs/{job}?" in day for job in jobs] == [True] * 5 + [False]
    (following,) = re.findall(r'href="(/calendar\?[^"]*cursor=[^"]*)"', day)
    rest = web.browser(name="bob").get(following.replace("&amp;", "&")).text
    assert [f"/jobs/{job}?" in rest for job in jobs] == [False] * 5 + [True]


def test_days_are_those_of_the_zone(web: Web) -> None:
    job = done(web, datetime(2026, 3, 14, 23, 30, tzinfo=UTC))
    ada = web.browser()
    for zone, day, time in (("UTC", 14, "23:30"), ("Europe/Berlin", 15, "00:30"), ("America/New_York", 14, "19:30")):
        cell = ada.get(f"/calendar?day=2026-03-01&zone={zone}").text.partition(f'<td data-day="2026-03-{day}"')[2]
        assert f"/jobs/{job}?" in cell.partition("</td>")[0], zone
        assert f">{time}<" in cell
        week = ada.get(f"/calendar?view=week&day=2026-03-{day}&zone={zone}").text
        cell = week.partition(f'data-day="2026-03-{day}" data-hour="{int(time[:2])}"')[2]
        assert f"/jobs/{job}?" in cell.partition("</td>")[0], zone


def test_filters_narrow_what_is_shown(web: Web) -> None:
    ada, bob = web.fleet.agent(username="ada_1"), web.fleet.agent(username="bob_1")
    account = web.fleet.account("second")
    first = done(web, agent=ada)
    second = done(web, agent=bob, account_id=account, surface="mastodon")
    like = done(web, agent=bob, kind="like")
    planned = waiting(web, DAY, agent=ada)
    somebody = web.browser()

    def seen(query: str) -> set[uuid.UUID]:
        page = somebody.get(f"/calendar?day=2026-03-01&{query}").text
        return {job for job in (first, second, like, planned) if f"/jobs/{job}?" in page}

    assert seen("") == {first, second, planned}
    assert seen("kinds=all") == {first, second, like, planned}
    assert seen("agent=bob_1") == {second}
    assert seen("surface=mastodon") == {second}
    assert seen("account=second") == {second}
    assert seen("account=6f2f4c0e-0000-4000-8000-000000000001") == {first, planned}
    assert seen("layer=planned") == {planned}
    assert seen("layer=proposed") == set()


@pytest.mark.parametrize("view", ["month", "week", "list"])
def test_a_filter_that_names_nothing_is_kept_and_said_beside_its_field(web: Web, view: str) -> None:
    job = done(web, agent=web.fleet.agent(username="ada_1"))
    ada = web.browser()
    base = f"/calendar?view={view}&day=2026-03-14"
    for query, field, typed, says, is_shown in (
        ("zone=Atlantis/X", "zone", "Atlantis/X", "Times are shown in UTC.", True),
        ("agent=nobody_9", "agent", "nobody_9", "Nothing is shown.", False),
        ("account=gone", "account", "gone", "Nothing is shown.", False),
    ):
        answer = ada.get(f"{base}&surface=&layer=past&{query}")
        assert answer.status_code == 422, query
        page = answer.text
        assert re.search(rf'name="{field}"[^>]*aria-describedby="wrong-{field}"', page), query
        assert says in page.partition(f'id="wrong-{field}"')[2].partition("</small>")[0]
        assert typed in page.partition('<form class="toolbar"')[2].partition("</form>")[0]
        assert '<option value="past" selected>' in page, "the rest of the filter is kept"
        assert (f"/jobs/{job}?" in page) is is_shown, query
    entry = ada.get(f"/calendar/entries/jobs/{job}?zone=Atlantis/X")
    assert entry.status_code == 200 and "(UTC)" in entry.text


def test_a_planned_entry_is_moved_by_form_and_by_drag_and_cancelled(web: Web) -> None:
    at = later().replace(hour=9, minute=15, second=0)
    job = waiting(web, at)
    before = web.fleet.job(job)
    operator = web.browser("operator")
    own = f"/calendar/entries/jobs/{job}"
    assert "Move to another time" in operator.get(own).text
    to = (at + timedelta(days=2)).date()
    operator.post(f"{own}/move", day=to, zone="Europe/Berlin")
    moved = web.fleet.job(job)
    assert moved.next_attempt_at == at + timedelta(days=2)
    assert moved.expires_at - moved.next_attempt_at >= before.expires_at - before.next_attempt_at
    operator.post(f"{own}/move", day=to, hour="21", zone="UTC")
    assert web.fleet.job(job).next_attempt_at == (at + timedelta(days=2)).replace(hour=21)
    operator.post(f"{own}/move", at=f"{to}T07:05", zone="Asia/Tokyo", way_back="/calendar?view=week")
    assert web.fleet.job(job).next_attempt_at == (at + timedelta(days=1)).replace(hour=22, minute=5)
    gone = operator.post(f"{own}/move", at="2020-01-01T07:05", zone="UTC")
    assert gone.headers["location"].startswith("/calendar")
    assert web.fleet.job(job).next_attempt_at > datetime.now(UTC)
    operator.post(f"{own}/cancel", way_back="//evil.example/")
    assert web.fleet.job(job).state == JobState.CANCELLED
    subjects = web.fleet.sql("SELECT subject FROM events WHERE job_id = :id ORDER BY id", id=job).scalars().all()
    assert subjects == ["job.rescheduled"] * 3 + ["job.cancelled"]
    acts = web.fleet.sql("SELECT action FROM audit WHERE target = :job", job=f"job:{job}").scalars().all()
    assert sorted(acts) == ["job.cancelled", *["job.rescheduled"] * 3]


def test_what_is_over_or_not_allowed_is_not_changed(web: Web) -> None:
    over, planned = done(web), waiting(web, later())
    viewer, operator = web.browser("viewer"), web.browser("operator")
    page = viewer.get(f"/calendar/entries/jobs/{planned}").text
    assert "Move to another time" not in page
    assert viewer.post(f"/calendar/entries/jobs/{planned}/move", day="2030-01-01").status_code == 403
    before = [web.fleet.job(job).next_attempt_at for job in (over, planned)]
    assert "draggable" not in viewer.get("/calendar").text
    operator.post(f"/calendar/entries/jobs/{over}/move", day="2030-01-01")
    operator.post(f"/calendar/entries/jobs/{over}/cancel")
    assert [web.fleet.job(job).next_attempt_at for job in (over, planned)] == before
    assert web.fleet.job(over).state == JobState.DONE
    assert operator.get(f"/calendar/entries/jobs/{uuid.uuid4()}").status_code == 404
    assert operator.get(f"/calendar/entries/none/{planned}").status_code == 404


def test_words_of_strangers_stay_words(web: Web) -> None:
    job = done(web, text=HOSTILE)
    ada = web.browser()
    for path in ("/calendar?day=2026-03-01", "/calendar?view=week&day=2026-03-14", "/calendar?view=list&day=2026-03-14",
                 f"/calendar/entries/jobs/{job}"):  # fmt: skip
        page = ada.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "path",
    ["?day=0001-01-01", "?day=9999-12-31", "?view=week&day=9999-12-31", "?view=week&day=2026-03-29&zone=Europe/Berlin",
     "?view=list&day=9999-12-31", "?view=list&day=2026-03-29&hour=2&zone=Europe/Berlin",
     "?view=list&day=2026-03-01&until=9999-01-01", "?view=list&day=2026-03-01&until=2001-01-01",
     "?view=month&day=2011-12-30&zone=Pacific/Apia", "?view=list&day=2011-12-30&zone=Pacific/Apia"],
)  # fmt: skip
def test_the_ends_of_the_calendar_and_skipped_times_have_pages(web: Web, path: str) -> None:
    assert web.browser().get(f"/calendar{path}").status_code == 200


def test_a_month_of_thousands_takes_as_many_statements_as_one_of_few_and_loads_what_it_shows(web: Web) -> None:
    agent = web.fleet.agent()
    done(web, agent=agent)
    ada, asked = web.browser(), list[tuple[str, int]]()

    def note(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        asked.append((statement, cursor.rowcount))

    def statements() -> list[tuple[str, int]]:
        asked.clear()
        assert ada.get("/calendar?day=2026-03-01").status_code == 200
        return list(asked)

    ada.get("/calendar?day=2026-03-01")
    sa.event.listen(web.deps.db.engine, "after_cursor_execute", note)
    few = statements()
    web.fleet.sql(
        "INSERT INTO jobs (id, agent_id, kind, priority, target, state, max_attempts, created_at, expires_at,"
        " finished_at, result) SELECT gen_random_uuid(), :agent, 'post', 'normal', 'many' || n, 'done', 5, at, at, at,"
        " '{}' FROM (SELECT n, timestamptz '2026-03-01 00:00Z' + n * interval '4 minutes' AS at"
        " FROM generate_series(1, 10000) AS n) AS made",
        agent=agent,
    )
    many = statements()
    sa.event.remove(web.deps.db.engine, "after_cursor_execute", note)
    assert len(many) == len(few)
    assert max(rows for _, rows in many) <= 42 * 4, "entries that are not shown are not loaded"
