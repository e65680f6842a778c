"""Charts: sums that are those of the ledger, counted once, and bars that lead to the jobs that they count."""

from __future__ import annotations

import random
import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from fleet.access import Permission
from fleet.core import ids
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.charts import buckets, history
from fleet.features.charts.buckets import ChartRange, Measures
from fleet.features.publishing.kinds import LIKE, POST
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli
from tests.web_client import Web

HOUR = timedelta(hours=1)


def end_jobs(fleet: Fleet, number: int, at: datetime, *, state: str = "done", kind: str = POST) -> None:
    """Let jobs have ended at a moment."""
    reason = "'permanent'" if state == "dead" else "NULL"
    fleet.sql(
        "INSERT INTO jobs (id, kind, priority, state, max_attempts, finished_at, created_at, expires_at, dead_reason,"
        f" once, rare) SELECT gen_random_uuid(), :kind, 'normal', :state, 3, :at, :at, :at, {reason}, false, false"
        " FROM generate_series(1, :number)",
        kind=kind, state=state, at=at, number=number,
    )  # fmt: skip


def fail(fleet: Fleet, job: uuid.UUID, at: datetime, token: int, outcome: str = "retry") -> None:
    """Let an attempt at a job have ended so."""
    fleet.sql(
        "INSERT INTO job_attempts (job_id, lease_token, worker, started_at, ended_at, outcome)"
        " VALUES (:job, :token, 'w', :at, :at, :outcome)", job=job, token=token, at=at, outcome=outcome,
    )  # fmt: skip


def decide(fleet: Fleet, agent: uuid.UUID, at: datetime, *late_s: float) -> None:
    """Let an agent's ticks have been decided at a moment, so late."""
    for number, seconds in enumerate(late_s):
        fleet.sql(
            "INSERT INTO ticks (agent_id, tick_no, state, due_at, decided_at)"
            " VALUES (:agent, :no, 'decided', :due, :at)",
            agent=agent, no=1000 + number, at=at, due=at - timedelta(seconds=seconds),
        )  # fmt: skip


def spend(fleet: Fleet, at: datetime, microusd: int) -> None:
    fleet.sql(
        "INSERT INTO llm_calls (called_at, purpose, provider, model, outcome, microusd, latency_ms)"
        " VALUES (:at, 'post', 'p', 'm', 'answered', :microusd, 9)", at=at, microusd=microusd,
    )  # fmt: skip


def sum_hours(fleet: Fleet) -> None:
    """Let prune run until it has summed every hour; each run takes two seconds at most."""
    number, before = 0, -1
    while number > before:
        with fleet.deps.db.transaction() as tx:
            history.prune(tx, days=30, limit=100)
        number, before = fleet.sql("SELECT count(*) FROM chart_hours").scalar(), number


@pytest.fixture
def busy(fleet: Fleet) -> datetime:
    """A fleet with something of everything in an hour that is over; returns when that hour began."""
    hour = buckets.floor(datetime.now(UTC), HOUR) - 3 * HOUR
    inside = hour + timedelta(minutes=20)
    end_jobs(fleet, 7, inside)
    end_jobs(fleet, 2, inside, kind=LIKE)
    end_jobs(fleet, 3, inside, state="dead")
    end_jobs(fleet, 5, inside, kind="deliver")
    end_jobs(fleet, 1, hour + HOUR)  # the first moment of the next hour
    agent = fleet.agent()
    job = NewJob(ids.new(), agent, POST, "floimg")
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    for token, outcome in enumerate(["retry", "lost", "done"], start=1):
        fail(fleet, job.id, inside, token, outcome)
    decide(fleet, agent, inside, *[1.0] * 19, 60.0)
    spend(fleet, inside, 2_500_000)
    return hour


def bars(page: str, title: str) -> list[tuple[str, str]]:
    """Return the bars of a chart: what each says, and where it leads."""
    section = re.search(rf'<h2 id="chart-[a-z-]+">{re.escape(title)} .*?</section>', page, re.S)
    assert section, title
    found = re.findall(r'<a class="chart-bar" id="[^"]+" href="([^"]+)" aria-label="([^"]+)"', section[0])
    return [(unescape(told), unescape(href)) for href, told in found]


def test_a_chart_has_the_figures_of_the_ledger(web: Web, busy: datetime) -> None:
    found = web.program("viewer").get("/api/v1/stats").json()
    assert (found["range"], found["step_s"], len(found["buckets"])) == ("24h", 3600, 24)
    one = next(one for one in found["buckets"] if datetime.fromisoformat(one["start"]) == busy)
    measures = one["measures"]
    assert measures["done"] == {"post": 7, "like": 2}
    assert (measures["actions"], measures["given_up"], measures["failing"]) == (9, 3, 1)
    assert (measures["decisions"], measures["microusd"]) == (20, 2_500_000)
    assert measures["late_p50_s"] == pytest.approx(1.0, rel=0.05)
    assert measures["late_p95_s"] == pytest.approx(1.0, rel=0.05)
    assert found["sums"]["actions"] == 10
    assert one["queue_most"] is None
    narrow = web.program("viewer", scopes=(Permission.FLEET_VIEW,), name="narrow")
    assert narrow.get("/api/v1/stats").json()["sums"]["microusd"] is None


@pytest.mark.parametrize("wanted", list(ChartRange))
def test_a_bar_leads_to_as_many_jobs_as_it_counts(web: Web, busy: datetime, wanted: ChartRange) -> None:
    """In each range, with jobs at both edges of a bucket, of which one belongs to the next."""
    now = datetime.now(UTC)
    start = wanted.starts(now)[-2]
    for moment in (start, start + wanted.step - timedelta(microseconds=1), start + wanted.step):
        end_jobs(web.fleet, 4, moment)
        end_jobs(web.fleet, 2, moment, state="dead")
    sum_hours(web.fleet)
    viewer = web.browser("viewer")
    page = viewer.get(f"/charts?range={wanted}").text
    checked = 0
    for title, counted in (("Actions", r": (\d+)"), ("Failures", r"Failing jobs: (\d+)"),
                           ("Given up", r"Dead letters: (\d+)")):  # fmt: skip
        for told, href in bars(page, title):
            number = re.search(counted, told.partition("UTC")[2])
            if number and (number[1] != "0" or checked < 3):
                listed = viewer.get(href).text
                tab = re.search(r'aria-current=page>\w+ <span class="count">([\d,]+)<', listed)
                assert tab, href
                assert (tab[1], told) == (number[1], told)
                checked += number[1] != "0"
    assert checked >= 4


def test_sums_of_hours_are_counted_once_and_outlive_the_jobs(fleet: Fleet, busy: datetime) -> None:
    def sums() -> dict[datetime, Measures]:
        with fleet.deps.db.transaction() as tx:
            return history.hours(tx, busy - HOUR, tx.now())

    live = sums()
    for _ in range(2):
        with fleet.deps.db.transaction() as tx:
            assert history.prune(tx, days=30, limit=100) == 0
    assert fleet.sql("SELECT min(hour) FROM chart_hours").scalar() == busy
    assert live[busy].actions == 9
    assert {hour: one for hour, one in sums().items() if hour >= busy} == {
        hour: one for hour, one in live.items() if hour >= busy
    }
    fleet.sql("DELETE FROM job_attempts")
    fleet.sql("DELETE FROM jobs")
    fleet.sql("DELETE FROM ticks")
    with fleet.deps.db.transaction() as tx:
        history.prune(tx, days=30, limit=100)
    assert sums()[busy] == live[busy]


def test_an_hour_is_summed_only_when_its_attempts_have_ended(fleet: Fleet) -> None:
    now = datetime.now(UTC)
    end_jobs(fleet, 1, now - history.SETTLED_AFTER - 2 * HOUR)
    with fleet.deps.db.transaction() as tx:
        history.prune(tx, days=30, limit=100)
    last = fleet.sql("SELECT max(hour) FROM chart_hours").scalar()
    assert last + HOUR == buckets.floor(now - history.SETTLED_AFTER, HOUR)


def test_hours_past_the_retention_are_not_summed_from_what_is_left_of_them(fleet: Fleet) -> None:
    now = datetime.now(UTC)
    end_jobs(fleet, 1, now - timedelta(days=9))
    with fleet.deps.db.transaction() as tx:
        history.prune(tx, days=3, limit=100)
    assert fleet.sql("SELECT min(hour) FROM chart_hours").scalar() >= now - timedelta(days=3, hours=1)


def test_old_sums_and_samples_go(fleet: Fleet) -> None:
    old, young = (datetime.now(UTC) - history.KEPT + days for days in (-timedelta(days=2), timedelta(days=2)))
    for moment in (old, young):
        fleet.sql("INSERT INTO queue_samples (at, due, oldest_s) VALUES (:at, 1, 1)", at=moment)
        fleet.sql("INSERT INTO chart_hours VALUES (:at, '{}', 0, 0, '{}', 0)", at=moment)
    with fleet.deps.db.transaction() as tx:
        assert history.prune(tx, days=30, limit=100) == 2
    assert fleet.sql("SELECT array_agg(at) FROM queue_samples").scalar() == [young]


def test_the_queue_is_sampled_once_a_minute(web: Web) -> None:
    fleet = web.fleet
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [NewJob(ids.new(), fleet.agent(), POST, "floimg") for _ in range(3)])
    for _ in range(3):
        history.sample(fleet.deps)
    assert fleet.sql("SELECT count(*) FROM queue_samples").scalar() in (1, 2)  # a minute may have ended meanwhile
    last = web.program("viewer").get("/api/v1/stats?range=1h").json()["buckets"][-2:]
    assert 3 in [one["queue_most"] for one in last]


def test_classes_of_lateness_are_the_same_in_the_database(fleet: Fleet) -> None:
    dice = random.Random(7)
    hour = buckets.floor(datetime.now(UTC), HOUR)
    late_s = [0.0, 0.005, 0.01, *(10 ** dice.uniform(-2, 5) for _ in range(60))]
    decide(fleet, fleet.agent(), hour, *late_s)
    with fleet.deps.db.transaction() as tx:
        found = history.read(tx, hour, hour + HOUR, HOUR)[hour].lateness
    wanted: dict[int, int] = {}
    for one in late_s:
        rounded = round(one, 6)  # what Postgres keeps
        wanted[buckets.late_class(rounded)] = wanted.get(buckets.late_class(rounded), 0) + 1
    assert found == wanted


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_percentiles_of_classes_are_right_within_five_percent(share: float) -> None:
    dice = random.Random(3)
    values = sorted(dice.lognormvariate(0, 2) + 0.02 for _ in range(999))
    counts: dict[int, int] = {}
    for one in values:
        counts[buckets.late_class(one)] = counts.get(buckets.late_class(one), 0) + 1
    assert Measures(lateness=counts).late_s(share) == pytest.approx(values[int(999 * share)], rel=0.06)


def test_buckets_begin_on_whole_steps_of_utc() -> None:
    now = datetime(2026, 11, 23, 17, 31, 9, tzinfo=UTC)
    assert {one: (one.starts(now)[0], one.starts(now)[-1]) for one in ChartRange} == {
        ChartRange.HOUR: (datetime(2026, 11, 23, 16, 32, tzinfo=UTC), datetime(2026, 11, 23, 17, 30, tzinfo=UTC)),
        ChartRange.DAY: (datetime(2026, 11, 22, 18, tzinfo=UTC), datetime(2026, 11, 23, 17, tzinfo=UTC)),
        ChartRange.WEEK: (datetime(2026, 11, 16, 18, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ChartRange.MONTH: (datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)),
    }


def test_a_wrong_range_is_refused_in_words(web: Web) -> None:
    assert web.program("viewer").get("/api/v1/stats?range=2y").status_code == 422
    answer = web.browser("viewer", "vic").get("/charts?range=2y")
    assert answer.status_code == 422
    assert "navigation" in answer.text or "<nav" in answer.text


def test_a_span_that_is_open_or_empty_lists_what_lies_in_it(web: Web, busy: datetime) -> None:
    api = web.program("viewer")

    def number(**query: Any) -> int:
        return len(api.get("/api/v1/jobs", params={"limit": 200, **query}).json()["items"])

    at = busy.isoformat()
    assert number(state="done", end=(busy + HOUR).isoformat(), kind=["post", "like"]) == 9
    assert number(state="done", start=(busy + HOUR).isoformat()) == 1
    assert number(start=at, end=at) == 0
    assert number(state="ready", start=at) == 0  # it has not ended
    assert number(state="ready", time="created", start=at) == 1
    assert number(time="failed") == 1
    assert number(time="failed", start=(busy + HOUR).isoformat()) == 0
    assert number(time="failed", start="9999-01-01T00:00:00Z") == 0


def test_the_command_shows_the_same(database_url: str, broker_url: str, busy: datetime) -> None:
    cli = Cli(database_url, broker_url)
    assert cli.json("stats", "--range", "24h")["sums"]["actions"] == 10
    shown = cli("stats").stdout
    row = next(line for line in shown.splitlines() if f"{busy:%Y-%m-%d %H:%M}" in line)
    assert row.split()[2:] == ["9", "1", "3", "1", "s", "1", "s", "–", "$2.50"]
