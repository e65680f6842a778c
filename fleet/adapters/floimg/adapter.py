"""The FloImg gallery (the FSC API): every call, header and status code that Fleet uses.

How an unknown outcome is resolved: an account by inviting again (the invitation is idempotent), a post or comment by
looking for it, a like by the answer itself, since liking toggles and the answer says which way. Reactions and friend
requests are no part of that API: a server that has them declares it, and repeating one has no effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from fleet.adapters import base
from fleet.adapters.answers import aware, body_of
from fleet.adapters.base import LONGEST_ID, Account, AnyAction, Receipt, Resolution, SurfaceObject
from fleet.adapters.floimg.answers import comments_of, error_of, parsed
from fleet.adapters.floimg.wire import Capabilities, Comment, WirePost, WireUser
from fleet.adapters.http import MAX_JSON_BYTES, HttpClient
from fleet.adapters.social import (
    COMMENT,
    CONNECT,
    DEPROVISION,
    LIKE,
    POST,
    PROVISION,
    REACT,
    CommentPayload,
    ConnectPayload,
    DeprovisionPayload,
    FeedItem,
    LikePayload,
    Offers,
    OwnPost,
    OwnPostPage,
    PostPayload,
    ProvisionPayload,
    ReactionPayload,
    SaidComment,
)
from fleet.core import logs
from fleet.core.errors import InvalidInput

TITLE_CHARS = 200
_PAGE = 100
_PROBE_PAGES = 20
_CLOCK_SKEW = timedelta(minutes=10)

log = logs.get(__name__)


class FloImg:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "floimg"
    actions: Mapping[str, Resolution] = {
        POST.name: Resolution.PROBE,
        COMMENT.name: Resolution.PROBE,
        LIKE.name: Resolution.NATURAL,
        REACT.name: Resolution.NATURAL,
        CONNECT.name: Resolution.NATURAL,
        PROVISION.name: Resolution.NATURAL,
        DEPROVISION.name: Resolution.NATURAL,
    }

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        except ValueError:
            parts, port = urlsplit(""), 0
        if not port or not parts.hostname or "@" in parts.netloc:
            raise InvalidInput(
                f"The gallery's address is not a URL: {logs.mask(url)!r}.", fix="Write it as https://host."
            )
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, port
        self._pages = url.rstrip("/")
        self.third_party = self.host not in ("127.0.0.1", "localhost", "::1")
        told = {"Authorization": f"Bearer {token}"}
        self._http = HttpClient(url, timeout_s=timeout_s, headers=told, most_bytes=MAX_JSON_BYTES)
        self._offers: Offers | None = None

    def offers(self) -> Offers:
        """Return the capabilities of this server beyond the FSC API; requested once.

        Raises an AdapterError while it is down.
        """
        if self._offers is None:
            try:
                body = self._call("GET", "/api/capabilities", None)
            except (base.Vanished, base.Refused):  # the standard API has no such route
                body = {}
            self._offers = parsed(Capabilities, body).offers()
        return self._offers

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the newest posts, at most `limit`; those for friends too if they are requested and there are any.

        A server without friends is asked for public posts. Posts that no job could be about are left out.
        """
        wanted = audience if audience != "public" and audience in self.offers().visibilities else "public"
        items = self._page(account, limit=limit, offset=0, audience=wanted)
        return [item.seen() for item in items[:limit] if len(item.id) <= LONGEST_ID]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return a post's first comments, at most `limit`. Raises Vanished."""
        path = f"/api/showcase/{quote(item_id, safe='')}/comments"
        body = self._call("GET", path, _reader(account), params={"limit": limit, "offset": 0})
        return [parsed(Comment, comment).said() for comment in comments_of(body)[:limit]]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        body = self._call("GET", f"/api/showcase/{quote(item_id, safe='')}", _reader(account))
        return parsed(WirePost, body.get("item", body.get("showcaseItem", body))).seen()

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the feed, of which the posts of these users are kept: a service has many users here."""
        offset = int(cursor or 0)
        items = self._page(account, limit=min(limit, _PAGE), offset=offset)
        own = tuple(_own(one) for one in items if one.user.username in authors)
        following = str(offset + len(items)) if len(items) >= min(limit, _PAGE) else None
        return OwnPostPage(own, following, aware(items[-1].created_at) if items else None)

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one post, read as its author, who sees those that are not public. Raises Vanished."""
        body = self._call("GET", f"/api/showcase/{quote(post_id, safe='')}", _reader(account))
        return _own(parsed(WirePost, body.get("item", body.get("showcaseItem", body))))

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make one write. Raises an AdapterError."""
        match action.payload:
            case PostPayload() as post:
                return self._post(action, post, timeout_s)
            case CommentPayload() as comment:
                return self._comment(action, comment, timeout_s)
            case LikePayload(target):
                return self._like(action, target, timeout_s)
            case ReactionPayload() as reaction:
                return self._react(action, reaction, timeout_s)
            case ConnectPayload() as request:
                return self._connect(action, request, timeout_s)
            case ProvisionPayload():
                return self._invite(action.account, timeout_s)
            case DeprovisionPayload():
                return self._remove(action.account, timeout_s)
        raise base.Refused(f"FloImg's API has no {action.type.noun}")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of a write sent at or after `since`; None if it is surely not there.

        Effects in `known` belong to other jobs. The surface's clock may differ from ours by ten minutes.
        """
        match action.payload:
            case PostPayload(text):
                found = (i for i in self._own_items(action.account, since - _CLOCK_SKEW)
                         if i.id not in known and _same(i.description, text))  # fmt: skip
                item = next(found, None)
                return None if item is None else Receipt(item.id, {"adopted": True})
            case CommentPayload(target):
                own = (c for c in self._comments(action.account, target) if c.user.username == action.account.username)
                try:
                    comment = next((c for c in own if c.id not in known), None)
                except base.Vanished:  # the post, and with it all comments on it
                    return None
                return None if comment is None else Receipt(comment.id, {"adopted": True})
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post, a comment or an account; of a reaction, the page of the post that has it."""
        if found.action in (POST.name, LIKE.name, REACT.name):
            return f"{self._pages}/p/{quote(found.id, safe='')}"
        if found.action == COMMENT.name and found.target:
            return f"{self._pages}/p/{quote(found.target, safe='')}#c-{quote(found.id, safe='')}"
        if found.action == PROVISION.name:
            return f"{self._pages}/u/{quote(found.username, safe='')}"
        return None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    # Writes

    def _post(self, action: AnyAction, post: PostPayload, timeout_s: float) -> Receipt:
        request = {"imageUrl": post.image_url, "title": post.text[:TITLE_CHARS], "description": post.text}
        # The surface's validator refuses nulls: leave out unknown values.
        if post.alt_text:
            request["altText"] = post.alt_text
        if post.visibility != "public":
            request["visibility"] = post.visibility
        body = self._call("POST", "/api/showcase", action.account, json=request, key=action.key, timeout_s=timeout_s)
        return Receipt(parsed(WirePost, body.get("showcaseItem")).id)

    def _comment(self, action: AnyAction, comment: CommentPayload, timeout_s: float) -> Receipt:
        body = self._call(
            "POST", _comments_path(comment.target), action.account, json={"content": comment.text}, key=action.key,
            timeout_s=timeout_s,
        )  # fmt: skip
        return Receipt(parsed(Comment, body.get("comment")).id)

    def _like(self, action: AnyAction, target: str, timeout_s: float) -> Receipt:
        """Leave the post liked. The answer "not liked" means that it was liked before: like it once more."""
        path = f"/api/showcase/{quote(target, safe='')}/like"
        for turn in range(3):
            body = self._call("POST", path, action.account, json={}, key=f"{action.key}:{turn}", timeout_s=timeout_s)
            if body.get("liked") is True:
                likes = body.get("likeCount")
                return Receipt(target, {"likes": likes if type(likes) is int else None, "restored": turn > 0})
            log.info("like_was_there_already", job_id=action.key)
        raise base.Uncertain("the surface does not say that the post is liked")

    def _react(self, action: AnyAction, reaction: ReactionPayload, timeout_s: float) -> Receipt:
        path = f"/api/showcase/{quote(reaction.target, safe='')}/reaction"
        self._call(
            "POST", path, action.account, json={"type": reaction.reaction}, key=action.key, timeout_s=timeout_s
        )  # fmt: skip
        return Receipt(reaction.target, {"reaction": reaction.reaction})

    def _connect(self, action: AnyAction, wish: ConnectPayload, timeout_s: float) -> Receipt:
        path = f"/api/users/{quote(wish.target, safe='')}/connect"
        request = {"message": wish.text} if wish.text else {}
        body = self._call("POST", path, action.account, json=request, key=action.key, timeout_s=timeout_s)
        told = body.get("connection")
        state = told.get("state") if isinstance(told, dict) else None
        return Receipt(wish.target, {"state": state[:60] if isinstance(state, str) else None})

    def _invite(self, account: Account, timeout_s: float) -> Receipt:
        request = {
            "agentId": account.agent_id, "name": account.name, "username": account.username, "isAgent": True,
            "agentPersonaId": account.persona_id, "bio": account.bio or None,
        }  # fmt: skip
        request = {name: value for name, value in request.items() if value is not None}
        body = self._call("POST", "/api/admin/users/invite", None, json=request, timeout_s=timeout_s)
        user = body.get("user", body)
        return Receipt(parsed(WireUser, user).id or account.username, {"created": bool(user.get("created"))})

    def _remove(self, account: Account, timeout_s: float) -> Receipt:
        remote_id = account.remote_id
        if remote_id is None:
            return Receipt(None, {"was": "never provisioned"})
        try:
            self._call("DELETE", f"/api/admin/users/{quote(remote_id, safe='')}", None, timeout_s=timeout_s)
        except base.Vanished:
            return Receipt(remote_id, {"was": "gone already"})
        return Receipt(remote_id)

    # Reads

    def _page(self, account: Account, *, limit: int, offset: int, audience: str = "public") -> list[WirePost]:
        query: dict[str, Any] = {"limit": limit, "offset": offset, "sort": "recent"}
        if audience != "public":
            query["audience"] = audience
        body = self._call("GET", "/api/showcase", _reader(account), params=query)
        items = body.get("items")
        if not isinstance(items, list):
            raise base.Uncertain("the surface's feed has no items")
        return [parsed(WirePost, item) for item in items]

    def _own_items(self, account: Account, since: datetime) -> Iterator[WirePost]:
        for page in range(_PROBE_PAGES):
            items = self._page(account, limit=_PAGE, offset=page * _PAGE)
            yield from (item for item in items if item.user.username == account.username)
            if len(items) < _PAGE or aware(items[-1].created_at) < since:
                return
        raise base.Uncertain("the feed is too long to say that a post is not in it")

    def _comments(self, account: Account, target: str) -> Iterator[Comment]:
        for page in range(_PROBE_PAGES):
            query = {"limit": _PAGE, "offset": page * _PAGE}
            body = self._call("GET", _comments_path(target), account, params=query)
            comments = [parsed(Comment, comment) for comment in comments_of(body)]
            yield from comments
            if len(comments) < _PAGE:
                return
        raise base.Uncertain("there are too many comments to say that one is not among them")

    def _call(self, method: str, path: str, account: Account | None, *, key: str | None = None,
              timeout_s: float | None = None, **request: Any) -> dict[str, Any]:  # fmt: skip
        headers = {"X-Agent-Id": account.username} if account else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        response = self._http.request(method, path, headers=headers, timeout_s=timeout_s, **request)
        body = body_of(response)
        if response.is_success:
            return body
        raise error_of(response, body, as_agent=account is not None)


def _reader(account: Account) -> Account | None:
    """Return the user as which to read: without an account (in a dry run) the service itself reads."""
    return account if account.remote_id is not None else None


def _own(post: WirePost) -> OwnPost:
    return OwnPost(
        id=post.id, text=post.description or post.title or "", created_at=post.created_at, author=post.user.username
    )


def _comments_path(post_id: str) -> str:
    return f"/api/showcase/{quote(post_id, safe='')}/comments"


def _same(remote: str | None, ours: str) -> bool:
    return (remote or "").strip() == ours.strip()
