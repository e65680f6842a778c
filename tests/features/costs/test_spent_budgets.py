"""A spent budget stops the calls that it covers and nothing else, is reported once, and ends when more is allowed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from fleet.accounts.sealing import new_key
from fleet.adapters.social import FeedItem
from fleet.core import events
from fleet.engine import controls
from fleet.engine.agents import commands
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import perform as perform_module
from fleet.engine.attempts.perform import perform
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs import ticks
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.notices.kinds import NOTIFY
from fleet.features.publishing.kinds import BROWSE, COMMENT, LIKE, POST
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.providers.openai_provider import OpenAIModel
from fleet.llm.writer import ModelWriter
from fleet.spending import ledger
from fleet.spending.budgets import Period, Scope, Spender
from tests import receiver as receivers
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.features.approvals import test_agent as approval_agent
from tests.features.costs.test_budget_guard import KEY, PLENTY, limit, midnight, post, told
from tests.features.webhooks import test_webhooks as webhooks
from tests.model_server import ModelServer
from tests.receiver import Receiver


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def make(database_url: str, server: ModelServer, receiver: Receiver) -> Iterator[Callable[..., Fleet]]:
    """Build fleets with two models over a local server; prices of the second are the caller's."""
    made: list[Fleet] = []

    def build(when_spent: str, *prices: str) -> Fleet:
        fleet = make_fleet(
            database_url, llm_when_spent=when_spent, notify="json://127.0.0.1:9/x", hooks_allow=receiver.allow,
            secret_keys=new_key(),
        )  # fmt: skip
        models = (
            AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url),
            OpenAIModel(KEY, "gpt-6-luna", base_url=f"{server.url}/v1"),
        )
        writers = [ModelWriter(model, price_list(prices)) for model in models]
        chain = Chain(writers, OfflineProvider(), sleep=lambda _: None, wait_for_budget=when_spent == "wait")
        fleet.deps.models_override.writer = chain
        made.append(fleet)
        return fleet

    yield build
    for fleet in made:
        fleet.deps.close()


WHO: dict[str, tuple[Scope, Callable[[Fleet, uuid.UUID], str | None]]] = {
    "agent": (Scope.AGENT, lambda fleet, agent: fleet.row(agent).username),
    "persona": (Scope.PERSONA, lambda fleet, agent: "ai_artist"),
    "fleet": (Scope.FLEET, lambda fleet, agent: None),
}


def spent(fleet: Fleet, who: str = "fleet") -> uuid.UUID:
    """Create an agent for whose calls a budget has too little; return it."""
    scope, name = WHO[who]
    agent = fleet.agent(persona_id="ai_artist")
    limit(fleet, 1, scope, name(fleet, agent))
    return agent


def lamp(post_id: str) -> FeedItem:
    return FeedItem(post_id, "zoe", "Zoe", "A lamp.", None)


def by(fleet: Fleet, job: uuid.UUID) -> str:
    return str(fleet.job(job).checkpoint["words"]["by"])


def allow(fleet: Fleet, scope: Scope = Scope.FLEET, name: str | None = None) -> None:
    money.allow(fleet.deps, scope, name, Period.DAY, PLENTY, by="ada", reason="launch")


def is_due(fleet: Fleet, job: uuid.UUID) -> bool:
    row = fleet.job(job)
    with fleet.deps.db.transaction() as tx:
        return row.state == JobState.READY and row.next_attempt_at <= tx.now()


@pytest.mark.parametrize("who", WHO)
def test_the_grammar_writes_when_a_budget_is_spent_and_no_agent_pauses(
    make: Callable[..., Fleet], server: ModelServer, who: str
) -> None:
    fleet = make("grammar")
    agent = spent(fleet, who)
    jobs = [post(fleet, agent, tick_no) for tick_no in (1, 2)]
    assert [fleet.job(job).state for job in jobs] == ["done", "done"]
    assert all(by(fleet, job).startswith("offline/") for job in jobs)
    assert server.asked == []
    assert (fleet.row(agent).status, fleetwide.holds(fleet.deps)) == (AgentStatus.RUNNING, [])
    [said] = told(fleet, "budget.spent")
    assert (said["scope"], said["until"]) == (who, midnight().isoformat())


@pytest.mark.parametrize("who", WHO)
def test_words_wait_for_a_spent_budget_where_that_is_set_and_nothing_else_waits(
    make: Callable[..., Fleet], server: ModelServer, who: str
) -> None:
    fleet = make("wait")
    agent = spent(fleet, who)
    job = post(fleet, agent)
    row = fleet.job(job)
    assert (row.state, row.attempts, row.next_attempt_at) == ("ready", 0, midnight())
    assert "budget" in (row.held or "")
    for _ in range(5):  # nobody comes back to it before
        sweep(fleet.deps)
        perform(fleet.deps, job)
    assert fleet.sql("SELECT count(*) FROM job_attempts").scalar() == 1
    assert len(told(fleet, "budget.spent")) == 1
    assert server.asked == []
    like = add(fleet, agent, LIKE, target="p1", author="zoe", caption="A lamp.", tick_no=2)
    perform(fleet.deps, like)
    assert (fleet.job(like).state, fleet.row(agent).status) == ("done", AgentStatus.RUNNING)
    assert fleetwide.holds(fleet.deps) == []


def test_an_agent_whose_comment_waits_plans_no_second_one(make: Callable[..., Fleet]) -> None:
    fleet = make("wait")
    agent = spent(fleet)
    perform(fleet.deps, add(fleet, agent, COMMENT, target="p1", author="zoe", caption="A lamp."))
    fleet.sql("UPDATE agents SET weights = :only", only='{"post": 0, "comment": 1, "like": 0, "browse": 0}')
    fleet.surface.posts = [lamp("p2")]
    with fleet.deps.db.transaction() as tx:
        key = TickKey(agent, 7)
        ticks.open_ticks(tx, [(key, tx.now())])
    tick(fleet.deps, key)
    assert fleet.sql("SELECT outcome->>'thought' FROM ticks").scalar() == (
        "Nothing to do: I never post; a comment of mine is waiting; I never like; I never browse."
    )


def test_likes_reminders_expiry_and_deliveries_go_on(make: Callable[..., Fleet], receiver: Receiver) -> None:
    fleet = make("wait")
    staff(fleet.deps.db)
    webhooks.look(fleet)
    webhooks.subscribe(fleet, receiver, "budget.spent")
    agent = spent(fleet)
    post(fleet, agent)
    late, soon = approval_agent.propose(fleet), approval_agent.propose(fleet)
    approval_agent.wake(fleet)
    approval_agent.later(fleet, late, days=91)
    approval_agent.later(fleet, soon, days=89, hours=12)
    subjects = {job.payload["subject"] for job in approval_agent.wake(fleet)}
    assert subjects == {"approval.reminder", "approval.expired"}
    webhooks.look(fleet)
    [delivery] = webhooks.deliver(fleet)
    assert (delivery.state, len(receiver.got)) == (JobState.DONE, 1)
    fleet.surface.posts = [lamp("p1")]
    for kind in (LIKE, BROWSE):
        job = add(fleet, agent, kind, target="p1", author="zoe", caption="A lamp.", tick_no=5 + len(kind))
        perform(fleet.deps, job)
        assert fleet.job(job).state == "done"


def test_operators_hear_at_once_and_once_however_many_calls_did_not_fit(make: Callable[..., Fleet]) -> None:
    fleet = make("wait")
    staff(fleet.deps.db)
    agents = [spent(fleet)] + [fleet.agent() for _ in range(7)]
    jobs = [add(fleet, agent, POST) for agent in agents]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: perform(fleet.deps, job), jobs))
    assert len(told(fleet, "budget.spent")) == 1
    notices = fleet.jobs(kind=NOTIFY)
    assert [(job.payload["channel"], job.payload["subject"]) for job in notices] == [
        ("log", "budget.spent"), ("json", "budget.spent")
    ]  # fmt: skip
    assert notices[0].payload["title"] == "The daily budget of the fleet is spent"
    assert "`fleet budgets allow AMOUNT` ends this" in notices[0].payload["body"]
    rung = {message.args[0] for message in fleet.bell.take() if message.task == "fleet.notify"}
    assert rung == {str(job.id) for job in notices}
    perform(fleet.deps, notices[0].id)
    assert fleet.job(notices[0].id).state == "done"


def test_a_notice_names_the_agent_whose_budget_is_spent(make: Callable[..., Fleet]) -> None:
    fleet = make("grammar")
    staff(fleet.deps.db)
    agent = spent(fleet, "agent")
    post(fleet, agent)
    payload = fleet.jobs(kind=NOTIFY)[0].payload
    name = fleet.row(agent).username
    assert payload["title"] == f"The daily budget of agent {name} is spent"
    assert f"`fleet budgets allow AMOUNT --agent {name}` ends this" in payload["body"]


MORE: dict[str, Callable[[Fleet], Any]] = {
    "allow": allow,
    "set": lambda fleet: limit(fleet, PLENTY),
    "remove": lambda fleet: money.remove_budget(fleet.deps, Scope.FLEET, None, Period.DAY, by="ada"),
}


@pytest.mark.parametrize("more", MORE)
def test_allowing_more_ends_what_a_spent_budget_stopped(make: Callable[..., Fleet], more: str) -> None:
    fleet = make("wait")
    job = post(fleet, spent(fleet))
    MORE[more](fleet)
    assert is_due(fleet, job)
    perform(fleet.deps, job)
    assert (fleet.job(job).state, by(fleet, job)) == ("done", "anthropic/claude-haiku-5-5")
    assert all(one.spent_at is None for one in money.budgets(fleet.deps))


def test_what_is_allowed_just_before_a_job_is_put_aside_counts_for_it(
    make: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make("wait")
    record = perform_module._record

    def allowed_first(*arguments: Any) -> None:
        allow(fleet)
        record(*arguments)

    monkeypatch.setattr(perform_module, "_record", allowed_first)
    assert is_due(fleet, post(fleet, spent(fleet)))


def test_a_new_day_ends_it_too_and_is_reported_again_when_it_is_spent(make: Callable[..., Fleet]) -> None:
    fleet = make("wait")
    job = post(fleet, spent(fleet))
    yesterday = "UPDATE budgets SET period_start = period_start - interval '1 day', limit_microusd = :limit"
    fleet.sql(yesterday, limit=PLENTY)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert by(fleet, job).startswith("anthropic/")
    fleet.sql(yesterday, limit=1)
    post(fleet, fleet.agent())
    assert len(told(fleet, "budget.spent")) == 2


def test_a_free_model_writes_on_while_the_fleet_may_pay_for_none(make: Callable[..., Fleet]) -> None:
    fleet = make("wait", "gpt-6-luna=0/0")
    job = post(fleet, spent(fleet))
    assert (fleet.job(job).state, by(fleet, job)) == ("done", "openai/gpt-6-luna")


def test_money_that_is_only_set_aside_is_waited_for_a_minute_and_is_no_alarm(make: Callable[..., Fleet]) -> None:
    fleet = make("wait")
    limit(fleet, PLENTY)
    with fleet.deps.db.transaction() as tx:
        ledger.reserve(tx, Spender(None, None, None, "post"), "anthropic", PLENTY, lease_s=600)
        soon = tx.now() + timedelta(minutes=1, seconds=30)
    job = post(fleet, fleet.agent())
    assert fleet.job(job).state == "ready" and fleet.job(job).next_attempt_at < soon
    assert told(fleet, "budget.spent") == []


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("more", [allow, lambda fleet, scope, name: limit(fleet, PLENTY, scope, name)])
def test_pauses_that_an_earlier_version_set_for_a_budget_end_too(
    make: Callable[..., Fleet], who: str, more: Callable[..., None]
) -> None:
    fleet = make("grammar")
    agent = spent(fleet, who)
    scope, name = WHO[who]
    other = fleet.agent()
    with fleet.deps.db.transaction() as tx:
        until = tx.now() + timedelta(hours=5)
        if scope is Scope.AGENT:
            reason = f"The daily budget of agent {agent} ($0.50) has too little left for this call: $0.50 spent."
            commands.pause(tx, agent, reason=reason, until=until)
        else:
            key = name(fleet, agent) or "*"
            controls.pause(tx, scope, key, by="budget", reason="The daily budget ...", until=until)
        controls.pause(tx, "kind", "like", by="ada", reason="too many")
        commands.pause(tx, other, reason="ada wants it so")
    more(fleet, scope, name(fleet, agent))
    assert fleet.row(agent).status == AgentStatus.RUNNING
    assert [(hold.scope, hold.set_by) for hold in fleetwide.holds(fleet.deps)] == [("kind", "ada")]
    assert fleet.row(other).status == AgentStatus.PAUSED


def test_a_pause_of_a_person_stays_when_more_is_allowed(make: Callable[..., Fleet]) -> None:
    fleet = make("grammar")
    spent(fleet)
    fleetwide.pause(fleet.deps, "fleet", by="ada", reason="maintenance")
    allow(fleet)
    assert [hold.set_by for hold in fleetwide.holds(fleet.deps)] == ["ada"]


def test_agents_go_on_waking_while_the_fleets_budget_is_spent(make: Callable[..., Fleet]) -> None:
    fleet = make("wait")
    agent = spent(fleet)
    post(fleet, agent)
    agent_commands.trigger(fleet.deps, fleet.row(agent).username, action="browse", by="ada")
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() WHERE status = 'running'")
    dispatch(fleet.deps)
    with fleet.deps.db.transaction() as tx:
        assert not events.latest(tx, subjects=("agent.tick.skipped", "agent.paused", "control.paused"))
    assert any(message.task == "fleet.tick" for message in fleet.bell.take())
