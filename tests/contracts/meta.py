"""Meta's Graph API as developers.facebook.com describes it for Pages and Instagram (read 2026-11-22)."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from tests.contracts.server import Call, Contract, Reply, route

V = "/v26.0"
TOKEN = "meta-access-token-of-tests"
PAGE, IG = "5550001", "17841400001"
PUBLISHED: dict[str, bytes] = {}
"""The pictures that are at public addresses, for this server to fetch."""


def refusal(code: int, subcode: int = 0, message: str = "refused", status: int = 400) -> Reply:
    error = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A490b"}
    return Reply(status, {"error": error | ({"error_subcode": subcode} if subcode else {})})


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


class MetaContract(Contract):
    """What both have."""

    not_found = refusal(100, 33, "Object does not exist")

    def __init__(self) -> None:
        super().__init__()
        self.is_expired = self.is_suspended = False
        self.posts: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.videos: dict[str, dict[str, Any]] = {}
        self.page_size = 100
        self._number = 7000

    def new_id(self) -> str:
        self._number += 1
        return f"1784{self._number}"

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith("/rupload/"):
            return None if call.headers.get("authorization") == f"OAuth {TOKEN}" else refusal(190)
        if call.token != TOKEN:
            return refusal(190, 0, "Invalid OAuth access token", 401)
        if self.is_expired:
            return refusal(190, 463, "Session has expired", 401)
        return refusal(368, 0, "The action attempted has been deemed abusive") if self.is_suspended else None

    def listed(self, call: Call, found: list[dict[str, Any]]) -> Reply:
        """Return a page of a list, newest first."""
        newest = found[::-1]
        at, size = int(call.query.get("after", 0)), min(int(call.query.get("limit", 25)), self.page_size)
        paging: dict[str, Any] = {"cursors": {"after": str(at + size)}}
        paging |= {"next": "https://graph.facebook.com/next"} if at + size < len(newest) else {}
        return Reply(200, {"data": newest[at : at + size], "paging": paging})

    def add_comment(self, target: str, author: dict[str, str], text: str) -> Reply:
        if target not in self.posts:
            return self.not_found
        comment_id = self.new_id()
        made = {"id": comment_id, "message": text, "text": text, "created_time": now(), "timestamp": now(),
                "from": author, "username": author["name"]}  # fmt: skip
        self.comments.setdefault(target, []).append(made)
        return Reply(200, {"id": comment_id})

    @route("POST", rf"{V}/([\d_]+)/comments")
    def comment(self, call: Call) -> Reply:
        return self.add_comment(call.parts[0], {"id": PAGE, "name": "Fleet"}, call.form["message"])

    @route("GET", rf"{V}/([\d_]+)/comments")
    def all_comments(self, call: Call) -> Reply:
        if call.parts[0] not in self.posts:
            return self.not_found
        return self.listed(call, self.comments.get(call.parts[0], []))

    @route("DELETE", rf"{V}/([\d_]+)")
    def delete(self, call: Call) -> Reply:
        return Reply(200, {"success": True}) if self.posts.pop(call.parts[0], None) else self.not_found

    @route("POST", r"/rupload/(\d+)")
    def receive(self, call: Call) -> Reply:
        assert call.headers["offset"] == "0"
        assert int(call.headers["file_size"]) == len(call.body)
        self.videos[call.parts[0]]["data"] = call.body
        return Reply(200, {"success": True})


class FacebookContract(MetaContract):
    """One page."""

    create_path = ("POST", f"{V}/{PAGE}/feed")

    def __init__(self) -> None:
        super().__init__()
        self.photos: dict[str, dict[str, Any]] = {}
        self.likes: set[str] = set()
        self.stories: list[dict[str, Any]] = []
        self.polls = 0

    def published(self) -> list[dict[str, Any]]:
        """Return what the page published."""
        found = []
        for one in self.posts.values():
            text, label, _ = one["message"].partition("\n\nMade with AI.")
            pictures = [(self.photos[p]["data"], self.photos[p]["alt"]) for p in one["photos"]]
            marked = bool(label) or (all(b"DigitalSourceType" in data for data, _ in pictures) and bool(pictures))
            found.append({"id": one["id"], "text": text, "label": marked, "pictures": pictures})
        return found

    @route("GET", rf"{V}/{PAGE}")
    def page(self, _: Call) -> Reply:
        return Reply(200, {"id": PAGE, "name": "Fleet", "followers_count": 12})

    @route("POST", rf"{V}/{PAGE}/photos")
    def photo(self, call: Call) -> Reply:
        form, photo_id = call.form, self.new_id()
        assert form["published"] == "false"
        if not form["source"].startswith((b"\xff\xd8", b"\x89PNG")) or len(form["source"]) > 4_194_304:
            return refusal(100, 0, "Invalid image")
        self.photos[photo_id] = {"data": form["source"], "alt": form.get("alt_text_custom", "")}
        return Reply(200, {"id": photo_id})

    @route("POST", rf"{V}/{PAGE}/feed")
    def create(self, call: Call) -> Reply:
        form = call.form
        photos = [json.loads(form[name])["media_fbid"] for name in sorted(form) if name.startswith("attached_media")]
        if any(one not in self.photos for one in photos):
            return refusal(100, 0, "Invalid parameter")
        newest = next(reversed(self.posts.values()), None)
        if newest is not None and newest["message"] == form["message"] and newest["photos"] == photos:
            return refusal(506, 1455006, "Duplicate status message")
        return Reply(200, {"id": self.add(form["message"], photos)})

    def add(self, message: str, photos: list[str] | None = None, made: str = "") -> str:
        """Add a post."""
        post_id = f"{PAGE}_{self.new_id()}"
        self.posts[post_id] = {"id": post_id, "message": message, "photos": photos or [], "created_time": made or now(),
                               "from": {"id": PAGE, "name": "Fleet"}}  # fmt: skip
        return post_id

    @route("GET", rf"{V}/{PAGE}/(?:feed|posts)")
    def feed(self, call: Call) -> Reply:
        return self.listed(call, [*self.posts.values()])

    @route("GET", rf"{V}/([\d_]+)")
    def one(self, call: Call) -> Reply:
        if call.parts[0] in self.videos:
            return self._video(self.videos[call.parts[0]])
        post = self.posts.get(call.parts[0])
        if post is None:
            return self.not_found
        numbers = {"post_media_view": 250, "post_total_media_view_unique": 200, "post_clicks": 7}
        data = [{"name": name, "values": [{"value": value}]} for name, value in numbers.items()]
        counts = {"reactions": {"summary": {"total_count": 3}}, "comments": {"summary": {"total_count": 1}},
                  "shares": {"count": 2}, "insights": {"data": data}}  # fmt: skip
        return Reply(200, {**post, **counts})

    @route("POST", rf"{V}/({PAGE}_\d+)")
    def edit(self, call: Call) -> Reply:
        self.posts[call.parts[0]]["message"] = call.form["message"]
        return Reply(200, {"success": True})

    @route("POST", rf"{V}/({PAGE}_\d+)/likes")
    def like(self, call: Call) -> Reply:
        self.likes.add(call.parts[0])
        return Reply(200, {"success": True})

    @route("DELETE", rf"{V}/({PAGE}_\d+)/likes")
    def unlike(self, call: Call) -> Reply:
        self.likes.discard(call.parts[0])
        return Reply(200, {"success": True})

    @route("POST", rf"{V}/{PAGE}/video_reels")
    def reel(self, call: Call) -> Reply:
        form = call.form
        if form["upload_phase"] == "start":
            video_id = self.new_id()
            self.videos[video_id] = {"data": b"", "polls": self.polls, "is_published": False, "form": {}}
            return Reply(200, {"video_id": video_id, "upload_url": f"{self.url}/rupload/{video_id}"})
        self.videos[form["video_id"]] |= {"is_published": True, "form": form}
        return Reply(200, {"success": True})

    @route("POST", rf"{V}/{PAGE}/photo_stories")
    def photo_story(self, call: Call) -> Reply:
        photo_id = call.form["photo_id"]
        if photo_id not in self.photos:
            return refusal(100, 0, "Invalid parameter")
        return self._told(photo_id, "photo")

    @route("POST", rf"{V}/{PAGE}/video_stories")
    def video_story(self, call: Call) -> Reply:
        form = call.form
        if form["upload_phase"] == "start":
            return self.reel(call)
        self.videos[form["video_id"]] |= {"is_published": True, "form": form}
        return self._told(form["video_id"], "video")

    def _told(self, media_id: str, kind: str) -> Reply:
        story = {"post_id": self.new_id(), "media_id": media_id, "media_type": kind, "status": "published",
                 "creation_time": now()}  # fmt: skip
        self.stories.append(story)
        return Reply(200, {"success": True, "post_id": story["post_id"]})

    @route("GET", rf"{V}/{PAGE}/stories")
    def all_stories(self, call: Call) -> Reply:
        return Reply(200, {"data": self.stories})

    def _video(self, one: dict[str, Any]) -> Reply:
        one["polls"] -= 1
        up = "complete" if one["data"] and one["polls"] < 0 else "in_progress"
        out = "complete" if one["is_published"] else "not_started"
        return Reply(200, {"status": {"uploading_phase": {"status": up}, "publishing_phase": {"status": out}}})


class InstagramContract(MetaContract):
    """One professional account."""

    create_path = ("POST", f"{V}/{IG}/media_publish")

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[str, dict[str, Any]] = {}
        self.polls = 0
        self.state = "FINISHED"
        self.is_list_late = False

    def published(self) -> list[dict[str, Any]]:
        """Return what the account published."""
        found = []
        for one in self.posts.values():
            box = one["container"]
            parts = [self.containers[child] for child in box.get("children", "").split(",") if child] or [box]
            pictures = [(part["data"], part.get("alt_text", "")) for part in parts]
            found.append({"id": one["id"], "text": one["caption"], "label": box.get("is_ai_generated") == "true",
                          "pictures": pictures})  # fmt: skip
        return found

    @route("GET", rf"{V}/{IG}")
    def account(self, _: Call) -> Reply:
        return Reply(200, {"id": IG, "username": "fleet", "followers_count": 12, "follows_count": 3, "media_count": 1})

    @route("POST", rf"{V}/{IG}/media")
    def make(self, call: Call) -> Reply:
        form: dict[str, Any] = dict(call.form)
        if "image_url" in form:
            data = PUBLISHED.get(form["image_url"])
            if data is None:
                return refusal(9004, 2207052, "The media could not be fetched from this URI")
            wrong = self._wrong(data, form)
            if wrong is not None:
                return wrong
            form["data"] = data
        if form.get("media_type") == "CAROUSEL" and not 2 <= len(form["children"].split(",")) <= 10:
            return refusal(100, 2207010, "The number of items must be 2 to 10")
        box = self.new_id()
        self.containers[box] = {**form, "id": box, "polls": self.polls, "status": "IN_PROGRESS"}
        extra = {}
        if form.get("upload_type") == "resumable":
            self.videos[box] = {"data": b""}
            extra = {"uri": f"{self.url}/rupload/{box}"}
        return Reply(200, {"id": box, **extra})

    @staticmethod
    def _wrong(data: bytes, form: dict[str, Any]) -> Reply | None:
        with Image.open(io.BytesIO(data)) as image:
            if image.format != "JPEG":
                return refusal(9004, 2207026, "Only photo or video can be accepted as media type")
            ratio = image.width / image.height
        is_story = form.get("media_type") == "STORIES"
        return None if is_story or 0.8 <= ratio <= 1.91 else refusal(36003, 2207009, "Aspect ratio not allowed")

    @route("POST", rf"{V}/{IG}/media_publish")
    def publish(self, call: Call) -> Reply:
        box = self.containers.get(call.form["creation_id"])
        if box is None:
            return refusal(100, 2207053, "Unknown upload error")
        if box["status"] == "IN_PROGRESS":
            return refusal(9007, 2207027, "The media is not ready for publishing")
        if box["status"] != "FINISHED":
            return refusal(9, 2207051, "The container cannot be published")
        box["status"] = "PUBLISHED"
        media_id = self.new_id()
        self.posts[media_id] = {"id": media_id, "caption": box.get("caption", ""), "timestamp": now(), "container": box,
                                "shortcode": f"C{media_id[-5:]}", "username": "fleet", "like_count": 3}  # fmt: skip
        return Reply(200, {"id": media_id})

    @route("GET", rf"{V}/{IG}/(?:media|stories)")
    def media(self, call: Call) -> Reply:
        return self.listed(call, [] if self.is_list_late else [*self.posts.values()])

    @route("GET", rf"{V}/(\d+)/insights")
    def insights(self, call: Call) -> Reply:
        if call.parts[0] not in self.posts:
            return self.not_found
        numbers = {"views": 250, "reach": 200, "likes": 3, "comments": 1, "saved": 4, "shares": 2}
        return Reply(200, {"data": [{"name": name, "values": [{"value": one}]} for name, one in numbers.items()]})

    @route("GET", rf"{V}/(\d+)")
    def one(self, call: Call) -> Reply:
        if call.parts[0] in self.posts:
            return Reply(200, self.posts[call.parts[0]])
        box = self.containers.get(call.parts[0])
        if box is None:
            return self.not_found
        box["polls"] -= 1
        if box["polls"] < 0 and box["status"] == "IN_PROGRESS":
            box["status"] = self.state
        return Reply(200, {"id": box["id"], "status_code": box["status"]})
