"""The layers of settings: the strongest counts, a pinned value holds, and the last known while no database answers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core.clock import VirtualClock
from fleet.core.db import Database, Tx
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings, SettingScope
from fleet.engine import registry
from fleet.engine.deps import caps_of
from fleet.engine.settings import layers, store
from fleet.engine.settings.live import LiveSettings
from fleet.engine.settings.store import FLEET, ScopeKey
from tests.factories import Fleet, make_fleet

NAMES = ("ai_comment_lead", "caps.post.per_day", "caps.comment.per_day")
VALUES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1_000_000))
ACCOUNT = ScopeKey(SettingScope.ACCOUNT, str(SETTINGS_ACCOUNT))


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


@given(environment=VALUES, rows=st.lists(VALUES, min_size=3, max_size=3), pinned=st.sets(st.sampled_from(NAMES)))
def test_of_all_layers_the_strongest_counts_unless_the_setting_is_pinned(
    environment: dict[str, int], rows: list[dict[str, int]], pinned: set[str]
) -> None:
    caps = {name.split(".")[1]: {"per_day": value} for name, value in environment.items() if name.startswith("caps.")}
    plain = {name: value for name, value in environment.items() if "." not in name}
    base = registry.load_settings(_env_file=None, pinned=",".join(pinned), caps=caps, **plain)
    made = layers.apply(base, *rows)
    for name in NAMES:
        above = [layer[name] for layer in rows if name in layer and name not in pinned]
        expected = [layers.value_of(base, name), *above][-1]
        assert layers.value_of(made, name) == expected
    posts = layers.value_of(made, "caps.post.per_day")
    assert posts is None or caps_of(made)["post"].per_day == posts
    assert layers.apply(layers.apply(base, *rows[:2]), rows[2]) == made, "account and agent stand above the fleet's"


def put(fleet: Fleet, key: ScopeKey, name: str, value: object) -> None:
    with fleet.deps.db.transaction() as tx:
        store.take_turn(tx)
        store.put(tx, key, name, value, by="tests", reason="")
    fleet.deps.live.expire()
    fleet.deps.live.refresh()


def test_an_agent_has_its_own_value_above_its_accounts_and_the_fleets(fleet: Fleet) -> None:
    mine, other, lead = uuid.uuid4(), uuid.uuid4(), "ai_comment_lead"
    put(fleet, FLEET, lead, 4)
    fleets = fleet.deps.settings
    put(fleet, ACCOUNT, lead, 5)
    put(fleet, ScopeKey(SettingScope.AGENT, str(mine)), lead, 6)
    found = [fleet.deps.settings_of(*who).ai_comment_lead for who in ((mine,), (other,), (other, uuid.uuid4()))]
    assert found == [6, 5, 4]
    assert fleets.ai_comment_lead == fleet.deps.settings.ai_comment_lead == 4
    assert fleet.deps.settings_of(mine) is fleet.deps.settings_of(mine), "made once a revision"
    put(fleet, ScopeKey(SettingScope.AGENT, str(mine)), lead, None)
    assert fleet.deps.settings_of(mine).ai_comment_lead == 5


def test_a_row_that_is_wrong_here_puts_no_other_out_of_force(fleet: Fleet) -> None:
    put(fleet, FLEET, "ai_comment_lead", -1)
    put(fleet, FLEET, "of_a_later_version", 1)
    put(fleet, FLEET, "database_url", "postgresql+psycopg://elsewhere/fleet")
    put(fleet, FLEET, "caps.post.per_day", 9)
    assert caps_of(fleet.deps.settings)["post"].per_day == 9
    assert fleet.deps.settings.ai_comment_lead == 3
    assert fleet.deps.settings.database_url == fleet.deps.given.database_url


def test_while_the_database_is_away_the_last_known_settings_hold(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    live = LiveSettings(fleet.deps.db, fleet.deps.given, clock_s=lambda: now_s)
    put(fleet, FLEET, "ai_comment_lead", 7)
    assert live.refresh()
    assert live.fleet.ai_comment_lead == 7
    nobody = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
    monkeypatch.setattr(live, "_db", nobody)
    now_s = 10.0
    assert not live.refresh()
    assert live.fleet.ai_comment_lead == 7
    monkeypatch.setattr(live, "_db", fleet.deps.db)
    put(fleet, FLEET, "ai_comment_lead", 8)
    assert not live.refresh(), "it looks seldom"
    now_s = 20.0
    assert live.refresh()
    assert live.fleet.ai_comment_lead == 8


def test_a_change_is_in_force_for_its_caller_though_another_thread_reads_the_rows_from_before(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: the caller went on with the old snapshot, and drew an agent's next time in its old hours."""
    live, read = fleet.deps.live, fleet.deps.live._read
    put(fleet, FLEET, "ai_comment_lead", 4)
    is_read, go_on = threading.Event(), threading.Event()

    def slow_read(tx: Tx) -> Any:
        found = read(tx)
        is_read.set()
        assert go_on.wait(60)
        return found

    monkeypatch.setattr(live, "_read", slow_read)
    with fleet.deps.db.transaction() as tx:
        store.put(tx, FLEET, "ai_comment_lead", 5, by="tests", reason="")
    live.expire()
    with ThreadPoolExecutor(2) as others:
        others.submit(live.refresh)
        assert is_read.wait(60)
        monkeypatch.setattr(live, "_read", read)
        with fleet.deps.db.transaction() as tx:
            store.put(tx, FLEET, "ai_comment_lead", 6, by="tests", reason="")
            tx.afterwards(live.expire)
        assert not live.refresh(), "requests do not wait"
        waiting = others.submit(live.refresh, wait=True)
        go_on.set()
        waiting.result(60)
    assert live.fleet.ai_comment_lead == 6


def test_connections_of_models_that_no_setting_names_any_more_are_forgotten(database_url: str) -> None:
    """Symptom: each change of a model left its client and its breaker in every process for good."""
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    fleet = make_fleet(database_url, clock=clock)
    deps, made = fleet.deps, []

    def connect(chosen: Settings) -> object:
        made.append(chosen.openai_model)
        return object()

    def use(model: str) -> object:
        return deps._connect("writer", layers.apply(deps.given, {"openai_model": model}), connect)

    with closing(deps):
        first = use("one")
        for minutes, model in ((0, "two"), (40, "one"), (80, "three")):
            clock.advance(datetime(2026, 1, 1, minutes // 60, minutes % 60, tzinfo=UTC))
            use(model)
        assert use("one") is first, "it is in use"
        use("two")
        assert made == ["one", "two", "three", "two"]
        assert len(deps._connected) == 3


def test_a_pin_of_no_setting_is_refused_at_the_start() -> None:
    for name in ("caps.post", "caps.post.per_day", "caps", "DRY_RUN"):
        layers.check_pinned(registry.load_settings(_env_file=None, pinned=name))
    with pytest.raises(InvalidInput, match="FLEET_PINNED names no setting: caps"):
        layers.check_pinned(registry.load_settings(_env_file=None, pinned="dry_run,caps.pots"))
    with pytest.raises(InvalidInput, match="posts_per_day") as refused:
        layers.check_pinned(registry.load_settings(_env_file=None, pinned="posts_per_day"))
    assert refused.value.fix == "Name caps.post.per_day."
