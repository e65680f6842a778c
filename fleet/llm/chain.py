"""Providers in order, so that an agent never falls silent: retries, breakers, and at the end one that cannot fail.

Put together by `fleet.llm.registry`, called by `fleet.runtime.handlers` through `fleet.llm.base.Provider`. Safe for
many threads. Never raises on behalf of a model; what every try took is told in the usage of the words that came out.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from fleet.core import clock, logs
from fleet.llm.base import CommentRequest, CommentWords, Outcome, PostRequest, PostWords, Provider, Usage
from fleet.llm.breaker import Breaker, Rule
from fleet.llm.errors import AuthFailed, ModelError, Rejected, Transient

log = logs.get(__name__)

BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits before the three retries (seed 2, decision 8); each is drawn between half of it and the whole."""

LEAST_S = 1.0
_Words = TypeVar("_Words")
Ask = Callable[[Provider, random.Random, float], tuple[_Words, Usage]]


class _Link:
    """A provider behind its breaker."""

    def __init__(self, provider: Provider, rule: Rule) -> None:
        self.provider = provider
        self.breaker = Breaker(rule)
        self.lock = threading.Lock()

    def admit(self, now_s: float) -> bool:
        with self.lock:
            admitted, self.breaker = self.breaker.admit(now_s)
            return admitted

    def note(self, error: ModelError | None, now_s: float) -> None:
        """Let the breaker know how a call ended. What is wrong with one question says nothing about the provider."""
        with self.lock:
            if error is None or not error.unwell:
                self.breaker = self.breaker.succeeded()
            else:
                at_once = isinstance(error, AuthFailed | Rejected)
                self.breaker = self.breaker.failed(now_s, at_once=at_once, retry_after_s=_wish_s(error))


class Chain:
    """Writes with the first provider that can, and with `last` when none can."""

    name = "chain"

    def __init__(
        self,
        providers: Sequence[Provider],
        last: Provider,
        *,
        within_s: float = 45.0,
        rule: Rule | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._links = [_Link(provider, rule or Rule()) for provider in providers]
        self._last = last
        self._within_s = within_s
        self._sleep = sleep
        self._clock_s = clock_s
        self._counts: Counter[tuple[str, Outcome]] = Counter()
        self._counting = threading.Lock()

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        """Write a post, by whoever can."""
        return self._write(lambda one, dice, left_s: one.write_post(request, dice, within_s=left_s), dice, within_s)

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        """Write a comment, by whoever can."""
        return self._write(lambda one, dice, left_s: one.write_comment(request, dice, within_s=left_s), dice, within_s)

    def estimate(self, request: PostRequest | CommentRequest) -> int:
        """Return the most that these words can cost if every provider is tried as often as allowed, and bills it."""
        return sum(link.provider.estimate(request) for link in self._links) * (len(BACKOFF_S) + 1)

    def counts(self) -> Mapping[tuple[str, Outcome], int]:
        """Return how many calls ended how, by provider, since this process began."""
        with self._counting:
            return dict(self._counts)

    def breakers(self) -> Mapping[str, Breaker]:
        """Return where the breaker of each provider stands."""
        return {link.provider.name: link.breaker for link in self._links}

    def _write(self, ask: Ask[_Words], dice: random.Random, within_s: float | None) -> tuple[_Words, Usage]:
        until_s = self._clock_s() + min(self._within_s, self._within_s if within_s is None else within_s)
        seed = dice.getrandbits(64)  # every try asks the same question, which caches and recordings know again
        spent: list[Usage] = []
        for place, link in enumerate(self._links):
            left_s = until_s - self._clock_s()
            # A slow provider may use up its own share of the time, not that of those after it.
            share_s = self._clock_s() + left_s / (len(self._links) - place)
            answer = self._try(link, ask, seed, share_s, spent)
            if answer is not None:
                return self._told(answer, spent)
        return self._told(ask(self._last, random.Random(seed), max(LEAST_S, until_s - self._clock_s())), spent)

    def _try(
        self, link: _Link, ask: Ask[_Words], seed: int, until_s: float, spent: list[Usage]
    ) -> tuple[_Words, Usage] | None:
        jitter = random.Random(seed)
        for wait_s in (*BACKOFF_S, None):
            left_s = until_s - self._clock_s()
            if left_s < LEAST_S or not link.admit(self._clock_s()):
                return None
            answer, error = self._ask(link, ask, seed, left_s)
            link.note(error, self._clock_s())
            if error is None:
                return answer
            spent.append(error.usage)
            if not error.retriable or wait_s is None:
                return None
            pause_s = max(wait_s * jitter.uniform(0.5, 1.0), _wish_s(error))
            if self._clock_s() + pause_s + LEAST_S > until_s:
                return None
            self._sleep(pause_s)
        return None

    def _ask(
        self, link: _Link, ask: Ask[_Words], seed: int, left_s: float
    ) -> tuple[tuple[_Words, Usage] | None, ModelError | None]:
        name = link.provider.name
        try:
            return ask(link.provider, random.Random(seed), left_s), None
        except ModelError as error:
            log.warning("words_not_written", provider=name, outcome=error.outcome, reason=str(error)[:300])
            return None, error
        except Exception as error:
            # Nothing that a vendor's library may come up with silences an agent.
            log.exception("words_failed", provider=name)
            return None, Transient(f"unexpected: {type(error).__name__}", Usage(name, "unknown"))

    def _told(self, answer: tuple[_Words, Usage], spent: list[Usage]) -> tuple[_Words, Usage]:
        words, usage = answer
        usage = usage.after(*spent)
        with self._counting:
            self._counts.update((call.provider, call.outcome) for call in usage.calls)
        return words, usage


def _wish_s(error: ModelError) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, Transient) else 0.0
