"""LinkedIn's versioned API as learn.microsoft.com describes it (Posts, Images, Comments, read 2026-11-22)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from tests.contracts.server import Call, Contract, Reply, route

ORGANISATION, PERSON = "urn:li:organization:5005", "urn:li:person:aBc-9"
TOKEN = "linkedin-access-token-of-tests"
VERSIONS = {"202606", "202607"}
_RAW = re.compile(r"(?<!\\)[|{}@\[\]()<>#*_~]")
_TAG = re.compile(r"\{hashtag\|\\#\|((?:[^\\}]|\\.)+)\}")


def refusal(status: int, code: str, message: str, wrong: str = "") -> Reply:
    details = {"errorDetails": {"inputErrors": [{"description": message, "input": {}, "code": wrong}]}} if wrong else {}
    return Reply(status, {"status": status, "code": code, "message": message, "serviceErrorCode": 100, **details})


class LinkedInContract(Contract):
    """One author, an organisation or a member."""

    not_found = refusal(404, "NOT_FOUND", "Not found")
    create_path = ("POST", "/rest/posts")

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.ghosts: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.reactions: set[tuple[str, str]] = set()
        self.is_expired = self.is_suspended = False
        self.polls = 0
        self.fails_processing = False
        self._number = 0

    def published(self) -> list[dict[str, Any]]:
        """Return what the author published, as people read it."""
        found = []
        for one in self.posts.values():
            text, label, _ = self._shown(one["commentary"]).partition("\n\nMade with AI.")
            found.append({"id": one["id"], "text": text, "label": bool(label), "pictures": self._pictures(one)})
        return found

    @staticmethod
    def _shown(text: str) -> str:
        """LinkedIn cuts a text at the first reserved character that is not escaped."""
        plain = _TAG.sub(r"\\#\1", text)
        cut = _RAW.search(plain)
        return re.sub(r"\\(.)", r"\1", plain[: cut.start()] if cut else plain)

    def _pictures(self, post: dict[str, Any]) -> list[tuple[bytes, str]]:
        content = post.get("content", {})
        found = [content["media"]] if "media" in content else content.get("multiImage", {}).get("images", [])
        return [(self.images[one["id"]]["data"], one.get("altText", "")) for one in found]

    def urn(self, kind: str = "share", made: datetime | None = None) -> str:
        self._number += 1
        milliseconds = int((made or datetime.now(UTC)).timestamp() * 1000)
        return f"urn:li:{kind}:{(milliseconds << 22) + self._number}"

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith("/upload/"):
            return None
        if call.token != TOKEN or self.is_expired:
            return Reply(401, {"status": 401, "serviceErrorCode": 65602, "code": "EXPIRED_ACCESS_TOKEN",
                               "message": "The token used in the request has expired"})  # fmt: skip
        if call.path.startswith("/rest/") and call.headers.get("linkedin-version") not in VERSIONS:
            return refusal(426, "NONEXISTENT_VERSION", "Requested version is not active")
        if self.is_suspended:
            return refusal(403, "ACCESS_DENIED", "Member is restricted")
        return None

    @route("GET", r"/rest/organizations/(\d+)")
    def organisation(self, call: Call) -> Reply:
        return Reply(200, {"id": int(call.parts[0]), "localizedName": "Fleet", "vanityName": "fleet"})

    @route("GET", r"/v2/userinfo")
    def member(self, _: Call) -> Reply:
        return Reply(200, {"sub": PERSON.rsplit(":", 1)[-1], "name": "Ada"})

    @route("POST", r"/rest/posts")
    def create(self, call: Call) -> Reply:
        request = call.json
        content = request.get("content", {})
        used = [content["media"]] if "media" in content else content.get("multiImage", {}).get("images", [])
        if "multiImage" in content and not 2 <= len(used) <= 20:
            return refusal(400, "BAD_REQUEST", "multiImage has 2 to 20 images", "INVALID_CONTENT")
        if any(self.images.get(one["id"], {}).get("status") != "AVAILABLE" for one in used):
            return refusal(400, "BAD_REQUEST", "The media asset is not ready", "MEDIA_ASSET_WAITING_UPLOAD")
        twin = next((one for one in [*self.posts.values(), *self.ghosts.values()] if self._same(one, request)), None)
        if twin is not None:
            message = f"com.linkedin.content.common.exception: Content is a duplicate of {twin['id']}"
            return refusal(422, "UNPROCESSABLE_ENTITY", message, "DUPLICATE_POST")
        urn = self.add(request)
        return Reply(201, None, {"x-restli-id": urn})

    def add(self, request: dict[str, Any], made: datetime | None = None) -> str:
        """Add a post."""
        urn = self.urn("ugcPost" if request.get("content") else "share", made)
        milliseconds = int((made or datetime.now(UTC)).timestamp() * 1000)
        self.posts[urn] = {**request, "id": urn, "createdAt": milliseconds, "publishedAt": milliseconds}
        return urn

    @staticmethod
    def _same(post: dict[str, Any], request: dict[str, Any]) -> bool:
        return all(post.get(name) == request.get(name) for name in ("commentary", "content", "reshareContext"))

    @route("GET", r"/rest/posts")
    def finder(self, call: Call) -> Reply:
        if call.query.get("author") != ORGANISATION or call.headers.get("x-restli-method") != "FINDER":
            return refusal(403, "ACCESS_DENIED", "Not enough permissions to access: posts.FINDER-author")
        found = sorted(self.posts.values(), key=lambda one: one["createdAt"], reverse=True)
        start = int(call.query["start"])
        return Reply(200, {"elements": found[start : start + int(call.query["count"])], "paging": {}})

    @route("GET", r"/rest/posts/(urn[^/]+)")
    def one(self, call: Call) -> Reply:
        found = self.posts.get(unquote(call.parts[0]))
        return Reply(200, found) if found else self.not_found

    @route("POST", r"/rest/posts/(urn[^/]+)")
    def update(self, call: Call) -> Reply:
        found = self.posts.get(unquote(call.parts[0]))
        if found is None or call.headers.get("x-restli-method") != "PARTIAL_UPDATE":
            return self.not_found
        found |= call.json["patch"]["$set"]
        return Reply(204)

    @route("DELETE", r"/rest/posts/(urn[^/]+)")
    def delete(self, call: Call) -> Reply:
        urn = unquote(call.parts[0])
        found = self.posts.pop(urn, None)
        if found is not None:
            self.ghosts[urn] = found
        return Reply(204)

    @route("POST", r"/rest/images")
    def initialize(self, call: Call) -> Reply:
        assert call.query["action"] == "initializeUpload"
        urn = f"urn:li:image:C4{len(self.images)}"
        self.images[urn] = {"data": b"", "status": "WAITING_UPLOAD", "polls": self.polls}
        value = {"uploadUrl": f"{self.url}/upload/{urn}", "image": urn, "uploadUrlExpiresAt": 1}
        return Reply(200, {"value": value})

    @route("PUT", r"/upload/(urn.+)")
    def put(self, call: Call) -> Reply:
        self.images[unquote(call.parts[0])] |= {"data": call.body, "status": "PROCESSING"}
        return Reply(201)

    @route("GET", r"/rest/images/(urn.+)")
    def image(self, call: Call) -> Reply:
        one = self.images[unquote(call.parts[0])]
        one["polls"] -= 1
        if one["polls"] < 0 and one["status"] == "PROCESSING":
            one["status"] = "PROCESSING_FAILED" if self.fails_processing else "AVAILABLE"
        return Reply(200, {"status": one["status"], "owner": ORGANISATION})

    @route("POST", r"/rest/videos")
    def video(self, call: Call) -> Reply:
        if call.query["action"] == "finalizeUpload":
            done = call.json["finalizeUploadRequest"]
            one = self.images[done["video"]]
            if done["uploadToken"] != "t" or done["uploadedPartIds"] != [tag for tag, _ in one["parts"]]:
                return refusal(400, "INVALID", "parts")
            one |= {"data": b"".join(data for _, data in one["parts"]), "status": "PROCESSING"}
            return Reply(200)
        size = call.json["initializeUploadRequest"]["fileSizeBytes"]
        urn, half = f"urn:li:video:C5{len(self.images)}", size // 2
        self.images[urn] = {"data": b"", "status": "WAITING_UPLOAD", "polls": self.polls, "parts": []}
        parts = [{"uploadUrl": f"{self.url}/upload/part/{urn}", "firstByte": first, "lastByte": last}
                 for first, last in ((0, half - 1), (half, size - 1))]  # fmt: skip
        return Reply(200, {"value": {"video": urn, "uploadInstructions": parts, "uploadToken": "t"}})

    @route("PUT", r"/upload/part/(urn.+)")
    def part(self, call: Call) -> Reply:
        parts = self.images[unquote(call.parts[0])]["parts"]
        parts.append((f"tag{len(parts)}", call.body))
        return Reply(200, headers={"ETag": f'"tag{len(parts) - 1}"'})

    @route("POST", r"/rest/documents")
    def document(self, call: Call) -> Reply:
        assert call.query["action"] == "initializeUpload"
        urn = f"urn:li:document:C6{len(self.images)}"
        self.images[urn] = {"data": b"", "status": "WAITING_UPLOAD", "polls": self.polls}
        return Reply(200, {"value": {"uploadUrl": f"{self.url}/upload/{urn}", "document": urn}})

    @route("GET", r"/rest/(?:videos|documents)/(urn.+)")
    def file(self, call: Call) -> Reply:
        return self.image(call)

    @route("POST", r"/rest/socialActions/(urn[^/]+)/comments")
    def comment(self, call: Call) -> Reply:
        target, request = unquote(call.parts[0]), call.json
        if target not in self.posts:
            return self.not_found
        self._number += 1
        urn = f"urn:li:comment:({target},{self._number})"
        made = {"time": int(datetime.now(UTC).timestamp() * 1000)}
        self.comments.setdefault(target, []).append({**request, "commentUrn": urn, "created": made})
        return Reply(201, self.comments[target][-1], {"x-restli-id": str(self._number)})

    @route("GET", r"/rest/socialActions/(urn[^/]+)/comments")
    def list_comments(self, call: Call) -> Reply:
        target = unquote(call.parts[0])
        return Reply(200, {"elements": self.comments.get(target, [])}) if target in self.posts else self.not_found

    @route("POST", r"/rest/reactions")
    def like(self, call: Call) -> Reply:
        self.reactions.add((call.query["actor"], call.json["root"]))
        return Reply(201)

    @route("DELETE", r"/rest/reactions/(.+)")
    def unlike(self, call: Call) -> Reply:
        match = re.fullmatch(r"\(actor:(.+),entity:(.+)\)", unquote(call.parts[0]))
        assert match is not None
        if (match[1], match[2]) not in self.reactions:
            return self.not_found
        self.reactions.discard((match[1], match[2]))
        return Reply(204)

    @route("GET", r"/rest/organizationalEntityShareStatistics")
    def statistics(self, call: Call) -> Reply:
        kind, urns = ("share", call.query["shares"]) if "shares" in call.query else ("ugcPost", call.query["ugcPosts"])
        counts = {"likeCount": 3, "commentCount": 1, "shareCount": 2, "impressionCount": 250, "clickCount": 7,
                  "uniqueImpressionsCount": 200}  # fmt: skip
        found = [one for one in urns.removeprefix("List(").removesuffix(")").split(",") if one in self.posts]
        return Reply(200, {"elements": [{kind: one, "totalShareStatistics": counts} for one in found]})

    @route("GET", r"/rest/networkSizes/(urn.+)")
    def size(self, _: Call) -> Reply:
        return Reply(200, {"firstDegreeSize": 12})


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=2)
