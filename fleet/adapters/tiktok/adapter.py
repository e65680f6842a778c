"""TikTok, Content Posting API and Display API: every call that Fleet uses.

A video is announced and sent by chunks before the write. The last chunk is the write: TikTok then makes a draft or a
post of it. How an unknown outcome is resolved: by the state of the publish id, which is stored with the job. Pictures
are published by the one call that gives the id: if its answer is lost, a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, count_of, dict_of, dicts_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.manifest import AccountAccess, MediaFile, MediaRule, OAuth
from fleet.adapters.network import (
    ADOPTED,
    LOOPBACK,
    CallDeadline,
    NetworkAdapter,
    NetworkToken,
    before_the_write,
)
from fleet.adapters.social import (
    AccountMetrics,
    FeedItem,
    Media,
    PostMetrics,
    PostPayload,
    SaidComment,
    is_data_url,
    pictures_of,
    read_data_url,
)
from fleet.adapters.tiktok.answers import code_of, error_of, failure_of, item_of, metrics_of

OAUTH = OAuth(
    authorize_url="https://www.tiktok.com/v2/auth/authorize/",
    token_url="{address}/v2/oauth/token/",  # noqa: S106 - an address
    revoke_url="{address}/v2/oauth/revoke/",
    scopes=("user.info.basic", "user.info.profile", "user.info.stats", "video.list", "video.upload", "video.publish"),
    scope_separator=",",
    client_id_name="client_key",
    rotates=True,
)
PICTURES = MediaRule(most=35, types=("image/jpeg", "image/webp"), most_bytes=20_000_000, best_ratio=9 / 16, by_url=True)
VIDEOS = MediaRule(most=1, types=("video/mp4", "video/quicktime", "video/webm"), most_bytes=4_000_000_000,
                   best_ratio=9 / 16, min_seconds=3, max_seconds=600)  # fmt: skip
ONE_CHUNK_BYTES, CHUNK_BYTES = 64_000_000, 32_000_000
"""Up to the first size a video is one chunk; a larger one has chunks of the second, and the last has the rest too."""
_TITLE_CHARS = 90
_PAGE = 20
_VIDEO = (
    "id,title,video_description,create_time,cover_image_url,share_url,like_count,comment_count,share_count,view_count"
)
_DRAFT, _COMPLETE, _FAILED = "SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED"


class TikTokToken(NetworkToken):
    """The credentials of an account, and how its posts are published."""

    publish: Literal["inbox", "direct"] = "inbox"
    privacy_level: Literal["SELF_ONLY", "PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR"] = (
        "SELF_ONLY"
    )
    username: str = ""


class TikTok(NetworkAdapter[TikTokToken]):
    """The adapter of one account."""

    name = "tiktok"
    credentials = TikTokToken
    oauth = OAUTH
    upload_hosts = (".tiktokapis.com",)
    actions: Mapping[str, Resolution] = {
        "post": Resolution.PROBE, "provision": Resolution.NATURAL, "deprovision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        settings = self._settings
        self._is_direct, self._privacy = settings.publish == "direct", settings.privacy_level
        self._username = settings.username

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account of the access token."""
        user = self._user("open_id,display_name,username", timeout_s)
        found, name = text_of(user.get("open_id"), 100), text_of(user.get("username"), LONGEST_NAME_CHARS)
        if not found:
            raise base.Uncertain("TikTok does not say whose token it is")
        return RemoteAccount(id=found, username=name or text_of(user.get("display_name"), LONGEST_NAME_CHARS),
                             url=f"https://www.tiktok.com/@{quote(name, safe='')}" if name else None)  # fmt: skip

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the account's own newest videos."""
        request = {"max_count": max(1, min(limit, _PAGE))}
        body = self._call("POST", "/v2/video/list/", params={"fields": _VIDEO}, json=request)
        return [item_of(one, account.username) for one in dicts_of(dict_of(body.get("data")).get("videos"))][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return nothing: the API has no comments."""
        return []

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one of the account's videos. Raises Vanished."""
        found = self._videos([item_id]).get(item_id)
        if found is None:
            raise base.Vanished("the account has no such video")
        return item_of(found, account.username)

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of videos; None for drafts and for posts that TikTok still examines."""
        posts = {one: one if one.isdigit() else self._post_of(one) for one in ids}
        numbers: list[str] = [one for one in posts.values() if one]
        known: dict[str, dict[str, Any]] = {}
        for start in range(0, len(numbers), _PAGE):
            known |= self._videos(numbers[start : start + _PAGE])
        return [metrics_of(known[post], one) if post in known else PostMetrics(id=one, is_gone=one.isdigit())
                for one, post in posts.items()]  # fmt: skip

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the counts of the account."""
        user = self._user("follower_count,following_count,video_count", self._timeout_s)
        return AccountMetrics(
            followers=count_of(user.get("follower_count")), following=count_of(user.get("following_count")),
            posts=count_of(user.get("video_count")),
        )  # fmt: skip

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a published video; drafts have none."""
        if found.action != "post" or not found.id.isdigit():
            return None
        return f"https://www.tiktok.com/@{quote(self._username or found.username, safe='')}/video/{found.id}"

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Announce a video and send all chunks but the last; publish the pictures of a post for TikTok to fetch."""
        post, deadline = action.payload, CallDeadline(timeout_s)
        if not isinstance(post, PostPayload):
            return None
        pictures = self._require(post)
        if post.video is None:
            return {"pictures": [self._address_of(one) for one in pictures]}
        file = read_data_url(post.video.url)
        known = dict(action.uploads) or {**self._announce(post, file.data, deadline), "sent": 0}
        chunks, place = _chunks(len(file.data)), int(known["sent"])
        if place < len(chunks) - 1:  # one in a turn: what TikTok has is stored before the next one
            self._put(known["url"], file, chunks[place], deadline)
            raise base.UploadPending("the video is sent", uploads={**known, "sent": place + 1}, retry_after_s=0)
        return known

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Ask for the state of the publish id; None if TikTok lacks a part of the video, or could not publish it."""
        publish_id, post = str(action.uploads.get("publish_id", "")), action.payload
        if not isinstance(post, PostPayload):
            return None
        if not publish_id:
            raise base.Refused("TikTok published the pictures or did not: their id was in the answer that is lost")
        try:
            state = self._state(publish_id, self._timeout_s)
        except base.Vanished:
            return None
        is_whole = (count_of(state.get("uploaded_bytes")) or 0) >= int(action.uploads.get("size", 0))
        if state.get("status") == _FAILED or (state.get("status") not in (_DRAFT, _COMPLETE) and not is_whole):
            return None
        found = _receipt(publish_id, state)
        return Receipt(found.remote_id, {**found.detail, **ADOPTED})

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        post, uploads = action.payload, action.uploads
        if not isinstance(post, PostPayload):
            raise base.Refused(f"TikTok's API has no {action.type.noun}")
        if post.video is None:
            return self._publish_pictures(post, list(uploads.get("pictures", [])), deadline)
        file, publish_id = read_data_url(post.video.url), str(uploads.get("publish_id", ""))
        if not publish_id:
            raise base.UploadsLost("the video was not announced")
        with before_the_write():
            try:
                state = self._state(publish_id, deadline.left_s)
            except base.Vanished as error:
                raise base.UploadsLost("TikTok no longer knows the upload") from error
        _require_alive(state)
        if state.get("status") not in (_DRAFT, _COMPLETE):
            self._put(str(uploads["url"]), file, _chunks(len(file.data))[-1], deadline)
            try:
                state = self._state(publish_id, deadline.left_s)
            except base.AdapterError as error:
                raise base.Uncertain(f"the video is sent, and its state is unknown: {error}") from error
            _require_alive(state)
        if state.get("status") not in (_DRAFT, _COMPLETE):
            raise base.Uncertain("TikTok processes the video; its state is looked up later")
        return _receipt(publish_id, state)

    # Help

    def _require(self, post: PostPayload) -> Sequence[Media]:
        pictures = pictures_of(post, at_most=PICTURES.most, video=True)
        if not pictures and post.video is None:
            raise base.Refused("a post on TikTok needs a video or pictures")
        return pictures

    def _announce(self, post: PostPayload, data: bytes, deadline: CallDeadline) -> dict[str, Any]:
        chunks = _chunks(len(data))
        first = chunks[0]
        source = {"source": "FILE_UPLOAD", "video_size": len(data), "chunk_size": first[1] - first[0],
                  "total_chunk_count": len(chunks)}  # fmt: skip
        if self._is_direct:
            request = {"post_info": self._post_info(post, deadline, {"title": post.text, "is_aigc": True})}
            path = "/v2/post/publish/video/init/"
        else:
            request, path = {}, "/v2/post/publish/inbox/video/init/"
        body = self._call("POST", path, json={**request, "source_info": source}, timeout_s=deadline.left_s)
        found = dict_of(body.get("data"))
        publish_id, url = text_of(found.get("publish_id"), 100), text_of(found.get("upload_url"), 2000)
        if not publish_id or not url:
            raise base.Unreachable("TikTok gives the upload no id")
        return {"publish_id": publish_id, "url": url, "size": len(data)}

    def _post_info(self, post: PostPayload, deadline: CallDeadline, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a direct post. Raises Refused for a privacy that the creator does not offer."""
        path = "/v2/post/publish/creator_info/query/"
        creator = dict_of(self._call("POST", path, json={}, timeout_s=deadline.left_s).get("data"))
        if self._privacy not in (creator.get("privacy_level_options") or ()):
            raise base.Refused(f"the account does not offer the privacy {self._privacy}")
        info = {**fields, "privacy_level": self._privacy, "disable_comment": bool(creator.get("comment_disabled"))}
        return {**info, "brand_content_toggle": False, "brand_organic_toggle": False}

    def _publish_pictures(self, post: PostPayload, addresses: list[str], deadline: CallDeadline) -> Receipt:
        if not addresses:
            raise base.UploadsLost("the pictures have no addresses")
        info: dict[str, Any] = {"title": post.text[:_TITLE_CHARS], "description": post.text}
        if self._is_direct:
            with before_the_write():
                info = self._post_info(post, deadline, info)
        request = {
            "media_type": "PHOTO", "post_mode": "DIRECT_POST" if self._is_direct else "MEDIA_UPLOAD", "post_info": info,
            "source_info": {"source": "PULL_FROM_URL", "photo_images": addresses, "photo_cover_index": 0},
        }  # fmt: skip
        body = self._call("POST", "/v2/post/publish/content/init/", json=request, timeout_s=deadline.left_s)
        publish_id = text_of(dict_of(body.get("data")).get("publish_id"), 100)
        if not publish_id:
            raise base.Uncertain("TikTok's answer has no id")
        return Receipt(publish_id, {"state": "processing"})

    def _address_of(self, one: Media) -> str:
        url = self._media.publish(self._picture(one, PICTURES)) if is_data_url(one.url) else one.url
        if not url.startswith("https://") and self.host not in LOOPBACK:
            raise base.Refused("TikTok fetches pictures from a verified https domain: set FLEET_OBJECTS_URL to it")
        return url

    def _put(self, url: str, file: MediaFile, chunk: tuple[int, int], deadline: CallDeadline) -> None:
        """Send a part of a video. Raises UploadsLost, Uncertain."""
        (start, end), data = chunk, file.data
        headers = {"Content-Type": file.content_type, "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        with self._upload_client(url, deadline.left_s) as (client, place):
            answer = client.request("PUT", place, content=data[start:end], headers=headers)
        if answer.status_code in (201, 206):
            return
        if answer.status_code in (400, 403, 404):
            raise base.UploadsLost(f"TikTok does not take the video: {answer.status_code}")
        raise base.Uncertain(f"TikTok does not say that it has the video: {answer.status_code}")

    def _state(self, publish_id: str, timeout_s: float) -> dict[str, Any]:
        request = {"publish_id": publish_id}
        body = self._call("POST", "/v2/post/publish/status/fetch/", json=request, timeout_s=timeout_s)
        return dict_of(body.get("data"))

    def _post_of(self, publish_id: str) -> str:
        """Return the id of the video of a publish id; empty as long as there is none."""
        try:
            return _post_id(self._state(publish_id, self._timeout_s))
        except base.Vanished:
            return ""

    def _videos(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        request = {"filters": {"video_ids": [*ids]}}
        body = self._call("POST", "/v2/video/query/", params={"fields": _VIDEO}, json=request)
        return {text_of(one.get("id"), 100): one for one in dicts_of(dict_of(body.get("data")).get("videos"))}

    def _user(self, fields: str, timeout_s: float) -> dict[str, Any]:
        body = self._call("GET", "/v2/user/info/", params={"fields": fields}, timeout_s=timeout_s)
        return dict_of(dict_of(body.get("data")).get("user"))

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return error_of(response, body)

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success or code_of(body) != "ok"


def _chunks(size: int) -> list[tuple[int, int]]:
    """Return the parts that a video is sent in, by their first byte and the one after their last."""
    if size <= ONE_CHUNK_BYTES:
        return [(0, size)]
    count = size // CHUNK_BYTES
    return [(one * CHUNK_BYTES, size if one == count - 1 else (one + 1) * CHUNK_BYTES) for one in range(count)]


def _require_alive(state: dict[str, Any]) -> None:
    if state.get("status") == _FAILED:
        raise failure_of(text_of(state.get("fail_reason"), 100))


def _post_id(state: dict[str, Any]) -> str:
    found = state.get("publicaly_available_post_id")  # as TikTok writes it
    return str(found[0]) if isinstance(found, list) and found and str(found[0]).isdigit() else ""


def _receipt(publish_id: str, state: dict[str, Any]) -> Receipt:
    """Return the receipt of a publish id: with the post's own id as soon as TikTok gives one."""
    states = {_DRAFT: "draft in the inbox", _COMPLETE: "published"}
    status = states.get(str(state.get("status")), "processing")
    return Receipt(_post_id(state) or publish_id, {"state": status, "publish_id": publish_id})
