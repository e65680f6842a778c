"""Anthropic's models: the Messages API with structured outputs and a cached prefix, and message batches.

The only file that imports the anthropic SDK; made by `fleet.llm.registry`, called through `fleet.llm.model.BatchModel`.
It must not retry: the chain does, for all vendors. Errors of the SDK are translated in `vendor` and go no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import anthropic
from anthropic.types import Message, RawMessageStreamEvent, TextBlock
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from anthropic.types.messages import MessageBatchIndividualResponse
from anthropic.types.messages.batch_create_params import Request

from fleet.core import clock
from fleet.llm.base import Usage
from fleet.llm.errors import AuthFailed, ModelError, Overloaded, RefusedByModel, Rejected, TooLong, Transient
from fleet.llm.model import ModelAnswer, Prompt
from fleet.llm.providers import wire
from fleet.llm.providers.vendor import BROKEN_LINES, Vendor, turns

DEFAULT_BASE_URL = "https://api.anthropic.com"
_TOO_LONG = ("prompt is too long", "context window", "too many tokens", "max_tokens")
_REFUSED = ("content filtering policy",)
_NO_MONEY = ("credit balance",)
_OVERLOADED = ("overloaded_error", "rate_limit_error")
_NOT_TAKEN = frozenset({501, 503, 529})
"""Statuses which mean that the server has not accepted a batch.

After any other, especially a gateway's 504, it may have.
"""
_PASSING = (*_OVERLOADED, "api_error", "timeout_error")


class AnthropicModel(Vendor):
    """One model at Anthropic, or at a gateway that speaks its API."""

    provider = "anthropic"
    _any_error = anthropic.AnthropicError
    _status_error = anthropic.APIStatusError

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str = "",
        effort: str = "",
        streams: bool = False,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        super().__init__(model, effort=effort, streams=streams, now=now)
        self._client = anthropic.Anthropic(
            api_key=api_key,
            base_url=base_url or DEFAULT_BASE_URL,
            max_retries=0,
            default_headers=wire.HEADERS,
            http_client=wire.bounded(anthropic.DefaultHttpxClient(follow_redirects=False)),
        )

    def ask(self, prompt: Prompt, *, timeout_s: float) -> ModelAnswer:
        """Ask one question and wait for the answer."""
        began_s = clock.monotonic_s()
        with self._translated(began_s):
            if self._streams:
                return self._answer(self._listen(prompt, timeout_s, began_s), began_s)
            message = self._client.messages.create(**self._params(prompt), timeout=wire.timeout(timeout_s))
            return self._answer(message, began_s)

    def _listen(self, prompt: Prompt, timeout_s: float, began_s: float) -> Message:
        """Stream a response. One that is cut short has reported its input tokens."""
        heard: Message | None = None
        asked: Any = self._params(prompt)  # the SDK's type for it excludes streams
        try:
            with self._client.messages.create(**asked, stream=True, timeout=wire.timeout(timeout_s)) as stream:
                for event in stream:
                    heard = _heard(heard, event)
        except (self._any_error, *BROKEN_LINES) as error:
            if heard is None:
                raise
            raise self._cut_short(error, self._so_far(heard, began_s)) from error
        if heard is None or heard.stop_reason is None:
            known = self._unbilled(began_s) if heard is None else self._so_far(heard, began_s)
            raise Transient("the stream ended before the answer did", known, unmetered=heard is None)
        return heard

    def _so_far(self, heard: Message, began_s: float) -> Usage:
        """Return the usage of an unfinished response.

        Its output tokens are reported at the end, so its bytes are counted instead: a token of JSON is hardly ever
        shorter than two.
        """
        written = sum(len(block.text.encode()) for block in heard.content if block.type == "text")
        usage = self._usage(heard, began_s)
        return usage.but(output_tokens=max(usage.output_tokens, (written + 1) // 2))

    def look(self, *, timeout_s: float) -> None:
        """Ask for the model's card."""
        with self._translated(clock.monotonic_s()):
            self._client.models.retrieve(self.model, timeout=wire.timeout(timeout_s))

    def submit(self, prompts: Mapping[str, Prompt], *, timeout_s: float) -> str:
        """Hand in a batch and return its id."""
        requests = [Request(custom_id=name, params=self._params(prompt)) for name, prompt in prompts.items()]
        try:
            with self._translated(clock.monotonic_s()):
                return self._client.messages.batches.create(requests=requests, timeout=wire.timeout(timeout_s)).id
        except Transient as error:
            status = getattr(error.__cause__, "status_code", 0)
            error.unmetered = error.unmetered or (status >= 500 and status not in _NOT_TAKEN)
            raise

    def ended(self, batch_id: str, *, timeout_s: float) -> bool:
        """Say whether a batch has ended."""
        with self._translated(clock.monotonic_s()):
            batch = self._client.messages.batches.retrieve(batch_id, timeout=wire.timeout(timeout_s))
            return batch.processing_status == "ended"

    def collect(self, batch_id: str, *, timeout_s: float) -> Mapping[str, ModelAnswer | ModelError]:
        """Return the result of each prompt of a batch."""
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
        config: dict[str, Any] = {"format": {"type": "json_schema", "schema": dict(prompt.schema)}}
        if self._effort:
            config["effort"] = self._effort
        return cast(
            MessageCreateParamsNonStreaming,
            {
                "model": self.model,
                "max_tokens": prompt.max_output_tokens,
                # The stable part first: everything up to the mark is cached, and read again by all agents of the
                # persona. For an hour: they write minutes apart, and a cache of five minutes often expires before
                # (docs/benchmarks.md).
                "system": [
                    {"type": "text", "text": prompt.house},
                    {"type": "text", "text": prompt.persona, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ],
                "messages": turns(prompt),
                "output_config": config,
            },
        )

    def _answer(self, message: Message, began_s: float | None = None, *, batch: bool = False) -> ModelAnswer:
        usage = self._usage(message, began_s, batch=batch)
        if message.stop_reason == "refusal":
            raise RefusedByModel("the model would not answer this", usage)
        if message.stop_reason in ("max_tokens", "model_context_window_exceeded"):
            raise TooLong("the answer did not come to its end within its tokens", usage)
        # No tools were offered, so a block that requests one counts as none.
        return ModelAnswer("".join(block.text for block in message.content if block.type == "text"), usage)

    def _usage(self, message: Message, began_s: float | None, *, batch: bool = False) -> Usage:
        took = message.usage
        written = took.cache_creation_input_tokens or 0
        # A gateway may leave out the cache's duration. Fleet requests an hour, which costs more.
        hour = written if took.cache_creation is None else took.cache_creation.ephemeral_1h_input_tokens or 0
        return self._unbilled(began_s, batch=batch).but(
            input_tokens=took.input_tokens or 0,
            cache_read_tokens=took.cache_read_input_tokens or 0,
            cache_write_tokens=written,
            cache_hour_tokens=hour,
            output_tokens=took.output_tokens or 0,
        )

    def _result(self, one: MessageBatchIndividualResponse) -> ModelAnswer | ModelError:
        unbilled = self._unbilled(None, batch=True)
        match one.result.type:
            case "succeeded":
                try:
                    return self._answer(one.result.message, batch=True)
                except ModelError as error:
                    return error
            case "errored":
                wrong = one.result.error.error
                if wrong.type in _PASSING:
                    return Transient(f"in the batch: {wrong.type}", unbilled)
                return Rejected(f"in the batch: {wrong.type}: {wrong.message}", unbilled)
            case _:  # expired or cancelled: it was never worked on
                return Transient(f"in the batch: {one.result.type}", unbilled)

    def _said(self, error: anthropic.APIStatusError) -> str:
        return f"{error.status_code} {error.type or ''}: {error.api_message or type(error).__name__}"

    def _peculiar(self, error: anthropic.APIStatusError, usage: Usage) -> Exception | None:
        if error.status_code == 200 and error.type in _PASSING:  # an error within a stream that had begun successfully
            kind = Overloaded if error.type in _OVERLOADED else Transient
            return kind(self._said(error), usage)
        if error.status_code != 400:
            return None
        told = str(error).casefold()  # one type for all of these errors, distinguished only by their messages
        if any(sign in told for sign in _TOO_LONG):
            return TooLong(self._said(error), usage)
        if any(sign in told for sign in _REFUSED):
            return RefusedByModel(self._said(error), usage)
        if any(sign in told for sign in _NO_MONEY):
            return AuthFailed(self._said(error), usage, fix="The account has no money left.")
        return None


def _heard(message: Message | None, event: RawMessageStreamEvent) -> Message | None:
    """Return the response with one event of its stream added. Thoughts and blocks of other kinds are left out."""
    if event.type == "message_start":
        return event.message.model_copy(update={"content": []})
    if message is None:
        return None
    if event.type == "content_block_delta" and event.delta.type == "text_delta":
        text = "".join(block.text for block in message.content if block.type == "text") + event.delta.text
        return message.model_copy(update={"content": [TextBlock(type="text", text=text)]})
    if event.type == "message_delta":
        usage = message.usage.model_copy(update={"output_tokens": event.usage.output_tokens})
        return message.model_copy(update={"stop_reason": event.delta.stop_reason, "usage": usage})
    return message
