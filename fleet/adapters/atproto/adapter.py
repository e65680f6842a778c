"""The AT Protocol: every write is one record with a key of its own, so each happens once.

A post's key is a TID made from its job; a like, repost or follow has one made from its subject. `putRecord` with
`swapRecord: null` creates the record; the same content again changes nothing, and other content is refused. So an
unknown outcome is resolved by sending again. Posts and comments are looked for before: a person may have deleted one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, text_of
from fleet.adapters.atproto import keys, records, views
from fleet.adapters.atproto.keys import Uri
from fleet.adapters.atproto.manifest import PAGES, PICTURES, THUMB, WRITES
from fleet.adapters.atproto.session import PdsSession, SwapRefused, address_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, SurfaceObject
from fleet.adapters.manifest import AccountAccess, MediaRule
from fleet.adapters.social import (
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
    is_data_url,
    pictures_of,
    read_data_url,
)
from fleet.core.clock import SYSTEM
from fleet.core.errors import InvalidInput

_PUT, _DELETE, _GET = "com.atproto.repo.putRecord", "com.atproto.repo.deleteRecord", "com.atproto.repo.getRecord"
_LIST, _LATEST = "com.atproto.repo.listRecords", "com.atproto.sync.getLatestCommit"
_PAGE, _BATCH = 100, 25
_TRY_AGAIN_S = 1.0
_COLLECTIONS = {"like": keys.LIKE, "repost": keys.REPOST}
_OVERLAP = timedelta(days=1)
"""Older mentions are not answered anyway."""
_UNDONE_WITHIN = timedelta(minutes=10)
"""So soon after a write that may have happened, nobody has deleted it yet: it is sent again."""
_CLOCKS_APART = timedelta(minutes=1)
_FIRST = "1970-01-01T00:00:00.000Z"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class AtProto:
    """The adapter. One an account and process; safe to use from many threads."""

    name = "atproto"
    actions: Mapping[str, base.Resolution] = WRITES

    def __init__(self, access: AccountAccess) -> None:
        self.scheme, self.host, self.port = address_of(access.address)
        self.third_party = self.host not in ("127.0.0.1", "localhost", "::1")
        self._session = PdsSession(access)
        self._media = access.media

    def offers(self) -> Offers:
        """Return what every server has: public posts."""
        return Offers()

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the account that the credentials open, and whether its profile says that it is automated."""
        ends_s = time.monotonic() + timeout_s
        try:
            found = self._session.query("com.atproto.server.getSession", timeout_s)
        except base.Refused as error:  # of an account that was taken down, the server knows no session
            raise base.TokenRefused(str(error)) from error
        if found.get("active") is False:
            raise base.TokenRefused(f"the account is {text_of(found.get('status'), 40) or 'not active'}")
        did, handle = str(found.get("did", "")), text_of(found.get("handle"), 200)
        current = self._record(Uri(did, keys.PROFILE, "self"), max(0.1, ends_s - time.monotonic()))
        is_bot = current is not None and records.is_bot(dict_of(current.get("value")))
        return RemoteAccount(id=did, username=handle, url=f"{PAGES}/profile/{quote(did, safe=':')}", is_bot=is_bot)

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload pictures, and look up what the record refers to: accounts of mentions, versions of other posts."""
        ends_s = time.monotonic() + timeout_s

        def left_s() -> float:
            return max(0.1, ends_s - time.monotonic())

        found: dict[str, Any] = {}
        match action.payload:
            case CommentPayload(target, text):
                found["reply"] = self._reply_to(target, left_s())
                found |= self._mentions(text, left_s())
            case EditPayload(_, text):
                found |= self._mentions(text, left_s())
            case PostPayload() as post:
                found |= self._mentions(post.text, left_s())
                if post.follows:
                    found["reply"] = self._reply_to(post.follows, left_s())
                if post.quoted:
                    found["quoted"] = self._reference(post.quoted, left_s())
                pictures = pictures_of(post, at_most=PICTURES.most)
                if pictures:
                    found["pictures"] = [self._blob(one.url, PICTURES, left_s()) for one in pictures]
                elif post.link is not None and is_data_url(post.link.image_url):
                    found["thumb"] = self._blob(post.link.image_url, THUMB, left_s())
        return found or None

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Make the one write. Raises an AdapterError."""
        did = self._session.did(timeout_s)
        match action.payload:
            case PostPayload() | CommentPayload():
                return self._publish(did, action, _post_of(action), timeout_s)
            case LikePayload(target) | RepostPayload(target):
                return self._point_at(did, action, target, timeout_s)
            case UnlikePayload(target) | UnrepostPayload(target):
                return self._withdraw(did, action.type.name.removeprefix("un"), target, timeout_s)
            case FollowPayload(target):
                return self._follow(did, action, target, timeout_s)
            case UnfollowPayload(target):
                return self._unfollow(did, target, timeout_s)
            case DeletePayload(target):
                return self._delete(_own(did, target), timeout_s)
            case EditPayload(target, text):
                return self._edit(_own(did, target), text, action.uploads, timeout_s)
            case ProvisionPayload():
                return self._label(did, action.account, timeout_s)
            case DeprovisionPayload():
                self._session.end(timeout_s)
                return Receipt(did, {"kept": "the account, its posts and its label"})
        raise base.Refused(f"The AT Protocol has no action {action.type.name}.")

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Return the post or comment of an action, by its key; None if it may be sent again.

        Raises Refused for one that is not there, was sent more than ten minutes ago, and whose repository has changed
        since: either it never arrived, or somebody has deleted it, and sending it again would bring it back. The
        network keeps no trace of deleted records, so a person decides.
        """
        did = self._session.did(self._timeout_s())
        uri = self._uri_of(did, action)
        found = self._record(uri, self._timeout_s())
        if found is not None:
            if dict_of(found.get("value")).get("createdAt") != _created(action):
                raise base.Refused("another record has the key of this post")
            return None if str(uri) in known else Receipt(str(uri), {"adopted": True, "cid": found.get("cid")})
        if SYSTEM.now() - since <= _UNDONE_WITHIN:
            return None
        latest = keys.time_of(str(self._session.query(_LATEST, did=did).get("rev")))
        if latest is not None and latest < since - _CLOCKS_APART:
            return None
        raise base.Refused(
            "the post is not there, and its repository has changed since it was sent: a person may have deleted it"
        )

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post, a comment or an account at bsky.app, which shows the whole network."""
        subject = found.target if found.action in ("like", "repost") else found.id
        if not subject:
            return None
        if keys.is_did(subject):
            return f"{PAGES}/profile/{quote(subject, safe=':')}"
        try:
            uri = keys.parse(subject)
        except base.Refused:
            return None
        if uri.collection != keys.POST:
            return None
        return f"{PAGES}/profile/{quote(uri.repo, safe=':')}/post/{quote(uri.key, safe='')}"

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return the account's timeline: posts of those whom it follows, and its own, each once."""
        body = self._session.query("app.bsky.feed.getTimeline", limit=max(1, min(limit, _PAGE)))
        return _items(body)

    def author_feed(self, actor: str, *, limit: int) -> list[FeedItem]:
        """Return the latest posts of an account, by handle or DID."""
        params = {"actor": actor, "limit": max(1, min(limit, _PAGE)), "filter": "posts_no_replies"}
        return _items(self._session.query("app.bsky.feed.getAuthorFeed", **params))

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return the replies to a post, oldest first."""
        body = self._session.query("app.bsky.feed.getPostThread", uri=str(keys.parse(item_id)), depth=1, parentHeight=0)
        replies = [
            views.said_of(dict_of(one.get("post"))) for one in dicts_of(dict_of(body.get("thread")).get("replies"))
        ]
        found = sorted((one for one in replies if one is not None), key=lambda one: one.created_at or _NEVER)
        return found[:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        found = [views.item_of(one) for one in self._posts([item_id])]
        if not found or found[0] is None:
            raise base.Vanished("the post is not there")
        return found[0]

    def notifications(self, account: Account, *, cursor: str | None, limit: int) -> NotificationPage:
        """Return a page of what is newer than `cursor`, oldest first; without a cursor, the newest ones.

        The network gives newest first. Where more than a page is new, the following pages hold the older rest of it,
        and the cursor moves on once all of it was read.

        The network sorts by the time that a post's author claims, if it is earlier than when the post arrived. So what
        was said by a clock that is late, or arrived late, may be sorted below the cursor: a page also repeats what is
        up to `_OVERLAP` older than the cursor.
        """
        seen, top, older = [*(cursor or "").split(" "), "", ""][:3]
        params = {"limit": max(1, min(limit, _PAGE))} | ({"cursor": older} if older else {})
        body = self._session.query("app.bsky.notification.listNotifications", **params)
        listed = dicts_of(body.get("notifications"))
        times = [text_of(one.get("indexedAt"), 40) for one in listed]
        fresh = [one for one, when in zip(listed, times, strict=True) if when > seen]
        top = top or max([seen, *times]) or _FIRST  # an account without any: all that comes is new
        least = _earlier(seen)
        shown = [one for one, when in zip(listed, times, strict=True) if when > least]
        found = [one for one in map(views.notification_of, reversed(shown)) if one is not None]
        rest = text_of(body.get("cursor"), 300)
        is_all = not seen or len(fresh) < len(listed) or not rest or not listed
        return NotificationPage(tuple(found), top or None if is_all else f"{seen} {top} {rest}")

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of posts, in the order of their ids."""
        found = {one.id: one for one in map(views.metrics_of, self._posts(ids))}
        return [found.get(one, PostMetrics(id=one, is_gone=True)) for one in ids]

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the counts of the account."""
        did = self._session.did(self._timeout_s())
        body = self._session.query("app.bsky.actor.getProfile", actor=did)
        names = ("followersCount", "followsCount", "postsCount")
        followers, following, posts = (count_of(body.get(name)) for name in names)
        return AccountMetrics(followers=followers, following=following, posts=posts)

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of the posts in the account's repository, whatever an AppView shows of them."""
        params: dict[str, Any] = {"repo": self._session.did(self._timeout_s()), "collection": keys.POST}
        body = self._session.query(_LIST, **params, limit=max(1, min(limit, _PAGE)),
                                   **({"cursor": cursor} if cursor else {}))  # fmt: skip
        found = [one for one in map(views.own_of, dicts_of(body.get("records"))) if one is not None]
        return OwnPostPage(tuple(found), text_of(body.get("cursor"), 300) or None)

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one post of the account's repository. Raises Vanished."""
        uri = _own(self._session.did(self._timeout_s()), post_id)
        found = views.own_of({"uri": str(uri), **(self._record(uri, self._timeout_s()) or {"value": None})})
        if found is None:
            raise base.Vanished("the post is not in the repository")
        return found

    def _publish(self, did: str, action: AnyAction, record: dict[str, Any], timeout_s: float) -> Receipt:
        uri = self._uri_of(did, action)
        ends_s = time.monotonic() + timeout_s
        try:
            return self._put(uri, record, None, timeout_s)
        except SwapRefused:
            current = self._record(uri, max(0.1, ends_s - time.monotonic()))
        if current is None:
            raise base.Vanished("the post was deleted while it was sent again") from None
        if dict_of(current.get("value")).get("createdAt") != record["createdAt"]:
            raise base.Refused("another record has the key of this post")
        return Receipt(str(uri), {"cid": current.get("cid"), "edited": True})

    def _point_at(self, did: str, action: AnyAction, target: str, timeout_s: float) -> Receipt:
        """Like or repost: one record for each subject, whoever made it."""
        ends_s = time.monotonic() + timeout_s
        verb = action.type.name
        collection = _COLLECTIONS[verb]
        subject, own = self._subject(target, verb, timeout_s)
        uri = Uri(did, collection, keys.of_subject(verb, target))
        if own and own != str(uri):  # a person made it
            return Receipt(own, {"repeated": True})
        record = {"$type": collection, "subject": subject, "createdAt": _created(action)}
        try:
            return self._put(uri, record, None, max(0.1, ends_s - time.monotonic()))
        except SwapRefused:  # an earlier job's, or of an earlier version of the post
            return Receipt(str(uri), {"repeated": True})

    def _follow(self, did: str, action: AnyAction, target: str, timeout_s: float) -> Receipt:
        ends_s = time.monotonic() + timeout_s
        subject, own = self._actor(target, timeout_s)
        uri = Uri(did, keys.FOLLOW, keys.of_subject("follow", subject))
        if own and own != str(uri):
            return Receipt(own, {"repeated": True})
        record = {"$type": keys.FOLLOW, "subject": subject, "createdAt": _created(action)}
        try:
            return self._put(uri, record, None, max(0.1, ends_s - time.monotonic()))
        except SwapRefused:
            return Receipt(str(uri), {"repeated": True})

    def _withdraw(self, did: str, verb: str, target: str, timeout_s: float) -> Receipt:
        """Delete the like or repost of a subject: the one with our key, and one that a person made."""
        ends_s = time.monotonic() + timeout_s
        own = ""
        with contextlib.suppress(base.Vanished):
            _, own = self._subject(target, verb, timeout_s)
        return self._withdraw_both(Uri(did, _COLLECTIONS[verb], keys.of_subject(verb, target)), own, ends_s)

    def _unfollow(self, did: str, target: str, timeout_s: float) -> Receipt:
        ends_s = time.monotonic() + timeout_s
        subject, own = self._actor(target, timeout_s)
        return self._withdraw_both(Uri(did, keys.FOLLOW, keys.of_subject("follow", subject)), own, ends_s)

    def _withdraw_both(self, ours: Uri, own: str, ends_s: float) -> Receipt:
        receipt = self._delete(ours, max(0.1, ends_s - time.monotonic()))
        if own and own != str(ours) and (other := keys.parse(own)).repo == ours.repo:
            self._delete(other, max(0.1, ends_s - time.monotonic()))
        return receipt

    def _edit(self, uri: Uri, text: str, uploads: Mapping[str, Any], timeout_s: float) -> Receipt:
        ends_s = time.monotonic() + timeout_s
        current = self._record_before_write(uri, timeout_s)
        before = dict_of(current.get("value"))
        changed = records.post(text, str(before.get("createdAt", "")), uploads)
        record = {name: value for name, value in before.items() if name != "facets"} | changed
        if record == before:
            return Receipt(str(uri), {"cid": current.get("cid"), "repeated": True})
        try:
            return self._put(uri, record, str(current.get("cid")), max(0.1, ends_s - time.monotonic()))
        except SwapRefused as error:
            raise base.Throttled(f"the post was changed meanwhile: {error}", retry_after_s=_TRY_AGAIN_S) from error

    def _label(self, did: str, account: Account, timeout_s: float) -> Receipt:
        """Make the profile say that the account is automated, and by whom."""
        ends_s = time.monotonic() + timeout_s
        uri = Uri(did, keys.PROFILE, "self")
        try:
            current = self._record(uri, timeout_s)
        except base.Uncertain as error:
            raise base.Unreachable(f"nothing was sent: {error}") from error
        before = None if current is None else dict_of(current.get("value"))
        record = records.profile(before, account.name, account.bio)
        if record != before:
            cid = None if current is None else str(current.get("cid"))
            try:
                self._put(uri, record, cid, max(0.1, ends_s - time.monotonic()))
            except SwapRefused as error:
                why = f"the profile was changed meanwhile: {error}"
                raise base.Throttled(why, retry_after_s=_TRY_AGAIN_S) from error
        return Receipt(did, {"changed": record != before})

    def _put(self, uri: Uri, record: dict[str, Any], swap: str | None, timeout_s: float) -> Receipt:
        body = {"repo": uri.repo, "collection": uri.collection, "rkey": uri.key, "record": record, "swapRecord": swap}
        answer = self._session.procedure(_PUT, body, timeout_s=timeout_s)
        if answer.get("uri") != str(uri):
            raise base.Uncertain("the answer to a write does not name its record")
        repeated = {} if "commit" in answer else {"repeated": True}
        return Receipt(str(uri), {"cid": answer.get("cid"), **repeated})

    def _delete(self, uri: Uri, timeout_s: float) -> Receipt:
        body = {"repo": uri.repo, "collection": uri.collection, "rkey": uri.key}
        self._session.procedure(_DELETE, body, timeout_s=timeout_s)
        return Receipt(str(uri))

    def _record(self, uri: Uri, timeout_s: float) -> dict[str, Any] | None:
        try:
            return self._session.query(_GET, timeout_s, repo=uri.repo, collection=uri.collection, rkey=uri.key)
        except base.Vanished:
            return None

    def _record_before_write(self, uri: Uri, timeout_s: float) -> dict[str, Any]:
        return self._session.query_before_write(
            _GET, timeout_s, repo=uri.repo, collection=uri.collection, rkey=uri.key
        )  # fmt: skip

    def _reference(self, target: str, timeout_s: float) -> dict[str, str]:
        """Return the address and version of a post. Raises Vanished."""
        found = self._record_before_write(keys.parse(target), timeout_s)
        return {"uri": target, "cid": str(found.get("cid"))}

    def _reply_to(self, target: str, timeout_s: float) -> dict[str, Any]:
        found = self._record_before_write(keys.parse(target), timeout_s)
        parent = {"uri": target, "cid": str(found.get("cid"))}
        root = dict_of(dict_of(dict_of(found.get("value")).get("reply")).get("root"))
        return {"root": {"uri": root["uri"], "cid": root["cid"]} if "uri" in root and "cid" in root else parent,
                "parent": parent}  # fmt: skip

    def _subject(self, target: str, verb: str, timeout_s: float) -> tuple[dict[str, str], str]:
        """Return address and version of a post, and the account's own like or repost of it. Raises Vanished.

        A post that the AppView has not indexed yet is read from its repository.
        """
        uri = keys.parse(target)
        body = self._session.query_before_write("app.bsky.feed.getPosts", timeout_s, uris=[str(uri)])
        for one in dicts_of(body.get("posts")):
            own = dict_of(one.get("viewer")).get(verb)
            return {"uri": target, "cid": str(one.get("cid"))}, own if isinstance(own, str) else ""
        return self._reference(target, timeout_s), ""

    def _actor(self, target: str, timeout_s: float) -> tuple[str, str]:
        """Return the DID of an account, and our own follow of it. Raises Vanished."""
        did = target if keys.is_did(target) else self._did_of(target, timeout_s)
        if did is None:
            raise base.Vanished("there is no such account")
        body = self._session.query_before_write("app.bsky.actor.getProfiles", timeout_s, actors=[did])
        for one in dicts_of(body.get("profiles")):
            own = dict_of(one.get("viewer")).get("following")
            return did, own if isinstance(own, str) else ""
        raise base.Vanished("there is no such account")

    def _mentions(self, words: str, timeout_s: float) -> dict[str, Any]:
        ends_s = time.monotonic() + timeout_s
        found = {name: self._did_of(name, max(0.1, ends_s - time.monotonic())) for name in records.handles(words)}
        known = {name: did for name, did in found.items() if did is not None}
        return {"mentions": known} if known else {}

    def _did_of(self, handle: str, timeout_s: float) -> str | None:
        """Return the account of a handle; None if there is none."""
        if keys.HANDLE.fullmatch(handle) is None:
            return None
        name = "com.atproto.identity.resolveHandle"
        try:
            did = self._session.query_before_write(name, timeout_s, handle=handle).get("did")
        except (base.Refused, base.Vanished):
            return None
        return did if isinstance(did, str) and keys.is_did(did) else None

    def _blob(self, url: str, rule: MediaRule, timeout_s: float) -> dict[str, Any]:
        try:
            file = self._media.fit(read_data_url(url), rule)
        except InvalidInput as error:
            raise base.Refused(f"the picture cannot be posted: {error}") from error
        return self._session.upload(file.data, file.content_type, timeout_s)

    def _posts(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), _BATCH):
            uris = [str(keys.parse(one)) for one in ids[start : start + _BATCH]]
            found += dicts_of(self._session.query("app.bsky.feed.getPosts", uris=uris).get("posts"))
        return found

    def _uri_of(self, did: str, action: AnyAction) -> Uri:
        if action.created_at is None:
            raise base.Refused("the action has no time of its job, from which its key is made")
        return Uri(did, keys.POST, keys.of_job(action.key, action.created_at))

    def _timeout_s(self) -> float:
        return self._session.timeout_s


def _earlier(cursor: str) -> str:
    """Return the time of a cursor less the overlap; empty for a cursor that is no time."""
    try:
        return keys.moment(datetime.fromisoformat(cursor) - _OVERLAP)
    except (ValueError, OverflowError):
        return ""


def _own(did: str, target: str) -> Uri:
    uri = keys.parse(target)
    if uri.repo != did or uri.collection != keys.POST:
        raise base.Refused("this is no post of the account")
    return uri


def _post_of(action: AnyAction) -> dict[str, Any]:
    """Return the record of a post or a comment. Raises Refused for what the network does not have."""
    match action.payload:
        case PostPayload() as post:
            if post.visibility != "public" or post.format:
                raise base.Refused("the network has public posts alone, and no other formats")
            return records.post(
                post.text, _created(action), action.uploads, language=post.language, warning=post.warning,
                pictures=pictures_of(post, at_most=PICTURES.most), link=post.link,
            )  # fmt: skip
        case payload:
            return records.post(payload.words, _created(action), action.uploads)


def _created(action: AnyAction) -> str:
    if action.created_at is None:
        raise base.Refused("the action has no time of its job")
    return keys.moment(action.created_at)


def _items(body: dict[str, Any]) -> list[FeedItem]:
    found = [views.item_of(dict_of(one.get("post"))) for one in dicts_of(body.get("feed"))]
    return list({one.id: one for one in found if one is not None}.values())
