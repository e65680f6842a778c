"""The writer with a model: prompt, one call, parse, at most one correction, screening, price.

Built by `fleet.llm.registry` and called through `fleet.llm.provider.Provider`, mostly by a chain. Knows no vendor.
It does not retry: an unusable response is sent back to the model once, other errors are raised.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from fleet.core import clock
from fleet.core.errors import FleetError
from fleet.llm import answers, prompts, screening
from fleet.llm.answers import ShapeProblem
from fleet.llm.base import (
    BriefRequest,
    CallOutcome,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    Usage,
)
from fleet.llm.briefing import answers as briefing_answers
from fleet.llm.briefing import prompt as briefing_prompt
from fleet.llm.describing import answers as describing_answers
from fleet.llm.describing import prompt as describing_prompt
from fleet.llm.errors import Malformed, ModelError, Transient, Unfit
from fleet.llm.model import BatchModel, Model, ModelAnswer, Prompt
from fleet.llm.prices import Prices
from fleet.llm.scan_request import ScanAnswer, ScanRequest
from fleet.llm.scanning import answers as scanning_answers
from fleet.llm.scanning import prompt as scanning_prompt

DEFAULT_TIMEOUT_S = 30.0
LEAST_TIMEOUT_S = 1.0
MOST_SEARCHED = 500
_OVERHEAD_TOKENS = 1_000  # tokens that a vendor adds to a prompt: roles, the schema, its own rules
_PROBLEM_BYTES = 2_000
_TOLD_CHARS = 8_000  # of a malformed response that is sent back to its model

Request = PostRequest | CommentRequest
_Words = TypeVar("_Words")


class ModelWriter:
    """Writes with one model. `prices` must contain it; a model without a price is not used."""

    def __init__(
        self,
        model: Model,
        prices: Prices,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        now: Callable[[], datetime] = clock.now,
        clock_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self.name = model.provider
        self.model = model
        self._prices = prices
        self._timeout_s = timeout_s
        self._now = now
        self._clock_s = clock_s
        prices.of(model.model, now().date())

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        """Write a post."""
        return self.put(prompts.post(request, dice), lambda raw: read_post(request, raw), within_s)

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        """Write a comment on one of the posts seen."""
        return self.put(prompts.comment(request, dice), lambda raw: read_comment(request, raw), within_s)

    def digest(
        self, request: ScanRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ScanAnswer, Usage]:
        """Propose drafts for a feed."""
        prompt = scanning_prompt.scan(request, dice)
        return self.put(prompt, lambda raw: scanning_answers.read(request, raw), within_s)

    def plan_campaign(
        self, request: BriefRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CampaignPlan, Usage]:
        """Plan the posts of a campaign."""
        prompt = briefing_prompt.plan(request, dice)
        return self.put(prompt, lambda raw: briefing_answers.read(request, raw), within_s)

    def describe(
        self, request: ProductRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ProductWords, Usage]:
        """Write the texts of a product."""
        prompt = describing_prompt.describe(request, dice)
        return self.put(prompt, lambda raw: describing_answers.read(request, raw), within_s)

    def estimate(self, request: Request | ScanRequest | BriefRequest | ProductRequest) -> int:
        """Return the maximum cost of one try: the call and its correction."""
        # Other dice draw another spark, of at most a few hundred bytes: the overhead has room for it.
        return self.at_most(ask_for(request, random.Random(0)))

    def at_most(self, prompt: Prompt) -> int:
        """Return the maximum cost of one prompt: the call and its correction."""
        return self._at_most(prompt) + self._at_most(prompt.told("\U0010ffff" * _TOLD_CHARS, "x" * _PROBLEM_BYTES))

    def put(self, prompt: Prompt, take: Callable[[str], _Words], within_s: float | None) -> tuple[_Words, Usage]:
        """Ask, and once more if `take` raises a problem of the response. Raises ModelError."""
        until_s = self._clock_s() + (self._timeout_s if within_s is None else min(within_s, self._timeout_s))
        first = self._ask(prompt, until_s)
        try:
            return take(first.text), first.usage
        except (ShapeProblem, NotToBeShown) as problem:
            wrong = first.usage.but(outcome=_outcome(problem))
            prompt = prompt.told(first.text.strip()[:_TOLD_CHARS] or "{}", str(problem))
        try:
            second = self._ask(prompt, until_s)
        except ModelError as error:
            error.usage = error.usage.after(wrong)
            raise
        try:
            return take(second.text), second.usage.but(outcome=CallOutcome.REPAIRED).after(wrong)
        except ShapeProblem as problem:
            raise Malformed(f"{self.name} did not correct its answer: {problem}", second.usage.after(wrong)) from None
        except NotToBeShown as problem:
            raise Unfit(f"{self.name} wrote what must not be shown: {problem}", second.usage.after(wrong)) from None

    def _ask(self, prompt: Prompt, until_s: float) -> ModelAnswer:
        left_s = until_s - self._clock_s()
        if left_s < LEAST_TIMEOUT_S:
            raise Transient(f"no time is left to ask {self.name}", Usage(self.name, self.model.model))
        try:
            answer = self.model.ask(prompt, timeout_s=left_s)
        except ModelError as error:
            error.usage = self._priced(error.usage, prompt, unmetered=error.unmetered)
            raise
        return ModelAnswer(answer.text, self._priced(answer.usage, prompt, unmetered=answer.unmetered))

    def _priced(self, usage: Usage, prompt: Prompt, *, unmetered: bool) -> Usage:
        """Return usage with its price: for an unmetered call its maximum cost."""
        if not usage.is_possible:
            usage, unmetered = usage.untold(), True
        cost = self._at_most(prompt) if unmetered else self._prices.cost(usage, self._now().date())
        return usage.but(microusd=cost)

    def _at_most(self, prompt: Prompt) -> int:
        """Return the maximum cost of one call. A token is never less than a byte."""
        return self._prices.at_most(
            self.model.model, self._now().date(), input_tokens=_input_at_most(prompt),
            output_tokens=prompt.max_output_tokens,
        )  # fmt: skip


class StillRunning:
    """The batch may be one of those that have not ended, whose contents are unknown."""


class BatchWriter:
    """Writes texts that can wait, at the price of batches. The caller keeps the batch id and asks again later."""

    def __init__(self, model: BatchModel, prices: Prices, *, timeout_s: float = DEFAULT_TIMEOUT_S,
                 now: Callable[[], datetime] = clock.now) -> None:  # fmt: skip
        self.name = model.provider
        self._model = model
        self._prices = prices
        self._timeout_s = timeout_s
        self._now = now
        prices.of(model.model, now().date())

    def submit(self, requests: Mapping[str, tuple[Request, random.Random]]) -> str:
        """Submit requests by id and return the batch id. Raises ModelError."""
        asked = {name: ask_for(request, dice) for name, (request, dice) in requests.items()}
        return self._model.submit(asked, timeout_s=self._timeout_s)

    def estimate(self, request: Request) -> int:
        """Return the maximum cost of one request; batches have no corrections."""
        prompt = ask_for(request, random.Random(0))
        # Other dice draw another spark: the overhead has room for it.
        return self._prices.at_most(
            self._model.model, self._now().date(), input_tokens=_input_at_most(prompt),
            output_tokens=prompt.max_output_tokens, batch=True,
        )  # fmt: skip

    def find(self, name: str, *, since: datetime, until: datetime, within_s: float) -> str | StillRunning | None:
        """Return the batch, made between two moments, that holds a request of this name; None if there is none.

        Providers list batches without their contents, so it reads the results of each. Raises ModelError.
        """
        until_s = clock.monotonic_s() + within_s
        made = self._model.recent(since, most=MOST_SEARCHED, timeout_s=self._timeout_s)
        if len(made) == MOST_SEARCHED and min(at for at, _ in made.values()) > since:
            raise Transient("there are too many batches to search", Usage(self.name, self._model.model))
        near = {batch_id: ended for batch_id, (at, ended) in made.items() if at <= until}
        for batch_id in (batch_id for batch_id, ended in near.items() if ended):
            left_s = min(self._timeout_s, until_s - clock.monotonic_s())
            if left_s < LEAST_TIMEOUT_S:
                raise Transient("no time is left to search the batches", Usage(self.name, self._model.model))
            if name in self._model.collect(batch_id, timeout_s=left_s):
                return batch_id
        return None if all(near.values()) else StillRunning()

    def call_off(self, batch_id: str) -> None:
        """Cancel a batch. Raises ModelError."""
        self._model.call_off(batch_id, timeout_s=self._timeout_s)

    def ended(self, batch_id: str) -> bool:
        """Say whether the batch can be collected. Raises ModelError."""
        return self._model.ended(batch_id, timeout_s=self._timeout_s)

    def collect(
        self, batch_id: str, requests: Mapping[str, Request]
    ) -> dict[str, tuple[PostWords | CommentWords, Usage] | ModelError]:
        """Return the text for each request, or the error: there are no corrections, the caller asks again.

        Each request of the batch has an entry, even if the results lack it. Raises ModelError when there are no
        results.
        """
        results = self._model.collect(batch_id, timeout_s=self._timeout_s)
        unbilled = Usage(self.name, self._model.model, batch=True)
        lost = Transient("the batch came back without it", unbilled)
        return {name: self._read(request, results.get(name, lost)) for name, request in requests.items()}

    def _read(
        self, request: Request, result: ModelAnswer | ModelError
    ) -> tuple[PostWords | CommentWords, Usage] | ModelError:
        if result.usage.is_possible:
            usage = result.usage.but(microusd=self._prices.cost(result.usage, self._now().date()))
        else:
            usage = result.usage.untold().but(microusd=self.estimate(request))
        if isinstance(result, ModelError):
            result.usage = usage
            return result
        try:
            if isinstance(request, PostRequest):
                return read_post(request, result.text), usage
            return read_comment(request, result.text), usage
        except ShapeProblem as problem:
            return Malformed(f"{self.name}: {problem}", usage)
        except NotToBeShown as error:
            return Unfit(f"{self.name}: {error}", usage)


class NotToBeShown(FleetError):
    """A text of the right shape that must not be published."""


def ask_for(request: Request | ScanRequest | BriefRequest | ProductRequest, dice: random.Random) -> Prompt:
    """Return the prompt of a request."""
    if isinstance(request, BriefRequest):
        return briefing_prompt.plan(request, dice)
    if isinstance(request, ProductRequest):
        return describing_prompt.describe(request, dice)
    if isinstance(request, ScanRequest):
        return scanning_prompt.scan(request, dice)
    return prompts.post(request, dice) if isinstance(request, PostRequest) else prompts.comment(request, dice)


def read_post(request: PostRequest, raw: str) -> PostWords:
    """Return the post in an answer. Raises ShapeProblem, or NotToBeShown."""
    words = answers.read_post(raw)
    _hold_back(screening.why_not_post(words, request))
    return words


def read_comment(request: CommentRequest, raw: str) -> CommentWords:
    """Return the comment in an answer. Raises ShapeProblem, or NotToBeShown."""
    words = answers.read_comment(raw, request.seen[: prompts.MOST_SEEN])
    _hold_back(screening.why_not_comment(words, request))
    return words


def _outcome(problem: ShapeProblem | NotToBeShown) -> CallOutcome:
    return CallOutcome.UNFIT if isinstance(problem, NotToBeShown) else CallOutcome.MALFORMED


def _hold_back(why: str | None) -> None:
    if why is not None:
        raise NotToBeShown(why)


def _input_at_most(prompt: Prompt) -> int:
    turns = [part for turn in prompt.turns for part in turn]
    parts = (prompt.house, prompt.persona, prompt.moment, str(dict(prompt.schema)), *turns)
    return sum(len(part.encode("utf-8")) for part in parts) + _OVERHEAD_TOKENS
