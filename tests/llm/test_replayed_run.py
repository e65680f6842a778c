"""A run with a model is recorded, and repeats without one: the same decisions, texts and effects, byte for byte.

"The same run" means: the same agents, ticks and feed, and each agent's jobs done in the same order, so that each asks
the same requests in the same order. Who goes first among processes is no part of a recording; one thread does all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleet.adapters.social import FeedItem
from fleet.core import settings
from fleet.core.errors import FleetError
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.personas.library import load
from fleet.llm import registry
from tests.conftest import PostgresForTests
from tests.factories import Fleet, make_fleet
from tests.model_server import PLACES, SUBJECTS, ModelServer

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"
BORN = datetime(2026, 11, 1, tzinfo=UTC)


def live(database_url: str, rounds: int = 4, **who_writes: Any) -> list[str]:
    """Let six agents live some ticks on a ledger of their own; return all that came of it, a line each."""
    fleet = make_fleet(database_url)
    try:
        fleet.deps.models_override.writer = registry.connect(settings.load(**who_writes))
        fleet.surface.posts = [
            FeedItem(f"p{n}", f"zoe{n}", f"Zoe {n}", f"A {SUBJECTS[n]} {PLACES[n % 6]}.", BORN) for n in range(8)
        ]
        for number, persona in enumerate(load()):
            agent_id = fleet.agent(name=f"Agent {number}", username=f"agent_{number}", persona_id=persona.id)
            fleet.sql("UPDATE agents SET id = :new, remote_account = :account WHERE id = :old", old=agent_id,
                      new=uuid.UUID(int=number + 1), account=f"u{number}")  # fmt: skip
        for _ in range(rounds):
            _one_round(fleet)
        return _story(fleet)
    finally:
        fleet.deps.close()


def _one_round(fleet: Fleet) -> None:
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
    dispatch(fleet.deps)
    while messages := sorted(fleet.bell.take(), key=lambda message: message.args):
        for message in messages:
            if message.task == "fleet.tick":
                tick(fleet.deps, TickKey(uuid.UUID(str(message.args[0])), int(message.args[1])))
            else:
                perform(fleet.deps, uuid.UUID(str(message.args[0])))


def _story(fleet: Fleet) -> list[str]:
    decided = fleet.sql("SELECT agent_id, tick_no, state, outcome FROM ticks ORDER BY agent_id, tick_no")
    done = fleet.sql("SELECT id, agent_id, kind, target, state, error, checkpoint, remote_id FROM jobs ORDER BY id")
    rows = [*(tuple(row) for row in decided), *(tuple(row) for row in done)]
    shown = [(one.id, one.action, one.username, one.target, one.text, one.key) for one in fleet.surface.effects]
    return [json.dumps(row, default=str, sort_keys=True) for row in (*rows, *shown)]


@pytest.fixture
def database(postgres_server: PostgresForTests, migrated_template: str) -> Any:
    made: list[str] = []

    def make() -> str:
        made.append(postgres_server.create_database(template=migrated_template))
        return made[-1]

    yield make
    for url in made:
        postgres_server.drop_database(url)


def test_a_recorded_run_repeats_byte_for_byte_without_its_model(database: Callable[[], str], tmp_path: Path) -> None:
    record = tmp_path / "run.jsonl"
    with ModelServer().running() as server:
        model = {"anthropic_api_key": KEY, "anthropic_base_url": server.url}
        first = live(database(), **model, llm_record=record)
        asked = len(server.asked)
    assert asked > 10
    assert sum("anthropic/claude-haiku-5-5" in line for line in first) > 5
    recorded = record.read_bytes()
    # The key is there and the server is gone: nobody asks for it.
    assert live(database(), **model, llm_replay=record) == first
    assert record.read_bytes() == recorded
    assert len(server.asked) == asked
    assert KEY.encode() not in recorded


def test_a_run_that_goes_another_way_is_not_given_words_of_this_one(
    database: Callable[[], str], tmp_path: Path
) -> None:
    record = tmp_path / "run.jsonl"
    with ModelServer().running() as server:
        live(database(), rounds=1, anthropic_api_key=KEY, anthropic_base_url=server.url, llm_record=record)
    longer = live(database(), rounds=4, llm_replay=record)
    assert any("has no words for this request" in line for line in longer)
    with pytest.raises(FleetError):
        live(database(), llm_replay=tmp_path / "none.jsonl")
