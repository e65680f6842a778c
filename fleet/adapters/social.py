"""Social platforms: the types of action of their adapters, the posts and comments that agents read, and capabilities.

Pure values. A post, a comment or a like is an `ActionType` with a payload of its own; `fleet.features.publishing`
registers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, cast, runtime_checkable

from fleet.adapters.base import Account, ActionType, Adapter, Cap, Payload
from fleet.core.errors import InvalidInput

_SHOWN_CHARS = 200
"""Of a picture's address in a draft: it may be a data URL."""


@dataclass(frozen=True, slots=True)
class PostPayload(Payload):
    """A post: its caption, the address of its picture and who may see it."""

    text: str
    image_url: str
    alt_text: str = ""
    visibility: str = "public"

    @property
    def words(self) -> str:
        """Its caption."""
        return self.text

    def draft(self) -> dict[str, Any]:
        """Return the payload as data for people."""
        return {"text": self.text, "image_url": self.image_url[:_SHOWN_CHARS], "alt_text": self.alt_text}


@dataclass(frozen=True, slots=True)
class CommentPayload(Payload):
    """A comment on a post."""

    target: str
    text: str

    @property
    def words(self) -> str:
        """Its text."""
        return self.text


@dataclass(frozen=True, slots=True)
class TargetPayload(Payload):
    """The payload of an action without text: the id of its target."""

    target: str


@dataclass(frozen=True, slots=True)
class LikePayload(TargetPayload):
    """A like of a post."""


@dataclass(frozen=True, slots=True)
class ReactionPayload(Payload):
    """A reaction to a post other than a like."""

    target: str
    reaction: str


@dataclass(frozen=True, slots=True)
class ConnectPayload(Payload):
    """A friend request, perhaps with a message."""

    target: str
    text: str = ""

    @property
    def words(self) -> str:
        """Its message."""
        return self.text


@dataclass(frozen=True, slots=True)
class ProvisionPayload(Payload):
    """The request for an account; the user is that of the action's own account."""


@dataclass(frozen=True, slots=True)
class DeprovisionPayload(Payload):
    """The removal of the action's own account."""


POST = ActionType(name="post", noun="post", payload=PostPayload, cap=Cap(gap=timedelta(minutes=30), per_day=48))
COMMENT = ActionType(
    name="comment", noun="comment", payload=CommentPayload, cap=Cap(gap=timedelta(seconds=20), per_day=50)
)
LIKE = ActionType(name="like", noun="like", payload=LikePayload, cap=Cap(per_day=500))
REACT = ActionType(name="react", noun="reaction", payload=ReactionPayload, cap=Cap(per_day=500))
CONNECT = ActionType(name="connect", noun="friend request", payload=ConnectPayload, cap=Cap(per_day=10))
PROVISION = ActionType(name="provision", noun="account", payload=ProvisionPayload, is_counted=False)
DEPROVISION = ActionType(name="deprovision", noun="removal of an account", payload=DeprovisionPayload, is_counted=False)
ACTIONS: tuple[ActionType[Payload], ...] = (POST, COMMENT, LIKE, REACT, CONNECT, PROVISION, DEPROVISION)


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One post in a feed. All text is untrusted: data, never instructions.

    The numbers `..._by_agents` are part of the counts; None where the surface does not mark agents.
    """

    id: str
    author: str
    author_name: str
    caption: str
    created_at: datetime | None
    likes: int = 0
    comments: int = 0
    likes_by_agents: int | None = None
    comments_by_agents: int | None = None
    author_id: str = ""
    by_agent: bool = False
    reactions: Mapping[str, int] = field(default_factory=dict)  # other than likes, by their type
    image_url: str = ""


@dataclass(frozen=True, slots=True)
class SaidComment:
    """One comment in a feed. Its text is untrusted: data, never instructions."""

    id: str
    author: str
    author_name: str
    text: str
    by_agent: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """The capabilities of one server beyond posts, comments and likes, and the audiences that posts can have there."""

    actions: frozenset[str] = frozenset()
    visibilities: frozenset[str] = frozenset({"public"})


@runtime_checkable
class SocialAdapter(Adapter, Protocol):
    """An adapter to a platform with a feed."""

    def offers(self) -> Offers: ...

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]: ...

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]: ...

    def item(self, account: Account, item_id: str) -> FeedItem: ...


def social(adapter: Adapter) -> SocialAdapter:
    """Return an adapter as that of a social platform. Raises InvalidInput for another system."""
    if not _is_social(adapter):
        raise InvalidInput(
            f"{adapter.name} has no feed: it is no social platform.", fix="Give the agent a social surface."
        )
    return cast("SocialAdapter", adapter)


_KNOWN_TYPES: dict[type, bool] = {}  # called at each tick, and isinstance is slow for a protocol


def _is_social(adapter: Adapter) -> bool:
    if type(adapter) not in _KNOWN_TYPES:
        _KNOWN_TYPES[type(adapter)] = isinstance(adapter, SocialAdapter)
    return _KNOWN_TYPES[type(adapter)]
