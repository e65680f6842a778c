"""Responses of models: their schemas, parsing, and cleaning of their texts.

Called by `fleet.llm.writer`. Pure. Nothing is extracted from prose: a response is the requested JSON object, or it has
a problem, described so that a model can fix it and without repeating its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fleet.core import masking, text
from fleet.core.errors import FleetError
from fleet.llm.base import CommentWords, PostWords, SeenPost
from fleet.llm.lexicon.orders import gives_orders

LEAST_PROMPT_WORDS, MOST_PROMPT_WORDS = 40, 80
LONGEST_ANSWER_CHARS = 20_000
_FENCE = re.compile(r"```(?:json)?\s*(\{.*\})\s*```", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*(?=\s)|(?<=[。！？])")
_NO_CONSTRAINTS = ("title", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "default")

Text = Annotated[str, Field(min_length=1, max_length=3_000)]


class ShapeProblem(FleetError):
    """A response does not have the requested shape; the message is for the model that gave it."""


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    reason: str = Field(max_length=400, description="At most fifteen words: why this and not something else.")


class PostAnswer(_Shape):
    """The texts of one post."""

    image_prompt: Text = Field(description="About 60 words, at least 40 and at most 80, for an image workflow.")
    caption: Text = Field(description="One or two sentences without hashtags, links or names of accounts.")
    alt_text: Text = Field(description="One sentence: what can be seen.")


class CommentAnswer(_Shape):
    """One comment."""

    post: int = Field(ge=1, description="The number of the post that the comment answers.")
    text: Text = Field(description="One sentence without hashtags, links or names of accounts.")


def _schema(shape: type[BaseModel]) -> Mapping[str, Any]:
    """Return a schema in the part of JSON Schema that every vendor can enforce; lengths are checked afterwards."""
    made = shape.model_json_schema()
    properties = {
        name: {key: value for key, value in about.items() if key not in _NO_CONSTRAINTS}
        for name, about in made["properties"].items()
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


POST_SCHEMA = _schema(PostAnswer)
COMMENT_SCHEMA = _schema(CommentAnswer)

_Answered = TypeVar("_Answered", bound=BaseModel)


def read_post(raw: str) -> PostWords:
    """Read a post. Raises ShapeProblem."""
    answer = _read(PostAnswer, raw)
    prompt = fit_to_show(answer.image_prompt)
    count = len(prompt.split())
    if not LEAST_PROMPT_WORDS <= count <= MOST_PROMPT_WORDS:
        raise ShapeProblem(f"image_prompt: it has {count} words; write {LEAST_PROMPT_WORDS} to {MOST_PROMPT_WORDS}.")
    return PostWords(
        image_prompt=prompt,
        caption=_something("caption", _sentences(answer.caption, 2, 500)),
        alt_text=_something("alt_text", _sentences(answer.alt_text, 1, 300)),
        reason=_reason(answer.reason),
    )


def read_comment(raw: str, seen: tuple[SeenPost, ...]) -> CommentWords:
    """Parse a comment on one of the given posts. Raises ShapeProblem."""
    answer = _read(CommentAnswer, raw)
    if answer.post > len(seen):
        raise ShapeProblem(f"post: there is no post of that number; the posts are numbered from 1 to {len(seen)}.")
    said = _something("text", _sentences(answer.text, 1, 300))
    return CommentWords(said, answers=seen[answer.post - 1].id, reason=_reason(answer.reason))


def fit_to_show(words: str) -> str:
    """Return text on one line without invisible characters, markup, links, keys, handles and hashtags."""
    seen = ""
    words = text.clean(words)
    # Removing one match can join another.
    while seen != words:
        seen = words
        words = text.without_links(text.without_markup(words))
        words = text.without_hashtags(text.without_mentions(text.without_keys(masking.mask(words))))
        words = text.clean(words)
    return words


def unfenced(raw: str, longest_chars: int) -> str:
    """Return an answer without the fence in which models like to put JSON. Raises ShapeProblem for one too long."""
    if len(raw) > longest_chars:
        raise ShapeProblem("The answer is far too long; write the JSON object alone.")
    fenced = _FENCE.fullmatch(raw.strip())
    return fenced[1] if fenced else raw


def _read(shape: type[_Answered], raw: str) -> _Answered:
    try:
        return shape.model_validate_json(unfenced(raw, LONGEST_ANSWER_CHARS))
    except ValidationError as error:
        told = [f"{_place(item)}: {item['msg']}" for item in error.errors(include_url=False, include_input=False)]
        raise ShapeProblem("; ".join(told)[:500]) from None


def _place(item: Any) -> str:
    return ".".join(str(part) for part in item["loc"]) or "the answer"


def _something(field: str, words: str) -> str:
    if not any(char.isalpha() for char in words):
        raise ShapeProblem(
            f"{field}: nothing is left of it without links, handles, hashtags and markup; write plain words."
        )
    return words


def _reason(raw: str) -> str:
    """Return a reason for the operator's eyes; one that repeats an order is no reason."""
    reason = fit_to_show(raw)
    return "" if gives_orders(reason) else text.cut(reason, 200)


def _sentences(raw: str, most: int, limit_chars: int) -> str:
    """Return the first sentences, the last one complete, within a limit."""
    words = fit_to_show(raw)
    ends = [found.end() for found in _SENTENCE_END.finditer(words)]
    if len(ends) >= most:
        words = words[: ends[most - 1]].rstrip()
    if words and words[-1].isalnum():
        words += "."
    return text.cut(words, limit_chars)
