"""Instagram, by Instagram Login (graph.instagram.com) or Facebook Login (graph.facebook.com).

A post is a container that Meta fills and processes; publishing it is the write. How an unknown outcome is resolved: the
container says whether it was published, and it can be published once; the post is then found by its caption.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, aware, count_of, dicts_of, moment_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth, TokenExchange
from fleet.adapters.meta import MetaAdapter, following_of, insights_of
from fleet.adapters.network import ADOPTED, LOOPBACK, CallDeadline, NetworkToken, since_of
from fleet.adapters.social import (
    AccountMetrics,
    CommentPayload,
    DeletePayload,
    FeedItem,
    Media,
    OwnPost,
    OwnPostPage,
    PostMetrics,
    PostPayload,
    SaidComment,
    is_data_url,
    pictures_of,
    read_data_url,
)

_BY_LOGIN = "https://graph.instagram.com"
OAUTH = OAuth(
    authorize_url="https://www.instagram.com/oauth/authorize",
    token_url="https://api.instagram.com/oauth/access_token",  # noqa: S106 - an address
    scopes=("instagram_business_basic", "instagram_business_content_publish", "instagram_business_manage_comments",
            "instagram_business_manage_insights"),
    scope_separator=",",
    has_pkce=False,
    refresh_before=timedelta(days=7),
    # 60 days each; a token is renewed when it is a day old or older (Instagram API with Instagram Login, 2026-11-22).
    long_lived=TokenExchange(url=f"{_BY_LOGIN}/access_token", grant_type="ig_exchange_token"),
    renewal=TokenExchange(url=f"{_BY_LOGIN}/refresh_access_token", grant_type="ig_refresh_token", has_app=False),
)  # fmt: skip
PICTURES = MediaRule(
    most=10, types=("image/jpeg",), most_bytes=8_000_000, min_ratio=0.8, max_ratio=1.91, best_ratio=1.0, min_width=320,
    alt_text=1000, is_required=True, by_url=True,
)  # fmt: skip
_STORY = MediaRule(
    most=1, types=("image/jpeg",), most_bytes=8_000_000, best_ratio=9 / 16, is_required=True, by_url=True
)
_FIELDS = "id,caption,timestamp,shortcode,like_count,comments_count,media_url,username"
_METRICS = "views,reach,likes,comments,saved,shares"
_PAUSE_S, _NEAR_S, _PROBE_PAGES = 60.0, 5.0, 10
_JOIN = "_"
"""Between the id of a post and the code in its address: Fleet's id of a post has both, for the link."""


class InstagramToken(NetworkToken):
    """The credentials of a professional account."""

    user_id: str = Field(pattern=r"^\d{1,30}$")


class Instagram(MetaAdapter[InstagramToken]):
    """The adapter of one account."""

    name = "instagram"
    credentials = InstagramToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "post": Resolution.PROBE, "comment": Resolution.PROBE, "delete": Resolution.NATURAL,
        "provision": Resolution.NATURAL, "deprovision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._user = self._settings.user_id

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account of the access token."""
        found = self._call("GET", self._path(self._user), params={"fields": "id,username"}, timeout_s=timeout_s)
        name = text_of(found.get("username"), LONGEST_NAME_CHARS)
        return RemoteAccount(id=self._user, username=name, url=f"https://www.instagram.com/{quote(name, safe='')}/")

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the account's own newest media."""
        body = self._call("GET", self._path(self._user, "media"), params={"fields": _FIELDS, "limit": max(1, limit)})
        return [_item(one) for one in body.get("data", [])][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return comments on one of the account's media. Raises Vanished."""
        return [_said(one) for one in self._comments(item_id)][:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one of the account's media. Raises Vanished."""
        return _item(self._call("GET", self._path(_number(item_id)), params={"fields": _FIELDS}))

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the account's own media. Stories are none."""
        params: dict[str, Any] = {"fields": _FIELDS, "limit": max(1, min(limit, 50))}
        body = self._call("GET", self._path(self._user, "media"),
                          params={**params, "after": cursor} if cursor else params)  # fmt: skip
        return OwnPostPage(tuple(_own(one) for one in dicts_of(body.get("data"))), following_of(body))

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one of the account's media. Raises Vanished."""
        return _own(self._call("GET", self._path(_number(post_id)), params={"fields": _FIELDS}))

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of media."""
        return [self._metrics(one) for one in ids]

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the counts of the account."""
        fields = {"fields": "followers_count,follows_count,media_count"}
        found = self._call("GET", self._path(self._user), params=fields)
        return AccountMetrics(
            followers=count_of(found.get("followers_count")), following=count_of(found.get("follows_count")),
            posts=count_of(found.get("media_count")),
        )  # fmt: skip

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post, if its id has the code of its address; of a comment that of its post."""
        if found.action == "provision":
            return f"https://www.instagram.com/{quote(found.username, safe='')}/"
        _, _, code = (found.id if found.action == "post" else found.target or "").partition(_JOIN)
        return f"https://www.instagram.com/p/{quote(code, safe='')}/" if code else None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Make the container of a post, with those of its pictures, and wait until Meta has filled it."""
        post = action.payload
        if not isinstance(post, PostPayload):
            return None
        pictures, deadline = self._require(post), CallDeadline(timeout_s)
        known: dict[str, Any] = dict(action.uploads)
        if "container" not in known and len(pictures) > 1:
            children = list(known.get("children", []))
            for one in pictures[len(children) :]:
                if len(children) > len(known.get("children", [])) and deadline.is_near(_NEAR_S):
                    raise base.UploadPending("pictures are sent", uploads={"children": children}, retry_after_s=1)
                part = {**self._picture_fields(one, PICTURES), "is_carousel_item": "true"}
                children.append(self._container(part, deadline))
            known["children"] = children
            if waiting := [one for one in children if not self._is_finished(one, deadline)]:
                raise base.UploadPending(
                    f"Meta processes {len(waiting)} pictures", uploads=known, retry_after_s=_PAUSE_S
                )
        if "container" not in known:
            known["container"] = self._make_container(post, pictures, known, deadline)
        if not self._is_finished(known["container"], deadline):
            raise base.UploadPending("Meta processes the post", uploads=known, retry_after_s=_PAUSE_S)
        return known

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Ask the container whether it was published, and find the post; of a comment, look among the comments."""
        payload = action.payload
        if isinstance(payload, CommentPayload):
            try:
                found = [one for one in self._comments(payload.target)
                         if one.get("text") == payload.text and text_of(one.get("id"), 100) not in known
                         and aware(moment_of(one.get("timestamp"))) >= since_of(action, since)]  # fmt: skip
            except base.Vanished:
                return None
            return Receipt(text_of(found[0].get("id"), 100), ADOPTED) if found else None
        if not isinstance(payload, PostPayload) or not action.uploads.get("container"):
            return None
        try:
            if self._status(action.uploads["container"], self._timeout_s) != "PUBLISHED":
                return None
        except base.Vanished:
            return None
        post = self._find(action, payload, since, known)
        if post is None:
            raise base.Uncertain("the container was published, and the post is not in the list yet")
        return Receipt(_id(post), ADOPTED)

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case PostPayload():
                container = {"creation_id": action.uploads.get("container")}
                if not container["creation_id"]:
                    raise base.UploadsLost("the post has no container")
                path = self._path(self._user, "media_publish")
                body = self._call("POST", path, form=container, timeout_s=deadline.left_s)
                media_id = text_of(body.get("id"), 100)
                if not media_id:
                    raise base.Uncertain("Instagram's answer has no id of the post")
                return Receipt(self._with_code(media_id, deadline))
            case CommentPayload(target, text):
                path = self._path(_number(target), "comments")
                body = self._call("POST", path, form={"message": text}, timeout_s=deadline.left_s)
                comment_id = text_of(body.get("id"), 100)
                if not comment_id:
                    raise base.Uncertain("Instagram's answer has no id of the comment")
                return Receipt(comment_id)
            case DeletePayload(target):
                if self.host == "graph.instagram.com":
                    raise base.Refused("Instagram deletes posts only for accounts that are connected by Facebook Login")
                try:
                    self._call("DELETE", self._path(_number(target)), timeout_s=deadline.left_s)
                except base.Vanished:
                    return Receipt(target, {"was": "gone already"})
                return Receipt(target)
        raise base.Refused(f"Instagram's API has no {action.type.noun}")

    # Help

    def _require(self, post: PostPayload) -> tuple[Media, ...]:
        if post.visibility != "public":
            raise base.Refused("posts on Instagram are public")
        pictures = pictures_of(post, at_most=1 if post.format == "story" else PICTURES.most, video=True)
        if not pictures and post.video is None:
            raise base.Refused("a post on Instagram needs a picture or a video")
        return pictures

    def _make_container(
        self, post: PostPayload, pictures: tuple[Media, ...], known: Mapping[str, Any], deadline: CallDeadline
    ) -> str:
        form: dict[str, Any] = {"is_ai_generated": "true"}
        if post.format != "story":
            form["caption"] = _caption(post)
        if post.video is not None:
            form["media_type"] = "STORIES" if post.format == "story" else "REELS"
            if not is_data_url(post.video.url):
                return self._container({**form, "video_url": self._public(post.video.url)}, deadline)
            return self._send_reel({**form, "upload_type": "resumable"}, post.video, deadline)
        if known.get("children"):
            return self._container(
                {**form, "media_type": "CAROUSEL", "children": ",".join(known["children"])}, deadline
            )
        if post.format == "story":
            address = self._picture_fields(pictures[0], _STORY)["image_url"]
            return self._container({**form, "media_type": "STORIES", "image_url": address}, deadline)
        return self._container({**form, **self._picture_fields(pictures[0], PICTURES)}, deadline)

    def _picture_fields(self, one: Media, rule: MediaRule) -> dict[str, str]:
        """Return the public address of a picture, published through Fleet's store if it is a file, and its alt text."""
        url = self._media.publish(self._picture(one, rule)) if is_data_url(one.url) else one.url
        fields = {"image_url": self._public(url)}
        return (
            {**fields, "alt_text": one.alt_text[: PICTURES.alt_text]} if one.alt_text and rule is PICTURES else fields
        )

    def _public(self, url: str) -> str:
        if not url.startswith("https://") and self.host not in LOOPBACK:
            raise base.Refused("Meta fetches media from public https addresses alone: set FLEET_OBJECTS_URL to one")
        return url

    def _container(self, form: dict[str, Any], deadline: CallDeadline) -> str:
        return self._container_of(form, deadline)[0]

    def _container_of(self, form: dict[str, Any], deadline: CallDeadline) -> tuple[str, str]:
        body = self._call("POST", self._path(self._user, "media"), form=form, timeout_s=deadline.left_s)
        found = text_of(body.get("id"), 100)
        if not found:
            raise base.Unreachable("Meta gives the container no id")
        return found, text_of(body.get("uri"), 2000)

    def _send_reel(self, form: dict[str, Any], video: Media, deadline: CallDeadline) -> str:
        container, url = self._container_of(form, deadline)
        self._send_video(url, self._access_token(), read_data_url(video.url).data, deadline.left_s)
        return container

    def _status(self, container: str, timeout_s: float) -> str:
        found = self._call("GET", self._path(container), params={"fields": "status_code"}, timeout_s=timeout_s)
        return text_of(found.get("status_code"), 40)

    def _is_finished(self, container: str, deadline: CallDeadline) -> bool:
        """Return whether a container can be published. Raises UploadsLost for one that never can."""
        status = self._status(container, deadline.left_s)
        if status in ("ERROR", "EXPIRED"):
            raise base.UploadsLost(f"the container of the post is {status}")
        return status in ("FINISHED", "PUBLISHED")

    def _with_code(self, media_id: str, deadline: CallDeadline) -> str:
        """Return the id of a published post with the code of its address; without it if Meta does not answer."""
        try:
            params = {"fields": "shortcode"}
            found = self._call("GET", self._path(media_id), params=params, timeout_s=deadline.left_s)
        except base.AdapterError:
            return media_id
        return _id({**found, "id": media_id})

    def _find(
        self, action: AnyAction, post: PostPayload, since: datetime, known: frozenset[str]
    ) -> dict[str, Any] | None:
        taken = {_number(one) for one in known}
        edge = "stories" if post.format == "story" else "media"
        for one in self._edge(self._user, edge, fields=_FIELDS, most_pages=_PROBE_PAGES, limit=50):
            if aware(moment_of(one.get("timestamp"))) < since_of(action, since):
                return None
            is_same = post.format == "story" or _plain(text_of(one.get("caption"))) == _plain(_caption(post))
            if is_same and text_of(one.get("id"), 100) not in taken:
                return one
        return None

    def _comments(self, target: str) -> list[dict[str, Any]]:
        fields = "id,text,username,timestamp"
        return [*self._edge(_number(target), "comments", fields=fields, most_pages=_PROBE_PAGES, limit=50)]

    def _metrics(self, post: str) -> PostMetrics:
        path = self._path(_number(post), "insights")
        try:
            found = insights_of(self._call("GET", path, params={"metric": _METRICS}).get("data"))
        except base.Vanished:
            return PostMetrics(id=post, is_gone=True)
        return PostMetrics(
            id=post, likes=found.get("likes"), comments=found.get("comments"), reposts=found.get("shares"),
            views=found.get("views"), reach=found.get("reach"), saves=found.get("saved"),
        )  # fmt: skip


def _caption(post: PostPayload) -> str:
    return "\n\n".join(one for one in (post.warning, post.text, post.link.url if post.link else "") if one)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _number(item_id: str) -> str:
    """Return Meta's part of an id. Raises Vanished for one that Meta cannot have."""
    number = item_id.partition(_JOIN)[0]
    if not (number.isascii() and number.isdigit()):
        raise base.Vanished("this is no id of Instagram")
    return number


def _id(found: dict[str, Any]) -> str:
    number, code = text_of(found.get("id"), 100), text_of(found.get("shortcode"), 60)
    return f"{number}{_JOIN}{code}" if code else number


def _item(found: dict[str, Any]) -> FeedItem:
    return FeedItem(
        _id(found), text_of(found.get("username"), LONGEST_NAME_CHARS), "", text_of(found.get("caption")),
        moment_of(found.get("timestamp")), count_of(found.get("like_count")) or 0,
        count_of(found.get("comments_count")) or 0, image_url=text_of(found.get("media_url"), 2000),
    )  # fmt: skip


def _own(found: dict[str, Any]) -> OwnPost:
    return OwnPost(id=_id(found), text=text_of(found.get("caption")), created_at=moment_of(found.get("timestamp")))


def _said(found: dict[str, Any]) -> SaidComment:
    name = text_of(found.get("username"), LONGEST_NAME_CHARS)
    return SaidComment(text_of(found.get("id"), 100), name, "", text_of(found.get("text")),
                       created_at=moment_of(found.get("timestamp")))  # fmt: skip
