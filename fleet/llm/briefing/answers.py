"""The answer to a request for briefs: its schema, and its check. Pure.

For any input the result is a CampaignPlan with as many posts as were asked for, or a ShapeProblem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fleet.core import text
from fleet.llm import answers
from fleet.llm.answers import ShapeProblem, fit_to_show
from fleet.llm.base import MOST_BRIEFS, MOST_HASHTAGS, BriefRequest, CampaignPlan, PlannedPost
from fleet.llm.lexicon.orders import gives_orders

LONGEST_TOPIC_CHARS, LONGEST_PICTURE_CHARS = 500, 500
_HASHTAG = re.compile(r"\w{1,60}")
_STRICT = ConfigDict(strict=True, extra="ignore")


class PostBriefAnswer(BaseModel):
    """What one post is about."""

    model_config = _STRICT

    day: int = Field(ge=1)
    topic: str = Field(min_length=1, max_length=3_000)
    picture: str = Field(max_length=3_000)
    hashtags: list[str] = Field(max_length=30)


class PlanAnswer(BaseModel):
    """The posts of a campaign."""

    model_config = _STRICT

    reason: str = Field(max_length=400)
    posts: list[PostBriefAnswer] = Field(min_length=1, max_length=2 * MOST_BRIEFS)


def _closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
PLAN_SCHEMA: Mapping[str, Any] = _closed(
    posts={
        "type": "array",
        "items": _closed(
            day={"type": "integer"}, topic=_TEXT, picture=_TEXT, hashtags={"type": "array", "items": _TEXT}
        ),
    },
    reason=_TEXT,
)
"""The part of JSON Schema that every vendor can enforce; lengths and numbers are checked afterwards."""


def read(request: BriefRequest, raw: str) -> CampaignPlan:
    """Read the briefs that were asked for. Raises ShapeProblem."""
    answer = answers._read(PlanAnswer, raw)
    if len(answer.posts) != request.posts:
        raise ShapeProblem(f"posts: there are {len(answer.posts)}; plan exactly {request.posts}.")
    posts = [_post(request, number, one) for number, one in enumerate(answer.posts, 1)]
    if len({one.topic.casefold() for one in posts}) < len(posts):
        raise ShapeProblem("posts: two have the same topic; plan different ones.")
    return CampaignPlan(tuple(sorted(posts, key=lambda one: one.day)), answers._reason(answer.reason))


def _post(request: BriefRequest, number: int, one: PostBriefAnswer) -> PlannedPost:
    if one.day > request.days:
        raise ShapeProblem(f"posts.{number}.day: {one.day} is after the last day, which is {request.days}.")
    topic = answers._something(f"posts.{number}.topic", text.cut(fit_to_show(one.topic), LONGEST_TOPIC_CHARS))
    if gives_orders(topic):
        raise ShapeProblem(f"posts.{number}.topic: it gives orders to its reader; say what the post is about.")
    tags = [tag for raw in one.hashtags if _HASHTAG.fullmatch(tag := text.clean(raw).lstrip("#"))]
    picture = text.cut(fit_to_show(one.picture), LONGEST_PICTURE_CHARS)
    return PlannedPost(one.day, topic, "" if gives_orders(picture) else picture, tuple(tags[:MOST_HASHTAGS]))
