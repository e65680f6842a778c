"""Code outside of Fleet hears of events by an entry point: in order, at least once, and a bad one stops no other."""

from __future__ import annotations

import importlib
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.events import Position
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.events import positions
from fleet.engine.jobs import ticks
from fleet.engine.jobs.models import TickRow
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.kinds import HANDLE
from fleet.features.webhooks.signatures import Scheme
from fleet.features.webhooks.subscribers import in_code as subscribers
from tests.factories import Fleet, make_fleet

CODE = """
class Ledger:
    name = "{name}"
    subjects = ("thing.*", "hook.received")
    seen = []
    refuses = set()

    def handle(self, event):
        if event.payload.get("number") in self.refuses:
            raise RuntimeError("cannot handle this, password=https://a:b3kz@c.example/")
        type(self).seen.append(event)
"""


class Distribution:
    """A tiny distribution on `sys.path`, as a package index would install it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.module = name, f"{name}_events"
        (folder / f"{self.module}.py").write_text(CODE.format(name=name), encoding="utf-8")
        self.info = folder / f"{name}-1.0.dist-info"
        self.info.mkdir()
        (self.info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        entry = f"[fleet.events]\n{name} = {self.module}:Ledger\n"
        (self.info / "entry_points.txt").write_text(entry, encoding="utf-8")

    @property
    def code(self) -> Any:
        return importlib.import_module(self.module).Ledger

    @property
    def seen(self) -> list[int]:
        return [event.payload["number"] for event in self.code.seen]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distribution]:
    """A subscriber whose distribution is installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Distribution(tmp_path, f"ledger{uuid.uuid4().hex[:8]}")
    subscribers.subscribers.cache_clear()
    yield made
    sys.modules.pop(made.module, None)
    subscribers.subscribers.cache_clear()


@pytest.fixture
def fleet(database_url: str, ledger: Distribution) -> Iterator[Fleet]:
    made = make_fleet(database_url, secret_keys=new_key())
    staff(made.deps.db)
    look(made)
    yield made
    made.deps.close()


def look(fleet: Fleet) -> None:
    """Let the agent of the hooks look once, and carry out what it decided."""
    with fleet.deps.db.transaction() as tx:
        agent_id = tx.scalar(sa.select(AgentRow.id).where(AgentRow.kind == "hooks"))
        last = tx.scalar(sa.select(sa.func.max(TickRow.tick_no)).where(TickRow.agent_id == agent_id)) or 0
        key = TickKey(agent_id, last + 1)
        ticks.open_ticks(tx, [(key, tx.now())])
        tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(status="running"))
    tick(fleet.deps, key)


def handle(fleet: Fleet) -> list[str]:
    """Carry out what is due; return the states of all jobs of this kind, oldest first."""
    for job in fleet.jobs(kind=HANDLE):
        perform(fleet.deps, job.id)
    return [str(job.state) for job in fleet.jobs(kind=HANDLE)]


def happens(fleet: Fleet, *numbers: int, subject: str = "thing.done") -> None:
    for number in numbers:
        with fleet.deps.db.transaction() as tx:
            events.emit(tx, subject, number=number)


def test_a_subscriber_hears_what_it_wants_in_order(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1, 2)
    happens(fleet, 9, subject="other.done")
    happens(fleet, 3)
    look(fleet)
    assert handle(fleet) == ["done"]
    assert ledger.seen == [1, 2, 3]
    look(fleet)
    assert handle(fleet) == ["done"]  # nothing new, so no job


def test_what_is_not_for_it_moves_it_on_without_a_job(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1, subject="other.done")
    (before,) = [one.reader for one in subscribers.listed(fleet.deps) if one.name == ledger.name]
    look(fleet)
    (after,) = [one.reader for one in subscribers.listed(fleet.deps) if one.name == ledger.name]
    assert handle(fleet) == []
    assert before is not None
    assert after is not None
    assert after.at > before.at


def test_an_event_that_fails_is_tried_again_before_those_behind_it(fleet: Fleet, ledger: Distribution) -> None:
    ledger.code.refuses = {2}
    happens(fleet, 1, 2, 3)
    look(fleet)
    assert handle(fleet) == ["done"]
    look(fleet)
    assert handle(fleet) == ["done", "ready"]
    assert ledger.seen == [1]
    ledger.code.refuses = set()
    fleet.time_passes()
    assert handle(fleet) == ["done", "done"]
    assert ledger.seen == [1, 2, 3]


def test_an_event_that_fails_for_good_is_parked_and_reported(fleet: Fleet, ledger: Distribution) -> None:
    ledger.code.refuses = {2}
    happens(fleet, 2, 3)
    look(fleet)
    for _ in range(registry.current().job(HANDLE).retry.max_attempts):
        fleet.time_passes()
        handle(fleet)
    assert handle(fleet) == ["done"]
    assert ledger.seen == [3]
    (listed,) = [one for one in subscribers.listed(fleet.deps) if one.name == ledger.name]
    assert listed.reader is not None
    assert (listed.reader.parked, str(listed.reader.last_error)[:40]) == (1, "RuntimeError: cannot handle this, passwo")
    assert "b3kz" not in str(listed.reader.last_error)
    with fleet.deps.db.transaction() as tx:
        (parked,) = events.latest(tx, subjects=("event.parked",))
    assert (parked.payload["subscriber"], parked.payload["about"]) == (ledger.name, "thing.done")


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_an_event_is_handed_out_again_when_its_handler_dies(
    fleet: Fleet, ledger: Distribution, monkeypatch: pytest.MonkeyPatch
) -> None:
    happens(fleet, 1, 2)
    look(fleet)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fleet.features.webhooks.subscribers.in_code._settle", die)
        with pytest.raises(Killed):
            handle(fleet)
    fleet.lease_runs_out()
    sweep(fleet.deps)
    assert handle(fleet) == ["done"]
    assert ledger.seen == [1, 1, 2]


def test_an_event_that_kills_its_handlers_is_parked(fleet: Fleet, ledger: Distribution) -> None:
    """Symptom: twelve workers died of it, their job was poison, and the next job began with the same event."""
    happens(fleet, 1, 2, 3)
    look(fleet)
    code, deaths = ledger.code, []
    heard = code.handle

    def die_of_two(self: Any, event: Any) -> None:
        if event.payload["number"] == 2:
            deaths.append(event)
            raise Killed
        heard(self, event)

    code.handle = die_of_two
    subscribers.subscribers.cache_clear()
    for _ in range(30):
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()
        look(fleet)
        try:
            states = handle(fleet)
        except Killed:
            continue
        if ledger.seen == [1, 3]:
            break
    assert ledger.seen == [1, 3]
    assert set(states) == {"done"}
    assert len(deaths) == subscribers.MOST_LOST
    (listed,) = [one for one in subscribers.listed(fleet.deps) if one.name == ledger.name]
    assert listed.reader is not None
    assert listed.reader.parked == 1
    assert "the worker was lost" in str(listed.reader.last_error)


def test_one_job_at_a_time_of_each_subscriber(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1)
    look(fleet)
    happens(fleet, 2)
    look(fleet)
    assert handle(fleet) == ["done"]
    assert ledger.seen == [1, 2]


def test_a_replay_begins_at_a_position(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1, 2, 3)
    look(fleet)
    handle(fleet)
    second = ledger.code.seen[0].position
    subscribers.replay(fleet.deps, ledger.name, second, by="test")
    look(fleet)
    assert handle(fleet) == ["done", "done"]
    assert ledger.seen == [1, 2, 3, 2, 3]
    with pytest.raises(NotFound):
        subscribers.replay(fleet.deps, "nobody", Position(), by="test")


def test_a_replay_while_events_are_handled_is_not_lost(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1, 2)
    look(fleet)
    code, was_replayed = ledger.code, []

    def handle_and_replay(self: Any, event: Any) -> None:
        code.seen.append(event)
        if not was_replayed:
            was_replayed.append(subscribers.replay(fleet.deps, ledger.name, Position(), by="test"))

    code.handle = handle_and_replay
    subscribers.subscribers.cache_clear()
    handle(fleet)
    assert ledger.seen == [1]
    look(fleet)
    handle(fleet)
    assert ledger.seen == [1, 1, 2]


def test_what_a_source_says_comes_with_its_words_and_its_state_follows(fleet: Fleet, ledger: Distribution) -> None:
    scheme = Scheme("stamped", "X-Sign")
    secret = receiving.create(fleet.deps, receiving.SourceFields("shop", scheme, id_path="id"), by="test")
    body = json.dumps({"id": "1", "words": "an order"}).encode()
    from fleet.features.webhooks import signatures

    stamp_s = int(fleet.deps.now().timestamp())
    receiving.receive(fleet.deps, "shop", {"x-sign": signatures.signed([secret], stamp_s, body)}, body)
    look(fleet)
    handle(fleet)
    (event,) = ledger.code.seen
    assert json.loads(event.payload["body"]) == json.loads(body)
    assert [one.state for one in receiving.history(fleet.deps, "shop")] == ["processed"]


def test_a_broken_subscriber_is_left_out_and_the_others_live(ledger: Distribution, tmp_path: Path) -> None:
    broken = {
        "broken": "1 / 0",
        "nameless": "class Ledger: name = 'A B'; subjects = ('*',); handle = print",
        "vague": "class Ledger: name = 'vague'; subjects = ('job*',); handle = print",
    }
    for name, code in broken.items():
        other = Distribution(tmp_path, name)
        (tmp_path / f"{other.module}.py").write_text(code, encoding="utf-8")
    subscribers.subscribers.cache_clear()
    assert [one.name for one in subscribers.subscribers()] == [ledger.name]


def test_a_subscriber_that_is_no_longer_installed_is_let_be(fleet: Fleet, ledger: Distribution) -> None:
    happens(fleet, 1)
    look(fleet)
    (ledger.info / "entry_points.txt").write_text("", encoding="utf-8")
    subscribers.subscribers.cache_clear()
    assert handle(fleet) == ["skipped"]
    assert fleet.jobs(kind=HANDLE)[0].state == JobState.SKIPPED
    assert [one.subjects for one in subscribers.listed(fleet.deps) if one.name == ledger.name] == [None]


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "a-b", "1-2-3", "1.0-2", f"{2**63}-0", "١-٢"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        positions.read(text)


def test_a_position_is_read_as_it_is_written() -> None:
    assert positions.read(positions.written(Position(12, 34))) == Position(12, 34)
