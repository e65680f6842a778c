"""X, API v2: every call that Fleet uses.

How an unknown outcome is resolved: a post or reply by the account's own newest posts; a refusal as a duplicate says
that such a post exists. Deleting, reposting and its opposite can be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, aware, count_of, dict_of, dicts_of, moment_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.manifest import AccountAccess, MediaFile, MediaRule, OAuth
from fleet.adapters.network import (
    ADOPTED,
    CLOCK_SKEW,
    CallDeadline,
    NetworkAdapter,
    NetworkToken,
    before_the_write,
    since_of,
)
from fleet.adapters.social import (
    AccountMetrics,
    CommentPayload,
    DeletePayload,
    FeedItem,
    Media,
    Notification,
    NotificationKind,
    NotificationPage,
    OwnPost,
    OwnPostPage,
    PostMetrics,
    PostPayload,
    RepostPayload,
    SaidComment,
    UnrepostPayload,
    pictures_of,
    read_data_url,
)
from fleet.adapters.x import uploads
from fleet.adapters.x.answers import (
    Duplicate,
    error_of,
    item_of,
    metrics_of,
    problem_of,
    reply_target,
    same,
    shown_text,
    users_of,
)

OAUTH = OAuth(
    authorize_url="https://x.com/i/oauth2/authorize",
    token_url="{address}/2/oauth2/token",  # noqa: S106 - an address
    revoke_url="{address}/2/oauth2/revoke",
    scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
    rotates=True,
)
PICTURES = MediaRule(
    most=4, types=("image/jpeg", "image/png", "image/webp"), most_bytes=5_000_000, best_ratio=16 / 9, alt_text=1000
)
_FIELDS = "created_at,entities,note_tweet,referenced_tweets,author_id,public_metrics"
_USERS = {"expansions": "author_id", "user.fields": "username,name"}
_PAGE, _PROBE_PAGES, _MENTION_PAGES = 100, 20, 8


class XToken(NetworkToken):
    """The credentials of an account of X."""

    user_id: str = ""


class X(NetworkAdapter[XToken]):
    """The adapter of one account."""

    name = "x"
    credentials = XToken
    oauth = OAUTH
    actions: Mapping[str, Resolution] = {
        "post": Resolution.PROBE, "comment": Resolution.PROBE, "delete": Resolution.NATURAL,
        "repost": Resolution.NATURAL, "unrepost": Resolution.NATURAL, "provision": Resolution.NATURAL,
        "deprovision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._user_id = self._settings.user_id

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account of the access token."""
        found = dict_of(self._call("GET", "/2/users/me", timeout_s=timeout_s).get("data"))
        name = text_of(found.get("username"), LONGEST_NAME_CHARS)
        user_id = text_of(found.get("id"), base.LONGEST_ID)
        if not user_id:
            raise base.Uncertain("X does not say whose token it is")
        return RemoteAccount(id=user_id, username=name, url=f"https://x.com/{quote(name, safe='')}")

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the newest posts of the accounts that this one follows."""
        path = f"/2/users/{self._own(account)}/timelines/reverse_chronological"
        query = {"max_results": max(1, min(limit, _PAGE)), "tweet.fields": _FIELDS, **_USERS}
        body = self._call("GET", path, params=query)
        return [item_of(one, users_of(body)) for one in dicts_of(body.get("data"))][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return replies to a post of the last seven days, at most `limit`."""
        query = {
            "query": f"conversation_id:{_number(item_id)}", "max_results": max(10, min(limit, _PAGE)),
            "tweet.fields": _FIELDS, **_USERS,
        }  # fmt: skip
        body = self._call("GET", "/2/tweets/search/recent", params=query)
        items = [item_of(one, users_of(body)) for one in dicts_of(body.get("data"))]
        return [SaidComment(one.id, one.author, one.author_name, one.caption, created_at=one.created_at)
                for one in items][:limit]  # fmt: skip

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        body = self._tweet(item_id, self._timeout_s)
        return item_of(dict_of(body.get("data")), users_of(body))

    def notifications(self, account: Account, *, cursor: str | None, limit: int) -> NotificationPage:
        """Return mentions of the account that are newer than `cursor`, oldest first. X has the newest 800."""
        path = f"/2/users/{self._own(account)}/mentions"
        query: dict[str, Any] = {"max_results": _PAGE, "tweet.fields": _FIELDS, **_USERS}
        query |= {"since_id": cursor} if cursor else {}
        found: list[Notification] = []
        for body in self._pages(path, query, _MENTION_PAGES):
            found += [_mention(one, users_of(body)) for one in dicts_of(body.get("data"))]
        oldest = tuple(reversed(found))[:limit]
        return NotificationPage(oldest, oldest[-1].id if oldest else cursor)

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the account's posts, replies too, without reposts."""
        query: dict[str, Any] = {"max_results": max(5, min(limit, _PAGE)), "tweet.fields": _FIELDS,
                                 "exclude": "retweets"}  # fmt: skip
        body = self._call("GET", f"/2/users/{self._own(account)}/tweets",
                          params={**query, "pagination_token": cursor} if cursor else query)  # fmt: skip
        following = text_of(dict_of(body.get("meta")).get("next_token"), 200) or None
        return OwnPostPage(tuple(_own_post(one) for one in dicts_of(body.get("data"))), following)

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one post. Raises Vanished."""
        return _own_post(dict_of(self._tweet(post_id, self._timeout_s).get("data")))

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of posts."""
        found: list[PostMetrics] = []
        for start in range(0, len(ids), _PAGE):
            part = ids[start : start + _PAGE]
            query = {"ids": ",".join(_number(one) for one in part), "tweet.fields": "public_metrics"}
            try:
                body = self._call("GET", "/2/tweets", params=query)
            except base.Vanished:  # all of them
                body = {}
            known = {one.id: one for one in map(metrics_of, dicts_of(body.get("data")))}
            found += [known.get(one) or PostMetrics(id=one, is_gone=True) for one in part]
        return found

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the counts of the account."""
        body = self._call("GET", "/2/users/me", params={"user.fields": "public_metrics"})
        counts = dict_of(dict_of(body.get("data")).get("public_metrics"))
        return AccountMetrics(
            followers=count_of(counts.get("followers_count")), following=count_of(counts.get("following_count")),
            posts=count_of(counts.get("tweet_count")),
        )  # fmt: skip

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post or an account."""
        if found.action in ("post", "comment", "repost"):
            return f"https://x.com/i/status/{quote(found.id, safe='')}"
        return f"https://x.com/{quote(found.username, safe='')}" if found.action == "provision" else None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the pictures or the video of a post."""
        post = action.payload
        if not isinstance(post, PostPayload):
            return None
        pictures = pictures_of(post, at_most=PICTURES.most, video=True)
        files = [partial(self._load, one) for one in (*pictures, *([post.video] if post.video else []))]
        if not files:
            return None
        return uploads.send_all(self._call, files, action.uploads, CallDeadline(timeout_s))

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look among the account's own posts; None if the post or reply is surely not there."""
        if not isinstance(action.payload, PostPayload | CommentPayload):
            return None
        own = self._own_posts(action, since_of(action, since))
        found = next((one for one in own if text_of(one.get("id"), 30) not in known), None)
        return None if found is None else Receipt(text_of(found.get("id"), 30), ADOPTED)

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case PostPayload() as post:
                return self._create(action, self._request(post, action.uploads), deadline)
            case CommentPayload(target, text):
                with before_the_write():
                    self._require_summoned(action.account, target, deadline)
                reply = {"in_reply_to_tweet_id": _number(target)}
                return self._create(action, {"text": text, "reply": reply}, deadline)
            case DeletePayload(target):
                try:
                    self._call("DELETE", f"/2/tweets/{_number(target)}", timeout_s=deadline.left_s)
                except base.Vanished:
                    return Receipt(target, {"was": "gone already"})
                return Receipt(target)
            case RepostPayload(target):
                path = f"/2/users/{self._own(action.account)}/retweets"
                self._call("POST", path, json={"tweet_id": _number(target)}, timeout_s=deadline.left_s)
                return Receipt(target)
            case UnrepostPayload(target):
                path = f"/2/users/{self._own(action.account)}/retweets/{_number(target)}"
                self._call("DELETE", path, timeout_s=deadline.left_s)
                return Receipt(target)
        raise base.Refused(f"X's API has no {action.type.noun}")

    def _create(self, action: AnyAction, request: dict[str, Any], deadline: CallDeadline) -> Receipt:
        request = {**request, "made_with_ai": True}
        try:
            body = self._call("POST", "/2/tweets", json=request, timeout_s=deadline.left_s)
        except Duplicate as error:
            raise self._of_duplicate(action, error) from error
        post_id = text_of(dict_of(body.get("data")).get("id"), base.LONGEST_ID)
        if not post_id:
            raise base.Uncertain("X's answer has no id of the post")
        return Receipt(post_id)

    def _of_duplicate(self, action: AnyAction, error: Duplicate) -> base.AdapterError:
        """Return what a duplicate means: perhaps our post of an attempt before, which the probe then finds."""
        if action.created_at is None:
            return base.Uncertain(f"such a post exists: {error}")
        older = any(self._own_posts(action, action.created_at - 100 * CLOCK_SKEW, until=action.created_at - CLOCK_SKEW))
        newer = any(self._own_posts(action, action.created_at - CLOCK_SKEW))
        return error if older and not newer else base.Uncertain(f"such a post exists: {error}")

    def _request(self, post: PostPayload, uploaded: Mapping[str, Any]) -> dict[str, Any]:
        if post.visibility != "public":
            raise base.Refused("posts on X are public")
        request: dict[str, Any] = {"text": _text(post)}
        if uploaded.get("media"):
            request["media"] = {"media_ids": [one["id"] for one in uploaded["media"]]}
        if post.follows:
            request["reply"] = {"in_reply_to_tweet_id": _number(post.follows)}
        return request

    def _require_summoned(self, account: Account, target: str, deadline: CallDeadline) -> None:
        """Raise Refused unless the author of a post mentioned or quoted the account, or it is the account's own."""
        own, post = self._own(account), dict_of(self._tweet(target, deadline.left_s).get("data"))
        mentioned = {str(one.get("id")) for one in dicts_of(dict_of(post.get("entities")).get("mentions"))}
        if own in mentioned or str(post.get("author_id")) == own:
            return
        quoted = [one for one in dicts_of(post.get("referenced_tweets")) if one.get("type") == "quoted"]
        for one in quoted[:1]:
            origin = dict_of(self._tweet(text_of(one.get("id"), 30), deadline.left_s).get("data"))
            if str(origin.get("author_id")) == own:
                return
        raise base.Refused("X allows replies only to posts that mention or quote the account")

    # Help

    def _load(self, one: Media) -> tuple[MediaFile, str]:
        file = read_data_url(one.url)
        if not file.content_type.startswith("video/"):
            file = self._media.fit(file, PICTURES)
        return file, one.alt_text[: PICTURES.alt_text]

    def _own(self, account: Account) -> str:
        found = account.remote_id or self._user_id
        if not found:
            found = self._user_id = self.check(timeout_s=self._timeout_s).id
        return _number(found)

    def _tweet(self, item_id: str, timeout_s: float) -> dict[str, Any]:
        query = {"tweet.fields": _FIELDS, **_USERS}
        return self._call("GET", f"/2/tweets/{_number(item_id)}", params=query, timeout_s=timeout_s)

    def _own_posts(self, action: AnyAction, since: datetime, until: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Return the account's own posts that are as an action would make them, newest first."""
        payload = action.payload
        text = _text(payload) if isinstance(payload, PostPayload) else payload.words
        target = payload.target if isinstance(payload, CommentPayload) else getattr(payload, "follows", "") or None
        query: dict[str, Any] = {"max_results": _PAGE, "tweet.fields": _FIELDS, "start_time": _stamp(since)}
        query |= {"end_time": _stamp(until)} if until else {}
        for body in self._pages(f"/2/users/{self._own(action.account)}/tweets", query, _PROBE_PAGES):
            for one in dicts_of(body.get("data")):
                created = aware(moment_of(one.get("created_at")))
                if created >= since and reply_target(one) == target and same(shown_text(one), text):
                    yield one

    def _pages(self, path: str, query: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
        """Return the pages of a list. Raises Uncertain where it is longer than so many."""
        for _ in range(most):
            body = self._call("GET", path, params=query)
            yield body
            following = text_of(dict_of(body.get("meta")).get("next_token"), 200)
            if not following:
                return
            query = {**query, "pagination_token": following}
        if most == _PROBE_PAGES:
            raise base.Uncertain("the account has too many posts to say that one is not there")

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return error_of(response, body)

    def _is_failure(self, response: Response, body: dict[str, Any]) -> bool:
        return not response.is_success or ("data" not in body and bool(problem_of(body)))


def _own_post(found: dict[str, Any]) -> OwnPost:
    return OwnPost(id=text_of(found.get("id"), base.LONGEST_ID), text=shown_text(found),
                   created_at=moment_of(found.get("created_at")), is_reply=reply_target(found) is not None)  # fmt: skip


def _text(post: PostPayload) -> str:
    """Return a post's whole text: X has no content warnings, link cards come from addresses, and quotes are links."""
    quoted = f"https://x.com/i/status/{_number(post.quoted)}" if post.quoted else ""
    link = post.link.url if post.link is not None and post.link.url not in post.text else ""
    return "\n\n".join(one for one in (post.warning, post.text, link, quoted) if one)


def _number(value: str) -> str:
    """Return an id. Raises Vanished for one that X cannot have: it becomes a part of a path."""
    if not (value.isascii() and value.isdigit()):
        raise base.Vanished("this is no id of X")
    return value


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mention(post: dict[str, Any], users: dict[str, dict[str, Any]]) -> Notification:
    item, replied = item_of(post, users), reply_target(post)
    return Notification(
        id=item.id, kind=NotificationKind.REPLY if replied else NotificationKind.MENTION, author=item.author,
        author_id=item.author_id, author_name=item.author_name, item_id=item.id, about=replied, text=item.caption,
        created_at=item.created_at,
    )  # fmt: skip
