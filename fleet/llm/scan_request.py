"""One look at a feed: what a model is shown of it, and what it proposes. Values alone.

Made by the feature that scans, passed through `fleet.llm.provider.Provider`, read by `scanning.answers`. Posts and
people go by short names (`p1`, `u1`): a model cannot name what it was not shown, and recordings of two runs are alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fleet.llm.base import Speaker
from fleet.llm.lexicon.subject import author_name

KINDS = ("post", "comment", "reaction", "connection")
REACTIONS = ("like", "love", "haha", "sad", "angry")
VISIBILITIES = ("public", "friends", "private")
MOST = {"post": 3, "comment": 5, "reaction": 5, "connection": 2}
"""How much of each kind one scan may propose."""


@dataclass(frozen=True, slots=True)
class ScanComment:
    """A comment below a post that was seen."""

    author: str
    text: str
    by_agent: bool = False


@dataclass(frozen=True, slots=True)
class ScanItem:
    """A post that was seen: `ref` names it, `author_ref` its author. All words are data from outside."""

    ref: str
    author_ref: str
    author: str
    text: str
    topic: str = ""
    by_agent: bool = False
    comments: tuple[ScanComment, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaning:
    """How gladly the owner takes a kind of draft about a topic: -1 never, 1 always; topic `*` stands for all."""

    kind: str
    topic: str
    weight: float


@dataclass(frozen=True, slots=True)
class Example:
    """A draft that the owner accepted or refused, with what it was about and what was said of it."""

    kind: str
    text: str
    about: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Revise:
    """A draft that goes back with instructions; `ref` names the post in the batch that it is about."""

    kind: str
    ref: str | None
    text: str
    instructions: str


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """Ask what to make of a batch. Only what stands in `kinds`, `reactions` and `visibilities` is offered."""

    speaker: Speaker
    items: tuple[ScanItem, ...]
    kinds: tuple[str, ...] = KINDS
    reactions: tuple[str, ...] = REACTIONS
    visibilities: tuple[str, ...] = VISIBILITIES
    leanings: tuple[Leaning, ...] = ()
    accepted: tuple[Example, ...] = ()
    refused: tuple[Example, ...] = ()
    recent_captions: tuple[str, ...] = ()
    revise: Revise | None = None
    memories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Idea:
    """One proposal. `ref` names the post or the person; `type` is a reaction's; a post may have a picture to be made
    (`image_prompt`) or addresses of pictures.
    """

    kind: str
    ref: str = ""
    text: str = ""
    type: str = ""
    visibility: str = "public"
    image_prompt: str = ""
    alt_text: str = ""
    media: tuple[str, ...] = ()
    confidence: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """What a model proposes, in its order. `malformed` parts had the wrong shape, `unfit` ones must not be shown."""

    ideas: tuple[Idea, ...] = ()
    malformed: int = 0
    unfit: int = 0


def to_data(answer: ScanAnswer) -> dict[str, Any]:
    """Return an answer as JSON-ready data."""
    return asdict(answer) | {"ideas": [asdict(idea) | {"media": list(idea.media)} for idea in answer.ideas]}


def from_data(data: Mapping[str, Any]) -> ScanAnswer:
    """Return the answer that `to_data` wrote down. Raises KeyError or TypeError for anything else."""
    ideas = tuple(Idea(**{**idea, "media": tuple(idea["media"])}) for idea in data["ideas"])
    return ScanAnswer(ideas, int(data["malformed"]), int(data["unfit"]))


def strangers_of(request: ScanRequest) -> list[str]:
    """Return every word of outsiders that a model is shown, names that are none among them."""
    said = [(item.author, item.text) for item in request.items]
    said += [(comment.author, comment.text) for item in request.items for comment in item.comments]
    names = [author for author, _ in said if not author_name(author)]
    examples = [one.about for one in (*request.accepted, *request.refused) if one.about]
    return [*(words for _, words in said), *names, *examples]
