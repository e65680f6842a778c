"""Record texts and replay them, so that a run with a model repeats byte for byte without one.

Wrapped around a provider by `fleet.llm.registry`. One file, one JSON object a line: a hash of the request, the texts,
the usage. The request itself is not stored, keys are masked, and the recorded text is returned.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fleet.core import logs, text
from fleet.core.errors import InvalidInput
from fleet.llm import scan_request as scanning
from fleet.llm.base import (
    BriefRequest,
    CallOutcome,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    PlannedPost,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    Speaker,
    Usage,
)
from fleet.llm.provider import Till, Words
from fleet.llm.scan_request import ScanAnswer, ScanRequest

log = logs.get(__name__)

FORMAT = 1
_SHAPES: dict[str, Callable[..., object]] = {
    "post": PostWords, "comment": CommentWords, "scan": lambda **told: scanning.from_data(told),
    "plan": lambda **told: _plan_of(told), "product": lambda **told: _product_of(told),
}  # fmt: skip
_Words = TypeVar("_Words", PostWords, CommentWords)


class NotRecorded(InvalidInput):
    """The recording has no text for this request."""


def key_of(request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> str:
    """Return the hash of a request: equal requests have equal hashes, in every process.

    Ids of posts do not count: a surface assigns new ones in every run. Nor do memories and `heard`: they depend on the
    timing of workers.
    """
    if not isinstance(request, BriefRequest | ProductRequest):
        request = dataclasses.replace(request, memories=())
    if isinstance(request, CommentRequest):
        seen = tuple(dataclasses.replace(post, id=str(number)) for number, post in enumerate(request.seen))
        request = dataclasses.replace(request, seen=seen)
    told = {"kind": type(request).__name__, "request": request}
    return hashlib.sha256(_line(told).encode()).hexdigest()


class Recorder:
    """Writes with another provider, and appends every text to a file. Many threads and processes may share the file."""

    def __init__(self, provider: Words, path: Path) -> None:
        self.name = provider.name
        self._provider = provider
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(b"")
        except OSError as error:
            raise InvalidInput(f"FLEET_LLM_RECORD: {path} cannot be written ({error.strerror}).") from None

    def paid_by(self, till: Till) -> Recorder:
        """Return the same recorder, around a provider whose calls are paid by `till`."""
        other = copy.copy(self)
        other._provider = self._provider.paid_by(till)
        return other

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        """Write a post and keep it."""
        return self._keep("post", request, self._provider.write_post(request, dice, within_s=within_s))

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        """Write a comment and keep it."""
        return self._keep("comment", request, self._provider.write_comment(request, dice, within_s=within_s))

    def digest(
        self, request: ScanRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ScanAnswer, Usage]:
        """Process a feed, and record the proposals; keys were removed when they were parsed."""
        answer, usage = self._provider.digest(request, dice, within_s=within_s)
        self._add("scan", key_of(request), scanning.to_data(answer), usage)
        return answer, usage

    def plan_campaign(
        self, request: BriefRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CampaignPlan, Usage]:
        """Plan a campaign, and record the plan; keys were removed when it was parsed."""
        plan, usage = self._provider.plan_campaign(request, dice, within_s=within_s)
        self._add("plan", key_of(request), dataclasses.asdict(plan), usage)
        return plan, usage

    def describe(
        self, request: ProductRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ProductWords, Usage]:
        """Write the texts of a product, and record them; keys were removed when they were parsed."""
        words, usage = self._provider.describe(request, dice, within_s=within_s)
        self._add("product", key_of(request), dataclasses.asdict(words), usage)
        return words, usage

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> int:
        """Return the provider's own estimate."""
        return self._provider.estimate(request)

    def _keep(
        self, kind: str, request: PostRequest | CommentRequest, made: tuple[_Words, Usage]
    ) -> tuple[_Words, Usage]:
        words, usage = _masked(made[0]), made[1]
        self._add(kind, key_of(request), _placed(words, request), usage)
        return words, usage

    def _add(self, kind: str, key: str, words: dict[str, Any], usage: Usage) -> None:
        told = {"format": FORMAT, "kind": kind, "key": key, "words": words, "usage": dataclasses.asdict(usage)}
        try:
            self._append(f"{_line(told)}\n".encode())
        except OSError as error:
            # The text is paid for. If it were lost with the recording, it would be paid for again.
            log.warning("words_not_recorded", path=str(self._path), reason=error.strerror)

    def _append(self, line: bytes) -> None:
        # One write to a file opened for appending is not torn by other threads and processes.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)


class Replayer:
    """Returns the texts of a recording. Repeated requests get their responses in order."""

    name = "replay"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._asked: defaultdict[str, int] = defaultdict(int)
        self._answers: defaultdict[str, list[tuple[dict[str, Any], Usage]]] = defaultdict(list)
        for number, line in enumerate(self._lines(), 1):
            self._learn(number, line)

    def write_post(
        self,
        request: PostRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[PostWords, Usage]:
        """Return the recorded post. Raises NotRecorded."""
        told, usage = self._again(request)
        return PostWords(**told), usage

    def write_comment(
        self,
        request: CommentRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[CommentWords, Usage]:
        """Return the recorded comment. Raises NotRecorded."""
        told, usage = self._again(request)
        place = told["answers"]
        answers = request.seen[place].id if isinstance(place, int) and place < len(request.seen) else ""
        return CommentWords(**{**told, "answers": answers}), usage

    def digest(
        self,
        request: ScanRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[ScanAnswer, Usage]:
        """Return the recorded proposals. Raises NotRecorded."""
        told, usage = self._again(request)
        return scanning.from_data(told), usage

    def plan_campaign(
        self,
        request: BriefRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[CampaignPlan, Usage]:
        """Return the recorded plan. Raises NotRecorded."""
        told, usage = self._again(request)
        return _plan_of(told), usage

    def describe(
        self,
        request: ProductRequest,
        dice: random.Random,  # noqa: ARG002
        *,
        within_s: float | None = None,  # noqa: ARG002
    ) -> tuple[ProductWords, Usage]:
        """Return the recorded texts of a product. Raises NotRecorded."""
        told, usage = self._again(request)
        return _product_of(told), usage

    def estimate(self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest) -> int:  # noqa: ARG002
        """Return 0: no model is called."""
        return 0

    def paid_by(self, till: Till) -> Replayer:  # noqa: ARG002
        """Return this replayer: replayed texts cost nothing."""
        return self

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"FLEET_LLM_REPLAY: {self._path} cannot be read ({error}).") from None

    def _learn(self, number: int, line: str) -> None:
        try:
            told = json.loads(line)
            if told["format"] != FORMAT:
                raise ValueError("another format")
            _SHAPES[told["kind"]](**told["words"])  # raises for unknown fields
            if told["kind"] not in ("scan", "plan", "product") and not _are_words(told["words"]):
                raise ValueError("words that are no texts")
            self._answers[told["key"]].append((told["words"], _usage(told["usage"])))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidInput(
                f"FLEET_LLM_REPLAY: line {number} of {self._path} is not of a recording ({type(error).__name__})."
            ) from None

    def _again(
        self, request: PostRequest | CommentRequest | ScanRequest | BriefRequest | ProductRequest
    ) -> tuple[dict[str, Any], Usage]:
        key = key_of(request)
        with self._lock:
            answers = self._answers.get(key, [])
            place = min(self._asked[key], len(answers) - 1)
            self._asked[key] += 1
        if not answers:
            raise NotRecorded(
                f"{self._path} has no words for this request ({key[:12]}).", fix="Record the run again, from its start."
            )
        return answers[place]


def _placed(words: PostWords | CommentWords, request: PostRequest | CommentRequest) -> dict[str, Any]:
    """Return a text in recorded form: the answered post by its place in the list."""
    told = dataclasses.asdict(words)
    if isinstance(request, CommentRequest):
        ids = [post.id for post in request.seen]
        told["answers"] = ids.index(told["answers"]) if told["answers"] in ids else None
    return told


def _masked(words: _Words) -> _Words:
    changes: dict[str, Any] = {
        name: text.without_keys(logs.mask(value))
        for name, value in dataclasses.asdict(words).items()
        if name != "answers"
    }
    return dataclasses.replace(words, **changes)


def _are_words(told: dict[str, Any]) -> bool:
    """Say whether all is text but the place of the post that a comment answers, if there is one."""
    place = told.get("answers")
    is_place = place is None or (type(place) is int and place >= 0)
    return is_place and all(isinstance(value, str) for name, value in told.items() if name != "answers")


def _plan_of(told: Mapping[str, Any]) -> CampaignPlan:
    """Return a recorded plan. Raises TypeError, KeyError, AttributeError for another shape."""
    posts = [PlannedPost(**{**one, "hashtags": tuple(one["hashtags"])}) for one in told["posts"]]
    return CampaignPlan(tuple(posts), told["reason"])


def _product_of(told: Mapping[str, Any]) -> ProductWords:
    return ProductWords(**{**told, "alt_texts": tuple(map(str, told["alt_texts"]))})


def _usage(told: dict[str, Any]) -> Usage:
    told["outcome"] = CallOutcome(told["outcome"])
    told["earlier"] = tuple(_usage(one) for one in told["earlier"])
    return Usage(**told)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """Return a frozen value as JSON has it; mappings of any kind (a grammar may be read-only) count as their items."""
    if dataclasses.is_dataclass(value):
        told = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        told.pop("heard", None)
        if isinstance(value, PostRequest) and not value.subject:  # as in recordings of old
            del told["subject"]
        if isinstance(value, Speaker):  # the fields of the character count as its own, as in recordings of old
            told |= told.pop("character").values()
        return told
    return dict(value)
