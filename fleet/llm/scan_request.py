"""One scan of a feed: the posts in the prompt, and the model's proposals. Values only.

Made by the feature that scans, passed through `fleet.llm.provider.Provider`, read by `scanning.answers`. Posts and
people have short names (`p1`, `u1`): a model can name only those that it was shown, and recordings of two runs are
equal.
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
    """A comment on a post in the feed."""

    author: str
    text: str
    by_agent: bool = False


@dataclass(frozen=True, slots=True)
class ScanItem:
    """A post in the feed: `ref` names it, `author_ref` its author. All text is untrusted data."""

    ref: str
    author_ref: str
    author: str
    text: str
    topic: str = ""
    by_agent: bool = False
    comments: tuple[ScanComment, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaning:
    """The owner's preference for a kind of draft about a topic: -1 never, 1 always; topic `*` means all."""

    kind: str
    topic: str
    weight: float


@dataclass(frozen=True, slots=True)
class Example:
    """A draft that the owner accepted or rejected, with its context and the reason."""

    kind: str
    text: str
    about: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Revise:
    """A draft that is sent back with instructions; `ref` names its post in the batch."""

    kind: str
    ref: str | None
    text: str
    instructions: str


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """The request for proposals about a batch. Only actions in `kinds`, `reactions` and `visibilities` are allowed."""

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
    """One proposal. `ref` names the post or the person; `type` is a reaction's; a post may have a prompt for a
    picture (`image_prompt`) or URLs of pictures.
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
    """The model's proposals, in order. `malformed` parts had the wrong shape, `unfit` ones must not be shown."""

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
    """Return all texts of outsiders that a model is shown, including names that are not plain names."""
    said = [(item.author, item.text) for item in request.items]
    said += [(comment.author, comment.text) for item in request.items for comment in item.comments]
    names = [author for author, _ in said if not author_name(author)]
    examples = [one.about for one in (*request.accepted, *request.refused) if one.about]
    return [*(words for _, words in said), *names, *examples]
