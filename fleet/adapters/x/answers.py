"""How X's answers are read: posts, and refusals by their types and codes. Used by `x` alone."""

from __future__ import annotations

import html
import unicodedata
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import (
    LONGEST_NAME_CHARS,
    bounded_s,
    count_of,
    dict_of,
    dicts_of,
    epoch_of,
    moment_of,
    retry_after_s,
    text_of,
)
from fleet.adapters.http import Response
from fleet.adapters.network import words
from fleet.adapters.social import FeedItem, PostMetrics
from fleet.core.clock import SYSTEM

DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
"""X has no code for it: the whole field is compared."""
_STOPPED_CODES = (64, 326)  # suspended, locked
_CREDENTIALS = ("client-forbidden", "unsupported-authentication", "oauth1-permissions")
_GONE = ("resource-not-found", "resource-unavailable", "not-authorized-for-resource")
_MEDIA = "media.media_ids"


class Duplicate(base.Refused):
    """X has a post with this text already."""


def problem_of(body: dict[str, Any]) -> str:
    """Return the last part of a problem's type, such as "usage-capped"; empty without one."""
    kinds = [text_of(one.get("type"), 200) for one in (body, *dicts_of(body.get("errors")))]
    found = next((one for one in kinds if one and one != "about:blank"), "")
    return found.rstrip("/").rsplit("/", 1)[-1]


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its status, type and code."""
    status, problem, errors = response.status_code, problem_of(body), dicts_of(body.get("errors"))
    said = words(response, problem, text_of(body.get("detail"), 200) or body.get("title"))
    if any(one.get("code") in _STOPPED_CODES for one in errors):
        return base.SurfacePaused(f"X has suspended or locked the account: {said}")
    if status == 402 or problem == "usage-capped":
        return base.SurfaceBudgetSpent(said, whole_fleet=True, reset_at=None)
    if status == 429:
        return base.Throttled(said, retry_after_s=_wait_s(response))
    if status == 401 or (status == 403 and problem in _CREDENTIALS):
        return base.TokenRefused(said)
    if status == 403 and body.get("detail") == DUPLICATE:
        return Duplicate(said)
    if status in (404, 410) or (status == 200 and problem in _GONE):
        return base.Vanished(said)
    if status == 400 and any(_MEDIA in dict_of(one.get("parameters")) for one in errors):
        return base.UploadsLost(said)
    if status == 200 or (300 <= status < 500 and status != 408):
        return base.Refused(said)
    return base.Uncertain(said)


def _wait_s(response: Response) -> float | None:
    """Return how long X wants us to wait: until the limit that is used up begins anew."""
    for name in ("x-user-limit-24hour", "x-app-limit-24hour", "x-rate-limit"):
        until = epoch_of(response.headers.get(f"{name}-reset"))
        if until is not None and response.headers.get(f"{name}-remaining", "0") == "0":
            return bounded_s((until - SYSTEM.now()).total_seconds())
    return retry_after_s(response)


def shown_text(post: dict[str, Any]) -> str:
    """Return a post's text as it was written: with whole addresses, without those of its pictures."""
    note = dict_of(post.get("note_tweet"))
    text = text_of(note.get("text") or post.get("text"))
    entities = dict_of(note.get("entities") or post.get("entities"))
    for url in dicts_of(entities.get("urls")):
        short = text_of(url.get("url"), 200)
        whole = "" if url.get("media_key") else text_of(url.get("expanded_url"), 2000)
        text = text.replace(short, whole) if short else text
    return html.unescape(text).strip()


def same(one: str, other: str) -> bool:
    """Return whether two texts are the same to X."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def reply_target(post: dict[str, Any]) -> str | None:
    """Return the post that a post replies to."""
    found = dicts_of(post.get("referenced_tweets"))
    return next((text_of(one.get("id"), 30) for one in found if one.get("type") == "replied_to"), None)


def users_of(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the users in an answer by their ids."""
    return {str(one.get("id")): one for one in dicts_of(dict_of(body.get("includes")).get("users"))}


def item_of(post: dict[str, Any], users: dict[str, dict[str, Any]]) -> FeedItem:
    """Return a post as agents see it."""
    author, counts = users.get(str(post.get("author_id")), {}), dict_of(post.get("public_metrics"))
    return FeedItem(
        text_of(post.get("id"), base.LONGEST_ID), text_of(author.get("username"), LONGEST_NAME_CHARS),
        text_of(author.get("name"), LONGEST_NAME_CHARS), shown_text(post), moment_of(post.get("created_at")),
        count_of(counts.get("like_count")) or 0, count_of(counts.get("reply_count")) or 0,
        author_id=text_of(post.get("author_id"), base.LONGEST_ID),
    )  # fmt: skip


def metrics_of(post: dict[str, Any]) -> PostMetrics:
    """Return the counts of a post."""
    counts = {name: count_of(value) for name, value in dict_of(post.get("public_metrics")).items()}
    return PostMetrics(
        id=text_of(post.get("id"), base.LONGEST_ID), likes=counts.get("like_count"), comments=counts.get("reply_count"),
        reposts=counts.get("retweet_count"), quotes=counts.get("quote_count"), views=counts.get("impression_count"),
        saves=counts.get("bookmark_count"),
    )  # fmt: skip
