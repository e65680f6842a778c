"""Anthropic's models: the Messages API with structured outputs and a cached prefix, and batches for what can wait.

The only file that imports the anthropic SDK; made by `fleet.llm.registry`, called through `fleet.llm.model.BatchModel`.
It must not retry: the chain does, once, for all vendors. What the SDK raises is translated here and goes no further.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

import anthropic
import httpx2
from anthropic.types import Message
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages import MessageBatchIndividualResponse
from anthropic.types.messages.batch_create_params import Request

from fleet.core import clock
from fleet.llm import wire
from fleet.llm.base import Usage
from fleet.llm.errors import AuthFailed, ModelError, Overloaded, RefusedByModel, Rejected, TooLong, Transient
from fleet.llm.model import Answer, Prompt

DEFAULT_BASE_URL = "https://api.anthropic.com"

# Below that it writes whole answers, and servers like to repeat the key that they refuse.
logging.getLogger("anthropic").setLevel(logging.WARNING)

_TOO_LONG = ("prompt is too long", "context window", "too many tokens", "max_tokens")


class AnthropicModel:
    """One model at Anthropic, or at a gateway that speaks its API. Safe for many threads."""

    provider = "anthropic"

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str = "",
        effort: str = "",
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.model = model
        self._effort = effort
        self._now = now
        self._client = anthropic.Anthropic(
            api_key=api_key,
            base_url=base_url or DEFAULT_BASE_URL,
            max_retries=0,
            default_headers={"User-Agent": wire.USER_AGENT},
            http_client=anthropic.DefaultHttpxClient(follow_redirects=False, event_hooks={"response": [wire.bound]}),
        )

    def ask(self, prompt: Prompt, *, timeout_s: float) -> Answer:
        """Ask one question and wait for the answer."""
        began_s = clock.monotonic_s()
        with self._translated(began_s):
            message = self._client.messages.create(**self._params(prompt), timeout=wire.timeout(timeout_s))
            return self._answer(message, began_s)

    def look(self, *, timeout_s: float) -> None:
        """Ask for the model's card."""
        with self._translated(clock.monotonic_s()):
            self._client.models.retrieve(self.model, timeout=wire.timeout(timeout_s))

    def submit(self, prompts: Mapping[str, Prompt], *, timeout_s: float) -> str:
        """Hand in a batch and return its id."""
        requests = [Request(custom_id=name, params=self._params(prompt)) for name, prompt in prompts.items()]
        with self._translated(clock.monotonic_s()):
            return self._client.messages.batches.create(requests=requests, timeout=wire.timeout(timeout_s)).id

    def ended(self, batch_id: str, *, timeout_s: float) -> bool:
        """Say whether a batch has ended."""
        with self._translated(clock.monotonic_s()):
            batch = self._client.messages.batches.retrieve(batch_id, timeout=wire.timeout(timeout_s))
            return batch.processing_status == "ended"

    def collect(self, batch_id: str, *, timeout_s: float) -> Mapping[str, Answer | ModelError]:
        """Return what became of each prompt of a batch."""
        with self._translated(clock.monotonic_s()):
            results = self._client.messages.batches.results(batch_id, timeout=wire.timeout(timeout_s))
            return {one.custom_id: self._result(one) for one in results}

    def recent(self, since: datetime, *, most: int, timeout_s: float) -> Mapping[str, tuple[datetime, bool]]:
        """Return the newest batches after a moment."""
        found: dict[str, tuple[datetime, bool]] = {}
        with self._translated(clock.monotonic_s()):
            for one in self._client.messages.batches.list(limit=100, timeout=wire.timeout(timeout_s)):
                if one.created_at < since or len(found) == most:
                    break
                found[one.id] = (one.created_at, one.processing_status == "ended")
        return found

    def call_off(self, batch_id: str, *, timeout_s: float) -> None:
        """Cancel a batch."""
        with self._translated(clock.monotonic_s()):
            self._client.messages.batches.cancel(batch_id, timeout=wire.timeout(timeout_s))

    def _params(self, prompt: Prompt) -> MessageCreateParamsNonStreaming:
        turns: list[Any] = [{"role": "user", "content": prompt.moment}]
        for answer, problem in prompt.turns:
            turns += [{"role": "assistant", "content": answer}, {"role": "user", "content": _mend(problem)}]
        config: dict[str, Any] = {"format": {"type": "json_schema", "schema": dict(prompt.schema)}}
        if self._effort:
            config["effort"] = self._effort
        return cast(
            MessageCreateParamsNonStreaming,
            {
                "model": self.model,
                "max_tokens": prompt.max_output_tokens,
                # The stable part first: everything up to the mark is cached, and read again by all of this persona.
                "system": [
                    {"type": "text", "text": prompt.house},
                    {"type": "text", "text": prompt.persona, "cache_control": {"type": "ephemeral"}},
                ],
                "messages": turns,
                "output_config": config,
            },
        )

    def _answer(self, message: Message, began_s: float | None = None, *, batch: bool = False) -> Answer:
        usage = self._usage(message, began_s, batch=batch)
        if message.stop_reason == "refusal":
            raise RefusedByModel("the model would not answer this", usage)
        if message.stop_reason in ("max_tokens", "model_context_window_exceeded"):
            raise TooLong("the answer did not come to its end within its tokens", usage)
        # Tools were never offered, so a block that asks for one is as good as no block.
        return Answer("".join(block.text for block in message.content if block.type == "text"), usage)

    def _usage(self, message: Message, began_s: float | None, *, batch: bool) -> Usage:
        took = message.usage
        return Usage(
            self.provider,
            self.model,
            input_tokens=took.input_tokens or 0,
            cache_read_tokens=took.cache_read_input_tokens or 0,
            cache_write_tokens=took.cache_creation_input_tokens or 0,
            output_tokens=took.output_tokens or 0,
            latency_ms=0 if began_s is None else _since_ms(began_s),
            batch=batch,
        )

    def _result(self, one: MessageBatchIndividualResponse) -> Answer | ModelError:
        unbilled = Usage(self.provider, self.model, batch=True)
        match one.result.type:
            case "succeeded":
                try:
                    return self._answer(one.result.message, batch=True)
                except ModelError as error:
                    return error
            case "errored":
                wrong = one.result.error.error
                if wrong.type in ("overloaded_error", "rate_limit_error", "api_error", "timeout_error"):
                    return Transient(f"in the batch: {wrong.type}", unbilled)
                return Rejected(f"in the batch: {wrong.type}: {wrong.message}"[:300], unbilled)
            case _:  # expired or cancelled: it was never worked on
                return Transient(f"in the batch: {one.result.type}", unbilled)

    @contextmanager
    def _translated(self, began_s: float) -> Iterator[None]:
        """Raise in our own words whatever the SDK raises, also for answers that are none (no JSON, no usage)."""
        try:
            yield
        except (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._ours(error, began_s) from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            usage = Usage(self.provider, self.model, latency_ms=_since_ms(began_s))
            raise Transient(
                f"the answer is none of this API ({type(error).__name__})", usage, unmetered=True
            ) from error

    def _ours(self, error: Exception, began_s: float) -> ModelError:
        usage = Usage(self.provider, self.model, latency_ms=_since_ms(began_s))
        match error:
            case anthropic.RateLimitError() | anthropic.APIStatusError(status_code=529):
                return Overloaded(_words(error), usage, retry_after_s=self._wish_s(error))
            case anthropic.APIStatusError(status_code=401 | 402 | 403):
                return AuthFailed(
                    _words(error), usage, fix="Look at FLEET_ANTHROPIC_API_KEY and the account behind it."
                )
            case anthropic.APIStatusError(status_code=413):
                return TooLong(_words(error), usage)
            case anthropic.BadRequestError() if any(sign in str(error).casefold() for sign in _TOO_LONG):
                return TooLong(_words(error), usage)
            case anthropic.APIStatusError(status_code=code) if code in (408, 409) or code >= 500:
                return Transient(_words(error), usage, retry_after_s=self._wish_s(error))
            case anthropic.APIStatusError():
                return Rejected(_words(error), usage, fix="Look at FLEET_ANTHROPIC_MODEL and FLEET_LLM_EFFORT.")
            case _:  # timeouts, cut connections, answers that cannot be read
                return Transient(f"no answer ({type(error).__name__})", usage, unmetered=wire.went_out(error))

    def _wish_s(self, error: anthropic.APIStatusError) -> float | None:
        return wire.retry_after_s(error.response.headers, self._now())


def _mend(problem: str) -> str:
    return f"That answer cannot be used. {problem} Answer again, with the JSON object alone."


def _words(error: anthropic.APIStatusError) -> str:
    return f"{error.status_code} {error.type or ''}: {error.api_message or type(error).__name__}"[:300]


def _since_ms(began_s: float) -> int:
    return round((clock.monotonic_s() - began_s) * 1000)
