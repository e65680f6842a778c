"""The first page and the feed: figures that are true, states in words, nothing that trusts an agent's text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from fleet.core import events, ids
from fleet.engine import registry
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.system_agents import SURFACE
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.overview import cards, figures, health, hours
from fleet.features.overview.health import BrokerAnswers
from fleet.features.overview.queries import Hour, Watch
from fleet.features.publishing.kinds import LIKE, POST
from fleet.spending.budgets import Period, Scope
from fleet.web import cached_stats
from tests.factories import WITHIN_S, Fleet
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
    assert figure(page, "Failures, 24 hours").startswith("20 %")
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


def test_an_empty_fleet_is_told_what_to_do(web: Web) -> None:
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


@pytest.mark.parametrize(
    ("asked", "level", "words"),
    [
        (BrokerAnswers(), "unknown", "asked"),
        (BrokerAnswers({"normal": 3}, ["w1@host", "w2@host"]), "ok", "2: w1@host, w2@host"),
        (BrokerAnswers({"normal": 0}, []), "bad", "none answers"),
        (BrokerAnswers(problem="The broker cannot be reached."), "unknown", "cannot be asked"),
    ],
)
def test_workers_are_as_they_said_last(fleet: Fleet, asked: BrokerAnswers, level: str, words: str) -> None:
    part = next(one for one in Watch(fleet.deps).look(asked).parts if one.name == "Workers")
    assert (part.level, words in part.words) == (level, True)


def test_beat_and_surface_are_judged_by_what_happens(fleet: Fleet) -> None:
    fleet.agent()
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '5 min'")
    fail(fleet, LIKE, "the gallery answered 503")
    found = {part.name: part for part in Watch(fleet.deps).look(BrokerAnswers()).parts}
    assert found["Beat"].level == health.Level.BAD
    assert found["Surface floimg"].level == health.Level.BAD
    assert "the gallery answered 503" in found["Surface floimg"].words


def fail(fleet: Fleet, kind: str, why: str) -> None:
    """Record three failed attempts at a job of an agent of the kind that has such jobs."""
    surface = "floimg" if registry.current().job(kind).uses_surface else SURFACE
    agent = fleet.agent(surface=surface)
    job = NewJob(ids.new(), agent, kind, surface)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
        for _ in range(3):
            events.emit(tx, "job.retrying", agent_id=agent, job_id=job.id, kind=kind, why=why)


def test_a_surface_is_not_judged_by_what_never_called_it(fleet: Fleet) -> None:
    for kind in sorted(registry.current().kinds(lambda job: not job.uses_surface)):
        fail(fleet, kind, "the receiver answered 500")
    found = {part.name: part for part in Watch(fleet.deps).look(BrokerAnswers()).parts}
    assert (found["Surface floimg"].level, found["Surface floimg"].words) == ("unknown", "nothing was sent yet")
    fail(fleet, POST, "the gallery answered 503")
    found = {part.name: part for part in Watch(fleet.deps).look(BrokerAnswers()).parts}
    assert found["Surface floimg"].words == "3 tries failed lately: the gallery answered 503"


def test_deliveries_and_notices_are_no_actions_of_agents() -> None:
    hour = Hour(datetime(2026, 11, 22, 12, tzinfo=UTC), {"post": 2, "like": 3, "deliver": 40, "notify": 5}, 1)
    assert (hour.actions, hour.succeeded) == (5, 50)


def test_providers_are_judged_by_their_newest_calls(fleet: Fleet) -> None:
    fleet.sql(
        "INSERT INTO llm_calls (purpose, provider, model, outcome, latency_ms)"
        " SELECT 'post', provider, 'm', outcome, 800"
        " FROM (VALUES ('anthropic', 'answered', 20), ('openai', 'answered', 1), ('openai', 'unavailable', 3))"
        " AS given (provider, outcome, number), generate_series(1, number)"
    )
    found = {part.name: part.level for part in Watch(fleet.deps).look(BrokerAnswers()).parts}
    assert (found["Provider anthropic"], found["Provider openai"]) == ("ok", "bad")


def test_a_slow_broker_delays_no_page(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked in a thread of its own, once at a time, and what it said is there at a later look."""
    import threading

    release, begun, calls = threading.Event(), threading.Event(), []

    def ask(_: object) -> BrokerAnswers:
        calls.append(1)
        begun.set()
        release.wait(WITHIN_S)
        return BrokerAnswers({}, ["w1@host"])

    monkeypatch.setattr(cards.health, "ask", ask)
    monkeypatch.setattr(cards, "_ASKED_S", 3600.0)
    kept = cards.OverviewCards(fleet.deps)
    first = kept.overview()
    assert begun.wait(WITHIN_S)
    kept.overview()
    release.set()
    kept._broker._lock.acquire(timeout=WITHIN_S)
    kept._broker._lock.release()
    kept.forget()
    after = kept.overview()
    workers = [next(part for part in seen.parts if part.name == "Workers").level for seen in (first, after)]
    assert (workers, len(calls)) == (["unknown", "ok"], 1)


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
