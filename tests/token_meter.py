"""How a model server counts and bills tokens: a stated approximation of a tokenizer, and the vendors' rule of caching.

Held by `tests.model_server`, and read by the benchmarks. Whoever is compared is counted by the same rule.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_CACHED_TOKENS = 1_024
"""Shorter prefixes are not cached, and nobody is told. Of some models it is 512, of others 4,096."""
CACHE_LIVES_S = {"5m": 300.0, "1h": 3_600.0}
_STEP_TOKENS = 128

_PIECE = re.compile(r"([^\W\d_]+)|\d{1,3}|[^\w\s]{1,2}|_")
_WHOLE_WORD, _PART = 7, 4


def count(text: str) -> int:
    """Return about how many tokens a text has.

    One for a word of up to seven letters and one more for each further four; one for up to three digits, and for up to
    two signs in a row; an East Asian sign is a letter, and counts as one.
    """
    return sum(_tokens(found[1]) for found in _PIECE.finditer(text))


def _tokens(word: str | None) -> int:
    if word is None:
        return 1
    if word[0] >= "\u2e80":
        return len(word)
    return 1 + max(0, -(-(len(word) - _WHOLE_WORD) // _PART))


@dataclass(frozen=True)
class Bill:
    """The tokens of one call. `fresh` are neither read from a cache nor written; `hour` of `written` live long."""

    fresh: int
    read: int
    written: int
    output: int
    hour: int = 0

    def __add__(self, other: Bill) -> Bill:
        return Bill(self.fresh + other.fresh, self.read + other.read, self.written + other.written,
                    self.output + other.output, self.hour + other.hour)  # fmt: skip

    @property
    def billed(self) -> float:
        """All of them, each kind at its price: reading costs a tenth, writing a quarter more, or twice for an hour."""
        return self.fresh + 0.1 * self.read + 1.25 * (self.written - self.hour) + 2 * self.hour + self.output


NOTHING = Bill(0, 0, 0, 0)


class TokenMeter:
    """Counts what calls take. `now_s` is the clock by which cached prefixes grow old; each use makes them young."""

    def __init__(
        self,
        *,
        least_cached: int = LEAST_CACHED_TOKENS,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least, self._now_s = least_cached, now_s
        self._until_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def of_message(self, body: Mapping[str, Any], answer: str) -> Bill:
        """Bill a call of the Messages API: what stands before a mark is cached, and the schema stands before it all."""
        prefix = json.dumps([body["model"], body.get("output_config", {}).get("format")])
        told = count(prefix) if "output_config" in body else 0
        marks, lives = [(0, "")], "5m"
        for block in _blocks(body):
            told += count(block["text"])
            prefix += block["text"]
            if "cache_control" in block and told >= self._least:
                marks.append((told, _hash(prefix)))
                lives = block["cache_control"].get("ttl", lives)
        read, marked = self._known(marks[1:], CACHE_LIVES_S[lives]), marks[-1][0]
        return Bill(told - marked, read, marked - read, count(answer), marked - read if lives == "1h" else 0)

    def of_completion(self, body: Mapping[str, Any], answer: str) -> Bill:
        """Bill a call of chat completions: the longest prefix that was seen before is read, in steps, unmarked."""
        text = json.dumps(body.get("response_format")) if "response_format" in body else ""
        text += "\n".join(message["content"] for message in body["messages"])
        ends = [found.end() for found in _PIECE.finditer(text) for _ in range(_tokens(found[1]))]
        steps = range(self._least, len(ends), _STEP_TOKENS)
        known = [(step, _hash(body["model"] + text[: ends[step - 1]])) for step in steps]
        read = self._known(known, CACHE_LIVES_S["5m"])
        stored = steps[-1] if steps else 0
        return Bill(len(ends) - stored, read, stored - read, count(answer))

    def _known(self, marks: Sequence[tuple[int, str]], lives_s: float) -> int:
        """Return how long the longest prefix is that is still known; all of them are known from now on, for a while."""
        now_s = self._now_s()
        with self._lock:
            known = [tokens for tokens, name in marks if self._until_s.get(name, now_s - 1) >= now_s]
            self._until_s.update({name: now_s + lives_s for _, name in marks})
        return max(known, default=0)


def blocks_of(content: str | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return content as blocks, in whichever of its two forms it came."""
    return [{"text": content}] if isinstance(content, str) else list(content)


def _blocks(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    contents = [body.get("system", []), *(message["content"] for message in body["messages"])]
    return [block for content in contents for block in blocks_of(content)]


def _hash(prefix: str) -> str:
    return hashlib.sha256(prefix.encode("utf-8", "replace")).hexdigest()
