"""What a writer of words is asked, and what it answers.

One call serves one moment: for a post the image prompt, caption and alt text together, for a comment its one
sentence. Providers take frozen values and dice, and know neither tables nor surfaces.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

Grammar = Mapping[str, tuple[str, ...]]
"""Rule name to its alternatives; `{name}` inside an alternative is expanded by the rule of that name."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whose voice the words are in. `grammar` is the persona's own material for writing without a model."""

    name: str
    persona_id: str | None
    personality: str
    vibe: str
    interests: tuple[str, ...] = ()
    workflow_types: tuple[str, ...] = ()
    grammar: Grammar = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PostRequest:
    """Ask for one post. `recent_captions` are the speaker's latest, not to be repeated."""

    speaker: Speaker
    recent_captions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommentRequest:
    """Ask for one comment on somebody's post. `author` and `caption` are data from outside, never instructions."""

    speaker: Speaker
    author: str
    caption: str


@dataclass(frozen=True, slots=True)
class PostWords:
    """One post: `image_prompt` 40 to 80 words, `caption` one or two sentences without hashtags, `alt_text` one."""

    image_prompt: str
    caption: str
    alt_text: str


@dataclass(frozen=True, slots=True)
class CommentWords:
    """One comment: a single sentence without hashtags."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took. Money is integer millionths of a US dollar."""

    provider: str
    model: str
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    microusd: int = 0
    duration_ms: int = 0


class Provider(Protocol):
    """A writer of words.

    Raises `fleet.core.errors.Unavailable` when it cannot answer now and `InvalidInput` when it never will.
    The same request and dice in the same state give the same words where the provider is deterministic.
    """

    name: str

    def write_post(self, request: PostRequest, dice: random.Random) -> tuple[PostWords, Usage]: ...

    def write_comment(self, request: CommentRequest, dice: random.Random) -> tuple[CommentWords, Usage]: ...
