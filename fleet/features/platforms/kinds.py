"""Kinds of job of this feature and the settings of its agents, as they are registered in feature.py."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

REPOST, FOLLOW, READ_INBOX = "repost", "follow", "read_inbox"


def _hours(given: str) -> str:
    hours = [part.strip() for part in given.split(",") if part.strip()]
    if not all(part.isdigit() and int(part) <= 23 for part in hours):
        raise ValueError("hours are numbers from 0 to 23, separated by commas")
    return ",".join(sorted(set(hours), key=int))


def _formats_of(*known: str) -> AfterValidator:
    """Return the check of weights of formats: plain posts and these."""
    names = ("post", *known)

    def check(given: str) -> str:
        parts = [part.strip().partition(":") for part in given.split(",") if part.strip()]
        if not all(name in names and (not colon or _WEIGHT.fullmatch(weight)) for name, colon, weight in parts):
            raise ValueError(f"formats are {', '.join(names)}, each with a weight, such as post:3")
        return ",".join(f"{name}:{weight or 1}" for name, _, weight in parts)

    return AfterValidator(check)


def _formats_field(*known: str) -> Any:
    """Return the field of the weights."""
    names = " and ".join((", ".join(("post", *known[:-1])), *known[-1:]))
    return Field(
        default="",
        title=f"Formats of its posts with weights, such as post:3,{known[0]}:1 (empty: plain posts)" if known else
        "Formats of its posts (its network has plain posts alone)",
        json_schema_extra={"problem": f"Formats of this network are {names}, with weights: post:3,{known[0]}:1."
                           if known else "Agents of this network have plain posts alone: leave formats empty."},
    )  # fmt: skip


def _topics(given: str) -> str:
    """Return weights of topics in one form: "brass lamps:3,wet slate:1"."""
    parts = [part.strip().partition(":") for part in given.split(",") if part.strip()]
    names = [" ".join(name.split()) for name, _, _ in parts]
    weights = [weight.strip() if colon else "1" for _, colon, weight in parts]
    if len(parts) > MOST_TOPICS or len({name.casefold() for name in names}) < len(names):
        raise ValueError(f"an agent has at most {MOST_TOPICS} different topics")
    if not all(
        _TOPIC.fullmatch(name) and _WEIGHT.fullmatch(weight) for name, weight in zip(names, weights, strict=True)
    ):
        raise ValueError("topics are words, each with a weight, such as brass lamps:3")
    return ",".join(f"{name}:{weight}" for name, weight in zip(names, weights, strict=True))


MOST_TOPICS = 8
_TOPIC = re.compile(r"[^\W_][\w '&-]{0,39}")
_WEIGHT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?", re.A)


class PlatformConfig(BaseModel, frozen=True):
    """When an agent of a platform posts, and how much it answers. Those of single networks refuse other formats."""

    post_hours: Annotated[str, AfterValidator(_hours)] = Field(
        default="",
        title="It posts at (local hours; empty: those of its platform)",
        json_schema_extra={"problem": "Hours to post at are numbers from 0 to 23, separated by commas: 8,12,16,20."},
    )
    formats: Annotated[str, _formats_of("story", "reel", "video", "document")] = _formats_field(
        "story", "reel", "video", "document"
    )
    topics: Annotated[str, AfterValidator(_topics)] = Field(
        default="",
        title="Topics of its posts with weights, such as brass lamps:3,wet slate:1 (empty: what its persona likes)",
        json_schema_extra={
            "problem": f"Topics are up to {MOST_TOPICS} words or phrases with weights: brass lamps:3,wet slate:1."
        },
    )
    answers: bool = Field(default=True, strict=True, title="It answers mentions and replies")
    answers_to_one: int = Field(
        default=3, ge=0, le=50, strict=True, title="Answers to one person a day, at most",
        json_schema_extra={"problem": "An agent answers one person 0 to 50 times a day."},
    )  # fmt: skip

    @property
    def hours(self) -> tuple[int, ...]:
        """The hours as numbers; empty for those of the platform."""
        return tuple(int(part) for part in self.post_hours.split(",") if part)

    @property
    def format_weights(self) -> dict[str, float]:
        """The weights of formats by name; empty for plain posts alone."""
        return _weights(self.formats)

    @property
    def topic_weights(self) -> dict[str, float]:
        """The weights of topics by name; empty for those of the persona."""
        return _weights(self.topics)


def _weights(said: str) -> dict[str, float]:
    return {name: float(weight) for name, _, weight in (one.partition(":") for one in said.split(",") if one)}


class PlainPostsConfig(PlatformConfig, frozen=True):
    """The configuration of agents of a network without other formats."""

    formats: Annotated[str, _formats_of()] = _formats_field()


class StoriesConfig(PlatformConfig, frozen=True):
    """The configuration of agents of a network with stories and reels."""

    formats: Annotated[str, _formats_of("story", "reel")] = _formats_field("story", "reel")


class VideosConfig(PlatformConfig, frozen=True):
    """The configuration of agents of a network with videos."""

    formats: Annotated[str, _formats_of("video")] = _formats_field("video")


class DocumentsConfig(PlatformConfig, frozen=True):
    """The configuration of agents of a network with videos and documents."""

    formats: Annotated[str, _formats_of("video", "document")] = _formats_field("video", "document")
