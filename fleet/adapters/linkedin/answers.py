"""How LinkedIn's texts are written, and its answers read. Used by `linkedin` alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import dict_of, dicts_of, epoch_of, retry_after_s, text_of
from fleet.adapters.http import Response
from fleet.adapters.network import words
from fleet.adapters.social import FeedItem

_RESERVED = re.compile(r"[\\|{}@\[\]()<>#*_~]")
_HASHTAG = re.compile(r"#(\w+)")
_TEMPLATE = re.compile(r"\{hashtag\|\\#\|((?:[^\\}]|\\.)+)\}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_URN = re.compile(r"urn:li:(?:share|ugcPost):(\d{1,20})")
_LOST_MEDIA = {"MEDIA_ASSET_PROCESSING_FAILED", "MEDIA_ASSET_WAITING_UPLOAD", "MEDIA_ASSET_PROCESSING"}
_DAILY_S = 900.0
"""LinkedIn names no wait: its limits last until midnight UTC, so it is asked again every quarter of an hour."""
_STAMP_BITS = 22
_PUBLISHING = ("/rest/posts", "/rest/images", "/rest/videos", "/rest/documents")
"""The calls that an account needs for a post. A 403 to one of them is about the account, not about the post."""


class DuplicatePost(base.Refused):
    """LinkedIn has such a post, and names it."""

    def __init__(self, message: str, urn: str) -> None:
        super().__init__(message)
        self.urn = urn


def commentary(text: str) -> str:
    """Return a text in LinkedIn's little text format: unescaped reserved characters would cut the post silently."""
    parts, at = [], 0
    for match in _HASHTAG.finditer(text):
        parts += [_escape(text[at : match.start()]), rf"{{hashtag|\#|{_escape(match[1])}}}"]
        at = match.end()
    return "".join([*parts, _escape(text[at:])])


def _escape(text: str) -> str:
    return _RESERVED.sub(lambda one: f"\\{one[0]}", text)


def shown(text: str) -> str:
    """Return a text in little text format as people read it."""
    return _ESCAPED.sub(r"\1", _TEMPLATE.sub(r"\\#\1", text))


def posted_at(urn: str) -> datetime | None:
    """Return when a post was made: its number begins with the milliseconds since 1970."""
    match = _URN.fullmatch(urn)
    if match is None:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(match[1]) >> _STAMP_BITS)


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status and codes."""
    status, code = response.status_code, text_of(body.get("code"), 100)
    wrong = {text_of(one.get("code"), 100) for one in dicts_of(dict_of(body.get("errorDetails")).get("inputErrors"))}
    message = text_of(body.get("message"), 300)
    said = words(response, code, " ".join(sorted(wrong)), message)
    if status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response) or _DAILY_S)
    if status == 401:
        return base.TokenRefused(said)
    if status == 426:
        return base.SurfacePaused(f"LinkedIn has retired the version of its API that this Fleet uses: {said}")
    if status == 422 and "DUPLICATE_POST" in wrong:
        found = _URN.search(message)
        return DuplicatePost(said, found[0]) if found else base.Refused(said)
    if status in (400, 422) and wrong & _LOST_MEDIA:
        return base.UploadsLost(said)
    if status == 403 and response.request.method == "POST" and response.request.url.path in _PUBLISHING:
        return base.SurfacePaused(f"LinkedIn denies posting: the account is restricted, or a permission lacks: {said}")
    if status in (404, 410):
        return base.Vanished(said)
    if 300 <= status < 500 and status != 408:
        return base.Refused(said)
    return base.Uncertain(said)


def item_of(post: dict[str, Any], name: str) -> FeedItem:
    """Return a post as agents see it."""
    made = post.get("publishedAt") or post.get("createdAt")
    return FeedItem(
        text_of(post.get("id"), base.LONGEST_ID), text_of(post.get("author"), base.LONGEST_ID), name,
        shown(text_of(post.get("commentary"))), epoch_of(made / 1000) if isinstance(made, int | float) else None,
        author_id=text_of(post.get("author"), base.LONGEST_ID),
    )  # fmt: skip
