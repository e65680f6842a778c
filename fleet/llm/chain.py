"""A chain of providers, so that an agent always gets a text: retries, breakers, and a last one that cannot fail.

Built by `fleet.llm.registry`, called by the handlers of jobs through `fleet.llm.provider.Words`. Thread-safe. Never
raises a model's error, only its till's, or when texts wait for a budget; the usage of the text has every try.
"""

from __future__ import annotations

import copy
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fleet.core import clock, logs
from fleet.llm.base import (
    BriefRequest,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    Usage,
)
from fleet.llm.breaker import Breaker, BreakerRule, State
from fleet.llm.errors import AuthFailed, ModelError, NotPaidFor, Rejected, Transient
from fleet.llm.provider import Provider, Till
from fleet.llm.scan_request import ScanAnswer, ScanRequest

log = logs.get(__name__)

BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits before the three retries; each is drawn between half of it and the whole."""

LEAST_S = 1.0
_Words = TypeVar("_Words")


class _Unlimited:
    """A till without limits that records nothing."""

    def reserve(self, provider: str, microusd: int) -> None: ...

    def settle(self, reserved: Any, calls: Iterable[Usage]) -> None: ...


UNLIMITED: Till = _Unlimited()


@dataclass(frozen=True, slots=True)
class _Errand(Generic[_Words]):
    """One text to be written. Every try sends the same prompt, for caches and recordings."""

    request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest
    ask: Callable[[Provider, random.Random, float], tuple[_Words, Usage]]
    seed: int
    spent: list[Usage] = field(default_factory=list)
    unpaid: list[NotPaidFor] = field(default_factory=list)

    def put_to(self, provider: Provider, within_s: float) -> tuple[_Words, Usage]:
        return self.ask(provider, random.Random(self.seed), within_s)


class _Link:
    """A provider behind its breaker."""

    def __init__(self, provider: Provider, rule: BreakerRule) -> None:
        self.provider = provider
        self.breaker = Breaker(rule)
        self.lock = threading.Lock()

    def admit(self, now_s: float) -> bool:
        with self.lock:
            admitted, self.breaker = self.breaker.admit(now_s)
            return admitted

    def release(self) -> None:
        """Take back an admission that no call followed."""
        with self.lock:
            self.breaker = self.breaker.released()

    def note(self, error: ModelError | None, now_s: float) -> None:
        """Tell the breaker the outcome of a call. A problem of one prompt does not count against the provider."""
        with self.lock:
            before = self.breaker.state
            if error is None or not error.unwell:
                self.breaker = self.breaker.succeeded()
            else:
                at_once = isinstance(error, AuthFailed | Rejected)
                self.breaker = self.breaker.failed(now_s, at_once=at_once, retry_after_s=_wish_s(error))
            after = self.breaker
        if after.state is State.OPEN and before is not State.OPEN:
            log.warning("provider_rests", provider=self.provider.name, for_s=round(after.until_s - now_s))
        elif after.state is State.CLOSED and before is not State.CLOSED:
            log.info("provider_is_back", provider=self.provider.name)


class Chain:
    """Writes with the first provider that works, and with `last` when none does.

    With `wait_for_budget`, NotPaidFor is raised instead of using `last` where a budget kept a provider from writing.
    """

    name = "chain"

    def __init__(
        self,
        providers: Sequence[Provider],
        last: Provider,
        *,
        within_s: float = 45.0,
        wait_for_budget: bool = False,
        rule: BreakerRule | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._links = [_Link(provider, rule or BreakerRule()) for provider in providers]
        self._last = last
        self._within_s = within_s
        self._wait_for_budget = wait_for_budget
        self._sleep = sleep
        self._clock_s = clock_s
        self._till: Till = UNLIMITED

    def paid_by(self, till: Till) -> Chain:
        """Return the same chain with the same breakers, whose calls are paid by `till`."""
        other = copy.copy(self)
        other._till = till
        return other

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        """Write a post with the first provider that works. Raises the errors of the till."""
        errand = _Errand(
            request, lambda one, dice, left_s: one.write_post(request, dice, within_s=left_s), dice.getrandbits(64)
        )
        return self._write(errand, within_s)

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        """Write a comment with the first provider that works. Raises the errors of the till."""
        errand = _Errand(
            request, lambda one, dice, left_s: one.write_comment(request, dice, within_s=left_s), dice.getrandbits(64)
        )
        return self._write(errand, within_s)

    def digest(
        self, request: ScanRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ScanAnswer, Usage]:
        """Process a feed with the first provider that works. Raises the errors of the till."""
        errand = _Errand(
            request, lambda one, dice, left_s: one.digest(request, dice, within_s=left_s), dice.getrandbits(64)
        )
        return self._write(errand, within_s)

    def plan_campaign(
        self, request: BriefRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CampaignPlan, Usage]:
        """Plan a campaign with the first provider that works. Raises the errors of the till."""
        errand = _Errand(
            request, lambda one, dice, left_s: one.plan_campaign(request, dice, within_s=left_s), dice.getrandbits(64)
        )
        return self._write(errand, within_s)

    def describe(
        self, request: ProductRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ProductWords, Usage]:
        """Write the texts of a product with the first provider that works. Raises the errors of the till."""
        errand = _Errand(
            request, lambda one, dice, left_s: one.describe(request, dice, within_s=left_s), dice.getrandbits(64)
        )
        return self._write(errand, within_s)

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> int:
        """Return the maximum cost of a text, if every provider is tried as often as allowed, and bills it."""
        return sum(link.provider.estimate(request) for link in self._links) * (len(BACKOFF_S) + 1)

    def _write(self, errand: _Errand[_Words], within_s: float | None) -> tuple[_Words, Usage]:
        until_s = self._clock_s() + min(self._within_s, self._within_s if within_s is None else within_s)
        for place, link in enumerate(self._links):
            left_s = until_s - self._clock_s()
            # A slow provider may use up its own share of the time, not that of later ones.
            share_s = self._clock_s() + left_s / (len(self._links) - place)
            answer = self._try(link, errand, share_s)
            if answer is not None:
                break
        else:
            if errand.unpaid and self._wait_for_budget:
                raise min(errand.unpaid, key=lambda error: error.until)
            answer = errand.put_to(self._last, max(LEAST_S, until_s - self._clock_s()))
        words, usage = answer
        return words, usage.after(*errand.spent)

    def _try(self, link: _Link, errand: _Errand[_Words], until_s: float) -> tuple[_Words, Usage] | None:
        jitter = random.Random(errand.seed)
        for wait_s in (*BACKOFF_S, None):
            left_s = until_s - self._clock_s()
            if left_s < LEAST_S or not link.admit(self._clock_s()):
                return None
            try:
                answer, error = self._ask(link.provider, errand, left_s)
            except BaseException:
                link.release()
                raise
            if answer is None and error is None:
                link.release()
                return None
            link.note(error, self._clock_s())
            if error is None:
                return answer
            errand.spent.append(error.usage)
            if not error.retriable or wait_s is None:
                return None
            pause_s = max(wait_s * jitter.uniform(0.5, 1.0), _wish_s(error))
            if self._clock_s() + pause_s + LEAST_S > until_s:
                return None
            self._sleep(pause_s)
        return None

    def _ask(
        self, provider: Provider, errand: _Errand[_Words], left_s: float
    ) -> tuple[tuple[_Words, Usage] | None, ModelError | None]:
        """Make one call and pay for it; return its response, or its error, or neither when no budget pays."""
        most = provider.estimate(errand.request)
        try:
            reserved = self._till.reserve(provider.name, most)
        except NotPaidFor as error:
            log.info("provider_passed_over", provider=provider.name, reason=str(error))
            errand.unpaid.append(error)
            return None, None
        try:
            answer = errand.put_to(provider, left_s)
        except ModelError as error:
            log.warning("words_not_written", provider=provider.name, outcome=error.outcome, reason=str(error)[:300])
            self._till.settle(reserved, error.usage.calls)
            return None, error
        except Exception as error:
            # No error of a vendor's library silences an agent; the usage of the call is unknown.
            log.exception("words_failed", provider=provider.name)
            lost = Transient(f"unexpected: {type(error).__name__}", Usage(provider.name, "unknown", microusd=most))
            self._till.settle(reserved, lost.usage.calls)
            return None, lost
        self._till.settle(reserved, answer[1].calls)
        return answer, None


def _wish_s(error: ModelError) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, Transient) else 0.0
