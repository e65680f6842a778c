"""Facebook Pages, Graph API: every call that Fleet uses.

Pictures are uploaded unpublished, a reel's video before it is finished; the write is the post, or the finish. How an
unknown outcome is resolved: a post by the page's own feed, a reel by the state of its video, a comment by the comments.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, aware, body_of, count_of, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth, TokenExchange
from fleet.adapters.meta import GRAPH, MetaAdapter, MetaDuplicate, error_of, following_of, insights_of
from fleet.adapters.network import (
    ADOPTED,
    CLOCK_SKEW,
    CallDeadline,
    NetworkToken,
    before_the_write,
    since_of,
)
from fleet.adapters.social import (
    AccountMetrics,
    CommentPayload,
    DeletePayload,
    EditPayload,
    FeedItem,
    LikePayload,
    Media,
    OwnPost,
    OwnPostPage,
    PostMetrics,
    PostPayload,
    SaidComment,
    UnlikePayload,
    pictures_of,
    read_data_url,
)
from fleet.core import masking

OAUTH = OAuth(
    authorize_url=f"https://www.facebook.com/{GRAPH}/dialog/oauth",
    token_url=f"{{address}}/{GRAPH}/oauth/access_token",
    scopes=("pages_show_list", "pages_manage_posts", "pages_read_engagement", "pages_manage_engagement",
            "pages_read_user_content", "read_insights"),
    scope_separator=",",
    has_pkce=False,
    refresh_before=timedelta(days=7),
    # A page token that a long-lived user token fetches does not end (Get Long-Lived Tokens, read 2026-11-22).
    long_lived=TokenExchange(
        url=f"{{address}}/{GRAPH}/oauth/access_token", grant_type="fb_exchange_token",
        token_name="fb_exchange_token",  # noqa: S106 - a name
    ),
)  # fmt: skip
PICTURES = MediaRule(most=10, types=("image/jpeg", "image/png"), most_bytes=4_000_000, best_ratio=16 / 9, alt_text=1000)
_POST = "id,message,created_time,from,permalink_url"
_COMMENT = "id,message,created_time,from"
_COUNTS = "shares,comments.limit(0).summary(true),reactions.limit(0).summary(true)"
_INSIGHTS = "insights.metric(post_media_view,post_total_media_view_unique,post_clicks)"
_PAUSE_S, _NEAR_S, _PROBE_PAGES = 10.0, 5.0, 10


class FacebookToken(NetworkToken):
    """The credentials of a page: a page access token, or the app that a person connects."""

    page_id: str = Field(pattern=r"^\d{1,30}$")
    label: str = Field("Made with AI.", min_length=5, max_length=100)
    """The words at the end of posts without a picture or a video, which can have no other mark."""


class Facebook(MetaAdapter[FacebookToken]):
    """The adapter of one page."""

    name = "facebook"
    credentials = FacebookToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "post": Resolution.PROBE, "comment": Resolution.PROBE, "like": Resolution.NATURAL,
        "unlike": Resolution.NATURAL, "edit": Resolution.NATURAL, "delete": Resolution.NATURAL,
        "provision": Resolution.NATURAL, "deprovision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._page, self._label = self._settings.page_id, self._settings.label
        self._page_token = ("", "")

    def _access_token(self) -> str:
        """Return the page's token: the one that a person gave, or that of the person who connected the account."""
        found = super()._access_token()
        if self._bearer is None:
            return found
        of, token = self._page_token
        if of != found:
            signed, query = {"Authorization": f"Bearer {found}"}, {"fields": "access_token"}
            with before_the_write():
                response = self._http.request("GET", self._path(self._page), params=query, headers=signed)
            body = body_of(response)
            if self._is_failure(response, body):
                raise error_of(response, body)
            token = text_of(body.get("access_token"), 2_000)
            if not token:
                raise base.TokenRefused("the person who connected the account may not post as the page")
            masking.conceal(token)
            self._page_token = (found, token)
        return token

    def _renewed_or(self, error: base.AdapterError, token: str) -> base.AdapterError:
        """Return an error; a page's token that is refused is fetched anew by the next call."""
        if isinstance(error, base.TokenRefused):
            self._page_token = ("", "")
        return error

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the page of the access token."""
        found = self._call("GET", self._path(self._page), params={"fields": "id,name"}, timeout_s=timeout_s)
        name = text_of(found.get("name"), LONGEST_NAME_CHARS)
        return RemoteAccount(id=self._page, username=name, url=f"https://www.facebook.com/{self._page}")

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the page's own newest posts."""
        params = {"fields": _POST, "limit": max(1, min(limit, 100))}
        body = self._call("GET", self._path(self._page, "posts"), params=params)
        return [_item(one) for one in body.get("data", [])][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return comments on a post, at most `limit`. Raises Vanished."""
        return [_said(one) for one in self._comments(item_id)][:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        return _item(self._call("GET", self._path(_id(item_id)), params={"fields": _POST}))

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the page's own posts."""
        params: dict[str, Any] = {"fields": _POST, "limit": max(1, min(limit, 100))}
        body = self._call("GET", self._path(self._page, "feed"),
                          params={**params, "after": cursor} if cursor else params)  # fmt: skip
        found = [one for one in dicts_of(body.get("data")) if dict_of(one.get("from")).get("id") == self._page]
        return OwnPostPage(tuple(self._own_post(one) for one in found), following_of(body))

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one post. Raises Vanished."""
        return self._own_post(self._call("GET", self._path(_id(post_id)), params={"fields": _POST}))

    def _own_post(self, found: dict[str, Any]) -> OwnPost:
        text = text_of(found.get("message")).removesuffix(self._label)
        return OwnPost(id=text_of(found.get("id"), 100), text=text, created_at=moment_of(found.get("created_time")))

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of posts."""
        return [self._metrics(one) for one in ids]

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the followers of the page."""
        found = self._call("GET", self._path(self._page), params={"fields": "followers_count"})
        return AccountMetrics(followers=count_of(found.get("followers_count")))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post, or of the post that has a comment or a like."""
        target = self._page if found.action == "provision" else found.id if found.action == "post" else found.target
        return f"https://www.facebook.com/{quote(target, safe='')}" if target else None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the pictures of a post unpublished, or the video of a reel."""
        post = action.payload
        if not isinstance(post, PostPayload):
            return None
        most, deadline = 1 if post.format == "story" else PICTURES.most, CallDeadline(timeout_s)
        pictures = pictures_of(post, at_most=most, video=True)
        if post.video is not None:
            edge = "video_stories" if post.format == "story" else "video_reels"
            return self._upload_video(post.video, edge, action.uploads, deadline)
        if not pictures:
            return None
        photos = list(action.uploads.get("photos", []))
        begun = len(photos)
        for one in pictures[begun:]:
            if len(photos) > begun and deadline.is_near(_NEAR_S):
                raise base.UploadPending("pictures are uploaded", uploads={"photos": photos}, retry_after_s=1)
            photos.append(self._send_photo(one, deadline))
        return {"photos": photos}

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for a post, a reel or a comment; None if it is surely not there."""
        payload, found = action.payload, None
        if isinstance(payload, PostPayload) and payload.format == "story":
            return self._find_story(action)
        if isinstance(payload, PostPayload) and action.uploads.get("video"):
            video = str(action.uploads["video"])
            return Receipt(video, ADOPTED) if self._phase(video, "publishing_phase") == "complete" else None
        if isinstance(payload, PostPayload):
            own = self._own_posts(payload, since_of(action, since))
            found = next((one for one in own if text_of(one.get("id"), 100) not in known), None)
        elif isinstance(payload, CommentPayload):
            try:
                found = next((one for one in self._comments(payload.target)
                              if dict_of(one.get("from")).get("id") == self._page and one.get("message") == payload.text
                              and text_of(one.get("id"), 100) not in known), None)  # fmt: skip
            except base.Vanished:
                return None
        return None if found is None else Receipt(text_of(found.get("id"), 100), ADOPTED)

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case PostPayload() as post:
                return self._post(action, post, deadline)
            case CommentPayload(target, text):
                path = self._path(_id(target), "comments")
                return _receipt(self._call("POST", path, form={"message": text}, timeout_s=deadline.left_s))
            case EditPayload(target, text):
                form = {"message": self._labelled(text)}
                self._call("POST", self._path(_id(target)), form=form, timeout_s=deadline.left_s)
                return Receipt(target)
            case DeletePayload(target):
                return self._remove(self._path(_id(target)), target, deadline)
            case LikePayload(target):
                self._call("POST", self._path(self._own(target), "likes"), timeout_s=deadline.left_s)
                return Receipt(target)
            case UnlikePayload(target):
                return self._remove(self._path(self._own(target), "likes"), target, deadline)
        raise base.Refused(f"Facebook's API has no {action.type.noun}")

    def _post(self, action: AnyAction, post: PostPayload, deadline: CallDeadline) -> Receipt:
        if post.visibility != "public" or post.format not in ("", "reel", "story"):
            raise base.Refused("posts of pages are public, and plain ones, reels or stories")
        if post.format == "story":
            return self._tell_story(action, post, deadline)
        if post.video is not None:
            return self._finish_reel(post, str(action.uploads.get("video", "")), deadline)
        form: dict[str, Any] = {"message": self._text(post)}
        for place, photo in enumerate(action.uploads.get("photos", [])):
            form[f"attached_media[{place}]"] = json.dumps({"media_fbid": photo})
        if post.link is not None and not post.pictures:
            form["link"] = post.link.url
        try:
            return _receipt(self._call("POST", self._path(self._page, "feed"), form=form, timeout_s=deadline.left_s))
        except MetaDuplicate as error:
            since = None if action.created_at is None else action.created_at - CLOCK_SKEW
            if since is None or any(self._own_posts(post, since)):
                raise base.Uncertain(f"such a post exists: {error}") from error
            raise

    def _finish_reel(self, post: PostPayload, video: str, deadline: CallDeadline) -> Receipt:
        if not video:
            raise base.UploadsLost("the reel has no video")
        form = {
            "upload_phase": "finish", "video_id": video, "video_state": "PUBLISHED", "description": post.text,
            "is_ai_generated": "true",
        }  # fmt: skip
        body = self._call("POST", self._path(self._page, "video_reels"), form=form, timeout_s=deadline.left_s)
        if body.get("success") is not True:
            raise base.Uncertain("Facebook does not say that the reel is published")
        return Receipt(video)

    def _tell_story(self, action: AnyAction, post: PostPayload, deadline: CallDeadline) -> Receipt:
        """Publish the uploaded picture or video as a story. It has no text; a picture's XMP has the mark."""
        media_id = _media_of(action)
        if media_id is None:
            raise (
                base.UploadsLost("the story has no picture and no video")
                if post.pictures
                else base.Refused("a story of a page needs a picture or a video")
            )
        if post.video is not None:
            path, form = self._path(self._page, "video_stories"), {"upload_phase": "finish", "video_id": media_id}
        else:
            path, form = self._path(self._page, "photo_stories"), {"photo_id": media_id}
        body = self._call("POST", path, form=form, timeout_s=deadline.left_s)
        found = text_of(body.get("post_id"), 100)
        if body.get("success") is not True or not found:
            raise base.Uncertain("Facebook does not say that the story is published")
        return Receipt(found)

    def _find_story(self, action: AnyAction) -> Receipt | None:
        """Return the story of an uploaded picture or video; None if the page shows none of it."""
        media_id = _media_of(action)
        if media_id is None:
            return None
        fields = "post_id,media_id,creation_time"
        for one in self._edge(self._page, "stories", fields=fields, most_pages=_PROBE_PAGES, limit=100):
            if text_of(one.get("media_id"), 100) == media_id:
                return Receipt(text_of(one.get("post_id"), 100), ADOPTED)
        return None

    def _upload_video(
        self, video: Media, edge: str, known: Mapping[str, Any], deadline: CallDeadline
    ) -> Mapping[str, Any]:
        uploads = dict(known)
        if "video" not in uploads:
            data, path = read_data_url(video.url).data, self._path(self._page, edge)
            begun = self._call("POST", path, form={"upload_phase": "start"}, timeout_s=deadline.left_s)
            uploads["video"] = text_of(begun.get("video_id"), 100)
            self._send_video(text_of(begun.get("upload_url"), 2000), self._access_token(), data, deadline.left_s)
        phase = self._phase(uploads["video"], "uploading_phase")
        if phase == "error":
            raise base.UploadsLost("Facebook could not take the video")
        if phase != "complete":
            raise base.UploadPending("Facebook takes in the video", uploads=uploads, retry_after_s=_PAUSE_S)
        return uploads

    def _remove(self, path: str, target: str, deadline: CallDeadline) -> Receipt:
        try:
            self._call("DELETE", path, timeout_s=deadline.left_s)
        except base.Vanished:
            return Receipt(target, {"was": "gone already"})
        return Receipt(target)

    # Help

    def _text(self, post: PostPayload) -> str:
        """Return a post's text, with the label if nothing else can carry one."""
        text = self._plain(post)
        return text if post.pictures else self._labelled(text)

    @staticmethod
    def _plain(post: PostPayload) -> str:
        return "\n\n".join(one for one in (post.warning, post.text) if one)

    def _labelled(self, text: str) -> str:
        return text if self._label in text else f"{text}\n\n{self._label}".lstrip()

    def _own(self, target: str) -> str:
        """Return the id of a post of the page. Raises Refused for another: pages like nothing elsewhere."""
        if not target.startswith(f"{self._page}_"):
            raise base.Refused("the page likes its own posts alone")
        return _id(target)

    def _send_photo(self, one: Media, deadline: CallDeadline) -> str:
        file = self._picture(one, PICTURES)
        form = {
            "published": "false",
            **({"alt_text_custom": one.alt_text[: PICTURES.alt_text]} if one.alt_text else {}),
        }
        source = {"source": ("picture", file.data, file.content_type)}
        body = self._call("POST", self._path(self._page, "photos"), form=form, files=source, timeout_s=deadline.left_s)
        found = text_of(body.get("id"), 100)
        if not found:
            raise base.Unreachable("Facebook gives the picture no id")
        return found

    def _phase(self, video: str, name: str) -> str:
        found = dict_of(self._call("GET", self._path(_id(video)), params={"fields": "status"}).get("status"))
        return text_of(dict_of(found.get(name)).get("status"), 40)

    def _own_posts(self, post: PostPayload, since: datetime) -> Iterator[dict[str, Any]]:
        """Return the page's posts since a time that are as this one would be.

        A probe has no pictures, so it cannot tell whether the text carries the label: both forms are the same post.
        """
        plain, start = self._plain(post), int(since.timestamp())
        texts = {" ".join(text.split()) for text in (plain, self._labelled(plain))}
        for one in self._edge(self._page, "feed", fields=_POST, most_pages=_PROBE_PAGES, since=start, limit=100):
            is_own = dict_of(one.get("from")).get("id") == self._page
            is_new = aware(moment_of(one.get("created_time"))) >= since
            if is_own and is_new and " ".join(text_of(one.get("message"), 70_000).split()) in texts:
                yield one

    def _comments(self, target: str) -> list[dict[str, Any]]:
        edge = self._edge(_id(target), "comments", fields=_COMMENT, most_pages=_PROBE_PAGES, filter="stream", limit=100)
        return [*edge]

    def _metrics(self, post: str) -> PostMetrics:
        try:
            found = self._call("GET", self._path(_id(post)), params={"fields": f"{_COUNTS},{_INSIGHTS}"})
        except base.Vanished:
            return PostMetrics(id=post, is_gone=True)
        seen = insights_of(dict_of(found.get("insights")).get("data"))
        totals = [count_of(dict_of(dict_of(found.get(name)).get("summary")).get("total_count"))
                  for name in ("reactions", "comments")]  # fmt: skip
        return PostMetrics(
            id=post, likes=totals[0], comments=totals[1], reposts=count_of(dict_of(found.get("shares")).get("count")),
            views=seen.get("post_media_view"), reach=seen.get("post_total_media_view_unique"),
            clicks=seen.get("post_clicks"),
        )  # fmt: skip


def _id(value: str) -> str:
    """Return an id. Raises Vanished for one that Facebook cannot have."""
    if not (value.isascii() and value.replace("_", "").isdigit()):
        raise base.Vanished("this is no id of Facebook")
    return value


def _media_of(action: AnyAction) -> str | None:
    """Return the id of what was uploaded for a story."""
    photos = action.uploads.get("photos") or [None]
    found = action.uploads.get("video") or photos[0]
    return None if found is None else str(found)


def _receipt(body: dict[str, Any]) -> Receipt:
    found = text_of(body.get("id"), 100)
    if not found:
        raise base.Uncertain("Facebook's answer has no id")
    return Receipt(found)


def _item(found: dict[str, Any]) -> FeedItem:
    author = dict_of(found.get("from"))
    name = text_of(author.get("name"), LONGEST_NAME_CHARS)
    return FeedItem(text_of(found.get("id"), 100), name, name, text_of(found.get("message")),
                    moment_of(found.get("created_time")), author_id=text_of(author.get("id"), 100))  # fmt: skip


def _said(found: dict[str, Any]) -> SaidComment:
    name = text_of(dict_of(found.get("from")).get("name"), LONGEST_NAME_CHARS)
    return SaidComment(text_of(found.get("id"), 100), name, name, text_of(found.get("message")),
                       created_at=moment_of(found.get("created_time")))  # fmt: skip
