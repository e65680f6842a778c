"""Parse the response to a scan part by part, so that one invalid part does not affect the others.

Called by `fleet.llm.writer`. Pure. For any input the result is a ScanAnswer or a ShapeProblem, and every
part is either kept or counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fleet.core import text
from fleet.llm import screening
from fleet.llm.answers import ShapeProblem, fit_to_show, unfenced
from fleet.llm.scan_request import Idea, ScanAnswer, ScanRequest, strangers_of

LONGEST_ANSWER_CHARS = 40_000
_MOST_READ = 50
_LONGEST_TEXT_CHARS = 2_000
_LONGEST_COMMENT_CHARS = 300
_MOST_MEDIA = 4
_ADDRESS = re.compile(r"https?://[!-~]{1,1990}")
_FIELDS = {"post": "posts", "comment": "comments", "reaction": "reactions", "connection": "connectionRequests"}


def _number(value: object) -> float | None:
    """Return the confidence of a model, or None if it is invalid: the rest of the part is still usable."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        return None
    return float(min(1, max(0, value)))


def _shown(value: object) -> str:
    return fit_to_show(value[: 4 * _LONGEST_TEXT_CHARS]) if isinstance(value, str) else ""


def _addresses(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else []
    return tuple(one for one in listed if isinstance(one, str) and _ADDRESS.fullmatch(one))[:_MOST_MEDIA]


_Optional = Annotated[str, BeforeValidator(_shown)]
_Needed = Annotated[str, BeforeValidator(_shown), Field(pattern=r"\w")]
_Ref = Annotated[str, Field(min_length=1, max_length=12)]


class _Part(BaseModel):
    """Fields that every part may have."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    confidence: Annotated[float | None, BeforeValidator(_number)] = None
    reason: _Optional = ""


class _Post(_Part):
    content: _Needed
    visibility: Annotated[str, Field(pattern="^(public|friends|private)$")] = "public"
    picture: _Optional = ""
    alt_text: _Optional = Field("", alias="altText")
    media: Annotated[tuple[str, ...], BeforeValidator(_addresses)] = Field((), alias="mediaUrls")

    def idea(self) -> Idea:
        return Idea(
            "post", "", text.cut(self.content, _LONGEST_TEXT_CHARS), "", self.visibility,
            text.cut(self.picture, _LONGEST_TEXT_CHARS), text.cut(self.alt_text, _LONGEST_COMMENT_CHARS), self.media,
        )  # fmt: skip


class _Comment(_Part):
    post: _Ref = Field(alias="postId")
    content: _Needed

    def idea(self) -> Idea:
        return Idea("comment", self.post, text.cut(self.content, _LONGEST_COMMENT_CHARS))


class _Reaction(_Part):
    post: _Ref = Field(alias="postId")
    type: Annotated[str, Field(pattern="^(like|love|haha|sad|angry)$")]

    def idea(self) -> Idea:
        return Idea("reaction", self.post, type=self.type)


class _Connection(_Part):
    user: _Ref = Field(alias="userId")
    message: _Optional = ""

    def idea(self) -> Idea:
        return Idea("connection", self.user, text.cut(self.message, _LONGEST_COMMENT_CHARS))


_AnyPart = _Post | _Comment | _Reaction | _Connection
_SHAPES: Mapping[str, type[_AnyPart]] = {
    "post": _Post, "comment": _Comment, "reaction": _Reaction, "connection": _Connection
}  # fmt: skip


def read(request: ScanRequest, raw: str) -> ScanAnswer:
    """Return the proposals of a response; parts of the wrong shape, or unfit to be shown, are dropped and counted.

    Raises ShapeProblem if it is not a JSON object.
    """
    told = _object(raw)
    ideas: list[Idea] = []
    malformed = 0
    for kind, field in _FIELDS.items():
        parts = told.get(field)
        if parts is not None and not isinstance(parts, list):
            malformed += 1
            continue
        for part in (parts or [])[:_MOST_READ]:
            idea = _part(_SHAPES[kind], part)
            malformed += idea is None
            ideas += [idea] if idea is not None else []
        malformed += len(parts or []) - len((parts or [])[:_MOST_READ])
    fit = [idea for idea in ideas if not _is_unfit(idea, request)]
    return ScanAnswer(tuple(fit), malformed, len(ideas) - len(fit))


def _object(raw: str) -> dict[str, Any]:
    try:
        told = json.loads(unfenced(raw, LONGEST_ANSWER_CHARS))
    except (ValueError, RecursionError):
        raise ShapeProblem("The answer is not JSON; write one JSON object and nothing around it.") from None
    if not isinstance(told, dict):
        raise ShapeProblem("The answer is JSON and no object; write one JSON object.")
    return told


def _part(shape: type[_AnyPart], part: object) -> Idea | None:
    try:
        read_part = shape.model_validate(part)
    except (ValidationError, RecursionError):
        return None
    return replace(read_part.idea(), confidence=read_part.confidence, reason=text.cut(read_part.reason, 200))


def _is_unfit(idea: Idea, request: ScanRequest) -> bool:
    """Return whether an idea copies outsiders or gives orders, as a manipulated model does."""
    words = (idea.text, idea.image_prompt, idea.alt_text)
    return screening.why_not_words(words, strangers_of(request)) is not None
