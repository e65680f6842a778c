"""How TikTok's answers are read: codes of errors, reasons of failed posts, videos. Used by `tiktok` alone."""

from __future__ import annotations

from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, epoch_of, retry_after_s, text_of
from fleet.adapters.http import Response
from fleet.adapters.network import words
from fleet.adapters.social import FeedItem, PostMetrics

_TOKEN = {"access_token_invalid", "scope_not_authorized", "scope_permission_missed", "auth_removed"}
_SPENT = {"spam_risk_too_many_posts", "reached_active_user_cap", "spam_risk_too_many_pending_share"}
_BANNED = "spam_risk_user_banned_from_posting"
_AGAIN = {"internal", "video_pull_failed", "photo_pull_failed"}
_UNKNOWN = {"internal_error", ""}
_WAIT_S = 60.0


def code_of(body: dict[str, Any]) -> str:
    """Return the code of an answer; "ok" for a success."""
    return text_of(dict_of(body.get("error")).get("code"), 100)


def error_of(response: Response, body: dict[str, Any]) -> base.AdapterError:
    """Translate a refusal by its code; an answer of status 200 may be one."""
    code, status, found = code_of(body), response.status_code, dict_of(body.get("error"))
    said = words(response, code, text_of(found.get("message"), 150), f"log_id {text_of(found.get('log_id'), 60)}")
    known = _of_code(code, said)
    if known is not None:
        return known
    if code == "rate_limit_exceeded" or status == 429:
        return base.Throttled(said, retry_after_s=retry_after_s(response) or _WAIT_S)
    if status == 401:
        return base.TokenRefused(said)
    if code == "invalid_publish_id":
        return base.Vanished(said)
    if status >= 500 or status == 408 or code in _UNKNOWN:
        return base.Uncertain(said)
    return base.Vanished(said) if status == 404 else base.Refused(said)


def failure_of(reason: str) -> base.AdapterError:
    """Return what the reason of a post that TikTok could not publish means."""
    said = f"TikTok did not publish it: {reason}"
    if reason in _AGAIN:
        return base.UploadsLost(said)
    return _of_code(reason, said) or base.Refused(said)


def _of_code(code: str, said: str) -> base.AdapterError | None:
    if code in _TOKEN:
        return base.TokenRefused(said)
    if code == _BANNED:
        return base.SurfacePaused(f"TikTok has banned the account from posting: {said}")
    return base.SurfaceBudgetSpent(said, whole_fleet=True, reset_at=None) if code in _SPENT else None


def item_of(video: dict[str, Any], name: str) -> FeedItem:
    """Return a video as agents see it."""
    return FeedItem(
        text_of(video.get("id"), 100), name, name, text_of(video.get("video_description") or video.get("title")),
        epoch_of(video.get("create_time")), count_of(video.get("like_count")) or 0,
        count_of(video.get("comment_count")) or 0, image_url=text_of(video.get("cover_image_url"), 2000),
    )  # fmt: skip


def metrics_of(video: dict[str, Any], post: str) -> PostMetrics:
    """Return the counts of a video."""
    counts = {name: count_of(video.get(f"{name}_count")) for name in ("like", "comment", "share", "view")}
    return PostMetrics(id=post, likes=counts["like"], comments=counts["comment"], reposts=counts["share"],
                       views=counts["view"])  # fmt: skip
