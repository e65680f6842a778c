"""Social platforms: the types of action of their adapters, the posts and comments that agents read, and capabilities.

Pure values. A post, a comment or a like is an `ActionType` with a payload of its own; `fleet.features.publishing`
registers them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from fleet.adapters.base import Account, ActionType, Adapter, Cap, Payload, Refused
from fleet.core.errors import InvalidInput

if TYPE_CHECKING:
    from fleet.adapters.manifest import MediaFile

_SHOWN_CHARS = 200
"""Of a picture's address in a draft: it may be a data URL."""


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or a video of a post, at an address or as a data URL."""

    url: str
    alt_text: str = ""


@dataclass(frozen=True, slots=True)
class LinkCard:
    """The preview of a link under a post."""

    url: str
    title: str = ""
    description: str = ""
    image_url: str = ""


@dataclass(frozen=True, slots=True)
class PostPayload(Payload):
    """A post: its caption, the addresses of its pictures and who may see it."""

    text: str
    image_url: str
    """The address of its first picture; empty for a post without one."""
    alt_text: str = ""
    visibility: str = "public"
    more_pictures: tuple[Media, ...] = ()
    video: Media | None = None
    link: LinkCard | None = None
    warning: str = ""
    """The content warning before it, where the surface has such."""
    language: str = ""
    """BCP 47, such as "en"; empty if unknown."""
    quoted: str = ""
    """The id of a post that it quotes."""
    follows: str = ""
    """The id of the agent's own post that it continues: the part before it in a thread."""
    format: str = ""
    """One of the surface's formats other than a plain post: "story", "reel"."""
    document: Media | None = None
    """A PDF; its `alt_text` is its title."""

    @property
    def pictures(self) -> tuple[Media, ...]:
        """All its pictures, in order."""
        first = (Media(self.image_url, self.alt_text),) if self.image_url else ()
        return first + self.more_pictures

    @property
    def words(self) -> str:
        """Its caption."""
        return self.text

    def draft(self) -> dict[str, Any]:
        """Return the payload as data for people."""
        shown: dict[str, Any] = {
            "text": self.text, "image_url": self.image_url[:_SHOWN_CHARS], "alt_text": self.alt_text,
            "more_pictures": [{"url": one.url[:_SHOWN_CHARS], "alt_text": one.alt_text} for one in self.more_pictures],
            "video": self.video and self.video.url[:_SHOWN_CHARS],
            "document": self.document and self.document.alt_text, "link": self.link and self.link.url,
            "warning": self.warning, "quoted": self.quoted, "follows": self.follows, "format": self.format,
        }  # fmt: skip
        return {name: value for name, value in shown.items() if value or name in ("text", "image_url", "alt_text")}


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
class UnlikePayload(TargetPayload):
    """The removal of the account's like of a post."""


@dataclass(frozen=True, slots=True)
class RepostPayload(TargetPayload):
    """A repost (boost, share) of a post without words."""


@dataclass(frozen=True, slots=True)
class UnrepostPayload(TargetPayload):
    """The removal of the account's repost of a post."""


@dataclass(frozen=True, slots=True)
class FollowPayload(TargetPayload):
    """The following of an account."""


@dataclass(frozen=True, slots=True)
class UnfollowPayload(TargetPayload):
    """The end of the following of an account."""


@dataclass(frozen=True, slots=True)
class DeletePayload(TargetPayload):
    """The removal of one of the account's own posts or comments."""


@dataclass(frozen=True, slots=True)
class EditPayload(Payload):
    """A new text of one of the account's own posts."""

    target: str
    text: str

    @property
    def words(self) -> str:
        """Its text."""
        return self.text


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
UNLIKE = ActionType(name="unlike", noun="removal of a like", payload=UnlikePayload, is_counted=False)
REPOST = ActionType(name="repost", noun="repost", payload=RepostPayload, cap=Cap(per_day=100))
UNREPOST = ActionType(name="unrepost", noun="removal of a repost", payload=UnrepostPayload, is_counted=False)
FOLLOW = ActionType(name="follow", noun="follow", payload=FollowPayload, cap=Cap(per_day=50))
UNFOLLOW = ActionType(name="unfollow", noun="end of a follow", payload=UnfollowPayload, cap=Cap(per_day=50))
DELETE = ActionType(name="delete", noun="removal of a post", payload=DeletePayload, is_counted=False)
EDIT = ActionType(name="edit", noun="edit", payload=EditPayload, cap=Cap(per_day=50))
PROVISION = ActionType(name="provision", noun="account", payload=ProvisionPayload, is_counted=False)
DEPROVISION = ActionType(name="deprovision", noun="removal of an account", payload=DeprovisionPayload, is_counted=False)
ACTIONS: tuple[ActionType[Payload], ...] = (POST, COMMENT, LIKE, REACT, CONNECT, PROVISION, DEPROVISION)
"""What the agents of galleries do."""
PLATFORM_ACTIONS: tuple[ActionType[Payload], ...] = (UNLIKE, REPOST, UNREPOST, FOLLOW, UNFOLLOW, DELETE, EDIT)
"""What public platforms have besides."""


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


class NotificationKind(StrEnum):
    """Why a surface notified an account."""

    MENTION = "mention"
    REPLY = "reply"
    QUOTE = "quote"
    LIKE = "like"
    REPOST = "repost"
    FOLLOW = "follow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification of an account. Its text is untrusted: data, never instructions."""

    id: str
    kind: NotificationKind
    author: str
    author_id: str
    author_name: str = ""
    by_agent: bool = False
    """Whether the surface marks its author as automated."""
    item_id: str | None = None
    """The post that mentions, replies or quotes; of a like or repost the post that it is about."""
    about: str | None = None
    """The account's own post that a reply, quote, like or repost is about."""
    text: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotificationPage:
    """Notifications, oldest first. The next call gets `cursor`; None if there are no newer ones yet."""

    items: tuple[Notification, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMetrics:
    """The counts of one post as the surface gives them; None for those that it does not give."""

    id: str
    likes: int | None = None
    comments: int | None = None
    reposts: int | None = None
    quotes: int | None = None
    views: int | None = None
    reach: int | None = None
    clicks: int | None = None
    saves: int | None = None
    is_gone: bool = False
    """Whether the surface has it no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMetrics:
    """The counts of an account as the surface gives them; None for those that it does not give."""

    followers: int | None = None
    following: int | None = None
    posts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPost:
    """A post of an account as its network shows it now. Its text is untrusted: people may have changed it there."""

    id: str
    """As receipts name it."""
    text: str
    """Plain text with whole addresses, without a mark that the adapter itself adds to posts."""
    created_at: datetime | None
    author: str = ""
    """The username of its author; empty on networks where the account has one author."""
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class OwnPostPage:
    """Posts, newest first. The next call gets `cursor`; None after the last page."""

    items: tuple[OwnPost, ...]
    cursor: str | None = None
    oldest: datetime | None = None
    """When the oldest entry of the page was made, if entries of others were left out of it."""


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


@runtime_checkable
class NotifyingAdapter(Protocol):
    """An adapter whose surface notifies accounts."""

    def notifications(self, account: Account, *, cursor: str | None, limit: int) -> NotificationPage: ...


@runtime_checkable
class MeasuringAdapter(Protocol):
    """An adapter whose surface counts what came of posts."""

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]: ...

    def account_metrics(self, account: Account) -> AccountMetrics: ...


@runtime_checkable
class OwnPostsAdapter(Protocol):
    """An adapter whose surface lists the posts of the account itself, and shows one by its id. Reposts are no posts.

    `own_posts` may leave out posts that are not public. `own_post` raises Vanished only where the surface says that it
    has no such post.
    """

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage: ...  # fmt: skip

    def own_post(self, account: Account, post_id: str) -> OwnPost: ...


@runtime_checkable
class TrendingAdapter(Protocol):
    """An adapter whose surface tells what is talked about. The words are untrusted data."""

    def trends(self, account: Account, *, limit: int) -> list[str]: ...


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


_DATA_SCHEME = "data:"


def is_data_url(url: str) -> bool:
    """Return whether an address is a data URL."""
    return url.startswith(_DATA_SCHEME)


def read_data_url(url: str) -> MediaFile:
    """Return the file in a data URL. Raises Refused for another address, since adapters fetch nothing."""
    from fleet.adapters.manifest import MediaFile  # it loads pydantic, which `fleet --help` does without

    head, comma, body = url.partition(",")
    if not is_data_url(url) or not comma or not head.endswith(";base64"):
        raise Refused("the media is no file: this network takes files alone")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("the media's data URL is broken") from error
    return MediaFile(data, head[len(_DATA_SCHEME) : -len(";base64")].partition(";")[0].lower())


def pictures_of(post: PostPayload, *, at_most: int, video: bool = False) -> tuple[Media, ...]:
    """Return a post's pictures. Raises Refused for media that a network does not take together."""
    found = post.pictures
    if len(found) > at_most:
        raise Refused(f"a post has at most {at_most} pictures here, not {len(found)}")
    if post.video is not None and (not video or found):
        raise Refused("a post has a video or pictures here, not both" if video else "a post has no video here")
    return found
