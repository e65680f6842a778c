"""How answers of the AppView are read: posts, replies, notifications, counts. Texts of others are data."""

from __future__ import annotations

import re
from typing import Any

from fleet.adapters.answers import LONGEST_NAME_CHARS, count_of, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.atproto.records import BOT
from fleet.adapters.base import LONGEST_ID
from fleet.adapters.social import FeedItem, Notification, NotificationKind, OwnPost, PostMetrics, SaidComment

_ADDRESS = re.compile(r"https?://[!-~]{1,1990}")
_KINDS = {kind.value: kind for kind in NotificationKind}
_ABOUT_ITSELF = (NotificationKind.LIKE, NotificationKind.REPOST)


def item_of(view: dict[str, Any]) -> FeedItem | None:
    """Return a post of a feed; None for one without an id that the ledger stores."""
    uri, author, record = _id(view.get("uri")), dict_of(view.get("author")), dict_of(view.get("record"))
    if not uri:
        return None
    return FeedItem(
        uri, text_of(author.get("handle"), LONGEST_NAME_CHARS), text_of(author.get("displayName"), LONGEST_NAME_CHARS),
        text_of(record.get("text")), moment_of(record.get("createdAt")), count_of(view.get("likeCount")) or 0,
        count_of(view.get("replyCount")) or 0, author_id=_id(author.get("did")), by_agent=is_bot(author),
        image_url=_image_of(dict_of(view.get("embed"))),
    )  # fmt: skip


def own_of(found: dict[str, Any]) -> OwnPost | None:
    """Return a record of the account's own repository as a post; None for something else."""
    uri, record = _id(found.get("uri")), found.get("value")
    if not uri or not isinstance(record, dict):
        return None
    return OwnPost(id=uri, text=text_of(record.get("text")), created_at=moment_of(record.get("createdAt")),
                   is_reply=bool(dict_of(record.get("reply"))))  # fmt: skip


def said_of(view: dict[str, Any]) -> SaidComment | None:
    """Return a reply as a comment."""
    found = item_of(view)
    if found is None:
        return None
    return SaidComment(found.id, found.author, found.author_name, found.caption, found.by_agent, found.created_at)


def metrics_of(view: dict[str, Any]) -> PostMetrics:
    """Return the counts of a post."""
    return PostMetrics(
        id=_id(view.get("uri")), likes=count_of(view.get("likeCount")), comments=count_of(view.get("replyCount")),
        reposts=count_of(view.get("repostCount")), quotes=count_of(view.get("quoteCount")),
    )  # fmt: skip


def notification_of(view: dict[str, Any]) -> Notification | None:
    """Return a notification; None for a reason that Fleet does not know."""
    kind, uri, author = _KINDS.get(str(view.get("reason"))), _id(view.get("uri")), dict_of(view.get("author"))
    if kind is None or not uri:
        return None
    about = _id(view.get("reasonSubject")) or None
    item = None if kind is NotificationKind.FOLLOW else about if kind in _ABOUT_ITSELF else uri
    return Notification(
        id=uri, kind=kind, author=text_of(author.get("handle"), LONGEST_NAME_CHARS), author_id=_id(author.get("did")),
        author_name=text_of(author.get("displayName"), LONGEST_NAME_CHARS), by_agent=is_bot(author), item_id=item,
        about=about, text=text_of(dict_of(view.get("record")).get("text")), created_at=moment_of(view.get("indexedAt")),
    )  # fmt: skip


def is_bot(author: dict[str, Any]) -> bool:
    """Return whether an account has labelled itself as automated; labels of others do not count."""
    did = author.get("did")
    return any(one.get("val") == BOT and one.get("src") == did and not one.get("neg")
               for one in dicts_of(author.get("labels")))  # fmt: skip


def _image_of(embed: dict[str, Any]) -> str:
    images = dicts_of(embed.get("images")) or dicts_of(dict_of(embed.get("media")).get("images"))
    url = images[0].get("fullsize") if images else None
    return url if isinstance(url, str) and _ADDRESS.fullmatch(url) else ""


def _id(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST_ID else ""
