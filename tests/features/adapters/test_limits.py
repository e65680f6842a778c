"""Limits over processes, on a real database: all or nothing, no lost update, jobs and ticks that wait cost nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.accounts.directory import OpenAccount
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import Account, LimitSpent, ReservingAdapter, Throttled
from fleet.adapters.limits import Observation, count_request
from fleet.adapters.manifest import AccountAccess, AdapterType, Limit, LimitScope
from fleet.adapters.social import LIKE, SocialAdapter, social
from fleet.core.db import Database
from fleet.engine import dispatch, tick
from fleet.engine.attempts import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.features.adapters.limits.limiter import CountedLimit, Limiter, RoomRequest, limits_of
from fleet.features.adapters.limits.window import Caller
from fleet.features.adapters.models import LimitRow
from tests.factories import Fleet, raises

HOUR = timedelta(hours=1)
ACCOUNT = OpenAccount(AccountKey(SETTINGS_ACCOUNT, "gallery", 1), "floimg", AccountAccess("", SecretStr("")), {})


def limited(*limits: Limit) -> AdapterType:
    return replace(adapters.get("floimg"), limits=limits)


def rows(*limits: Limit) -> tuple[CountedLimit, ...]:
    return limits_of(limited(*limits), ACCOUNT, _Host())


class _Host:
    name, scheme, host, port, third_party = "floimg", "http", "127.0.0.1", 8640, False


@pytest.fixture
def manifest(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the gallery's adapter limits, for accounts that are connected from then on."""

    def give(*limits: Limit) -> None:
        kind = limited(*limits)
        monkeypatch.setattr(adapters, "get", lambda _: kind)

    return give


@pytest.fixture
def limiters(database_url: str) -> Iterator[list[Limiter]]:
    """Limiters with connections of their own, as two processes have them."""
    databases = [Database(database_url, pool_size=4) for _ in range(2)]
    yield [Limiter(one) for one in databases]
    for one in databases:
        one.close()


def test_calls_of_several_processes_take_all_their_limits_or_none(limiters: list[Limiter]) -> None:
    limits = rows(
        Limit(name="hourly", most=50, window=HOUR),
        Limit(name="points", most=70, window=HOUR, costs={"post": 3}, cost=1, scope=LimitScope.APP),
        Limit(name="posts", most=9, window=HOUR, costs={"post": 1}, cost=0, scope=LimitScope.HOST),
    )
    made: list[str] = []

    def call(number: int) -> None:
        limiter = limiters[number % 2]
        for turn in range(15):
            operation = "post" if turn % 3 == 0 else "like"
            try:
                limiter.take(RoomRequest(operation, Caller(f"{number}-{turn}", str(number)), limits))
                made.append(operation)
            except LimitSpent as error:
                assert error.retry_after_s is not None and error.retry_after_s > 3000

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    posts, likes = made.count("post"), made.count("like")
    assert posts == 9
    assert likes + posts <= 50 and likes + 3 * posts <= 70
    with limiters[0]._db.transaction() as tx:
        used = {
            row.name: sum(units for _, units in row.state["cells"]) for row in tx.session.scalars(sa.select(LimitRow))
        }
    assert used == {"hourly": likes + posts, "points": likes + 3 * posts, "posts": posts}


def test_a_call_without_limits_needs_no_database(limiters: list[Limiter]) -> None:
    limits = rows(Limit(name="posts", most=9, window=HOUR, costs={"post": 1}, cost=0))
    assert Limiter(None).take(RoomRequest("like", Caller("1", "a"), limits)).cells == {}  # type: ignore[arg-type]


def test_an_observation_of_one_process_holds_back_the_others(limiters: list[Limiter]) -> None:
    limits = rows(Limit(name="hourly", most=50, window=HOUR), Limit(name="daily", most=500, window=24 * HOUR))
    seen = Observation(most=50, remaining=1, reset_in=timedelta(minutes=10))
    limiters[0].observe("like", limits, seen)
    limiters[1].take(RoomRequest("like", Caller("1", "a"), limits))
    with pytest.raises(LimitSpent) as raised:
        limiters[1].take(RoomRequest("like", Caller("2", "a"), limits))
    assert 590 < (raised.value.retry_after_s or 0) <= 600


def test_an_adapter_without_limits_is_used_as_it_is(fleet: Fleet) -> None:
    assert fleet.deps.gateway().adapter is fleet.surface


def _like(fleet: Fleet, agent: uuid.UUID, target: str) -> uuid.UUID:
    job = NewJob(uuid.uuid4(), agent, "like", "floimg", target=target)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def test_a_job_waits_for_room_without_an_attempt_or_a_word_of_sending(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(Limit(name="likes", most=1, window=HOUR, costs={"like": 1}, cost=0))
    agent = fleet.agent()
    first, second = _like(fleet, agent, "p1"), _like(fleet, agent, "p2")
    perform.perform(fleet.deps, first)
    perform.perform(fleet.deps, second)
    assert fleet.job(first).state == "done"
    waits = fleet.job(second)
    assert (waits.state, waits.sending_at, waits.claims) == ("ready", None, 0)
    assert waits.held == "limit of floimg: 1 units in 60 min are used"
    assert waits.next_attempt_at - fleet.job(first).finished_at > timedelta(minutes=59)
    assert fleet.surface.writes_begun == 1


def test_room_of_a_write_that_a_cap_holds_back_is_given_back(fleet: Fleet, manifest: Callable[..., None]) -> None:
    manifest(Limit(name="likes", most=1, window=HOUR))
    agent = fleet.agent()
    capped = _like(fleet, agent, "p1")
    fleet.set_setting("caps.like.per_day", 0)
    perform.perform(fleet.deps, capped)
    assert "cap" in (fleet.job(capped).held or "")
    fleet.set_setting("caps.like.per_day", 5)
    fleet.time_passes()
    perform.perform(fleet.deps, capped)
    assert fleet.job(capped).state == "done"


def test_a_refusal_for_speed_holds_back_every_call_of_the_limit(fleet: Fleet, manifest: Callable[..., None]) -> None:
    manifest(Limit(name="all", most=100, window=HOUR))
    agent = fleet.agent()
    fleet.surface.faults.append(raises(Throttled("slow down", retry_after_s=120)))
    for target in ("p1", "p2"):
        perform.perform(fleet.deps, _like(fleet, agent, target))
    assert fleet.surface.writes_begun == 1
    assert [job.state for job in fleet.jobs(kind="like")] == ["ready", "ready"]


def test_requests_inside_an_operation_leave_less_room_to_later_calls(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(
        Limit(name="requests", most=4, window=HOUR, by_request=True),
        Limit(name="likes", most=4, window=HOUR, costs={"like": 1}, cost=0),
        Limit(name="posts", most=4, window=HOUR, costs={"post": 1}, cost=0, by_request=True),
    )
    agent = fleet.agent()

    def sends_three(*_: object) -> None:
        for _turn in range(3):
            count_request()

    fleet.surface.faults.append(sends_three)
    for target in ("p1", "p2", "p3"):
        perform.perform(fleet.deps, _like(fleet, agent, target))
    assert [job.state for job in fleet.jobs(kind="like")] == ["done", "done", "ready"]
    with fleet.deps.db.transaction() as tx:
        states = tx.session.scalars(sa.select(LimitRow))
        used = {row.name: sum(units for _, units in row.state["cells"]) for row in states}
    assert used == {"requests": 4, "likes": 2}


def test_a_guarded_adapter_is_what_the_adapter_is(fleet: Fleet, manifest: Callable[..., None]) -> None:
    manifest(Limit(name="all", most=100, window=HOUR))
    adapter: Any = fleet.deps.gateway().adapter
    assert adapter is not fleet.surface
    assert isinstance(adapter, SocialAdapter) and isinstance(adapter, ReservingAdapter)
    assert not hasattr(adapter, "upload") and not hasattr(adapter, "check")
    assert social(adapter).feed(Account("a", "ada", "Ada", None), limit=3) == []
    assert adapter.actions[LIKE.name] == fleet.surface.actions[LIKE.name]


def test_a_tick_that_finds_no_room_to_read_is_decided_when_there_is_some(
    fleet: Fleet, manifest: Callable[..., None]
) -> None:
    manifest(Limit(name="reads", most=1, window=timedelta(seconds=100), costs={"feed": 1}, cost=0))
    agents = [fleet.agent(), fleet.agent()]
    dispatch.dispatch(fleet.deps)
    for key in [TickKey(agent, fleet.row(agent).tick_no) for agent in agents]:
        tick.tick(fleet.deps, key)
    assert len(fleet.surface.audiences) == 1
    states = fleet.sql("SELECT state, error FROM ticks ORDER BY state").all()
    assert [row.state for row in states] == ["decided", "skipped"]
    waits = [row.next_tick_at for row in map(fleet.row, agents) if row.next_tick_at is not None]
    with fleet.deps.db.transaction() as tx:
        assert min(waits) - tx.now() < timedelta(seconds=103)
