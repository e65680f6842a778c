"""LinkedIn, versioned REST API: every call that Fleet uses.

How an unknown outcome is resolved: a post of an organisation by its own newest posts. A member's posts cannot be read,
so the post is sent again: LinkedIn refuses a duplicate and names the post that exists, which is adopted if it is not
older than its job.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import Field

from fleet.adapters import base
from fleet.adapters.answers import LONGEST_NAME_CHARS, count_of, dict_of, dicts_of, epoch_of, text_of
from fleet.adapters.base import Account, AnyAction, Receipt, RemoteAccount, Resolution, SurfaceObject
from fleet.adapters.http import Response
from fleet.adapters.linkedin.answers import DuplicatePost, commentary, error_of, item_of, posted_at, shown
from fleet.adapters.linkedin.uploads import send_document, send_video
from fleet.adapters.manifest import AccountAccess, MediaRule, OAuth
from fleet.adapters.network import (
    ADOPTED,
    CLOCK_SKEW,
    CallDeadline,
    NetworkAdapter,
    NetworkToken,
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
    RepostPayload,
    SaidComment,
    UnlikePayload,
    pictures_of,
    read_data_url,
)

VERSION = "202607"
"""Of the API; LinkedIn supports a version for about a year."""
OAUTH = OAuth(
    authorize_url="https://www.linkedin.com/oauth/v2/authorization",
    token_url="https://www.linkedin.com/oauth/v2/accessToken",  # noqa: S106 - an address
    scopes=("openid", "profile", "w_member_social", "r_organization_social", "w_organization_social"),
    has_pkce=False,
    refresh_before=timedelta(days=7),
)
PICTURES = MediaRule(most=20, types=("image/jpeg", "image/png", "image/gif"), most_bytes=8_000_000, best_ratio=1.91,
                     alt_text=4086)  # fmt: skip
_PAGE, _PROBE_PAGES, _NEAR_S, _PAUSE_S = 100, 10, 5.0, 5.0
_LONGEST_TITLE = 200
_OBJECT = re.compile(r"urn:li:[A-Za-z]{1,30}:[A-Za-z0-9_(),:%-]{1,160}")


class LinkedInToken(NetworkToken):
    """The credentials of an organisation's page or a member."""

    author: str = Field(pattern=r"^urn:li:(organization|person):[A-Za-z0-9_-]{1,60}$")
    label: str = Field("Made with AI.", min_length=5, max_length=100)
    """The words at the end of each post: LinkedIn has no field for this."""


class LinkedIn(NetworkAdapter[LinkedInToken]):
    """The adapter of one author."""

    name = "linkedin"
    credentials = LinkedInToken
    oauth = OAUTH
    upload_hosts = (".linkedin.com", ".licdn.com")
    actions: Mapping[str, Resolution] = {
        "post": Resolution.PROBE, "comment": Resolution.PROBE, "repost": Resolution.PROBE, "like": Resolution.NATURAL,
        "unlike": Resolution.NATURAL, "edit": Resolution.NATURAL, "delete": Resolution.NATURAL,
        "provision": Resolution.NATURAL, "deprovision": Resolution.NATURAL,
    }  # fmt: skip

    def __init__(self, access: AccountAccess) -> None:
        super().__init__(access)
        self._author, self._label = self._settings.author, self._settings.label

    def _headers(self) -> dict[str, str]:
        return {"LinkedIn-Version": VERSION, "X-Restli-Protocol-Version": "2.0.0"}

    @property
    def is_organisation(self) -> bool:
        """Whether the author is an organisation: members' posts cannot be read."""
        return self._author.startswith("urn:li:organization:")

    # Reads

    def check(self, *, timeout_s: float) -> RemoteAccount:
        """Return the organisation or the member."""
        if self.is_organisation:
            number = self._author.rsplit(":", 1)[-1]
            found = self._call("GET", f"/rest/organizations/{number}", timeout_s=timeout_s)
            name = text_of(found.get("vanityName") or found.get("localizedName"), LONGEST_NAME_CHARS)
            page = f"https://www.linkedin.com/company/{quote(name or number, safe='')}"
            return RemoteAccount(id=self._author, username=name or number, url=page)
        found = self._call("GET", "/v2/userinfo", timeout_s=timeout_s)
        if f"urn:li:person:{found.get('sub')}" != self._author:
            raise base.TokenRefused("the token is another member's than the author in the credentials")
        return RemoteAccount(id=self._author, username=text_of(found.get("name"), LONGEST_NAME_CHARS))

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        """Return an organisation's own newest posts; nothing for a member."""
        if not self.is_organisation:
            return []
        body = self._finder(0, max(1, min(limit, _PAGE)))
        return [item_of(one, account.name) for one in dicts_of(body.get("elements"))][:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        """Return the comments on a post, at most `limit`. Raises Vanished."""
        return [_said(one) for one in self._comments(item_id, max(1, min(limit, _PAGE)))][:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        """Return one post. Raises Vanished."""
        return item_of(self._call("GET", f"/rest/posts/{_urn(item_id)}"), "")

    def own_posts(
        self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int
    ) -> OwnPostPage:  # fmt: skip
        """Return a page of an organisation's own posts. Raises Refused for a member, whose posts cannot be read."""
        if not self.is_organisation:
            raise base.Refused("LinkedIn gives no list of a member's posts")
        start, count = int(cursor or 0), max(1, min(limit, _PAGE))
        found = dicts_of(self._finder(start, count).get("elements"))
        return OwnPostPage(tuple(map(self._own_post, found)), str(start + count) if len(found) >= count else None)

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        """Return one post. Raises Vanished."""
        return self._own_post(self._call("GET", f"/rest/posts/{_urn(post_id)}"))

    def _own_post(self, found: dict[str, Any]) -> OwnPost:
        one = item_of(found, "")
        return OwnPost(id=one.id, text=one.caption.removesuffix(self._label), created_at=one.created_at)

    def post_metrics(self, account: Account, ids: Sequence[str]) -> list[PostMetrics]:
        """Return the counts of an organisation's posts; those of members are unknown."""
        known: dict[str, PostMetrics] = {}
        for kind, name in (("share", "shares"), ("ugcPost", "ugcPosts")):
            urns = [one for one in ids if one.startswith(f"urn:li:{kind}:")]
            if urns and self.is_organisation:
                query = f"q=organizationalEntity&organizationalEntity={_urn(self._author)}"
                path = f"/rest/organizationalEntityShareStatistics?{query}&{name}=List({','.join(map(_urn, urns))})"
                for one in dicts_of(self._call("GET", path).get("elements")):
                    known[text_of(one.get(kind), base.LONGEST_ID)] = _metrics(one, kind)
        return [known.get(one) or PostMetrics(id=one, is_gone=self.is_organisation and self._is_gone(one))
                for one in ids]  # fmt: skip

    def account_metrics(self, account: Account) -> AccountMetrics:
        """Return the followers of an organisation."""
        if not self.is_organisation:
            return AccountMetrics()
        path = f"/rest/networkSizes/{_urn(self._author)}?edgeType=COMPANY_FOLLOWED_BY_MEMBER"
        return AccountMetrics(followers=count_of(self._call("GET", path).get("firstDegreeSize")))

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return the page of a post; of a comment or like, the page of the post that has it."""
        target = found.id if found.action in ("post", "repost", "edit") else found.target
        return f"https://www.linkedin.com/feed/update/{quote(target, safe='')}" if target else None

    # Writes

    def upload(self, action: AnyAction, *, timeout_s: float) -> Mapping[str, Any] | None:
        """Upload the pictures of a post, and wait until LinkedIn has processed them."""
        post = action.payload
        if not isinstance(post, PostPayload):
            return None
        deadline = CallDeadline(timeout_s)
        if post.document is not None and (post.pictures or post.video):
            raise base.Refused("a post has a document, a video or pictures here, not several of them")
        pictures = pictures_of(post, at_most=PICTURES.most, video=True)
        if post.video is not None or post.document is not None:
            return self._upload_file(action, post, deadline)
        if not pictures:
            return None
        sent: list[dict[str, Any]] = [dict(one) for one in action.uploads.get("images", [])]
        begun = len(sent)
        for one in post.pictures[begun:]:
            if len(sent) > begun and deadline.is_near(_NEAR_S):
                raise base.UploadPending("pictures are uploaded", uploads={"images": sent}, retry_after_s=1)
            sent.append({"id": self._send_picture(one, deadline), "is_ready": False})
        for upload in sent:
            upload["is_ready"] = upload["is_ready"] or self._is_available(upload["id"], deadline)
        if not all(one["is_ready"] for one in sent):
            raise base.UploadPending("LinkedIn processes pictures", uploads={"images": sent}, retry_after_s=_PAUSE_S)
        return {"images": sent}

    def _upload_file(self, action: AnyAction, post: PostPayload, deadline: CallDeadline) -> Mapping[str, Any]:
        """Upload the video or the document of a post, and wait until LinkedIn has processed it."""
        urn = str(action.uploads.get("file", ""))
        if not urn:
            one, send = (post.video, send_video) if post.video is not None else (post.document, send_document)
            assert one is not None
            urn = send(self._call, self._upload_client, self._author, read_data_url(one.url), deadline)
        kind = "videos" if post.video is not None else "documents"
        if not self._is_available(urn, deadline, kind):
            raise base.UploadPending("LinkedIn processes the file", uploads={"file": urn}, retry_after_s=_PAUSE_S)
        return {"file": urn}

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for a post or a comment; None if it is surely not there, or if sending it again shows that."""
        payload = action.payload
        if isinstance(payload, CommentPayload):
            try:
                said = [_said(one) for one in self._comments(payload.target, _PAGE)]
            except base.Vanished:
                return None
            own = (one for one in said if one.author == self._author and one.text == payload.text)
            found = next((one.id for one in own if one.id not in known), None)
        elif isinstance(payload, PostPayload | RepostPayload) and self.is_organisation:
            request = self._request(action)
            own_posts = (one for one in self._own_posts(since_of(action, since)) if _is_same(one, request))
            found = next(
                (urn for one in own_posts if (urn := text_of(one.get("id"), base.LONGEST_ID)) not in known), None
            )
        else:
            found = None
        return None if found is None else Receipt(found, ADOPTED)

    def _write(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        match action.payload:
            case PostPayload() | RepostPayload():
                return self._create(action, deadline)
            case CommentPayload(target, text):
                return self._comment(target, text, deadline)
            case EditPayload(target, text):
                patch = {"patch": {"$set": {"commentary": commentary(self._labelled(text))}}}
                self._call("POST", f"/rest/posts/{_urn(target)}", json=patch, timeout_s=deadline.left_s,
                           headers={"X-RestLi-Method": "PARTIAL_UPDATE"})  # fmt: skip
                return Receipt(target)
            case DeletePayload(target):
                return self._remove(f"/rest/posts/{_urn(target)}", target, deadline)
            case LikePayload(target):
                self._require_organisation()
                like = {"root": target, "reactionType": "LIKE"}
                self._call("POST", f"/rest/reactions?actor={_urn(self._author)}", json=like, timeout_s=deadline.left_s)
                return Receipt(target)
            case UnlikePayload(target):
                key = f"(actor:{_urn(self._author)},entity:{_urn(target)})"
                return self._remove(f"/rest/reactions/{key}", target, deadline)
        raise base.Refused(f"LinkedIn's API has no {action.type.noun}")

    def _create(self, action: AnyAction, deadline: CallDeadline) -> Receipt:
        request = self._request(action)
        post = action.payload
        if isinstance(post, PostPayload) and (post.video or post.document) and not action.uploads.get("file"):
            raise base.UploadsLost("the post has no file")
        try:
            response, _ = self._send("POST", "/rest/posts", json=request, timeout_s=deadline.left_s)
        except DuplicatePost as error:
            return self._of_duplicate(action, error)
        urn = response.headers.get("x-restli-id", "")
        if response.status_code != 201 or not _OBJECT.fullmatch(urn):
            raise base.Uncertain("LinkedIn's answer has no id of the post")
        return Receipt(urn)

    def _of_duplicate(self, action: AnyAction, error: DuplicatePost) -> Receipt:
        """Adopt the post that a duplicate names, if an attempt of this job can have made it."""
        made = posted_at(error.urn)
        if action.created_at is None or made is None or made < action.created_at - CLOCK_SKEW:
            raise error
        if self.is_organisation:  # the probe looks for it, and knows the posts of other jobs
            if self._is_gone(error.urn):
                raise base.Refused("LinkedIn counts a deleted post as a duplicate, for 24 to 48 hours")
            raise base.Uncertain(f"such a post exists: {error}")
        return Receipt(error.urn, ADOPTED)

    def _comment(self, target: str, text: str, deadline: CallDeadline) -> Receipt:
        request = {"actor": self._author, "object": target, "message": {"text": text}}
        path = f"/rest/socialActions/{_urn(target)}/comments"
        body = self._call("POST", path, json=request, timeout_s=deadline.left_s)
        urn = text_of(body.get("commentUrn"), base.LONGEST_ID)
        if not urn:
            raise base.Uncertain("LinkedIn's answer has no id of the comment")
        return Receipt(urn)

    def _remove(self, path: str, target: str, deadline: CallDeadline) -> Receipt:
        try:
            self._call("DELETE", path, headers={"X-RestLi-Method": "DELETE"}, timeout_s=deadline.left_s)
        except base.Vanished:
            return Receipt(target, {"was": "gone already"})
        return Receipt(target)

    def _request(self, action: AnyAction) -> dict[str, Any]:
        payload = action.payload
        request: dict[str, Any] = {
            "author": self._author, "commentary": "", "visibility": "PUBLIC", "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False, "distribution": {
                "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
            },
        }  # fmt: skip
        if isinstance(payload, RepostPayload):
            return {**request, "reshareContext": {"parent": payload.target}}
        if not isinstance(payload, PostPayload) or payload.visibility != "public":
            raise base.Refused("posts of Fleet on LinkedIn are public")
        request["commentary"] = commentary(self._labelled("\n\n".join(filter(None, (payload.warning, payload.text)))))
        images = [{"id": upload["id"], "altText": one.alt_text[: PICTURES.alt_text]}
                  for upload, one in zip(action.uploads.get("images", []), payload.pictures, strict=False)]  # fmt: skip
        if payload.video is not None or payload.document is not None:
            # Without its upload a probe compares texts alone; a write has it.
            title = payload.document.alt_text if payload.document is not None else payload.text.partition("\n")[0]
            request["content"] = {"media": {"id": action.uploads.get("file"), "title": title[:_LONGEST_TITLE]}}
        elif len(images) == 1:
            request["content"] = {"media": images[0]}
        elif images:
            request["content"] = {"multiImage": {"images": images}}
        elif payload.link is not None:
            link = payload.link
            card = {"source": link.url, "title": link.title or link.url, "description": link.description}
            request["content"] = {"article": {name: value for name, value in card.items() if value}}
        return {**request, **({"reshareContext": {"parent": payload.quoted}} if payload.quoted else {})}

    # Help

    def _labelled(self, text: str) -> str:
        return text if self._label in text else f"{text}\n\n{self._label}".lstrip()

    def _send_picture(self, one: Media, deadline: CallDeadline) -> str:
        file = self._picture(one, PICTURES)
        request = {"initializeUploadRequest": {"owner": self._author}}
        path = "/rest/images?action=initializeUpload"
        begun = dict_of(self._call("POST", path, json=request, timeout_s=deadline.left_s).get("value"))
        urn, url = text_of(begun.get("image"), base.LONGEST_ID), text_of(begun.get("uploadUrl"), 2000)
        with self._upload_client(url, deadline.left_s) as (client, place):
            answer = client.request("PUT", place, content=file.data, headers={"Content-Type": file.content_type})
        if not answer.is_success:
            raise base.Unreachable(f"LinkedIn does not take the picture: {answer.status_code}")
        return urn

    def _is_available(self, urn: str, deadline: CallDeadline, kind: str = "images") -> bool:
        """Return whether LinkedIn has processed a file. Raises UploadsLost if it could not."""
        try:
            found = self._call("GET", f"/rest/{kind}/{_urn(urn)}", timeout_s=deadline.left_s)
        except base.Refused:  # members' tokens may write pictures, and not read them
            return True
        status = found.get("status")
        if status == "PROCESSING_FAILED":
            raise base.UploadsLost("LinkedIn could not process the file")
        return status == "AVAILABLE"

    def _require_organisation(self) -> None:
        if not self.is_organisation:
            raise base.Refused("LinkedIn's user agreement (8.2) forbids automated likes of members")

    def _is_gone(self, urn: str) -> bool:
        try:
            self._call("GET", f"/rest/posts/{_urn(urn)}")
        except base.Vanished:
            return True
        return False

    def _finder(self, start: int, count: int) -> dict[str, Any]:
        query = f"author={_urn(self._author)}&q=author&count={count}&start={start}&sortBy=CREATED"
        return self._call("GET", f"/rest/posts?{query}", headers={"X-RestLi-Method": "FINDER"})

    def _own_posts(self, since: datetime) -> Iterator[dict[str, Any]]:
        for page in range(_PROBE_PAGES):
            posts = dicts_of(self._finder(page * _PAGE, _PAGE).get("elements"))
            yield from (one for one in posts if _made(one) >= since)
            if len(posts) < _PAGE or _made(posts[-1]) < since:
                return
        raise base.Uncertain("the author has too many posts to say that one is not there")

    def _comments(self, target: str, count: int) -> list[dict[str, Any]]:
        path = f"/rest/socialActions/{_urn(target)}/comments?count={count}&start=0"
        return dicts_of(self._call("GET", path).get("elements"))

    def _error_of(self, response: Response, body: dict[str, Any]) -> base.AdapterError:
        return error_of(response, body)


def _urn(value: str) -> str:
    """Return a URN for a path or a query. Raises Vanished for anything else."""
    if not _OBJECT.fullmatch(value):
        raise base.Vanished("this is no id of LinkedIn")
    return quote(value, safe="")


def _is_same(post: dict[str, Any], request: dict[str, Any]) -> bool:
    parents = [text_of(dict_of(one.get("reshareContext")).get("parent"), base.LONGEST_ID) for one in (post, request)]
    texts = [" ".join(shown(text_of(one.get("commentary"))).split()) for one in (post, request)]
    return texts[0] == texts[1] and parents[0] == parents[1]


def _made(post: dict[str, Any]) -> datetime:
    made = post.get("createdAt")
    found = epoch_of(made / 1000) if isinstance(made, int) else None
    if found is None:
        raise base.Uncertain("LinkedIn's post has no time")
    return found


def _said(comment: dict[str, Any]) -> SaidComment:
    actor = text_of(comment.get("actor"), base.LONGEST_ID)
    text = text_of(dict_of(comment.get("message")).get("text"))
    made = dict_of(comment.get("created")).get("time")
    return SaidComment(
        text_of(comment.get("commentUrn"), base.LONGEST_ID), actor, "", text,
        created_at=epoch_of(made / 1000) if isinstance(made, int) else None,
    )  # fmt: skip


def _metrics(element: dict[str, Any], kind: str) -> PostMetrics:
    counts = {name: count_of(value) for name, value in dict_of(element.get("totalShareStatistics")).items()}
    return PostMetrics(
        id=text_of(element.get(kind), base.LONGEST_ID), likes=counts.get("likeCount"),
        comments=counts.get("commentCount"), reposts=counts.get("shareCount"), views=counts.get("impressionCount"),
        reach=counts.get("uniqueImpressionsCount"), clicks=counts.get("clickCount"),
    )  # fmt: skip
