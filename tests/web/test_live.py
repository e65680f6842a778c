"""The stream: every event once, over reconnects and slow transactions; the same bytes for all; no page holds it up."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from fleet.access import Permission, Principal, Role, Via
from fleet.core import events
from fleet.core.errors import Unavailable
from fleet.features.activity.feed import Scribe
from fleet.features.controls import commands as fleetwide
from fleet.features.users import service as accounts
from fleet.web import server
from fleet.web.live import hub
from fleet.web.live.rounds import Round, Wants
from fleet.web.live.stream import EventStream
from tests.factories import WITHIN_S, Fleet
from tests.web_client import PASSWORD


@dataclass
class Heard:
    """One server-sent event."""

    name: str
    data: str
    id: str


@dataclass
class Ear:
    """Listens in a thread of its own until it is closed or the stream ends."""

    url: str
    token: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heard: list[Heard] = []
        self.raw = self._rest = b""
        self.status = 0
        self.ended = threading.Event()
        self._closing = False
        self._news = threading.Condition()
        self._client = httpx.Client(timeout=httpx.Timeout(WITHIN_S), trust_env=False)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        headers = {"authorization": f"Bearer {self.token}", **self.headers}
        try:
            with self._client.stream("GET", f"{self.url}/live", params=self.params, headers=headers) as answer:
                self.status = answer.status_code
                for chunk in answer.iter_raw():
                    self._take(chunk)
                    if self._closing:
                        break
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()
            with self._news:
                self._news.notify_all()

    def _take(self, chunk: bytes) -> None:
        with self._news:
            self.raw += chunk
            *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
            self.heard += [one for block in blocks if (one := _read(block.decode())) is not None]
            self._news.notify_all()

    def until(self, met: Callable[[list[Heard]], bool]) -> list[Heard]:
        """Wait until what was heard is enough, and return it."""
        with self._news:
            assert self._news.wait_for(lambda: met(self.heard) or self.ended.is_set(), WITHIN_S), self.heard
            assert met(self.heard), self.heard
            return list(self.heard)

    def greeted(self) -> Ear:
        """Wait for the first words."""
        self.until(bool)
        return self

    def numbers(self) -> list[int]:
        """Return the numbers of the test's own events, as they came."""
        return [int(found[1]) for one in self.heard if (found := re.search(r"number (\d+)", one.data))]

    @property
    def last(self) -> str:
        """The position that it has reached."""
        return [one.id for one in self.heard if one.id][-1]

    def close(self) -> None:
        """Hang up."""
        self._closing = True
        self._client.close()


def _read(block: str) -> Heard | None:
    fields: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        if name:
            fields.setdefault(name, []).append(value)
    if "event" not in fields:
        return None
    return Heard(fields["event"][0], "\n".join(fields.get("data", [])), fields.get("id", [""])[0])


@pytest.fixture
def token(fleet: Fleet) -> str:
    """A program's key, which may look at the fleet."""
    accounts.create_user(fleet.deps, "ana", Role.VIEWER, PASSWORD)
    return accounts.issue_token(fleet.deps, "ana", "tests", (Permission.FLEET_VIEW,), None)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "POLL_S", 0.02)
    monkeypatch.setattr(hub, "_PATIENCE_S", WITHIN_S)


@pytest.fixture
def address(fleet: Fleet) -> Iterator[str]:
    """Where the dashboard listens."""
    with server.running(fleet.deps) as url:
        yield url


def emit(fleet: Fleet, *numbers: int) -> None:
    """Have something happen, each in a transaction of its own."""
    for number in numbers:
        with fleet.deps.db.transaction() as tx:
            events.emit(tx, "test.happened", number=number)


def test_each_event_is_heard_once_over_reconnects_beside_slow_transactions(
    fleet: Fleet, token: str, address: str
) -> None:
    """A slow transaction takes its id first and commits last; who resumes at a later id must hear of it too."""
    first = Ear(address, token, {"feed": "1"}).greeted()
    emit(fleet, 1, 2)
    first.until(lambda _: len(first.numbers()) == 2)
    held, release = threading.Event(), threading.Event()

    def slowly() -> None:
        with fleet.deps.db.transaction() as tx:
            events.emit(tx, "test.happened", number=3)
            tx.session.flush()
            held.set()
            release.wait(WITHIN_S)

    writer = threading.Thread(target=slowly)
    writer.start()
    held.wait(WITHIN_S)
    emit(fleet, 4)  # committed, and not to be told before the one that began earlier
    last = first.last
    first.close()
    second = Ear(address, token, {"feed": "1"}, {"last-event-id": last}).greeted()
    release.set()
    writer.join()
    emit(fleet, 5)
    second.until(lambda _: len(second.numbers()) >= 3)
    middle = next(one.id for one in second.heard if "number 3" in one.data)
    second.close()
    third = Ear(address, token, {"feed": "1"}, {"last-event-id": middle}).greeted()
    emit(fleet, 6)
    third.until(lambda _: 6 in third.numbers())
    assert first.numbers() == [1, 2]
    assert second.numbers() == [3, 4, 5]
    assert third.numbers() == [4, 5, 6]
    third.close()


def test_a_stream_goes_on_where_another_server_left_off(fleet: Fleet, token: str) -> None:
    with server.running(fleet.deps) as url:
        ear = Ear(url, token, {"feed": "1"}).greeted()
        emit(fleet, 1)
        ear.until(lambda _: ear.numbers() == [1])
        last = ear.last
    assert ear.ended.wait(WITHIN_S)
    emit(fleet, 2)
    with server.running(fleet.deps) as url:
        again = Ear(url, token, {"feed": "1", "after": last}).greeted()
        emit(fleet, 3)
        again.until(lambda _: len(again.numbers()) == 2)
        assert again.numbers() == [2, 3]
        again.close()


def test_all_pages_get_the_same_bytes_and_a_page_without_a_feed_no_lines(
    fleet: Fleet, token: str, address: str
) -> None:
    ears = [Ear(address, token, {"feed": "1"}).greeted() for _ in range(8)]
    plain = Ear(address, token).greeted()
    agent_id = fleet.agent(name="Ada", username="ada_1")
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "job.done", agent_id=agent_id, kind="post", text="A harbour.")
    for ear in (*ears, plain):
        ear.until(lambda heard: any("job.done" in one.data for one in heard if one.name == "changed"))
    told = {
        tuple((one.name, one.data, one.id) for one in ear.heard if one.name in ("activity", "changed")) for ear in ears
    }
    assert len(told) == 1
    assert "A harbour." in told.pop()[-2][1]
    assert not [one for one in plain.heard if one.name == "activity"]
    changed = [json.loads(one.data) for one in plain.heard if one.name == "changed"]
    assert any(one["subjects"] == ["job.done"] or "job.done" in one["subjects"] for one in changed)
    assert any(str(agent_id) in one["agents"] for one in changed)
    for ear in (*ears, plain):
        ear.close()


@pytest.mark.parametrize(("permission", "subject"), [
    (Permission.HOOKS_VIEW, "hook.received"), (Permission.SETTINGS_VIEW, "secret.set"),
    (Permission.SETTINGS_VIEW, "settings.changed"),
])  # fmt: skip
def test_of_webhooks_and_settings_only_those_hear_who_may_see_them(
    fleet: Fleet, token: str, address: str, permission: Permission, subject: str
) -> None:
    scopes = (Permission.FLEET_VIEW, permission)
    accounts.create_user(fleet.deps, "ozzy", Role.OPERATOR, PASSWORD)
    keys = {"viewer": token, "operator": accounts.issue_token(fleet.deps, "ozzy", "tests", scopes, None),
            "narrow": accounts.issue_token(fleet.deps, "ozzy", "narrow", scopes[:1], None)}  # fmt: skip
    ears = {name: Ear(address, key, {"feed": "1"}).greeted() for name, key in keys.items()}
    first = ears["viewer"].last
    with fleet.deps.db.transaction() as tx:
        about = {"setting": "order-7", "change": "unset", "by": "ana"} if subject == "settings.changed" else {}
        events.emit(tx, subject, name="order-7", external_id="order-7", **about)
    emit(fleet, 1)
    for name, ear in ears.items():
        heard = ear.until(lambda _, ear=ear: ear.numbers() == [1] and any(one.name == "changed" for one in ear.heard))  # type: ignore[misc]
        late = Ear(address, keys[name], {"feed": "1", "after": first})
        missed = late.until(lambda _, late=late: late.numbers() == [1])  # type: ignore[misc]
        pages = [
            httpx.get(f"{address}{path}", headers={"authorization": f"Bearer {keys[name]}"}, timeout=WITHIN_S).text
            for path in ("/", "/activity", f"/activity?subject={subject[:4]}*", "/api/v1/activity",
                         "/api/v1/activity/after", f"/api/v1/activity?subject={subject}")
        ]  # fmt: skip
        may = name == "operator"
        for told in (*pages, "".join(one.data for one in heard), "".join(one.data for one in missed)):
            assert ("order-7" in told) is may and (may or subject not in told), (name, told)
        ear.close()
        late.close()


def test_words_of_agents_are_inert(fleet: Fleet, token: str, address: str) -> None:
    """Neither do they become markup, nor do they end the event that carries them and begin one of their own."""
    ear = Ear(address, token, {"feed": "1"}).greeted()
    hostile = '<img src=x onerror=alert(1)>\n\nevent: changed\ndata: {"subjects":["control.killed"]}\n\n'
    agent_id = fleet.agent(name="<script>alert(2)</script>", username="eve_1")
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "job.done", agent_id=agent_id, kind="comment", to='"><svg onload=x>', text=hostile)
        events.emit(tx, 'x"><u>', agent=hostile, why=hostile)
    emit(fleet, 1)
    heard = ear.until(lambda _: ear.numbers() == [1])
    lines = [one.data for one in heard if one.name == "activity"]
    assert len(lines) >= 3
    for line in lines:
        assert not re.search(r"<(img|script|svg onload|u>)", line)
    assert "&lt;img src=x" in "".join(lines)
    changed = [json.loads(one.data) for one in heard if one.name == "changed"]
    assert "control.killed" not in {subject for one in changed for subject in one["subjects"]}
    ear.close()


def test_a_client_that_missed_too_much_or_has_a_foreign_cursor_reloads(
    fleet: Fleet, token: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "BACKLOG", 5)
    ear = Ear(address, token, {"feed": "1"}).greeted()
    emit(fleet, *range(8))
    ear.until(lambda _: ear.numbers() == [*range(8)])  # what the process has not read yet, nobody has missed
    late = Ear(address, token, {"feed": "1", "after": "1-1"}).greeted()
    odd = Ear(address, token, {"feed": "1", "after": f"{2**62}-1"}).greeted()
    for one in (late, odd):
        one.until(lambda heard: any(event.name == "reset" for event in heard))
        assert re.fullmatch(r"\d+-\d+", one.last)
    emit(fleet, 99)
    for one in (late, odd):
        one.until(lambda _, one=one: one.numbers() == [99])  # type: ignore[misc]
    for one in (ear, late, odd):
        one.close()


@pytest.mark.parametrize("position", ["x", "1", "1-", "1-x", "-1-2", "٣-٤", f"{10**30}-1"])
def test_what_is_no_position_is_refused(fleet: Fleet, token: str, address: str, position: str) -> None:
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.get(
        f"{address}/live", params={"after": position}, headers=headers, trust_env=False, timeout=WITHIN_S
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_unknown_users_get_no_stream_and_streams_are_limited(
    fleet: Fleet, token: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert httpx.get(f"{address}/live", trust_env=False, timeout=WITHIN_S).status_code == 401
    monkeypatch.setattr(hub, "MOST_STREAMS", 1)
    ear = Ear(address, token).greeted()
    refused = httpx.get(
        f"{address}/live", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=WITHIN_S
    )
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    ear.close()


def test_the_limit_of_streams_is_per_user(
    fleet: Fleet, token: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_OF_ONE", 1)
    accounts.create_user(fleet.deps, "bo", Role.VIEWER, PASSWORD)
    another = accounts.issue_token(fleet.deps, "ana", "another", (Permission.FLEET_VIEW,), None)
    of_bo = accounts.issue_token(fleet.deps, "bo", "tests", (Permission.FLEET_VIEW,), None)
    ear = Ear(address, token).greeted()
    refused = httpx.get(
        f"{address}/live", headers={"authorization": f"Bearer {another}"}, trust_env=False, timeout=WITHIN_S
    )
    assert refused.status_code == 503
    other = Ear(address, of_bo).greeted()
    ear.close()
    other.close()


def test_a_stream_ends_with_its_session(
    fleet: Fleet, token: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "SESSIONS_S", 0.05)
    stays = accounts.issue_token(fleet.deps, "ana", "stays", (Permission.FLEET_VIEW,), None)
    ear, other = Ear(address, token).greeted(), Ear(address, stays).greeted()
    fleet.sql("UPDATE tokens SET revoked_at = clock_timestamp() WHERE name = 'tests'")
    assert ear.ended.wait(WITHIN_S)
    emit(fleet, 1)
    other.until(lambda heard: any(one.name == "changed" for one in heard))
    assert not other.ended.is_set()
    other.close()


def test_a_stream_ends_when_its_user_may_hear_of_less(
    fleet: Fleet, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: a token's stream went on to tell of webhooks after its user had been made a viewer."""
    accounts.create_user(fleet.deps, "ozzy", Role.OPERATOR, PASSWORD)
    accounts.create_user(fleet.deps, "olga", Role.OPERATOR, PASSWORD)
    may = (Permission.FLEET_VIEW, Permission.HOOKS_VIEW, Permission.SETTINGS_VIEW)
    keys = {name: accounts.issue_token(fleet.deps, name, "tests", may, None) for name in ("ozzy", "olga")}
    ears = {name: Ear(address, key, {"feed": "1"}).greeted() for name, key in keys.items()}
    accounts.change_role(fleet.deps, "ozzy", Role.VIEWER)
    monkeypatch.setattr(hub, "SESSIONS_S", 0.05)
    assert ears["ozzy"].ended.wait(WITHIN_S)
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "hook.received", external_id="order-7")
    again = Ear(address, keys["ozzy"], {"feed": "1"}).greeted()
    emit(fleet, 1)
    told = [ear.until(lambda heard: any("number 1" in one.data for one in heard)) for ear in (again, ears["olga"])]
    assert ["order-7" in "".join(one.data for one in heard) for heard in told] == [False, True]
    for ear in (again, ears["olga"]):
        ear.close()


def test_a_page_that_stops_reading_is_dropped_and_blocks_no_other(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "ROUNDS", 3)
    assert asyncio.run(_beside_one_that_hangs(fleet)) == 1


async def _beside_one_that_hangs(fleet: Fleet) -> int:
    """Return how many still listen, once one has missed more rounds than it may."""
    who = Principal(uuid.uuid4(), "ana", Role.VIEWER, Via.SESSION, uuid.uuid4())
    streams = hub.Hub(fleet.deps, frame=lambda: "", cards=lambda: "", feed=Scribe(fleet.deps))
    stuck, other = [await streams.join(who, None, Wants(feed=True)) for _ in range(2)]
    never = asyncio.Event()

    async def hang(*_: object) -> Any:
        await never.wait()

    speaking = asyncio.create_task(EventStream(streams, stuck)({}, hang, hang))
    for number in range(6):
        await asyncio.to_thread(emit, fleet, number)
        while f"number {number}" not in ((await asyncio.wait_for(other.next(), WITHIN_S)) or b"").decode():
            pass
    await asyncio.wait_for(speaking, WITHIN_S)
    left = streams.number
    streams.close()
    return left


def test_who_comes_while_a_round_is_on_its_way_is_sent_the_frame_once(fleet: Fleet) -> None:
    assert asyncio.run(_frames_of_one_that_comes_between(fleet)) == 1


async def _frames_of_one_that_comes_between(fleet: Fleet) -> int:
    """Return how often the frame is sent to a page that joins when it has been made and was not sent yet."""
    who = Principal(uuid.uuid4(), "ana", Role.VIEWER, Via.SESSION, uuid.uuid4())
    streams = hub.Hub(fleet.deps, frame=lambda: "<p>running</p>", cards=lambda: "")
    in_thread, late = streams._in_thread, []

    async def slowly(call: Callable[[], Any]) -> Any:
        found = await in_thread(call)
        if isinstance(found, Round) and found.frame:
            late.append(await streams.join(who, None, Wants()))
        return found

    streams._in_thread = slowly  # type: ignore[method-assign]
    first = await streams.join(who, None, Wants())
    while b"running" not in ((await asyncio.wait_for(first.next(), WITHIN_S)) or b""):
        pass
    (second,) = late
    heard = [await second.next()]
    while not second.rounds.empty():
        heard.append(await second.next())
    streams.close()
    return b"".join(one or b"" for one in heard).count(b"event: frame")


def test_a_page_hears_at_once_that_nothing_can_be_read_and_that_it_can_be_again(fleet: Fleet) -> None:
    """Symptom: while Postgres was away, pages got keep-alives, and stayed green."""
    heard = asyncio.run(_while_the_database_is_away(fleet))
    frames = [one.partition("data: ")[2] for one in heard if one.startswith("event: frame")]
    assert frames == ["<p>running</p>", "<p>It is away.</p>", "<p>running</p>"]
    away = [json.loads(one.partition("data: ")[2])["away"] for one in heard if one.startswith("event: fresh")]
    assert "It is away." in away and away[-1] == ""


async def _while_the_database_is_away(fleet: Fleet) -> list[str]:
    """Return the messages to a page: until the frame is there, while nothing can be read, and until it is back."""
    who = Principal(uuid.uuid4(), "ana", Role.VIEWER, Via.SESSION, uuid.uuid4())
    streams = hub.Hub(fleet.deps, frame=lambda: "<p>running</p>", cards=lambda: "", away=lambda why: f"<p>{why}</p>")
    read, is_away = streams._read, threading.Event()

    def reading() -> Round:
        if is_away.is_set():
            raise Unavailable("It is away.")
        return read()

    streams._read = reading  # type: ignore[method-assign]
    listener, heard = await streams.join(who, None, Wants()), list[str]()

    async def until(word: str) -> None:
        begins = len(heard)
        while not any(word in one for one in heard[begins:]):
            chunk = (await asyncio.wait_for(listener.next(), WITHIN_S)) or b""
            heard.extend(one for one in chunk.decode().split("\n\n") if one)

    await until("<p>running</p>")
    is_away.set()
    await until('"away": "It is away."')
    is_away.clear()
    await until('"away": ""')
    streams.close()
    return heard


def test_every_page_hears_that_the_kill_switch_is_on_and_only_changes_are_sent(
    fleet: Fleet, token: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_MADE_EVERY_S", 0.0)
    plain, overview = Ear(address, token).greeted(), Ear(address, token, {"cards": "1"}).greeted()
    for ear in (plain, overview):
        ear.until(lambda heard: any(one.name == "frame" and "state running" in one.data for one in heard))
    fleetwide.throw_kill_switch(fleet.deps, by="ana", reason="<b>drill</b>")
    for ear in (plain, overview):
        heard = ear.until(lambda heard: any(one.name == "frame" and "state killed" in one.data for one in heard))
        frames = [one.data for one in heard if one.name == "frame"]
        assert len(frames) == len(set(frames)) == 2
        assert "&lt;b&gt;drill" in frames[-1]
    overview.until(lambda heard: any(one.name == "cards" and "Agents running" in one.data for one in heard))
    assert not [one for one in plain.heard if one.name == "cards"]
    plain.close()
    overview.close()
