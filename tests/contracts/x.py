"""X's API v2 as its documentation and changelog describe it (OpenAPI 2.167, read 2026-11-22)."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from tests.contracts.server import Call, Contract, Reply, route

ME, OTHER = "1001", "2002"
TOKEN = "x-access-token-of-tests"
_URL = re.compile(r"https?://\S+")


def problem(status: int, title: str, detail: str, kind: str = "about:blank") -> Reply:
    return Reply(status, {"title": title, "detail": detail, "type": kind, "status": status})


class XContract(Contract):
    """One account, its posts and those of others."""

    not_found = problem(404, "Not Found", "Not Found")
    create_path = ("POST", "/2/tweets")

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.media: dict[str, dict[str, Any]] = {}
        self.reposts: set[str] = set()
        self.is_expired = self.is_suspended = False
        self.polls = 0
        """How often media is still being processed after it was finalized."""
        self.fails_processing = False
        self.page = 100
        self.renewed = ""
        self._last = 1_990_000_000_000_000_000

    def published(self) -> list[dict[str, Any]]:
        """Return what the account published: text, pictures with alt text, label."""
        return [{"id": one["id"], "text": one["raw"], "label": one["made_with_ai"],
                 "pictures": [(self.media[m]["data"], self.media[m]["alt"]) for m in one["media"]]}
                for one in self.posts.values() if one["author_id"] == ME]  # fmt: skip

    def refuse(self, call: Call) -> Reply | None:
        if call.path == "/2/oauth2/token":
            return None
        if call.token not in (TOKEN, self.renewed) or self.is_expired:
            return problem(401, "Unauthorized", "Unauthorized")
        if self.is_suspended:
            return Reply(403, {"errors": [{"code": 64, "message": "Your account is suspended."}]})
        return None

    def say(self, author: str, text: str, *, reply_to: str | None = None, media: tuple[str, ...] = (),
            made_with_ai: bool = False, created_at: datetime | None = None) -> dict[str, Any]:  # fmt: skip
        """Add a post."""
        self._last += 1_000
        urls, shown = [], html.escape(text, quote=False)
        for number, url in enumerate(_URL.findall(text)):
            short = f"https://t.co/a{self._last % 10**6}{number}"
            shown = shown.replace(html.escape(url, quote=False), short)
            urls.append({"url": short, "expanded_url": url})
        for number, one in enumerate(media[:1]):
            short = f"https://t.co/m{self._last % 10**6}{number}"
            shown += f" {short}"
            urls.append({"url": short, "expanded_url": "https://x.com/me/status/1/photo/1", "media_key": f"3_{one}"})
        mentions = [{"id": ME, "username": "fleet"}] if "@fleet" in text else []
        post = {
            "id": str(self._last), "raw": text, "text": shown, "author_id": author, "media": media,
            "made_with_ai": made_with_ai, "entities": {"urls": urls, "mentions": mentions},
            "created_at": (created_at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "referenced_tweets": [{"type": "replied_to", "id": reply_to}] if reply_to else [],
            "public_metrics": {"like_count": 3, "reply_count": 1, "retweet_count": 2, "quote_count": 0,
                               "impression_count": 250, "bookmark_count": 4},
        }  # fmt: skip
        self.posts[post["id"]] = post
        return post

    @route("GET", r"/2/users/me")
    def me(self, _: Call) -> Reply:
        counts = {"followers_count": 12, "following_count": 3, "tweet_count": len(self.published())}
        return Reply(200, {"data": {"id": ME, "username": "fleet", "name": "Fleet", "public_metrics": counts}})

    @route("POST", r"/2/oauth2/token")
    def token(self, call: Call) -> Reply:
        """Give a new pair for a refresh token, which is good once."""
        if call.form != {"grant_type": "refresh_token", "refresh_token": "refresh-1", "client_id": "app-1"}:
            return Reply(400, {"error": "invalid_request"})
        self.renewed = "x-access-token-renewed"
        return Reply(200, {"access_token": self.renewed, "refresh_token": "refresh-2", "expires_in": 7200})

    @route("POST", r"/2/tweets")
    def create(self, call: Call) -> Reply:
        request = call.json
        media = tuple(request.get("media", {}).get("media_ids", ()))
        if any(one not in self.media or self.media[one]["state"] != "succeeded" for one in media):
            error = {"parameters": {"media.media_ids": list(media)}, "message": "Your media IDs are invalid."}
            return Reply(400, {"title": "Invalid Request", "detail": "Parameters are invalid.", "status": 400,
                               "type": "https://api.x.com/2/problems/invalid-request", "errors": [error]})  # fmt: skip
        target = request.get("reply", {}).get("in_reply_to_tweet_id")
        if target is not None:
            about = self.posts.get(target)
            if about is None:
                return problem(403, "Forbidden", "You attempted to reply to a Tweet that is deleted or not visible.")
            if about["author_id"] != ME and not about["entities"]["mentions"]:
                return problem(403, "Forbidden", "Reply to this conversation is not allowed.")
        if any(self._same(one, request["text"], target, media) for one in self.posts.values()):
            return problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        post = self.say(
            ME, request["text"], reply_to=target, media=media, made_with_ai=request.get("made_with_ai", False)
        )
        return Reply(201, {"data": {"id": post["id"], "text": post["text"]}})

    def _same(self, post: dict[str, Any], text: str, target: str | None, media: tuple[str, ...]) -> bool:
        """X compares texts alone, as far as anybody knows."""
        return post["author_id"] == ME and unicodedata.normalize("NFC", post["raw"]) == unicodedata.normalize(
            "NFC", text
        )

    @route("DELETE", r"/2/tweets/(\d+)")
    def delete(self, call: Call) -> Reply:
        found = self.posts.pop(call.parts[0], None)
        return Reply(200, {"data": {"deleted": True}}) if found else self.not_found

    @route("POST", rf"/2/users/{ME}/retweets")
    def repost(self, call: Call) -> Reply:
        self.reposts.add(call.json["tweet_id"])
        return Reply(200, {"data": {"retweeted": True}})

    @route("DELETE", rf"/2/users/{ME}/retweets/(\d+)")
    def unrepost(self, call: Call) -> Reply:
        self.reposts.discard(call.parts[0])
        return Reply(200, {"data": {"retweeted": False}})

    # Reads

    def _missing(self, post_id: str) -> dict[str, Any]:
        return {"resource_id": post_id, "type": "https://api.x.com/2/problems/resource-not-found", "title": "Not Found"}

    def _list(self, call: Call, posts: list[dict[str, Any]]) -> Reply:
        query = call.query
        start, end = query.get("start_time", ""), query.get("end_time", "9")
        found = [
            one for one in posts if start <= one["created_at"] < end and int(one["id"]) > int(query.get("since_id", 0))
        ]
        found.sort(key=lambda one: int(one["id"]), reverse=True)
        at, size = int(query.get("pagination_token", 0)), min(int(query.get("max_results", 10)), self.page)
        page, meta = found[at : at + size], {"result_count": len(found[at : at + size])}
        if at + size < len(found):
            meta["next_token"] = str(at + size)
        return Reply(200, {**({"data": page} if page else {}), "includes": {"users": self._users()}, "meta": meta})

    def _users(self) -> list[dict[str, Any]]:
        return [{"id": ME, "username": "fleet", "name": "Fleet"}, {"id": OTHER, "username": "bea", "name": "Bea"}]

    @route("GET", r"/2/tweets")
    def several(self, call: Call) -> Reply:
        ids = call.query["ids"].split(",")
        found = [self.posts[one] for one in ids if one in self.posts]
        errors = [self._missing(one) for one in ids if one not in self.posts]
        return Reply(200, {**({"data": found} if found else {}), **({"errors": errors} if errors else {})})

    @route("GET", r"/2/tweets/(\d+)")
    def one(self, call: Call) -> Reply:
        post = self.posts.get(call.parts[0])
        if post is None:
            return Reply(200, {"errors": [self._missing(call.parts[0])]})
        return Reply(200, {"data": post, "includes": {"users": self._users()}})

    @route("GET", rf"/2/users/{ME}/tweets")
    def own(self, call: Call) -> Reply:
        return self._list(call, [one for one in self.posts.values() if one["author_id"] == ME])

    @route("GET", rf"/2/users/{ME}/timelines/reverse_chronological")
    def timeline(self, call: Call) -> Reply:
        return self._list(call, [*self.posts.values()])

    @route("GET", rf"/2/users/{ME}/mentions")
    def mentions(self, call: Call) -> Reply:
        return self._list(call, [one for one in self.posts.values() if one["entities"]["mentions"]])

    @route("GET", r"/2/tweets/search/recent")
    def search(self, call: Call) -> Reply:
        target = call.query["query"].removeprefix("conversation_id:")
        return self._list(call, [one for one in self.posts.values()
                                 if any(ref["id"] == target for ref in one["referenced_tweets"])])  # fmt: skip

    # Media

    @route("POST", r"/2/media/upload/initialize")
    def initialize(self, call: Call) -> Reply:
        request, media_id = call.json, str(700_000 + len(self.media))
        if request["media_type"].startswith("image/") and request["total_bytes"] > 5_242_880:
            return problem(400, "Invalid Request", "File size exceeds 5242880 bytes.")
        self.media[media_id] = {
            **request,
            "chunks": {},
            "data": b"",
            "alt": "",
            "state": "pending",
            "polls": self.polls,
        }
        return Reply(200, {"data": {"id": media_id, "media_key": f"3_{media_id}", "expires_after_secs": 86_400}})

    @route("POST", r"/2/media/upload/(\d+)/append")
    def append(self, call: Call) -> Reply:
        form = call.form
        self.media[call.parts[0]]["chunks"][int(form["segment_index"])] = form["media"]
        return Reply(200, {"data": {"expires_at": 1}})

    @route("POST", r"/2/media/upload/(\d+)/finalize")
    def finalize(self, call: Call) -> Reply:
        one = self.media[call.parts[0]]
        chunks = one["chunks"]
        one["data"] = b"".join(chunks[at] for at in sorted(chunks))
        if sorted(chunks) != [*range(len(chunks))] or len(one["data"]) != one["total_bytes"]:
            return problem(400, "Invalid Request", "Segments do not add up to provided total file size.")
        return self._state(call.parts[0], one)

    @route("GET", r"/2/media/upload")
    def status(self, call: Call) -> Reply:
        one = self.media[call.query["media_id"]]
        one["polls"] -= 1
        return self._state(call.query["media_id"], one)

    def _state(self, media_id: str, one: dict[str, Any]) -> Reply:
        one["state"] = "in_progress" if one["polls"] > 0 else "failed" if self.fails_processing else "succeeded"
        info: dict[str, Any] = {"state": one["state"]}
        info |= {"check_after_secs": 2} if one["state"] == "in_progress" else {}
        info |= {"error": {"name": "InvalidMedia"}} if one["state"] == "failed" else {}
        shown = {"processing_info": info} if self.polls or self.fails_processing else {}
        return Reply(200, {"data": {"id": media_id, "size": len(one["data"]), **shown}})

    @route("POST", r"/2/media/metadata")
    def metadata(self, call: Call) -> Reply:
        self.media[call.json["id"]]["alt"] = call.json["metadata"]["alt_text"]["text"]
        return Reply(200, {"data": {"id": call.json["id"]}})
