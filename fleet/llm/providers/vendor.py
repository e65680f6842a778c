"""Shared by all vendors: translation of errors, corrections of responses, usage.

Base of `anthropic_provider` and `openai_provider`, which contain only what is specific to their vendor. Knows no SDK:
both are built alike, so a status, headers and a base class of errors suffice. Never retries.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Protocol

import httpx2

from fleet.core import clock
from fleet.llm.base import Usage
from fleet.llm.errors import AuthFailed, ModelError, Overloaded, Rejected, TooLong, Transient
from fleet.llm.model import Prompt
from fleet.llm.providers import wire

BROKEN_LINES = (httpx2.HTTPError, httpx2.StreamError)
"""What the transport of both SDKs raises by itself, above all in the middle of a stream."""


class StatusError(Protocol):
    """What an SDK raises for an answer that is no 200."""

    status_code: int

    @property
    def response(self) -> httpx2.Response: ...


class Vendor(ABC):
    """One model at a vendor, or at a server that speaks its API. Safe for many threads."""

    provider: str
    _any_error: ClassVar[type[Exception]]
    _status_error: ClassVar[type[Exception]]
    _overloaded: ClassVar[frozenset[int]] = frozenset({429, 529})

    def __init__(
        self, model: str, *, effort: str = "", streams: bool = False, now: Callable[[], datetime] = clock.now
    ) -> None:
        self.model = model
        self._effort = effort
        self._streams = streams
        self._now = now
        # Below that level the SDKs, whose loggers have the vendors' names, log whole responses, and servers often
        # repeat the key that they refuse.
        logging.getLogger(self.provider).setLevel(logging.WARNING)

    @abstractmethod
    def _said(self, error: Any) -> str:
        """Return a server's error message, in a line."""

    @abstractmethod
    def _peculiar(self, error: Any, usage: Usage) -> Exception | None:
        """Return the error for a response whose status alone would be misleading, or None."""

    def _unbilled(self, began_s: float | None, *, batch: bool = False) -> Usage:
        """Return the usage of a call that took nothing but time."""
        took_ms = 0 if began_s is None else round((clock.monotonic_s() - began_s) * 1000)
        return Usage(self.provider, self.model, latency_ms=took_ms, batch=batch)

    @contextmanager
    def _translated(self, began_s: float) -> Iterator[None]:
        """Translate every error of the SDK, also for invalid responses (no JSON, no usage)."""
        try:
            yield
        except (self._any_error, *BROKEN_LINES) as error:
            raise self._ours(error, self._unbilled(began_s)) from error
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            why = f"the answer is none of this API ({type(error).__name__})"
            raise Transient(why, self._unbilled(began_s), unmetered=wire.went_out(error)) from error

    def _ours(self, error: Exception, usage: Usage) -> Exception:
        if not isinstance(error, self._status_error):  # timeouts, cut connections, answers that cannot be read
            return Transient(f"no answer ({type(error).__name__})", usage, unmetered=wire.went_out(error))
        return self._peculiar(error, usage) or self._of_status(error, usage)  # type: ignore[arg-type]

    def _cut_short(self, error: Exception, usage: Usage) -> Exception:
        """Return the error for a stream that was cut short after its server had reported the input tokens."""
        ours = self._ours(error, usage)
        if isinstance(ours, Transient):
            ours.unmetered = False
        return ours

    def _of_status(self, error: StatusError, usage: Usage) -> ModelError:
        said, code, name = self._said(error), error.status_code, self.provider.upper()
        wish_s = wire.retry_after_s(error.response.headers, self._now())
        if code in self._overloaded:
            return Overloaded(said, usage, retry_after_s=wish_s)
        if code in (401, 402, 403):
            return AuthFailed(said, usage, fix=f"Look at FLEET_{name}_API_KEY and the account behind it.")
        if code == 413:
            return TooLong(said, usage)
        if code in (408, 409) or code >= 500:
            return Transient(said, usage, retry_after_s=wish_s)
        where = f"FLEET_{name}_MODEL, FLEET_{name}_BASE_URL and FLEET_LLM_EFFORT"
        return Rejected(said, usage, fix=f"Look at {where}.")


def turns(prompt: Prompt) -> list[dict[str, str]]:
    """Return the messages of a prompt after its cached part: the situation, then each response with its problem."""
    told = [{"role": "user", "content": prompt.moment}]
    for answer, problem in prompt.turns:
        again = f"That answer cannot be used. {problem} Answer again, with the JSON object alone."
        told += [{"role": "assistant", "content": answer}, {"role": "user", "content": again}]
    return told
