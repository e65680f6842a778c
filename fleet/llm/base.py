"""Requests to a language model, its texts, and the usage of its calls. Values only.

One request is for one post (image prompt, caption and alt text together), for one comment (the post that it answers and
one sentence) or for the briefs of a campaign. `scan_request` has the values of a scan, `provider` the protocols that
take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from fleet.core.character import BLANK, Character
from fleet.core.errors import InvalidInput

Grammar = Mapping[str, tuple[str, ...]]
"""Rule name to its alternatives; `{name}` inside an alternative is expanded by the rule of that name."""
MOST_BRIEFS = 14
MOST_HASHTAGS = 5
"""A campaign has so many briefs at most, and a brief so many hashtags."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """The agent in whose voice a text is. `grammar` is the persona's own material for the offline writer."""

    name: str
    persona_id: str | None
    character: Character = BLANK
    workflow_types: tuple[str, ...] = ()
    grammar: Grammar = field(default_factory=dict)


class PostPart(StrEnum):
    """A part of a post that a style is about, by its field in `PostWords`."""

    CAPTION = "caption"
    IMAGE_PROMPT = "image_prompt"


@dataclass(frozen=True, slots=True)
class Style:
    """The style of one part of a post, as an instruction of the operator, which models obey.

    The offline writer follows the other fields: one of the `endings`, at most so many words.
    """

    part: PostPart
    instruction: str
    endings: tuple[str, ...] = ()
    most_words: int | None = None


@dataclass(frozen=True, slots=True)
class PostRequest:
    """A request for one post. `recent_captions` are the latest, not to be repeated; `memories` are the agent's.

    `objections` are the reasons why an earlier draft was refused, without private data. `heard` are the newest texts of
    all agents: the offline writer begins differently.
    """

    speaker: Speaker
    recent_captions: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    styles: tuple[Style, ...] = ()
    objections: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    subject: str = ""
    """What the post is about, if that is given: data of people or feeds, never instructions."""


@dataclass(frozen=True, slots=True)
class SeenPost:
    """Somebody's post as the speaker saw it. All of it is data from outside, never instructions."""

    id: str
    author: str
    caption: str
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommentRequest:
    """A request for one comment on one of the given posts, at least one. The other fields are as for a post."""

    speaker: Speaker
    seen: tuple[SeenPost, ...]
    memories: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.seen:
            raise InvalidInput("A comment needs a post to answer.")


@dataclass(frozen=True, slots=True)
class BriefRequest:
    """What a campaign is for. `days` is its length; `voice` is that of its brand. All of it is text of the operator."""

    goal: str
    audience: str
    posts: int
    days: int
    first_day: str
    """ISO 8601."""
    networks: tuple[str, ...] = ()
    voice: str = ""


@dataclass(frozen=True, slots=True)
class ProductRequest:
    """The texts of a product: what is known of it, and how long they may be, in characters."""

    title: str
    facts: tuple[tuple[str, str], ...]
    """Names and values, in order. Text of shops: untrusted."""
    images: int
    most_title: int
    most_chars: int
    most_alt: int
    voice: str = ""
    refused: tuple[str, ...] = ()
    """Sentences of an earlier try that claimed what no fact says."""


@dataclass(frozen=True, slots=True)
class ProductWords:
    """The texts of a product: plain text, an alternative text for each picture, and the reason for the decision log."""

    title: str
    description: str
    alt_texts: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """What one post is about. `day` counts from 1; an agent writes the words later."""

    day: int
    topic: str
    picture: str = ""
    hashtags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """The posts of a campaign in the order of their days, and the reason for them."""

    posts: tuple[PlannedPost, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PostWords:
    """One post: `image_prompt` 40 to 80 words, `caption` one or two sentences without hashtags, `alt_text` one.

    `reason` explains the choice in a few words, for the decision log; it is never published.
    """

    image_prompt: str
    caption: str
    alt_text: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CommentWords:
    """One comment: a single sentence without hashtags. `answers` is the id of the post that it answers."""

    text: str
    answers: str = ""
    reason: str = ""


MOST_TOKENS = 100_000_000
"""More than any call takes, and a number that fits into a column."""


class CallOutcome(StrEnum):
    """How one call to a model ended."""

    ANSWERED = "answered"
    REPAIRED = "repaired"  # malformed at first, corrected after feedback
    MALFORMED = "malformed"
    UNFIT = "unfit"
    REFUSED = "refused"
    TOO_LONG = "too_long"
    TRANSIENT = "transient"
    OVERLOADED = "overloaded"
    AUTH = "auth"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of one call. Money is integer millionths of a US dollar; `input_tokens` are those not cached.

    Of `cache_write_tokens`, `cache_hour_tokens` were written for an hour, which costs more. `earlier` are the previous
    calls for the same text: failed tries, corrections, other providers.
    """

    provider: str
    model: str
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    microusd: int = 0
    latency_ms: int = 0
    batch: bool = False
    outcome: CallOutcome = CallOutcome.ANSWERED
    earlier: tuple[Usage, ...] = ()
    cache_hour_tokens: int = 0

    @property
    def is_possible(self) -> bool:
        """Whether the tokens are plausible numbers: servers may send any, even negative ones."""
        told = (self.input_tokens, self.cache_read_tokens, self.cache_write_tokens, self.cache_hour_tokens,
                self.output_tokens)  # fmt: skip
        return all(type(count) is int and 0 <= count <= MOST_TOKENS for count in told)

    def untold(self) -> Usage:
        """Return the usage of this call as if its server had not reported it."""
        return self.but(
            input_tokens=0, cache_read_tokens=0, cache_write_tokens=0, cache_hour_tokens=0, output_tokens=0
        )  # fmt: skip

    @property
    def calls(self) -> tuple[Usage, ...]:
        """Every call for the text, in order."""
        return (*self.earlier, replace(self, earlier=()))

    @property
    def total_microusd(self) -> int:
        """What all of them cost together."""
        return sum(call.microusd for call in self.calls)

    def after(self, *usages: Usage) -> Usage:
        """Return this call with others before it."""
        return replace(self, earlier=(*(call for usage in usages for call in usage.calls), *self.earlier))

    def but(self, **changes: Any) -> Usage:
        """Return a copy with some fields changed."""
        return replace(self, **changes)
