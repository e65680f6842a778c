"""Mastodon's API: every call that Fleet makes to a server.

How an unknown outcome is resolved: a post or a reply is sent again while the server remembers its Idempotency-Key (an
hour; the body is not compared), later it is searched for among the account's own statuses, by their source. All other
writes leave the same state when they are repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from fleet.adapters import base
from fleet.adapters.answers import body_of, count_of, dict_of, dicts_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import MAX_JSON_BYTES, HttpClient, Response
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth, TextRule
from fleet.adapters.mastodon import wire
from fleet.adapters.oauth import Bearer
from fleet.adapters.social import (
    COMMENT,
    DELETE,
    DEPROVISION,
    EDIT,
    FOLLOW,
    LIKE,
    POST,
    PROVISION,
    REPOST,
    UNFOLLOW,
    UNLIKE,
    UNREPOST,
    AccountMetrics,
    CommentPayload,
    DeletePayload,
    DeprovisionPayload,
    EditPayload,
    FeedItem,
    FollowPayload,
    LikePayload,
    NotificationPage,
    Offers,
    OwnPost,
    OwnPostPage,
    PostMetrics,
    PostPayload,
    ProvisionPayload,
    RepostPayload,
    SaidComment,
    UnfollowPayload,
    UnlikePayload,
    UnrepostPayload,
    pictures_of,
    read_data_url,
)
from fleet.core import clock, logs
from fleet.core.errors import InvalidInput

OAUTH = OAuth(
    authorize_url="{address}/oauth/authorize",
    token_url="{address}/oauth/token",  # noqa: S106 - an address
    revoke_url="{address}/oauth/revoke",
    register_url="{address}/api/v1/apps",
    scopes=("read", "write:statuses", "write:media", "write:favourites", "write:follows", "write:accounts"),
)
PICTURES = MediaRule(
    most=4, types=("image/jpeg", "image/png", "image/webp", "image/gif"), most_bytes=16_000_000, alt_text=1500
)
TEXTS: Mapping[str, TextRule] = {
    "post": TextRule(most=500, url_length=23, hashtags=5, best_hashtags=3, mentions=3),
    "comment": TextRule(most=450, url_length=23, hashtags=2, best_hashtags=0, mentions=1),
    "bio": TextRule(most=500),
    "alt_text": TextRule(most=1500, links=False),
}
"""Of a server as it is shipped; each sets its own length of posts."""
_LONGEST_CHARS = 100_000
_VISIBILITIES = {"friends": "private", "private": "direct"}
"""Fleet's words for audiences in Mastodon's; others are the same."""
_QUOTES_SINCE = 7  # the API version of Mastodon 4.5
_PAGE = 40
_MOST_A_CALL = 20
_PROBE_PAGES = 20
_CLOCK_SKEW = timedelta(minutes=10)
_PROCESSING_S = 3.0
_INSTANCE_S = 3600.0


class Mastodon:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "mastodon"
    actions: Mapping[str, Resolution] = {
        POST.name: Resolution.RESEND_THEN_PROBE,
        COMMENT.name: Resolution.RESEND_THEN_PROBE,
        **{one.name: Resolution.NATURAL for one in (
            LIKE, UNLIKE, REPOST, UNREPOST, FOLLOW, UNFOLLOW, EDIT, DELETE, PROVISION, DEPROVISION
        )},
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        url = access.address
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        if not port or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput(
                f"The server's address is not a URL: {logs.mask(url)!r}.", fix="Write it as https://host."
            )
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, port
        self.third_party = self.host not in ("127.0.0.1", "localhost", "::1")
        self._pages = url.rstrip("/")
        self._media = access.media
        self._bearer = Bearer(access, OAUTH)
        self._http = HttpClient(url, timeout_s=access.timeout_s, most_bytes=MAX_JSON_BYTES, observe=access.observe)
        self._own: dict[str, Any] = {}
        self._instance: tuple[float, dict[str, Any]] = (0.0, {})

    # What the server has

    def offers(self) -> Offers:
        """Return the audiences that posts can have. Makes no call."""
        return Offers(visibilities=frozenset({"public", "unlisted", "friends", "private"}))

    def text_rules(self) -> Mapping[str, TextRule]:
        """Return the forms of posts and comments on this server, which sets their length. Raises an AdapterError.

        A comment has so many characters less as the manifest leaves for the mention of the person it answers.
        """
        statuses = dict_of(dict_of(self._server().get("configuration")).get("statuses"))
        most, url = count_of(statuses.get("max_characters")), count_of(statuses.get("characters_reserved_per_url"))
        post, comment = TEXTS["post"], TEXTS["comment"]
        longest = min(most or post.most, _LONGEST_CHARS)
        values: dict[str, Any] = {"url_length": url or post.url_length}
        return {
            "post": replace(post, most=longest, **values),
            "comment": replace(comment, most=max(1, longest - (post.most - comment.most)), **values),
        }

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account of the token. Raises an AdapterError."""
        found = self._verify(timeout_s)
        return RemoteAccount(
            id=wire.id_of(found.get("id")), username=wire.name_of(found.get("acct")),
            url=text_of(found.get("url"), 500) or None, is_bot=found.get("bot") is True,
        )  # fmt: skip

    # Reads

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the newest posts: of all, or for friends those of the accounts that this one follows.

        Posts of accounts whose bio keeps bots off are left out: no agent may reply to or like them.
        """
        path = "/api/v1/timelines/home" if audience != "public" else "/api/v1/timelines/public"
        found = self._list(path, {"limit": min(limit, _PAGE)})
        welcome = [one for one in found if not wire.keeps_bots_off(_author(one))]
        return [item for item in map(wire.item_of, welcome) if item is not None][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return the replies to a post, and the replies to these. Raises Vanished."""
        body = self._call("GET", f"{_status(item_id)}/context")
        found = [comment for comment in map(wire.comment_of, dicts_of(body.get("descendants"))) if comment is not None]
        return found[:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        found = wire.item_of(self._call("GET", _status(item_id)))
        if found is None:
            raise base.Uncertain("the server's answer is no status")
        return found

    def notifications(self, account: Account, *, cursor: str | None, limit: int) -> NotificationPage:
        """Return the notifications after the cursor, oldest first; without a cursor the newest ones."""
        query: dict[str, Any] = {"types[]": list(wire.KINDS), "limit": min(limit, _PAGE)}
        if cursor is not None:
            query["min_id"] = cursor
        own = wire.id_of(self._me().get("id"))
        found = self._list("/api/v1/notifications", query)
        items = [one for one in (wire.notification_of(body, own) for body in found) if one is not None]
        newest = next((last for body in found if (last := wire.id_of(body.get("id")))), None)
        return NotificationPage(tuple(reversed(items)), newest or cursor)

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of posts, 20 a call; servers before Mastodon 4.3 are asked for one at a time."""
        counted: dict[str, PostMetrics] = {}
        for start in range(0, len(ids), _MOST_A_CALL):
            part = list(ids[start : start + _MOST_A_CALL])
            counted.update({one.id: one for one in map(wire.metrics_of, self._statuses(part))})
        return [counted.get(one) or PostMetrics(id=one, is_gone=True) for one in ids]

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the counts of the account."""
        found = self._verify(None)
        counts = [count_of(found.get(f"{name}_count")) for name in ("followers", "following", "statuses")]
        return AccountMetrics(followers=counts[0], following=counts[1], posts=counts[2])

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the account's statuses, replies too, without boosts."""
        query: dict[str, Any] = {"limit": min(limit, _PAGE), "exclude_reblogs": "true"}
        page = self._list(self._statuses_path(), query if cursor is None else {**query, "max_id": cursor})
        last = wire.id_of(page[-1].get("id")) if page else ""
        return OwnPostPage(tuple(one for one in map(wire.own_of, page) if one is not None), last or None)

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one status. Raises Vanished."""
        found = wire.own_of(self._call("GET", _status(post_id)))
        if found is None:
            raise base.Uncertain("the server's answer is no status")
        return found

    def trends(self, account: Account, *, limit: int) -> list[str]:
        """Return the hashtags that are used most, without their sign."""
        found = self._list("/api/v1/trends/tags", {"limit": min(limit, _MOST_A_CALL)})
        return [name for one in found if (name := wire.name_of(one.get("name")))][:limit]

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a status; of a like or a boost the page of the status that has it."""
        if found.action in (POST.name, COMMENT.name, EDIT.name):
            return f"{self._pages}/statuses/{quote(found.id, safe='')}"
        if found.action in (LIKE.name, REPOST.name) and (found.target or found.id):
            return f"{self._pages}/statuses/{quote(found.target or found.id, safe='')}"
        return None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the pictures of a post and wait until the server has processed them. Raises UploadPending, Refused."""
        if not isinstance(action.payload, PostPayload):
            return None
        pictures = pictures_of(action.payload, at_most=PICTURES.most)
        if not pictures:
            return None
        end_s = clock.monotonic_s() + timeout_s
        sent: list[dict[str, Any]] = [dict(one) for one in action.uploads.get("media", ())]
        for one in pictures[len(sent) :]:
            left_s = end_s - clock.monotonic_s()
            if sent and left_s < timeout_s / 2:  # what was sent is stored before time is short
                raise _pending(sent, 0.0)
            file = self._media.fit(read_data_url(one.url), PICTURES)
            part = {"file": (f"picture.{file.content_type.rpartition('/')[2]}", file.data, file.content_type)}
            form = {"description": one.alt_text[: PICTURES.alt_text]} if one.alt_text else None
            response = self._send("POST", "/api/v2/media", left_s, files=part, form=form)
            found = wire.id_of(body_of(response).get("id"))
            if not found:
                raise base.Uncertain("the server's answer names no media")
            sent.append({"id": found, "is_ready": response.status_code != 202})
        for waiting in (one for one in sent if not one["is_ready"]):
            left_s = end_s - clock.monotonic_s()
            waiting["is_ready"] = left_s > 0 and self._send("GET", _media(waiting["id"]), left_s).status_code != 206
        if not all(one["is_ready"] for one in sent):
            raise _pending(sent, _PROCESSING_S)
        return {"media": sent}

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        match action.payload:
            case PostPayload() as post:
                return self._post(action, post, timeout_s)
            case CommentPayload() as comment:
                return self._comment(action, comment, timeout_s)
            case LikePayload(target):
                self._require_welcome(_status(target), timeout_s)
                return self._set(target, f"{_status(target)}/favourite", timeout_s)
            case UnlikePayload(target):
                return self._set(target, f"{_status(target)}/unfavourite", timeout_s)
            case RepostPayload(target):
                body = self._call("POST", f"{_status(target)}/reblog", timeout_s, json={})
                return Receipt(wire.status_id(body))
            case UnrepostPayload(target):
                return self._set(target, f"{_status(target)}/unreblog", timeout_s)
            case FollowPayload(target):
                self._require_welcome(_account(target), timeout_s)
                return self._set(target, f"{_account(target)}/follow", timeout_s)
            case UnfollowPayload(target):
                return self._set(target, f"{_account(target)}/unfollow", timeout_s)
            case EditPayload() as edit:
                return self._edit(edit, timeout_s)
            case DeletePayload(target):
                return self._delete(target, timeout_s)
            case ProvisionPayload() | DeprovisionPayload() as request:
                return self._introduce(action.account, isinstance(request, ProvisionPayload), timeout_s)
        raise base.Refused(f"Mastodon has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for a post or a reply among the statuses since `since`; None if it is not there.

        The clocks may differ by ten minutes. Each status that could be it is compared by its source.
        """
        match action.payload:
            case PostPayload() as post:
                wanted, target = post.text, post.follows
            case CommentPayload() as comment:
                wanted, target = comment.text, comment.target
            case _:
                return None
        for status in self._own_statuses(since - _CLOCK_SKEW):
            found = wire.id_of(status.get("id"))
            if not found or found in known or wire.id_of(status.get("in_reply_to_id")) != target:
                continue
            source = self._call("GET", f"{_status(found)}/source")
            if _is_same(text_of(source.get("text")), wanted, is_reply=isinstance(action.payload, CommentPayload)):
                return Receipt(found, {"adopted": True})
        return None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _post(self, action: AnyAction, post: PostPayload, timeout_s: float) -> Receipt:
        if post.video is not None:
            raise base.Refused("this adapter posts no videos")
        visibility = _VISIBILITIES.get(post.visibility, post.visibility)
        request: dict[str, Any] = {"status": post.text, "visibility": visibility}
        ids = [one["id"] for one in action.uploads.get("media", ())]
        optional = {
            "media_ids": ids, "spoiler_text": post.warning, "language": post.language.partition("-")[0].lower(),
            "in_reply_to_id": post.follows, "quoted_status_id": post.quoted,
        }  # fmt: skip
        request |= {name: value for name, value in optional.items() if value}
        if post.quoted and not self._has_quotes():
            raise base.Refused("this server has no quotes: it is older than Mastodon 4.5")
        try:
            return self._publish(action, request, timeout_s)
        except base.Refused:
            if ids and self._is_lost(ids, timeout_s):
                raise base.UploadsLost("the server no longer has the pictures, or has not processed them") from None
            raise

    def _comment(self, action: AnyAction, comment: CommentPayload, timeout_s: float) -> Receipt:
        """Reply to a status. Its author is mentioned: without that the server notifies nobody."""
        status = self._require_welcome(_status(comment.target), timeout_s)
        acct, own = wire.name_of(_author(status).get("acct")), wire.name_of(self._me().get("acct"))
        is_named = not acct or acct == own or f"@{acct.lower()}" in comment.text.lower()
        request: dict[str, Any] = {
            "status": comment.text if is_named else f"@{acct} {comment.text}",
            "in_reply_to_id": comment.target,
        }
        visibility, warning = text_of(status.get("visibility"), 20), text_of(status.get("spoiler_text"), 500)
        if visibility in ("unlisted", "private", "direct"):  # an answer is no more public than what it answers
            request["visibility"] = visibility
        if warning:
            request["spoiler_text"] = warning
        return self._publish(action, request, timeout_s)

    def _publish(self, action: AnyAction, request: dict[str, Any], timeout_s: float) -> Receipt:
        headers = {"Idempotency-Key": action.key}
        body = self._call("POST", "/api/v1/statuses", timeout_s, json=request, headers=headers)
        return Receipt(wire.status_id(body))

    def _set(self, target: str, path: str, timeout_s: float) -> Receipt:
        self._call("POST", path, timeout_s, json={})
        return Receipt(target)

    def _edit(self, edit: EditPayload, timeout_s: float) -> Receipt:
        """Replace the text. Pictures and warning stay: an edit that does not name them would remove them."""
        before = self._before(_status(edit.target), timeout_s)
        request: dict[str, Any] = {"status": edit.text}
        ids = [wire.id_of(one.get("id")) for one in dicts_of(before.get("media_attachments"))]
        kept = {"media_ids": ids, "spoiler_text": text_of(before.get("spoiler_text"), 500)}
        request |= {name: value for name, value in kept.items() if value}
        return Receipt(wire.status_id(self._call("PUT", _status(edit.target), timeout_s, json=request)))

    def _delete(self, target: str, timeout_s: float) -> Receipt:
        try:
            self._call("DELETE", _status(target), timeout_s)
        except base.Vanished:
            return Receipt(target, {"was": "gone already"})
        return Receipt(target)

    def _introduce(self, account: Account, is_ours: bool, timeout_s: float) -> Receipt:
        """Mark the account as a bot, with the line about Fleet in its bio; or take that line out of it."""
        before = self._before("/api/v1/accounts/verify_credentials", timeout_s)
        note = text_of(dict_of(before.get("source")).get("note"), 5_000)
        own = "\n\n".join(part for part in (one.strip() for one in note.split("\n\n")) if part and part != account.bio)
        lines = [account.bio, own] if is_ours and account.bio else [own]
        form = {"note": "\n\n".join(line for line in lines if line)[:500]}
        if is_ours:
            form["bot"] = "true"
        body = self._call("PATCH", "/api/v1/accounts/update_credentials", timeout_s, form=form)
        return Receipt(wire.id_of(body.get("id")) or None, {"bot": body.get("bot") is True})

    def _require_welcome(self, path: str, timeout_s: float) -> dict[str, Any]:
        """Return the status or account that a write is about. Raises Refused where its owner keeps bots off."""
        found = self._before(path, timeout_s)
        if wire.keeps_bots_off(_author(found) or found):
            raise base.Refused("the other account keeps bots off: #nobot in its bio")
        return found

    def _before(self, path: str, timeout_s: float) -> dict[str, Any]:
        """Read what a write depends on. Raises Unreachable for a lost answer: nothing was written yet."""
        try:
            return self._call("GET", path, timeout_s)
        except base.Uncertain as error:
            raise base.Unreachable(f"nothing was sent: {error}") from error

    # Calls

    def _statuses(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return self._list("/api/v1/statuses", {"id[]": list(ids)})
        except base.Vanished:
            found = []
        for one in ids:
            try:
                found.append(self._call("GET", _status(one)))
            except base.Vanished:
                continue
        return found

    def _own_statuses(self, since: datetime) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"limit": _PAGE, "exclude_reblogs": "true"}
        for _ in range(_PROBE_PAGES):
            page = self._list(self._statuses_path(), query)
            for status in page:
                at = wire.created_at(status)
                if at is None or at >= since:
                    yield status
            oldest = min((at for at in map(wire.created_at, page) if at is not None), default=None)
            if not page or (oldest is not None and oldest < since):
                return
            query["max_id"] = wire.id_of(page[-1].get("id"))
        raise base.Uncertain("the account has too many statuses to say that one is not among them")

    def _statuses_path(self) -> str:
        return f"{_account(wire.id_of(self._me().get('id')))}/statuses"

    def _is_lost(self, ids: Sequence[str], timeout_s: float) -> bool:
        """Return whether the server has no usable media of these ids: what it refuses a status for without a code."""
        for one in ids:
            try:
                if self._send("GET", _media(one), timeout_s).status_code == 206:
                    return True
            except (base.Vanished, base.Refused):
                return True
            except base.AdapterError:
                return False
        return False

    def _server(self) -> dict[str, Any]:
        read_s, found = self._instance
        if not found or clock.monotonic_s() - read_s > _INSTANCE_S:
            found = self._call("GET", "/api/v2/instance")
            self._instance = clock.monotonic_s(), found
        return found

    def _has_quotes(self) -> bool:
        try:
            versions = dict_of(self._server().get("api_versions"))
        except base.Uncertain as error:
            raise base.Unreachable(f"nothing was sent: {error}") from error
        return (count_of(versions.get("mastodon")) or 0) >= _QUOTES_SINCE

    def _me(self) -> dict[str, Any]:
        if not self._own:
            try:
                self._own = self._verify(None)
            except base.Uncertain as error:
                raise base.Unreachable(f"nothing was sent: {error}") from error
        return self._own

    def _verify(self, timeout_s: float | None) -> dict[str, Any]:
        return self._call("GET", "/api/v1/accounts/verify_credentials", timeout_s)

    def _list(self, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        return wire.list_of(self._send("GET", path, None, params=query))

    def _call(self, method: str, path: str, timeout_s: float | None = None, **request: Any) -> dict[str, Any]:
        return body_of(self._send(method, path, timeout_s, **request))

    def _send(self, method: str, path: str, timeout_s: float | None, *, headers: Mapping[str, str] | None = None,
              **request: Any) -> Response:  # fmt: skip
        """Make one call with the account's token. Raises an AdapterError.

        A token that ended in flight is renewed for the next call: nothing is sent twice here.
        """
        token = self._bearer.token()
        with_token = {"Authorization": f"Bearer {token}", **(headers or {})}
        response = self._http.request(method, path, headers=with_token, timeout_s=timeout_s, **request)
        if response.is_success:
            return response
        if response.status_code == 401 and self._bearer.after_refusal(token) != token:
            raise base.Throttled("the access token had ended; it is renewed", retry_after_s=1.0)
        raise self._error(response, method)

    def _error(self, response: Response, method: str) -> base.AdapterError:
        error = wire.error_of(response)
        if response.status_code != 403 or method == "GET" or not isinstance(error, base.Refused):
            return error
        try:
            self._verify(None)
        except base.AdapterError as other:
            # The account itself is closed to us, whatever it wanted to write.
            return base.TokenRefused(f"the account is stopped by its server: {other}") if _is_no(other) else error
        return error


def _is_no(error: base.AdapterError) -> bool:
    return isinstance(error, base.Refused | base.TokenRefused)


def _pending(sent: Sequence[dict[str, Any]], retry_after_s: float) -> base.UploadPending:
    return base.UploadPending("the server processes the pictures", uploads={"media": list(sent)},
                              retry_after_s=retry_after_s)  # fmt: skip


def _author(status: dict[str, Any]) -> dict[str, Any]:
    return dict_of((dict_of(status.get("reblog")) or status).get("account"))


def _status(found: str) -> str:
    return f"/api/v1/statuses/{quote(found, safe='')}"


def _account(found: str) -> str:
    return f"/api/v1/accounts/{quote(found, safe='')}"


def _media(found: str) -> str:
    return f"/api/v1/media/{quote(found, safe='')}"


def _is_same(source: str, wanted: str, *, is_reply: bool) -> bool:
    """Return whether a status has the wanted text; a reply may begin with the name of the author it answers."""
    source, wanted = " ".join(source.split()), " ".join(wanted.split())
    first, _, rest = source.partition(" ")
    return source == wanted or (is_reply and first.startswith("@") and rest == wanted)
