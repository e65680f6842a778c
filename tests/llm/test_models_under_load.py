"""Many agents write at once while their models fail in every way: nobody falls silent, and no text is paid twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fleet.engine.attempts.perform import perform
from fleet.features.personas.library import load
from fleet.features.publishing.kinds import COMMENT
from fleet.llm import chain as chain_module
from fleet.llm.breaker import BreakerRule, State
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.providers.openai_provider import OpenAIModel
from fleet.llm.writer import ModelWriter
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.model_server import PLACES, SUBJECTS, ModelServer, Reply

MANY, AT_ONCE = 24, 8
PERSONAS = [persona.id for persona in load()]
RULE = BreakerRule(failures=4, open_s=600, longest_open_s=600)
DOWN = [Reply(529), Reply(500), Reply(429, headers={"retry-after": "0"}), Reply(cut=True), Reply(hang=True)]


@pytest.fixture
def first() -> Iterator[ModelServer]:
    with ModelServer().running() as server:
        yield server


@pytest.fixture
def second() -> Iterator[ModelServer]:
    with ModelServer().running() as server:
        yield server


class Clock:
    """The breakers' clock, which a test puts forward: on a busy machine nobody knows how long anything takes."""

    ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(database_url: str, first: ModelServer, second: ModelServer, clock: Clock) -> Iterator[Fleet]:
    """The loop with two models, each at a server of its own, and hardly any patience with the first.

    The second has all the time that there is: what a busy machine answers too late was asked for, and is not paid.
    """
    made = make_fleet(database_url, lease_s=600)
    prices = price_list()
    writers = [
        ModelWriter(AnthropicModel("sk-1", "claude-haiku-5-5", base_url=first.url), prices, timeout_s=1.5),
        ModelWriter(OpenAIModel("sk-2", "gpt-6-luna", base_url=f"{second.url}/v1"), prices, timeout_s=120),
    ]
    chain = Chain(writers, OfflineProvider(), within_s=240, rule=RULE, sleep=lambda _: None, clock_s=clock)
    made.deps.models_override.writer = chain
    yield made
    made.deps.close()


def chain_of(fleet: Fleet) -> Chain:
    chain: Any = fleet.deps.words()
    return chain


def state(fleet: Fleet, place: int) -> State:
    return chain_of(fleet)._links[place].breaker.state


def comment_all(fleet: Fleet, *, tick_no: int) -> list[Any]:
    """Let many agents write at once; return their jobs as they ended."""
    jobs = [
        add(fleet, fleet.agent(persona_id=PERSONAS[number % 6]), COMMENT, tick_no=tick_no,
            target=f"p{tick_no}-{number}", author=f"bob{number}",
            caption=f"A {SUBJECTS[number % 10]} {PLACES[number // 10]}.")
        for number in range(MANY)
    ]  # fmt: skip
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda job: perform(fleet.deps, job), jobs))
    return [fleet.job(job) for job in jobs]


def writers_of(jobs: list[Any]) -> set[str]:
    return {(job.checkpoint.get("words:2") or job.checkpoint["words"])["by"].partition("/")[0] for job in jobs}


def paid_for(fleet: Fleet, provider: str) -> int:
    rows = fleet.sql("SELECT count(*) FROM llm_calls WHERE provider = :one AND outcome IN ('answered', 'repaired')",
                     one=provider)  # fmt: skip
    return int(rows.scalar())


@pytest.mark.parametrize("fault", DOWN, ids=["529", "500", "429", "cut", "slow"])
def test_a_model_that_fails_is_stood_in_for_and_comes_back(
    fleet: Fleet, first: ModelServer, second: ModelServer, clock: Clock, fault: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(chain_module, "log", _Told(told))
    first.always = fault
    jobs = comment_all(fleet, tick_no=1)
    assert {job.state for job in jobs} == {"done"}
    assert writers_of(jobs) == {"openai"}
    assert state(fleet, 0) is not State.CLOSED
    assert "provider_rests" in told
    assert len(first.asked) < MANY, "a model that is down is hardly asked"

    first.always = None
    tick_no = 2
    while state(fleet, 0) is not State.CLOSED and tick_no < 50:
        clock.ahead_s += RULE.longest_open_s
        perform(fleet.deps, add(fleet, fleet.agent(), COMMENT, tick_no=tick_no, target=f"q{tick_no}",
                                caption="A lamp on slate.", author="bob"))  # fmt: skip
        tick_no += 1
    assert state(fleet, 0) is State.CLOSED
    assert "provider_is_back" in told
    assert "anthropic" in writers_of(comment_all(fleet, tick_no=tick_no))
    assert_paid_once(fleet)
    outcomes = fleet.sql("SELECT provider, outcome, count(*) FROM llm_calls GROUP BY 1, 2").all()
    assert paid_for(fleet, "openai") == sum(path.endswith("completions") for path, _, _ in second.asked), outcomes


def test_when_every_model_is_down_the_grammar_writes_and_nothing_is_paid(
    fleet: Fleet, first: ModelServer, second: ModelServer
) -> None:
    first.always, second.always = Reply(529), Reply(500)
    jobs = comment_all(fleet, tick_no=1)
    assert {job.state for job in jobs} <= {"done", "skipped"}
    done = [job for job in jobs if job.state == "done"]
    assert len(done) * 10 >= len(jobs) * 9
    assert writers_of(done) == {"offline"}
    assert fleet.sql("SELECT sum(microusd) FROM llm_calls").scalar() == 0


def assert_paid_once(fleet: Fleet) -> None:
    """Every answer that was paid for is in a draft of its job."""
    for job in fleet.jobs():
        drafts = sum(name in ("words", "words:2") for name in job.checkpoint)
        answers = fleet.sql("SELECT count(*) FROM llm_calls WHERE job_id = :id AND outcome IN ('answered', 'repaired')",
                            id=job.id).scalar()  # fmt: skip
        assert answers == drafts


class _Told:
    """A log that is remembered."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def __getattr__(self, level: str) -> Any:
        return lambda event, **_: self._told.append(event)
