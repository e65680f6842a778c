"""Posts by the provider's batches: paid once, waited for without an attempt, and left when they are no good."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.core.errors import InvalidInput
from fleet.core.failpoints import Point
from fleet.core.settings import Settings
from fleet.engine.attempts import work as work_module
from fleet.engine.attempts.perform import perform
from fleet.engine.sweep import sweep
from fleet.features.publishing.kinds import COMMENT, POST
from fleet.features.publishing.words import batching
from fleet.llm import registry
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.writer import BatchWriter, ModelWriter
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.features.costs.test_budget_guard import budget, calls, limit
from tests.model_server import ModelServer, Reply, post_text

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"
BATCHES = "/v1/messages/batches"


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        running.batch_status = "in_progress"
        yield running


@pytest.fixture
def fleet(database_url: str, server: ModelServer) -> Iterator[Fleet]:
    """The loop, with a real client over a local server, for batches and without."""
    made = make_fleet(database_url)
    model = AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url)
    made.deps.models_override.writer = Chain(
        [ModelWriter(model, price_list())], OfflineProvider(), sleep=lambda _: None
    )
    made.deps.models_override.batches = BatchWriter(model, price_list(), timeout_s=5)
    limit(made, 1_000_000)
    yield made
    made.deps.close()


def look(fleet: Fleet, job: uuid.UUID) -> str:
    fleet.time_passes()
    perform(fleet.deps, job)
    return fleet.job(job).state


def begun(fleet: Fleet) -> uuid.UUID:
    job = add(fleet, fleet.agent(persona_id="ai_artist"), POST)
    perform(fleet.deps, job)
    return job


def asked(server: ModelServer, path: str) -> int:
    return sum(one == path and bool(body) for one, _, body in server.asked)


def dies_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, after: Callable[..., bool]) -> None:
    """Let the process end once a function has returned, if `after` says so of what it was given."""
    call = getattr(module, name)

    def once(*given: Any, **more: Any) -> Any:
        made = call(*given, **more)
        if after(*given):
            raise Died
        return made

    monkeypatch.setattr(module, name, once)


def test_a_post_waits_for_its_batch_without_an_attempt_and_costs_half(fleet: Fleet, server: ModelServer) -> None:
    job = begun(fleet)
    row = fleet.job(job)
    assert (row.state, row.attempts, row.claims, row.held) == ("ready", 0, 0, "a batch of anthropic writes it")
    assert row.next_attempt_at > datetime.now(UTC) + timedelta(seconds=50)
    assert budget(fleet).reserved_microusd > 0
    assert [look(fleet, job) for _ in range(3)] == ["ready"] * 3
    assert (fleet.job(job).attempts, fleet.job(job).claims) == (0, 0)
    server.batch_status = "ended"
    assert look(fleet, job) == "done"
    assert fleet.job(job).checkpoint["words"]["by"] == "anthropic/claude-haiku-5-5"
    [call] = calls(fleet)
    assert (call.batch, call.job_id, call.outcome) == (True, job, "answered")
    assert (budget(fleet).spent_microusd, budget(fleet).reserved_microusd) == (call.microusd, 0)
    assert (asked(server, BATCHES), asked(server, "/v1/messages")) == (1, 0)
    [request] = server.batches["msgbatch_1"]["requests"]
    assert request["custom_id"] == str(job)


def test_looks_grow_rarer_and_none_is_later_than_the_deadline(fleet: Fleet) -> None:
    job = begun(fleet)
    waits = []
    for minutes in (0, 10, 600):
        order = {**fleet.job(job).checkpoint["batch:order"],
                 "at": (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()}  # fmt: skip
        fleet.sql("UPDATE jobs SET checkpoint = checkpoint || CAST(:order AS jsonb)",
                  order=json.dumps({"batch:order": order}))  # fmt: skip
        look(fleet, job)
        waits.append(round((fleet.job(job).next_attempt_at - datetime.now(UTC)).total_seconds() / 60))
    assert waits == [1, 5, 30]
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() + interval '40 min'")
    look(fleet, job)
    assert fleet.job(job).next_attempt_at < datetime.now(UTC) + timedelta(minutes=11)


@pytest.mark.parametrize("lost", [Reply(cut=True), Reply(late_status=500), Reply(late_status=502),
                                  Reply(late_status=504), None])  # fmt: skip
def test_a_batch_whose_id_was_lost_is_found_and_not_paid_again(
    fleet: Fleet, server: ModelServer, monkeypatch: pytest.MonkeyPatch, lost: Reply | None
) -> None:
    if lost is None:
        dies_at(monkeypatch, BatchWriter, "submit", lambda *_: True)
        with pytest.raises(Died):
            begun(fleet)
        monkeypatch.undo()
        fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL")
    else:
        server.script.append(lost)
        begun(fleet)
        assert budget(fleet).reserved_microusd > 0
    [job] = [row.id for row in fleet.jobs()]
    assert "batch:id" not in fleet.job(job).checkpoint
    assert look(fleet, job) == "ready", "it may be the one that is still at work"
    server.batch_status = "ended"
    assert look(fleet, job) == "done"
    assert (asked(server, BATCHES), asked(server, "/v1/messages"), len(calls(fleet))) == (1, 0, 1)


def test_an_order_that_never_arrived_is_asked_for_directly(
    fleet: Fleet, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = begun(fleet)
    server.batch_status = "ended"
    assert look(fleet, other) == "done"

    def die(*_: Any) -> None:
        raise Died

    monkeypatch.setattr(BatchWriter, "submit", die)
    with pytest.raises(Died):
        begun(fleet)
    monkeypatch.undo()
    fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL WHERE state = 'running'")
    [job] = [row.id for row in fleet.jobs(state="ready")]
    assert look(fleet, job) == "done"
    assert (asked(server, BATCHES), asked(server, "/v1/messages")) == (1, 1)
    assert budget(fleet).reserved_microusd == 0
    assert budget(fleet).spent_microusd == sum(call.microusd for call in calls(fleet))


@pytest.mark.parametrize("point", [Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED])
def test_a_crash_around_the_collection_charges_once(
    fleet: Fleet, server: ModelServer, monkeypatch: pytest.MonkeyPatch, point: Point
) -> None:
    job = begun(fleet)
    server.batch_status = "ended"

    def die(reached: Point) -> None:
        if reached is point:
            raise Died

    monkeypatch.setattr(work_module, "reach", die)
    with pytest.raises(Died):
        look(fleet, job)
    monkeypatch.undo()
    fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL")
    assert look(fleet, job) == "done"
    [call] = calls(fleet)
    assert (budget(fleet).spent_microusd, budget(fleet).reserved_microusd) == (call.microusd, 0)
    assert (asked(server, BATCHES), asked(server, "/v1/messages")) == (1, 0)


def test_a_batch_that_takes_too_long_is_called_off_and_may_have_been_billed(fleet: Fleet, server: ModelServer) -> None:
    job = begun(fleet)
    reserved = budget(fleet).reserved_microusd
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() + interval '20 min'")
    assert look(fleet, job) == "done"
    assert server.called_off == ["msgbatch_1"]
    [call] = calls(fleet)
    assert not call.batch
    assert budget(fleet).reserved_microusd == reserved, "what became of it nobody knows"
    fleet.sql("UPDATE llm_reservations SET until = clock_timestamp()")
    assert sweep(fleet.deps).recovered_by_features == 1
    assert budget(fleet).spent_microusd == reserved + call.microusd


@pytest.mark.parametrize("reply", [Reply(text="prose"), Reply(stop="refusal")])
def test_an_answer_that_is_none_is_paid_and_asked_for_directly(fleet: Fleet, server: ModelServer, reply: Reply) -> None:
    job = begun(fleet)
    server.batch_status = "ended"
    server.batch_results = lambda requests: json.dumps({
        "custom_id": requests[0]["custom_id"],
        "result": {"type": "succeeded", "message": server.message(requests[0]["params"], reply, batch=True)},
    }).encode()  # fmt: skip
    assert look(fleet, job) == "done"
    assert [call.batch for call in calls(fleet)] == [True, False]
    assert budget(fleet).spent_microusd == sum(call.microusd for call in calls(fleet))
    assert (budget(fleet).reserved_microusd, asked(server, BATCHES)) == (0, 1)


def test_a_provider_that_takes_no_batch_is_asked_directly(fleet: Fleet, server: ModelServer) -> None:
    server.script.append(Reply(529))
    job = begun(fleet)
    assert fleet.job(job).state == "done"
    assert (asked(server, BATCHES), asked(server, "/v1/messages")) == (1, 1)
    assert budget(fleet).reserved_microusd == 0


def test_a_refused_text_of_a_batch_is_written_again_at_once(fleet: Fleet, server: ModelServer) -> None:
    job = begun(fleet)
    server.mind = lambda question: post_text(
        random.Random(question.turns), caption="I am not a bot." if "refused_data>\n" not in question.user else
        "Seven lamps, one window."
    )  # fmt: skip
    server.batch_status = "ended"
    assert look(fleet, job) == "done"
    assert [call.batch for call in calls(fleet)] == [True, False]
    assert fleet.surface.effects[0].text == "Seven lamps, one window."


def test_a_spent_budget_hands_nothing_in(fleet: Fleet, server: ModelServer) -> None:
    limit(fleet, 1)
    job = begun(fleet)
    assert (fleet.job(job).state, server.asked) == ("done", [])
    assert fleet.job(job).checkpoint["words"]["by"].startswith("offline/")


def test_a_job_that_is_about_to_expire_is_written_directly(fleet: Fleet, server: ModelServer) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() + interval '50 min'")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, asked(server, BATCHES)) == ("done", 0)


def test_comments_and_fleets_that_do_not_ask_for_it_use_no_batch(fleet: Fleet, server: ModelServer) -> None:
    perform(fleet.deps, add(fleet, fleet.agent(), COMMENT, target="p1", author="zoe", caption="A lamp."))
    fleet.deps.models_override.batches = None
    begun(fleet)
    assert (asked(server, BATCHES), asked(server, "/v1/messages")) == (0, 2)


def test_settings_say_who_writes_in_batches() -> None:
    assert registry.connect_batches(Settings(anthropic_api_key=KEY)) is None  # type: ignore[arg-type]
    assert registry.connect_batches(Settings(llm_batch=True)) is None
    batches = registry.connect_batches(Settings(llm_batch=True, anthropic_api_key=KEY))  # type: ignore[arg-type]
    assert batches is not None
    assert batches.name == "anthropic"
    for wrong in ({"openai_api_key": KEY}, {"anthropic_api_key": KEY, "llm_record": "x.jsonl"}):
        with pytest.raises(InvalidInput, match="batches"):
            registry.check(Settings(llm_batch=True, **wrong))  # type: ignore[arg-type]


def test_the_story_has_no_step_that_keeps_words_before_they_are_reviewed(fleet: Fleet, server: ModelServer) -> None:
    job = begun(fleet)
    server.batch_status = "ended"
    look(fleet, job)
    steps = fleet.job(job).checkpoint
    assert set(steps) >= {batching._ORDER, batching._ID, batching._CLOSED, "words"}
    assert set(steps[batching._CLOSED]) == {"microusd"}
