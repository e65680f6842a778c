"""OpenAI's models, and compatible servers of chat completions: Ollama, vLLM, gateways.

Besides `openai_moderation` the only file that imports the openai SDK; made by `fleet.llm.registry`, called through
`fleet.llm.model.Model`. It must not retry: the chain does. If a server lacks an option, the call is repeated once
without it, and later calls omit it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from fleet.core import clock
from fleet.llm.base import Usage
from fleet.llm.errors import AuthFailed, ModelError, RefusedByModel, Rejected, TooLong, Transient
from fleet.llm.model import ModelAnswer, Prompt
from fleet.llm.providers import wire
from fleet.llm.providers.vendor import Vendor, turns

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_NO_KEY = "none"  # local servers need no key, and the SDK insists on one
_OPTIONS = ("response_format", "json_schema", "json_object", "reasoning_effort", "max_completion_tokens",
            "prompt_cache_key", " stream", "structured output", "guided", "grammar")  # fmt: skip
_TOO_LONG = ("context_length", "context length", "maximum context", "too many tokens", "prompt is too long")
_REFUSED = ("content_policy", "content_filter", "moderation_blocked")


def client(api_key: str, base_url: str) -> openai.OpenAI:
    """Return a client that never retries and whose responses are limited; for OpenAI itself without a `base_url`."""
    return openai.OpenAI(
        api_key=api_key or _NO_KEY, base_url=base_url or DEFAULT_BASE_URL, max_retries=0, default_headers=wire.HEADERS,
        http_client=wire.bounded(openai.DefaultHttpxClient(follow_redirects=False)),
    )  # fmt: skip


class OpenAIModel(Vendor):
    """One model at OpenAI or at a server that speaks its API."""

    provider = "openai"
    _any_error = openai.OpenAIError
    _status_error = openai.APIStatusError
    _overloaded = frozenset({429, 503, 529})

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
        self._dialect = 0
        self._client = client(api_key, base_url)

    def ask(self, prompt: Prompt, *, timeout_s: float) -> ModelAnswer:
        """Ask one question and wait for the answer."""
        began_s = clock.monotonic_s()
        dialect = self._dialect
        while True:
            try:
                with self._translated(began_s):
                    left_s = max(0.1, timeout_s - (clock.monotonic_s() - began_s))
                    answer = self._answer(self._complete(prompt, dialect, left_s), began_s)
            except _OptionUnknown as lesson:
                if dialect == _MOST_PLAIN:
                    raise lesson.rejected from lesson
                dialect += 1
            else:
                self._dialect = max(self._dialect, dialect)  # remember the dialect that worked
                return answer

    def look(self, *, timeout_s: float) -> None:
        """Ask for the list of models, which every server of this kind has, unlike their cards."""
        began_s = clock.monotonic_s()
        with self._translated(began_s):
            known = [one.id for one in self._client.models.list(timeout=wire.timeout(timeout_s)).data]
        # Ollama lists `llama3.2:latest` and answers to `llama3.2`.
        if self.model not in known and f"{self.model}:latest" not in known:
            raise Rejected(
                f"the server has no model {self.model}", self._unbilled(began_s), fix="Look at FLEET_OPENAI_MODEL."
            )

    def _complete(self, prompt: Prompt, dialect: int, timeout_s: float) -> _Said:
        messages = [{"role": "system", "content": f"{prompt.house}\n\n{prompt.persona}"}, *turns(prompt)]
        if dialect >= 3:
            schema = json.dumps(dict(prompt.schema), ensure_ascii=False)
            messages[0]["content"] += f"\n\nThe schema of the JSON object:\n{schema}"
        streams = self._streams and dialect == 0
        made: Any = self._client.chat.completions.create
        answer = made(
            model=self.model,
            messages=messages,
            timeout=wire.timeout(timeout_s),
            **_options(prompt, self._effort, dialect),
            **({"stream": True, "stream_options": {"include_usage": True}} if streams else {}),
        )
        if not streams:
            return _said(answer)
        with answer:
            return _heard(answer)

    def _answer(self, said: _Said, began_s: float) -> ModelAnswer:
        usage = self._usage(said.usage, began_s)
        if said.refusal or said.finish_reason == "content_filter":
            raise RefusedByModel("the model would not answer this", usage)
        if said.finish_reason == "length":
            raise TooLong("the answer did not come to its end within its tokens", usage)
        if said.finish_reason is None:
            raise Transient("the stream ended before the answer did", usage, unmetered=said.usage is None)
        # Tools were never offered, so a call of one is as good as no answer.
        return ModelAnswer(said.content, usage, unmetered=said.usage is None)

    def _usage(self, took: CompletionUsage | None, began_s: float) -> Usage:
        unbilled = self._unbilled(began_s)
        if took is None:
            return unbilled
        details = took.prompt_tokens_details
        read = (details.cached_tokens or 0) if details else 0
        written = (details.cache_write_tokens or 0) if details else 0
        return unbilled.but(
            # Here the prompt's tokens include those read from the cache and written to it.
            input_tokens=max(0, (took.prompt_tokens or 0) - read - written),
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_tokens=took.completion_tokens or 0,
        )

    def _said(self, error: openai.APIStatusError) -> str:
        return f"{error.status_code} {error.code or ''}: {error.message}"

    def _peculiar(self, error: openai.APIStatusError, usage: Usage) -> Exception | None:
        if error.status_code == 429 and error.code == "insufficient_quota":
            return AuthFailed(self._said(error), usage, fix="The account has no money left.")
        if error.status_code not in (400, 422):
            return None
        told = f"{error.code} {error.param} {error.message}".casefold()
        if any(sign in told for sign in _TOO_LONG):
            return TooLong(self._said(error), usage)
        if any(sign in told for sign in _REFUSED):
            return RefusedByModel(self._said(error), usage)
        rejected = Rejected(self._said(error), usage, fix="Look at FLEET_OPENAI_MODEL and FLEET_LLM_EFFORT.")
        return _OptionUnknown(rejected) if any(option in told for option in _OPTIONS) else rejected


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer, whether it came at once or in pieces. Without a `finish_reason` it was cut short."""

    content: str
    refusal: str
    finish_reason: str | None
    usage: CompletionUsage | None


def _said(completion: ChatCompletion) -> _Said:
    choice = completion.choices[0]
    return _Said(choice.message.content or "", choice.message.refusal or "", choice.finish_reason, completion.usage)


def _heard(chunks: Iterable[ChatCompletionChunk]) -> _Said:
    content, refusal, finish_reason, usage = "", "", None, None
    for chunk in chunks:
        for choice in chunk.choices[:1]:
            content += choice.delta.content or ""
            refusal += choice.delta.refusal or ""
            finish_reason = choice.finish_reason or finish_reason
        usage = chunk.usage or usage  # reported last, in a separate chunk
    return _Said(content, refusal, finish_reason, usage)


class _OptionUnknown(Exception):
    """The server does not know one of our options: ask in a plainer dialect."""

    def __init__(self, rejected: ModelError) -> None:
        super().__init__(str(rejected))
        self.rejected = rejected


_MOST_PLAIN = 4
"""Dialects, from OpenAI's to the simplest: 0 all options, 1 without thinking and without a stream, 2 with the older
name of the limit, which newer models refuse, 3 any JSON object instead of a schema, 4 only the limit.
"""


def _options(prompt: Prompt, effort: str, dialect: int) -> dict[str, Any]:
    schema = {"name": prompt.kind, "strict": True, "schema": dict(prompt.schema)}
    options: dict[str, Any] = {"max_tokens" if dialect >= 2 else "max_completion_tokens": prompt.max_output_tokens}
    if dialect == 0 and effort:
        options["reasoning_effort"] = effort
    if dialect < 3:
        options["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif dialect == 3:
        options["response_format"] = {"type": "json_object"}
    return options
