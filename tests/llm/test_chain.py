"""The chain: who is asked, how often, after which wait, and that words come out whatever happens."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from fleet.core.character import Character
from fleet.llm.base import CallOutcome, CommentRequest, CommentWords, PostRequest, PostWords, Speaker, Usage
from fleet.llm.breaker import BreakerRule
from fleet.llm.chain import Chain
from fleet.llm.errors import (
    AuthFailed,
    Malformed,
    ModelError,
    NotPaidFor,
    Overloaded,
    RefusedByModel,
    Rejected,
    TooLong,
    Transient,
    Unfit,
)  # fmt: skip
from fleet.llm.offline.provider import OfflineProvider
from tests.factories import comment_on

SPEAKER = Speaker("Ann", None, Character("Likes bridges.", "curious", ("bridges",)))
POST = PostRequest(SPEAKER)
WORDS = PostWords("prompt", "A caption.", "An alt text.")


class Time:
    """A clock that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Scripted:
    """A provider that does what it is told, one thing a call; then it answers."""

    def __init__(self, name: str, *script: Callable[[Usage], Exception], time: Time, takes_s: float = 0.0) -> None:
        self.name = name
        self.script = deque(script)
        self.time = time
        self.takes_s = takes_s
        self.asked: list[float] = []
        self.dice: list[int] = []

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        self._do(dice, within_s)
        return WORDS, Usage(self.name, "m", input_tokens=10, microusd=3)

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        self._do(dice, within_s)
        return CommentWords("Well seen."), Usage(self.name, "m")

    def estimate(self, request: PostRequest | CommentRequest) -> int:
        return 7

    def _do(self, dice: random.Random, within_s: float | None) -> None:
        assert within_s is not None
        self.asked.append(within_s)
        self.dice.append(dice.getrandbits(32))
        self.time.now_s += min(self.takes_s, within_s)
        if self.script:
            raise self.script.popleft()(Usage(self.name, "m", output_tokens=5, microusd=2))


def chain(time: Time, *providers: Scripted, within_s: float = 60.0, rule: BreakerRule | None = None,
          wait_for_budget: bool = False) -> Chain:  # fmt: skip
    return Chain(
        providers, OfflineProvider(), within_s=within_s, rule=rule, sleep=time.sleep, clock_s=lambda: time.now_s,
        wait_for_budget=wait_for_budget,
    )  # fmt: skip


def down(usage: Usage) -> ModelError:
    return Transient("down", usage)


def test_the_first_that_can_writes() -> None:
    time = Time()
    first, second = Scripted("a", time=time), Scripted("b", time=time)
    words, usage = chain(time, first, second).write_post(POST, random.Random(1))
    assert (words, usage.provider, len(second.asked)) == (WORDS, "a", 0)


def test_what_passes_is_tried_three_times_more_after_1_2_and_4_seconds_at_most() -> None:
    time = Time()
    first = Scripted("a", down, down, down, time=time)
    _, usage = chain(time, first).write_post(POST, random.Random(1))
    assert usage.provider == "a"
    assert len(time.slept) == 3
    assert all(most / 2 <= slept <= most for slept, most in zip(time.slept, (1, 2, 4), strict=True))
    assert len(set(first.dice)) == 1  # the same question every time


def test_after_three_retries_the_next_provider_is_asked_and_all_calls_are_recorded() -> None:
    time = Time()
    words = chain(time, Scripted("a", *[down] * 4, time=time), Scripted("b", time=time))
    _, usage = words.write_post(POST, random.Random(1))
    assert [(call.provider, call.outcome) for call in usage.calls] == [
        *[("a", CallOutcome.TRANSIENT)] * 4, ("b", CallOutcome.ANSWERED)
    ]  # fmt: skip
    assert usage.total_microusd == 4 * 2 + 3


@pytest.mark.parametrize("kind", [RefusedByModel, Malformed, TooLong, Unfit, AuthFailed, Rejected])
def test_what_asking_again_would_not_mend_goes_on_to_the_next_at_once(kind: type[ModelError]) -> None:
    time = Time()
    first = Scripted("a", lambda usage: kind("no", usage), time=time)
    _, usage = chain(time, first, Scripted("b", time=time)).write_post(POST, random.Random(1))
    assert (usage.provider, len(first.asked), time.slept) == ("b", 1, [])
    assert usage.earlier[0].outcome is kind.outcome


def test_when_all_are_down_the_words_are_written_without_a_model() -> None:
    time = Time()
    words = chain(time, Scripted("a", *[down] * 9, time=time), Scripted("b", *[down] * 9, time=time))
    said, usage = words.write_comment(comment_on(SPEAKER, "Neon Fox", "A brass lamp."), random.Random(1))
    assert usage.provider == "offline"
    assert said.text


def test_an_unexpected_error_silences_no_agent() -> None:
    time = Time()
    first = Scripted("a", *[lambda usage: RuntimeError("a bug")] * 9, time=time)
    _, usage = chain(time, first).write_post(POST, random.Random(1))
    assert usage.provider == "offline"


def test_the_servers_wish_is_kept_within_the_deadline() -> None:
    time = Time()
    first = Scripted("a", lambda usage: Overloaded("busy", usage, retry_after_s=20), time=time)
    _, usage = chain(time, first).write_post(POST, random.Random(1))
    assert (usage.provider, time.slept) == ("a", [20])


def test_a_wish_beyond_the_deadline_is_kept_by_asking_somebody_else() -> None:
    time = Time()
    first = Scripted("a", lambda usage: Overloaded("busy", usage, retry_after_s=300), time=time)
    _, usage = chain(time, first, Scripted("b", time=time)).write_post(POST, random.Random(1))
    assert (usage.provider, len(first.asked), time.slept) == ("b", 1, [])


def test_a_slow_provider_leaves_time_for_the_next() -> None:
    time = Time()
    slow, second = Scripted("a", *[down] * 9, time=time, takes_s=1e9), Scripted("b", time=time)
    _, usage = chain(time, slow, second).write_post(POST, random.Random(1), within_s=20)
    assert usage.provider == "b"
    assert slow.asked == [10]
    assert time.now_s <= 1020


def test_the_callers_deadline_holds_whatever_is_slow() -> None:
    time = Time()
    providers = [Scripted(name, *[down] * 9, time=time, takes_s=5) for name in "abc"]
    _, usage = chain(time, *providers).write_post(POST, random.Random(1), within_s=12)
    assert usage.provider == "offline"
    assert time.now_s <= 1012


def test_a_provider_that_is_down_is_left_alone_and_comes_back() -> None:
    time = Time()
    first = Scripted("a", *[down] * 5, time=time)
    words = chain(time, first, Scripted("b", time=time), rule=BreakerRule(failures=5, open_s=30))
    for seed in range(10):
        _, usage = words.write_post(POST, random.Random(seed))
        assert usage.provider == "b"
    assert len(first.asked) == 5  # four for the first text, one for the second, then nobody asked
    time.now_s += 31
    assert words.write_post(POST, random.Random(1))[1].provider == "a"
    assert words.write_post(POST, random.Random(2))[1].provider == "a"  # for good, not on probation


def test_a_refused_key_is_not_shown_again_for_long() -> None:
    time = Time()
    first = Scripted("a", lambda usage: AuthFailed("no", usage), time=time)
    words = chain(time, first)
    for seed in range(5):
        words.write_post(POST, random.Random(seed))
    assert len(first.asked) == 1


def test_bad_answers_do_not_open_the_breaker() -> None:
    time = Time()
    first = Scripted("a", *[lambda usage: Malformed("no", usage)] * 50, time=time)
    words = chain(time, first)
    for seed in range(50):
        words.write_post(POST, random.Random(seed))
    assert len(first.asked) == 50


def test_the_estimate_covers_every_try_of_every_provider() -> None:
    time = Time()
    assert chain(time, Scripted("a", time=time), Scripted("b", time=time)).estimate(POST) == 2 * 4 * 7


def test_under_load_every_text_is_written_and_a_dead_provider_is_hardly_asked() -> None:
    time = Time()
    lock = threading.Lock()

    class Dead(Scripted):
        def _do(self, dice: random.Random, within_s: float | None) -> None:
            with lock:
                self.asked.append(within_s or 0)
            raise Transient("down", Usage(self.name, "m"))

    dead, good = Dead("a", time=time), Scripted("b", time=time)
    words = Chain(
        [dead, good], OfflineProvider(), sleep=lambda s: None, clock_s=lambda: 1000.0, rule=BreakerRule(failures=5)
    )
    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda seed: words.write_post(POST, random.Random(seed)), range(2000)))
    assert {usage.provider for _, usage in made} == {"b"}
    assert len(dead.asked) <= 5 + 32  # those already on their way when it opened
    assert len(good.asked) == 2000


SPENT_UNTIL = {"a": datetime(2026, 12, 1, tzinfo=UTC), "b": datetime(2026, 11, 23, tzinfo=UTC)}


class Purse:
    """A till that writes everything down, and pays for no provider in `broke`."""

    def __init__(self, *broke: str, error: Exception | None = None) -> None:
        self.broke = broke
        self.error = error
        self.said: list[tuple[str, str, int]] = []

    def reserve(self, provider: str, microusd: int) -> str:
        if self.error is not None:
            raise self.error
        if provider in self.broke:
            raise NotPaidFor(f"{provider} is spent", SPENT_UNTIL[provider])
        self.said.append(("reserve", provider, microusd))
        return provider

    def settle(self, reserved: str, calls: Iterable[Usage]) -> None:
        self.said.append(("settle", reserved, sum(call.microusd for call in calls)))


def test_each_call_is_paid_for_whatever_comes_of_it() -> None:
    time, purse = Time(), Purse()
    bug = Scripted("c", lambda usage: RuntimeError("a bug"), time=time)
    words = chain(
        time, bug, Scripted("a", *[down] * 4, time=time), Scripted("b", time=time), rule=BreakerRule(failures=1)
    )
    _, usage = words.paid_by(purse).write_post(POST, random.Random(1))
    assert usage.provider == "b"
    assert purse.said == [
        ("reserve", "c", 7), ("settle", "c", 7), ("reserve", "a", 7), ("settle", "a", 2), ("reserve", "b", 7),
        ("settle", "b", 3),
    ]  # fmt: skip


def test_a_provider_without_a_budget_is_skipped_and_stays_healthy() -> None:
    time = Time()
    first, second = Scripted("a", *[down] * 4, time=time), Scripted("b", time=time)
    words = chain(time, first, second, rule=BreakerRule(failures=4))
    words.write_post(POST, random.Random(1))
    time.now_s += 31
    assert words.paid_by(Purse("a")).write_post(POST, random.Random(1))[1].provider == "b"
    assert len(first.asked) == 4
    # The probe that nobody paid for was none: the next caller may make it.
    assert words.write_post(POST, random.Random(1))[1].provider == "a"


def test_without_a_budget_for_any_model_the_grammar_writes() -> None:
    time = Time()
    words = chain(time, Scripted("a", time=time), Scripted("b", time=time)).paid_by(Purse("a", "b"))
    assert words.write_post(POST, random.Random(1))[1].provider == "offline"


def test_what_else_a_till_says_ends_the_errand() -> None:
    time = Time()
    first, second = Scripted("a", time=time), Scripted("b", time=time)
    words = chain(time, first, second)
    with pytest.raises(RuntimeError, match="no money at all"):
        words.paid_by(Purse(error=RuntimeError("no money at all"))).write_post(POST, random.Random(1))
    assert (first.asked, second.asked) == ([], [])
    assert words.write_post(POST, random.Random(1))[1].provider == "a"


@pytest.mark.parametrize("waits", [False, True])
def test_where_every_provider_is_over_its_budget_the_grammar_writes_or_the_words_wait(waits: bool) -> None:
    time = Time()
    first, second = Scripted("a", time=time), Scripted("b", time=time)
    words = chain(time, first, second, wait_for_budget=waits).paid_by(Purse("a", "b"))
    if waits:
        with pytest.raises(NotPaidFor, match="b is spent") as error:
            words.write_post(POST, random.Random(1))
        assert error.value.until == SPENT_UNTIL["b"]
    else:
        assert words.write_post(POST, random.Random(1))[1].provider == "offline"
    assert first.asked == second.asked == []


def test_words_that_may_wait_for_a_budget_come_from_a_provider_that_is_paid_for() -> None:
    time = Time()
    words = chain(time, Scripted("a", time=time), Scripted("b", time=time), wait_for_budget=True)
    assert words.paid_by(Purse("a")).write_post(POST, random.Random(1))[1].provider == "b"


def test_words_do_not_wait_for_a_budget_where_the_models_failed_for_another_reason() -> None:
    time = Time()
    words = chain(time, Scripted("a", *[down] * 4, time=time), wait_for_budget=True)
    assert words.paid_by(Purse()).write_post(POST, random.Random(1))[1].provider == "offline"
