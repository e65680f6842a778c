"""How Mastodon's answers are read: statuses, accounts, notifications, refusals. Called by `mastodon` alone.

All of it comes from strangers: texts are cut, and what is odd is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import (
    LONGEST_NAME_CHARS,
    body_of,
    bounded_s,
    count_of,
    dict_of,
    epoch_of,
    moment_of,
    retry_after_s,
    storable,
    text_of,
)
from fleet.adapters.base import LONGEST_ID
from fleet.adapters.http import Response
from fleet.adapters.social import FeedItem, Notification, NotificationKind, OwnPost, PostMetrics, SaidComment
from fleet.core import clock

_KINDS = {
    "mention": NotificationKind.MENTION, "quote": NotificationKind.QUOTE, "favourite": NotificationKind.LIKE,
    "reblog": NotificationKind.REPOST, "follow": NotificationKind.FOLLOW,
}  # fmt: skip
KINDS = tuple(_KINDS)
"""The types of notifications that are read."""
_ADDRESS = re.compile(r"https?://[!-~]{1,1990}")
_NOBOT = re.compile(r"#nobots?\b", re.IGNORECASE)


def id_of(value: object) -> str:
    """Return an id that the ledger can store; empty for anything else."""
    found = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return found if len(found) <= LONGEST_ID else ""


def status_id(body: dict[str, Any]) -> str:
    """Return the id of a status that was written. Raises Uncertain for an answer without one."""
    found = id_of(body.get("id"))
    if not found:
        raise base.Uncertain("the server's answer names no status")
    return found


def text_from(html: object) -> str:
    """Return the words of a status as plain text: paragraphs and line breaks stay, tags and hidden parts go."""
    reader = _Reader()
    reader.feed(text_of(html))
    reader.close()
    return "".join(reader.parts).strip()


class _Reader(HTMLParser):
    """Collects the words of a status."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or (tag == "p" and self.parts):
            self.parts.append("\n" if tag == "br" else "\n\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def keeps_bots_off(account: dict[str, Any]) -> bool:
    """Return whether the bio of an account asks bots to keep away."""
    return _NOBOT.search(text_from(account.get("note"))) is not None


def item_of(status: dict[str, Any]) -> FeedItem | None:
    """Return a status as agents see it, of a boost the boosted one; None for one that no job could be about."""
    shown = dict_of(status.get("reblog")) or status
    author, found = dict_of(shown.get("account")), id_of(shown.get("id"))
    if not found:
        return None
    pictures = [dict_of(one) for one in _listed(shown.get("media_attachments"))]
    image = next((one.get("url") for one in pictures if one.get("type") == "image"), None)
    return FeedItem(
        found, name_of(author.get("acct")), name_of(author.get("display_name")), words_of(shown),
        moment_of(text_of(shown.get("created_at"))), count_of(shown.get("favourites_count")) or 0,
        count_of(shown.get("replies_count")) or 0, author_id=id_of(author.get("id")),
        by_agent=author.get("bot") is True,
        image_url=image if isinstance(image, str) and _ADDRESS.fullmatch(image) else "",
    )  # fmt: skip


def own_of(status: dict[str, Any]) -> OwnPost | None:
    """Return a status of the account itself, without its content warning; None for a boost, and without an id."""
    found = id_of(status.get("id"))
    if not found or dict_of(status.get("reblog")):
        return None
    return OwnPost(id=found, text=text_from(status.get("content")), created_at=created_at(status),
                   is_reply=bool(id_of(status.get("in_reply_to_id"))))  # fmt: skip


def words_of(status: dict[str, Any]) -> str:
    """Return the content warning and the words of a status."""
    return "\n\n".join(part for part in (text_of(status.get("spoiler_text")), text_from(status.get("content"))) if part)


def comment_of(status: dict[str, Any]) -> SaidComment | None:
    """Return a reply as agents read it."""
    author, found = dict_of(status.get("account")), id_of(status.get("id"))
    if not found:
        return None
    return SaidComment(
        found, name_of(author.get("acct")), name_of(author.get("display_name")), words_of(status),
        author.get("bot") is True, moment_of(text_of(status.get("created_at"))),
    )  # fmt: skip


def notification_of(one: dict[str, Any], own_id: str) -> Notification | None:
    """Return a notification; None for a type that agents do not read."""
    kind, found = _KINDS.get(text_of(one.get("type"))), id_of(one.get("id"))
    if kind is None or not found:
        return None
    author, status = dict_of(one.get("account")), dict_of(one.get("status"))
    about: str | None = None
    if kind is NotificationKind.MENTION and id_of(status.get("in_reply_to_account_id")) == own_id:
        kind, about = NotificationKind.REPLY, id_of(status.get("in_reply_to_id")) or None
    if kind is NotificationKind.QUOTE:
        about = id_of(dict_of(dict_of(status.get("quote")).get("quoted_status")).get("id")) or None
    if kind in (NotificationKind.LIKE, NotificationKind.REPOST):
        about = id_of(status.get("id")) or None
    return Notification(
        id=found, kind=kind, author=name_of(author.get("acct")), author_id=id_of(author.get("id")),
        author_name=name_of(author.get("display_name")), by_agent=author.get("bot") is True,
        item_id=id_of(status.get("id")) or None, about=about, text=words_of(status) if status else "",
        created_at=moment_of(text_of(one.get("created_at"))),
    )  # fmt: skip


def metrics_of(status: dict[str, Any]) -> PostMetrics:
    """Return the counts of a status."""
    return PostMetrics(
        id=id_of(status.get("id")), likes=count_of(status.get("favourites_count")),
        comments=count_of(status.get("replies_count")), reposts=count_of(status.get("reblogs_count")),
        quotes=count_of(status.get("quotes_count")),
    )  # fmt: skip


def list_of(response: Response) -> list[dict[str, Any]]:
    """Return a list of objects. Raises Uncertain for a success with anything else."""
    try:
        found = storable(response.json())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise base.Uncertain("the server's answer is no list")
    return [one for one in found if isinstance(one, dict)]


def name_of(value: object) -> str:
    """Return a name of somebody else."""
    return text_of(value, LONGEST_NAME_CHARS)


def created_at(status: dict[str, Any]) -> datetime | None:
    """Return when a status was published."""
    return moment_of(text_of(status.get("created_at")))


def error_of(response: Response) -> base.AdapterError:
    """Translate a refusal by its status and by the code in WWW-Authenticate; the words are for people alone."""
    status = response.status_code
    said = f"{status} {text_of(body_of(response).get('error'), 200) or response.reason_phrase}"
    challenge = response.headers.get("www-authenticate", "")
    if status == 401 or (status == 403 and 'error="insufficient_scope"' in challenge):
        return base.TokenRefused(said)
    if status == 429:
        return base.Throttled(said, retry_after_s=wait_of(response))
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def wait_of(response: Response) -> float | None:
    """Return how long the server wants to be left alone: Retry-After, else the reset, as ISO 8601 or as an epoch."""
    given = retry_after_s(response)
    if given is not None:
        return given
    reset = response.headers.get("x-ratelimit-reset", "").strip()
    at = epoch_of(reset) if reset.isdigit() else moment_of(reset)
    sent = _http_date(response) or clock.now()
    return None if at is None else bounded_s((at - sent).total_seconds())


def _http_date(response: Response) -> datetime | None:
    """Return the server's own time, since its clock may differ from ours."""
    try:
        found = parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo is not None else None


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
