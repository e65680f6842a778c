"""The first page and the feed: figures that are true, states in words, nothing that trusts an agent's text."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters import base
from fleet.core import events, ids
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger, stats
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.points.health import Level, PartHealth
from fleet.engine.sweep import sweep
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.overview import figures, health, hours, watch
from fleet.features.overview.health import BrokerAnswers, Signs
from fleet.features.overview.queries import Hour
from fleet.features.overview.watch import HealthWatch
from fleet.features.publishing.kinds import LIKE, POST
from fleet.spending.budgets import Period, Scope
from fleet.web import cached_stats
from tests.factories import WITHIN_S, Fleet, raises
from tests.web_client import Web


def figure(page: str, title: str) -> str:
    """Return what a card shows below its title."""
    card = re.search(rf"<h2><a [^>]*>{re.escape(title)}</a></h2>(.*?)</article>", page, re.S)
    assert card, title
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", card[1])).split())


def end_jobs(fleet: Fleet, number: int, *, hours_ago: float, state: str = "done", kind: str = "post") -> None:
    """Let jobs have ended some hours ago."""
    reason = "'permanent'" if state == "dead" else "NULL"
    fleet.sql(
        f"INSERT INTO jobs (id, kind, priority, state, max_attempts, finished_at, created_at, expires_at, dead_reason)"
        f" SELECT gen_random_uuid(), :kind, 'normal', :state, 3, moment, moment, moment, {reason} FROM"
        f" (SELECT clock_timestamp() - make_interval(secs => :ago_s) AS moment FROM generate_series(1, :number))"
        " AS one",
        kind=kind, state=state, ago_s=hours_ago * 3600, number=number,
    )  # fmt: skip


def test_the_figures_are_those_of_the_ledger(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "WITHIN_S", 60.0)
    fleet = web.fleet
    for _ in range(3):
        fleet.agent()
    fleet.agent(running=False)
    end_jobs(fleet, 30, hours_ago=3)
    end_jobs(fleet, 10, hours_ago=3, kind="like")
    end_jobs(fleet, 10, hours_ago=3, state="dead")
    end_jobs(fleet, 20, hours_ago=30)
    fleet.sql(
        "INSERT INTO llm_calls (purpose, provider, model, outcome, microusd, latency_ms)"
        " VALUES ('post', 'anthropic', 'm', 'answered', 2500000, 900)"
    )
    page = web.browser("viewer").get("/").text
    assert figure(page, "Agents running").startswith("3 of 4 1 idle")
    assert figure(page, "Actions, 24 hours").startswith("40 ▲ 100 %")
    assert "10 given up in 24 hours" in figure(page, "Failures, 5 minutes")
    assert figure(page, "Dead letters") == "10 10 permanent"
    assert figure(page, "Spent today").startswith("$2.50")
    assert "Posts <b>30</b>" in page
    assert "Likes <b>10</b>" in page


def test_an_hour_that_is_over_is_counted_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours.Sparing, "get", lambda _, read: read())
    monkeypatch.setattr(hours, "WITHIN_S", 60.0)
    asked: list[datetime] = []

    def read(_: object, since: datetime, __: datetime) -> int:
        asked.append(since)
        return len(asked)

    counted = hours.Hours(read)
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    with fleet.deps.db.transaction() as tx:
        first = counted.last(tx, now, 4)
        second = counted.last(tx, now + timedelta(minutes=1), 4)
        third = counted.last(tx, now + timedelta(minutes=31), 4)  # the hour before may not be settled yet
        monkeypatch.setattr(hours, "WITHIN_S", 0.0)
        hurried = hours.Hours(read).last(tx, now, 4)
    assert (first, second) == ([4, 3, 2, 1], [4, 3, 2, 5])
    assert third == [3, 2, 7, 6]
    assert hurried == [None, None, None, 8]


def test_what_takes_long_to_read_is_read_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(hours.clock, "monotonic_s", lambda: now_s[0])
    read: list[float] = []

    def slowly() -> int:
        now_s[0] += 0.5
        read.append(now_s[0])
        return len(read)

    sparing: hours.Sparing[int] = hours.Sparing()
    found = []
    for _ in range(20):
        found.append(sparing.get(slowly))
        now_s[0] += 1.0
    assert found == [1] * 10 + [2] * 10


def test_everybody_who_looks_shares_one_reading(fleet: Fleet) -> None:
    read: list[int] = []
    kept = cached_stats.Cached(lambda: read.append(1) or len(read), for_s=3600.0)
    assert [kept.get() for _ in range(5)] == [1] * 5
    kept.forget()
    assert (kept.last, kept.get()) == (1, 2)


def test_an_empty_fleet_shows_what_to_do(web: Web) -> None:
    page = web.browser("viewer").get("/").text
    assert "fleet seed" in page
    assert figure(page, "Agents running").startswith("0 of 0")
    assert "fleet seed" in web.browser("viewer", "viewer-2").get("/activity").text


def test_every_page_says_that_nothing_may_happen(web: Web) -> None:
    ana = web.browser("owner", "ana")
    assert '<a class="state running"' in ana.get("/agents").text
    fleetwide.throw_kill_switch(web.deps, by="ana", reason="<b>fire</b>")
    web.app.state.stats.forget()
    page = ana.get("/agents").text
    assert '<a class="state killed"' in page
    assert "Kill switch: &lt;b&gt;fire&lt;/b&gt;" in page


def test_who_does_something_sees_at_once_what_came_of_it(web: Web) -> None:
    ana = web.browser("owner", "ana")
    assert "1 pause" not in ana.get("/").text
    fleetwide.pause(web.deps, "kind", "post", by="ana")
    ana.post("/logout")  # any form that leads on
    other = web.browser("viewer", "ben")
    assert "1 pause" in other.get("/").text


def end_attempts(fleet: Fleet, agent: uuid.UUID, outcomes: Sequence[str], *, at: uuid.UUID | None = SETTINGS_ACCOUNT,
                 ago_s: float = 30.0) -> None:  # fmt: skip
    """Let attempts at one job of an agent have ended so, one each second; failed ones at an account."""
    job = NewJob(ids.new(), agent, POST, "floimg")
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    for place, outcome in enumerate(outcomes):
        fleet.sql(
            "INSERT INTO job_attempts (job_id, lease_token, worker, started_at, ended_at, outcome, error,"
            " failed_account) SELECT :job, :place, 'w', moment, moment, :outcome, :error, :failed FROM"
            " (SELECT clock_timestamp() - make_interval(secs => :ago_s) AS moment) AS one",
            job=job.id, place=place, outcome=outcome, ago_s=ago_s - place,
            error=None if outcome == "done" else "the gallery answered 503", failed=None if outcome == "done" else at,
        )  # fmt: skip


def seen(fleet: Fleet) -> dict[str, PartHealth]:
    """Return what a new process sees, by name."""
    return {one.name: one for one in HealthWatch(fleet.deps).get().conditions}


def test_a_surface_that_fails_every_call_is_down_until_it_answers(fleet: Fleet) -> None:
    agent = fleet.agent()
    assert seen(fleet)["Surface floimg"].level == Level.UNKNOWN
    end_attempts(fleet, agent, ["done", "retry", "retry", "unknown"])
    found = seen(fleet)["Surface floimg"]
    assert (found.level, found.cause) == (Level.BAD, "the gallery answered 503")
    assert found.words == "3 tries failed lately: the gallery answered 503"
    first = fleet.sql("SELECT min(ended_at) FROM job_attempts WHERE failed_account IS NOT NULL").scalar()
    assert found.since == first
    end_attempts(fleet, agent, ["done"], ago_s=2)
    assert seen(fleet)["Surface floimg"].level == Level.WARN


def test_a_surface_is_not_judged_by_what_failed_elsewhere(fleet: Fleet) -> None:
    other = ids.new()
    fleet.sql("INSERT INTO accounts (id, name, adapter, address) VALUES (:id, 'brand-two', 'floimg', '')", id=other)
    agent = fleet.agent()
    end_attempts(fleet, agent, ["retry"] * 5, at=None)  # a model, a receiver, a rule
    assert seen(fleet)["Surface floimg"].level == Level.UNKNOWN
    end_attempts(fleet, agent, ["retry"] * 4, at=other)
    found = seen(fleet)
    assert (found["Surface floimg"].level, found["Account brand-two"].level) == (Level.UNKNOWN, Level.BAD)


def test_a_call_that_fails_is_noted_with_its_account(fleet: Fleet) -> None:
    """Through the engine: an error of the surface names its account, in attempts and in ticks; others name none."""
    agent = fleet.agent()
    fleet.surface.faults.append(raises(base.Unreachable("the gallery answered 503")))
    job = NewJob(ids.new(), agent, LIKE, "floimg", target="item_1")
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform(fleet.deps, job.id)
    noted = fleet.sql("SELECT outcome, failed_account FROM job_attempts").one()
    assert tuple(noted) == ("retry", SETTINGS_ACCOUNT)
    with fleet.deps.db.transaction() as tx:
        rates = stats.rates(tx)
    assert (rates.attempts.failed, rates.attempts.number, rates.worst) == (1, 1, 1.0)


def test_outages_and_their_ends_are_reported_once(fleet: Fleet) -> None:
    agent = fleet.agent()
    end_attempts(fleet, agent, ["retry"] * 4)
    for _ in range(3):
        sweep(fleet.deps)
    end_attempts(fleet, agent, ["done"], ago_s=1)
    for _ in range(2):
        sweep(fleet.deps)
    told = [(event.subject, event.payload["thing"]) for event in alerts(fleet)]
    assert told == [("alert.down", "Surface floimg"), ("alert.recovered", "Surface floimg")]


def alerts(fleet: Fleet) -> list[events.Event]:
    with fleet.deps.db.transaction() as tx:
        return events.latest(tx, subjects=("alert.*",))[::-1]


def test_what_is_down_is_a_banner_on_every_page(web: Web) -> None:
    agent = web.fleet.agent()
    ana = web.browser("viewer", "ana")
    assert '<a class="state running"' in ana.get("/jobs").text
    end_attempts(web.fleet, agent, ["retry"] * 4)
    web.app.state.stats.forget()
    for path in ("/", "/jobs", "/agents"):
        page = ana.get(path).text
        assert "<b>Surface floimg down</b>" in page
        assert "Running, Surface floimg down" in page
    status = web.program("viewer").get("/api/v1/status").json()
    (down,) = [one for one in status["health"] if one["level"] == "bad"]
    assert (down["name"], down["cause"]) == ("Surface floimg", "the gallery answered 503")
    assert status["rates"]["attempts"] == {"failed": 4, "number": 4}


def test_a_check_that_raises_takes_down_no_page_and_ends_no_outage(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: a bug in one check answered 500 for every page, health included."""
    agent, ana, api = web.fleet.agent(), web.browser("viewer", "ana"), web.program("viewer")
    end_attempts(web.fleet, agent, ["retry"] * 4)
    sweep(web.fleet.deps)
    broken = lambda tx: tx.execute(sa.text("SELECT 1 / 0"))  # noqa: E731
    monkeypatch.setattr(stats, "failed_calls", broken)
    watch.of(web.deps).forget()
    web.app.state.stats.forget()
    sweep(web.fleet.deps)
    assert [one.subject for one in alerts(web.fleet)] == ["alert.down"], "nobody knows whether it works again"
    assert [ana.get(path).status_code for path in ("/", "/jobs", "/health")] == [200, 200, 200]
    found = {one["name"]: one["level"] for one in api.get("/api/v1/status").json()["health"]}
    assert found["fleet.features.accounts.health.look"] == "unknown" and "ok" in found.values()
    monkeypatch.undo()
    monkeypatch.setattr(watch.HealthWatch, "get", lambda _: 1 / 0)
    web.app.state.stats.forget()
    assert ana.get("/jobs").status_code == 200


ASKED = BrokerAnswers({"normal": 3}, ["w1@host", "w2@host"])
SWEPT = Signs(swept_s=3.0, overdue_s=0.0, is_paused=False)


@pytest.mark.parametrize(
    ("part", "asked", "signs", "level", "words"),
    [
        ("Workers", BrokerAnswers(), replace(SWEPT, swept_s=20.0), "unknown", "asked"),
        ("Workers", BrokerAnswers(), replace(SWEPT, swept_s=None), "unknown", "asked"),
        ("Workers", BrokerAnswers(), SWEPT, "ok", "swept the fleet 3 s ago"),  # before the first ping
        ("Beat", BrokerAnswers(), SWEPT, "ok", "on time"),
        ("Beat", BrokerAnswers(), replace(SWEPT, swept_s=20.0), "unknown", "none answers"),
        ("Workers", ASKED, SWEPT, "ok", "2: w1@host, w2@host"),
        ("Workers", BrokerAnswers({}, [], unanswered=1), SWEPT, "warn", "none answers"),
        ("Workers", BrokerAnswers({}, [], unanswered=2), SWEPT, "bad", "none answers"),
        ("Workers", BrokerAnswers(problem="The broker cannot be reached."), SWEPT, "unknown", "cannot be asked"),
        ("Broker", BrokerAnswers(problem="The broker cannot be reached."), SWEPT, "bad", "cannot be reached"),
        ("Broker", ASKED, SWEPT, "ok", "3 messages wait"),
        ("Beat", ASKED, SWEPT, "ok", "on time"),
        ("Beat", ASKED, replace(SWEPT, swept_s=None), "unknown", "not had the fleet swept yet"),
        ("Beat", ASKED, replace(SWEPT, swept_s=20.0), "warn", "is silent"),
        ("Beat", ASKED, replace(SWEPT, swept_s=31.0), "bad", "is silent"),
        ("Beat", BrokerAnswers({}, [], unanswered=2), replace(SWEPT, swept_s=31.0), "unknown", "none answers"),
        ("Beat", ASKED, replace(SWEPT, overdue_s=20.0), "warn", "due for 20 s"),
        ("Beat", ASKED, replace(SWEPT, overdue_s=300.0), "bad", "due for 5 min"),
        ("Beat", ASKED, replace(SWEPT, overdue_s=300.0, is_paused=True), "ok", "on time"),
    ],
)
def test_parts_are_as_they_said_last(part: str, asked: BrokerAnswers, signs: Signs, level: str, words: str) -> None:
    found = next(one for one in health.parts(asked, signs, 3.0) if one.name == part)
    assert (found.level, words in found.words) == (level, True), found


def test_sidebar_page_and_status_count_dead_letters_alike(web: Web) -> None:
    end_jobs(web.fleet, 1_234, hours_ago=30, state="dead")
    ana = web.browser("viewer", "ana")
    page = ana.get("/").text
    status = web.program("viewer").get("/api/v1/status").json()
    assert figure(page, "Dead letters").startswith("1,234 ")
    assert '<span class="tally bad">1,234</span>' in page
    assert sum(status["dead"].values()) == 1_234


def test_deliveries_and_notices_are_no_actions_of_agents() -> None:
    hour = Hour(datetime(2026, 11, 22, 12, tzinfo=UTC), {"post": 2, "like": 3, "deliver": 40, "notify": 5}, 1)
    assert (hour.actions, hour.succeeded) == (5, 50)


def test_providers_are_judged_by_their_newest_calls(fleet: Fleet) -> None:
    fleet.sql(
        "INSERT INTO llm_calls (purpose, provider, model, outcome, latency_ms, called_at)"
        " SELECT 'post', provider, 'm', outcome, 800, clock_timestamp() - make_interval(secs => ago_s)"
        " FROM (VALUES ('anthropic', 'answered', 20, 10), ('openai', 'answered', 1, 90),"
        " ('openai', 'transient', 3, 60), ('echo', 'transient', 3, 60), ('echo', 'refused', 1, 10))"
        " AS given (provider, outcome, number, ago_s), generate_series(1, number)"
    )
    found = seen(fleet)
    levels = [found[f"Provider {name}"].level for name in ("anthropic", "openai", "echo")]
    assert levels == ["ok", "bad", "warn"]  # a text that the model refuses is an answer
    assert "does not answer" in found["Provider openai"].cause


def test_a_slow_broker_delays_no_page_and_is_down_in_the_end(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked in a thread of its own, once at a time, and what it said is there at a later look."""
    import threading

    release, begun, calls = threading.Event(), threading.Event(), []

    def ask(*_: object, **__: object) -> BrokerAnswers:
        calls.append(1)
        begun.set()
        release.wait(WITHIN_S)
        return BrokerAnswers({}, ["w1@host"])

    monkeypatch.setattr(HealthWatch, "_ask", ask)
    monkeypatch.setattr(watch, "_ASKED_S", 3600.0)
    kept = HealthWatch(fleet.deps)

    def levels() -> list[str]:
        found = {one.name: one.level for one in kept.get().conditions}
        return [found["Broker"], found["Workers"]]

    assert levels() == ["unknown", "unknown"]
    assert begun.wait(WITHIN_S)
    monkeypatch.setattr(watch, "_SILENT_S", 1e-9)
    kept.forget()
    assert levels() == ["bad", "unknown"]
    release.set()
    assert kept._broker.wait(WITHIN_S)
    kept.forget()
    assert (levels(), len(calls)) == (["ok", "ok"], 1)


def test_the_feed_is_filtered_by_kind_agent_and_subject(web: Web) -> None:
    ada = web.fleet.agent(name="Ada", username="ada_1")
    with web.deps.db.transaction() as tx:
        for number in range(3):
            events.emit(tx, "job.done", agent_id=ada, agent="Ada", kind="post", text=f"Harbour {number}.")
        events.emit(tx, "job.done", agent="Ben", kind="like", to="Ada")
        events.emit(tx, "job.dead", agent="Ben", kind="post", reason="permanent", why="no")
    ana = web.browser("viewer", "ana")
    assert "Harbour 2." in ana.get("/").text
    likes = ana.get("/?only=likes").text
    assert "liked what Ada made" in likes
    assert "Harbour" not in likes
    assert "gave up a post" in ana.get("/activity?only=trouble").text
    hers = ana.get("/activity?agent=ada_1").text
    assert "Harbour 0." in hers
    assert "Ben" not in hers
    assert "Harbour" not in ana.get("/activity?subject=job.dead").text
    nobody = ana.get("/activity?agent=nobody")
    assert (nobody.status_code, "There is no agent called" in nobody.text) == (404, True)
    hostile = ana.get("/?only=%3Cscript%3E")
    assert (hostile.status_code, "<script>" in hostile.text) == (422, False)


def test_the_feed_goes_on_page_by_page_without_a_gap(web: Web) -> None:
    with web.deps.db.transaction() as tx:
        for number in range(150):
            events.emit(tx, "job.done", kind="post" if number % 2 else "like", agent="Ada", text=f"number {number}.")
    ana = web.browser("viewer", "ana")
    for kind, wanted in (("", range(149, -1, -1)), ("posts", range(149, 0, -2))):
        where, found = f"/activity?only={kind}", list[int]()
        while where:
            page = ana.get(where).text
            lines = re.findall(r'<li id="e(\d+)"', page)
            found += map(int, lines)
            following = re.search(r'href="(/activity\?[^"]*before=\d+[^"]*)"', page)
            where = unescape(following[1]) if following else ""
        assert len(found) == len(set(found)) == len(wanted)
        assert found == sorted(found, reverse=True)


def test_what_agents_write_is_inert_in_the_feed(web: Web) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    web.fleet.agent(name=hostile, username="eve_1")
    with web.deps.db.transaction() as tx:
        events.emit(tx, "job.done", agent=hostile, kind="comment", to=hostile, text=hostile)
        events.emit(tx, "job.dead", agent=hostile, kind=hostile, reason=hostile, why=hostile)
        events.emit(tx, 'odd"><script>', note=hostile)
    ana = web.browser("viewer", "ana")
    for page in (ana.get("/").text, ana.get("/activity").text):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_the_percentile_is_one_of_the_values() -> None:
    assert figures.percentile([], 0.95) is None
    assert figures.percentile([7.0], 0.95) == 7.0
    assert figures.percentile([float(value) for value in range(100)], 0.95) == 95.0


def test_the_first_steps_go_when_they_are_done_or_dismissed(web: Web) -> None:
    ada, vic = web.browser("owner", "ada"), web.browser("viewer", "vic")
    page = ada.get("/").text
    assert "First steps" in page and "First steps" not in vic.get("/").text
    for path in ("/agents/new", "/users", "/controls#budgets", "/hooks/new"):
        assert f'<a href="{path}">' in page, path
    web.fleet.agent()
    web.user("admin")
    page = ada.get("/").text
    assert page.count('class="done"') >= 2 and '<a href="/agents/new">' not in page
    money.set_budget(web.deps, Scope.FLEET, None, Period.DAY, 1_000_000, by="t")
    assert "First steps" in ada.get("/").text
    ada.post("/checklist/dismiss")
    assert "First steps" not in ada.get("/").text
