"""Money and the loop: set aside before a call, settled after it, charged when the process died between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.core.errors import Unavailable
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts.perform import perform
from fleet.engine.sweep import prune, sweep
from fleet.features.costs import budget_guard
from fleet.features.costs import commands as money
from fleet.features.publishing.kinds import COMMENT, POST
from fleet.llm.base import CallOutcome
from fleet.llm.chain import Chain
from fleet.llm.moderation.model_moderation import ModelModerator
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.providers.openai_provider import OpenAIModel
from fleet.llm.writer import ModelWriter
from fleet.spending import ledger
from fleet.spending.budgets import Budget, Period, Scope
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.model_server import ModelServer, Question, Reply, honest

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"
PLENTY = 1_000_000


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, server: ModelServer) -> Iterator[Fleet]:
    """The loop, with two real clients over a local server."""
    made = make_fleet(database_url)
    prices = price_list()
    models = (
        AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url),
        OpenAIModel(KEY, "gpt-6-luna", base_url=f"{server.url}/v1"),
    )
    chain = Chain([ModelWriter(model, prices) for model in models], OfflineProvider(), sleep=lambda _: None)
    made.deps.models_override.writer = chain
    yield made
    made.deps.close()


def post(fleet: Fleet, agent: uuid.UUID, tick_no: int = 1) -> uuid.UUID:
    job = add(fleet, agent, POST, tick_no=tick_no)
    perform(fleet.deps, job)
    return job


def limit(fleet: Fleet, microusd: int, scope: Scope = Scope.FLEET, name: str | None = None) -> None:
    money.set_budget(fleet.deps, scope, name, Period.DAY, microusd, by="ada")


def budget(fleet: Fleet) -> Budget:
    (only,) = money.budgets(fleet.deps)
    return only


def calls(fleet: Fleet) -> list[Any]:
    return list(fleet.sql("SELECT * FROM llm_calls ORDER BY id"))


def told(fleet: Fleet, subject: str) -> list[Any]:
    return list(fleet.sql("SELECT payload FROM events WHERE subject = :subject", subject=subject).scalars())


def midnight() -> datetime:
    return (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def test_a_post_is_paid_by_its_agent_and_says_who_wrote_it(fleet: Fleet) -> None:
    limit(fleet, PLENTY)
    agent = fleet.agent(persona_id="ai_artist")
    job = post(fleet, agent)
    assert fleet.job(job).checkpoint["words"]["by"] == "anthropic/claude-haiku-5-5"
    [call] = calls(fleet)
    assert (call.agent_id, call.persona_id, call.job_id) == (agent, "ai_artist", job)
    assert (call.purpose, call.provider, call.outcome) == ("post", "anthropic", CallOutcome.ANSWERED)
    assert (budget(fleet).spent_microusd, budget(fleet).reserved_microusd) == (call.microusd, 0)
    assert call.microusd > 0


def test_calls_that_failed_are_counted_one_by_one(fleet: Fleet, server: ModelServer) -> None:
    limit(fleet, PLENTY)
    server.script.extend([Reply(529), Reply(text="prose"), Reply(text="prose again")])
    job = post(fleet, fleet.agent())
    assert [(call.provider, call.outcome) for call in calls(fleet)] == [
        ("anthropic", "overloaded"), ("anthropic", "malformed"), ("anthropic", "malformed"), ("openai", "answered")
    ]  # fmt: skip
    assert fleet.job(job).checkpoint["words"]["by"] == "openai/gpt-6-luna"
    assert budget(fleet).spent_microusd == sum(call.microusd for call in calls(fleet))
    assert budget(fleet).reserved_microusd == 0


def test_words_without_a_model_cost_nothing_and_are_no_call(fleet: Fleet, server: ModelServer) -> None:
    limit(fleet, PLENTY)
    server.always = Reply(401)
    job = post(fleet, fleet.agent())
    assert fleet.job(job).state == "done"
    assert fleet.job(job).checkpoint["words"]["by"].startswith("offline/")
    assert {call.outcome for call in calls(fleet)} == {"auth"}
    assert budget(fleet).spent_microusd == 0


def test_a_provider_with_a_spent_budget_is_skipped_with_one_event(fleet: Fleet, server: ModelServer) -> None:
    limit(fleet, 1, Scope.PROVIDER, "anthropic")
    agent = fleet.agent()
    jobs = [post(fleet, agent, tick_no) for tick_no in (1, 2)]
    assert {fleet.job(job).checkpoint["words"]["by"] for job in jobs} == {"openai/gpt-6-luna"}
    assert {path for path, _, _ in server.asked} == {"/v1/chat/completions"}
    [said] = told(fleet, "budget.spent")
    assert (said["scope"], said["key"], datetime.fromisoformat(said["until"])) == ("provider", "anthropic", midnight())
    assert fleet.row(agent).status == AgentStatus.RUNNING


CHILD = """
import os, signal, sys, uuid
from fleet import app
from fleet.core import failpoints
from fleet.core.failpoints import Point
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.writer import ModelWriter
from fleet.engine.attempts.perform import perform
from tests.factories import make_fleet
app.load()
database_url, server_url, job_id, point = sys.argv[1:]
failpoints.arm(lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == Point(point) else None)
fleet = make_fleet(database_url)
model = AnthropicModel("sk-test", "claude-haiku-5-5", base_url=server_url)
fleet.deps.models_override.writer = Chain([ModelWriter(model, price_list())], OfflineProvider())
perform(fleet.deps, uuid.UUID(job_id))
"""


@pytest.mark.parametrize(("point", "asked"), [("call.reserved", 0), ("call.settled", 1)])
def test_what_a_killed_process_had_set_aside_is_charged_and_its_job_goes_on(
    fleet: Fleet, server: ModelServer, database_url: str, point: str, asked: int
) -> None:
    limit(fleet, PLENTY)
    job = add(fleet, fleet.agent(), POST)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, database_url, server.url, str(job), point],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=False, timeout=120,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    assert len(server.asked) == asked
    at_death = budget(fleet)
    assert (at_death.reserved_microusd > 0, at_death.spent_microusd > 0) == (asked == 0, asked == 1)
    assert budget_guard.charge_abandoned(fleet.deps) == 0, "its lease is not over yet"
    fleet.lease_runs_out()
    fleet.sql("UPDATE llm_reservations SET until = clock_timestamp() - interval '1 s'")
    assert sweep(fleet.deps).recovered_by_features == 1 - asked
    assert sweep(fleet.deps).recovered_by_features == 0
    lost = budget(fleet)
    assert (lost.spent_microusd, lost.reserved_microusd) == (at_death.reserved_microusd + at_death.spent_microusd, 0)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    assert budget(fleet).spent_microusd == lost.spent_microusd + calls(fleet)[-1].microusd


def test_words_are_not_lost_when_the_database_is_away_while_they_are_settled(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(fleet, PLENTY)

    def gone(*_: Any) -> None:
        raise Unavailable("The database cannot be reached.")

    monkeypatch.setattr(ledger, "settle", gone)
    job = post(fleet, fleet.agent())
    assert (fleet.job(job).state, fleet.job(job).attempts) == ("done", 0)
    reserved = budget(fleet).reserved_microusd
    fleet.sql("UPDATE llm_reservations SET until = clock_timestamp()")
    assert budget_guard.charge_abandoned(fleet.deps) == 1
    assert budget(fleet).spent_microusd == reserved > 0


def test_old_calls_are_pruned_but_none_that_a_month_is_summed_from(fleet: Fleet) -> None:
    agent = fleet.agent()
    for tick_no, days in ((1, 90), (2, 20)):
        post(fleet, agent, tick_no)
        fleet.sql("UPDATE llm_calls SET called_at = clock_timestamp() - make_interval(days => :days)"
                  " WHERE called_at > clock_timestamp() - interval '1 day'", days=days)  # fmt: skip
    object.__setattr__(fleet.deps.settings, "retention_days", 1)
    prune(fleet.deps)
    assert len(calls(fleet)) == 1


def test_a_key_is_in_nothing_that_a_run_writes(
    fleet: Fleet, server: ModelServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    error = {"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}}
    server.always = Reply(401, body=json.dumps(error).encode())
    agent = fleet.agent()
    post(fleet, agent)
    answer = {"reason": KEY, "image_prompt": f"word {KEY} " * 25, "caption": f"It is {KEY}.", "alt_text": f"A {KEY}."}
    server.always = Reply(text=json.dumps(answer))
    for link in fleet.deps.models_override.writer._links:  # type: ignore[attr-defined]
        link.breaker = link.breaker.succeeded()
    post(fleet, agent, 2)
    assert {path for path, _, _ in server.asked} == {"/v1/messages", "/v1/chat/completions"}
    tables = fleet.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'").scalars().all()
    rows = "".join(str(fleet.sql(f'SELECT row_to_json(t)::text FROM "{name}" t').scalars().all()) for name in tables)
    said = capfd.readouterr()
    everything = rows + caplog.text + said.out + said.err + str([effect.text for effect in fleet.surface.effects])
    assert "words_not_written" in everything
    assert KEY not in everything
    assert KEY[7:] not in everything


def test_the_fleet_never_spends_beyond_its_budget_however_many_write_at_once(fleet: Fleet) -> None:
    agents = [fleet.agent() for _ in range(8)]
    jobs = [add(fleet, agent, COMMENT, target=f"p{number}", caption="A lamp.", author="bob")
            for number, agent in enumerate(agents)]  # fmt: skip
    limit(fleet, 20_000)  # some three estimates, and fifty calls
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: perform(fleet.deps, job), jobs))
    assert 0 < budget(fleet).spent_microusd <= 20_000
    assert budget(fleet).reserved_microusd == 0


def moderated(fleet: Fleet, server: ModelServer) -> None:
    """Let the first model of the fleet judge each text; it allows everything."""

    def mind(question: Question) -> str:
        if "texts" not in question.fields:
            return honest(question)
        numbers = range(1, question.user.count('"words":') + 1)
        return json.dumps({"texts": [{"text": one, "verdict": "allowed", "categories": []} for one in numbers]})

    server.mind = mind
    model = AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url)
    fleet.deps.models_override.moderator = ModelModerator([ModelWriter(model, price_list())])


def test_a_model_that_moderates_is_paid_once_by_the_agent(fleet: Fleet, server: ModelServer) -> None:
    moderated(fleet, server)
    limit(fleet, PLENTY)
    job = post(fleet, fleet.agent())
    assert fleet.job(job).state == "done"
    wrote, judged = calls(fleet)
    assert (wrote.purpose, judged.purpose) == ("post", "moderation")
    assert (judged.job_id, judged.agent_id) == (job, wrote.agent_id)
    assert budget(fleet).spent_microusd == wrote.microusd + judged.microusd
    assert budget(fleet).reserved_microusd == 0


@pytest.mark.parametrize("scope", [Scope.PROVIDER, Scope.FLEET])
def test_texts_without_a_budget_for_moderation_wait_and_are_kept(
    fleet: Fleet, server: ModelServer, scope: Scope
) -> None:
    moderated(fleet, server)
    judging = server.mind

    def spend(question: Question) -> str:
        server.mind = judging
        limit(fleet, 1, scope, "anthropic" if scope is Scope.PROVIDER else None)  # between the words and the judgement
        return judging(question)

    server.mind = spend
    job = post(fleet, fleet.agent())
    row = fleet.job(job)
    assert (row.state, row.attempts) == ("ready", 0)
    assert "budget" in str(row.held) or "spent" in str(row.held)
    assert not fleet.surface.effects
    assert len(calls(fleet)) == 1
    assert "caption" in row.checkpoint["words"]
