"""TikTok's Content Posting API as developers.tiktok.com describes it (read 2026-11-22)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from tests.contracts.meta import PUBLISHED
from tests.contracts.server import Call, Contract, Reply, route

TOKEN = "tiktok-access-token-of-tests"
OPEN_ID = "open-id-1"
_OUT = ("SEND_TO_USER_INBOX", "PUBLISH_COMPLETE")


def answer(data: dict[str, Any] | None = None, code: str = "ok", status: int = 200) -> Reply:
    return Reply(status, {"data": data or {}, "error": {"code": code, "message": "", "log_id": "2026112300"}})


class TikTokContract(Contract):
    """One account."""

    not_found = answer(code="invalid_params", status=404)
    create_path = ("PUT", r"/upload/.+")

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.is_expired = self.is_suspended = False
        self.fail_reason = ""
        self.is_slow = self.in_moderation = False
        self.offered = ["PUBLIC_TO_EVERYONE", "SELF_ONLY"]

    def published(self) -> list[dict[str, Any]]:
        """Return what became a post or a draft."""
        return [{"id": one["post_id"] or publish_id, "text": one["info"].get("title", ""), "pictures": one["pictures"],
                 "label": one["info"].get("is_aigc") is True, "is_draft": one["is_draft"], "data": one["data"]}
                for publish_id, one in self.jobs.items() if one["status"] in _OUT]  # fmt: skip

    def refuse(self, call: Call) -> Reply | None:
        if call.path.startswith("/upload/"):
            return None
        if call.token != TOKEN or self.is_expired:
            return answer(code="access_token_invalid", status=401)
        return answer(code="spam_risk_user_banned_from_posting", status=403) if self.is_suspended else None

    @route("GET", r"/v2/user/info/")
    def user(self, _: Call) -> Reply:
        user = {"open_id": OPEN_ID, "display_name": "Fleet", "username": "fleet", "follower_count": 12,
                "following_count": 3, "video_count": len(self.jobs)}  # fmt: skip
        return answer({"user": user})

    @route("POST", r"/v2/post/publish/creator_info/query/")
    def creator(self, _: Call) -> Reply:
        return answer({"creator_username": "fleet", "privacy_level_options": self.offered, "comment_disabled": False})

    @route("POST", r"/v2/post/publish/video/init/")
    def direct(self, call: Call) -> Reply:
        return self._begin(call.json, is_draft=False)

    @route("POST", r"/v2/post/publish/inbox/video/init/")
    def inbox(self, call: Call) -> Reply:
        return self._begin({"source_info": call.json["source_info"]}, is_draft=True)

    def _begin(self, request: dict[str, Any], *, is_draft: bool) -> Reply:
        source = request["source_info"]
        size, chunk, count = source["video_size"], source["chunk_size"], source["total_chunk_count"]
        if count != max(1, size // chunk) or chunk > 64_000_000 or (chunk < 5_000_000 and count > 1):
            return answer(code="invalid_params", status=400)
        publish_id = f"v_{'inbox' if is_draft else 'pub'}_file~v2-1.{len(self.jobs) + 1}"
        self.jobs[publish_id] = self._job(request.get("post_info", {}), is_draft, size=size)
        return answer({"publish_id": publish_id, "upload_url": f"{self.url}/upload/{publish_id}?upload_token=t"})

    def _job(self, info: dict[str, Any], is_draft: bool, size: int = 0) -> dict[str, Any]:
        return {"info": info, "is_draft": is_draft, "size": size, "data": b"", "status": "PROCESSING_UPLOAD",
                "reason": "", "post_id": "", "pictures": [], "made": int(datetime.now(UTC).timestamp())}  # fmt: skip

    @route("PUT", r"/upload/(.+)")
    def receive(self, call: Call) -> Reply:
        job = self.jobs.get(call.parts[0])
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", call.headers["content-range"])
        assert match is not None
        if job is None:
            return Reply(403)
        first, last, size = map(int, match.groups())
        if first != len(job["data"]) or size != job["size"] or last - first + 1 != len(call.body):
            return Reply(416)
        job["data"] += call.body
        if len(job["data"]) < size:
            return Reply(206)
        if not self.is_slow:
            self.process(job)
        return Reply(201)

    def process(self, job: dict[str, Any]) -> None:
        """End the processing of an upload."""
        if self.fail_reason:
            job |= {"status": "FAILED", "reason": self.fail_reason}
        elif job["is_draft"]:
            job["status"] = "SEND_TO_USER_INBOX"
        else:
            job["status"] = "PUBLISH_COMPLETE"
            job["post_id"] = (
                "" if self.in_moderation else str(7_500_000_000_000_000_000 + [*self.jobs.values()].index(job))
            )

    @route("POST", r"/v2/post/publish/content/init/")
    def photos(self, call: Call) -> Reply:
        request = call.json
        images = request["source_info"]["photo_images"]
        if any(one not in PUBLISHED for one in images):
            return answer(code="url_ownership_unverified", status=403)
        if any(PUBLISHED[one].startswith(b"\x89PNG") for one in images):
            return answer(code="invalid_params", status=400)
        publish_id = f"p_pub_url~v2.{len(self.jobs) + 1}"
        job = self._job(request["post_info"], request["post_mode"] == "MEDIA_UPLOAD")
        job["pictures"] = [(PUBLISHED[one], "") for one in images]
        self.jobs[publish_id] = job
        self.process(job)
        return answer({"publish_id": publish_id})

    @route("POST", r"/v2/post/publish/status/fetch/")
    def status(self, call: Call) -> Reply:
        job = self.jobs.get(call.json["publish_id"])
        if job is None:
            return answer(code="invalid_publish_id", status=400)
        data = {"status": job["status"], "uploaded_bytes": len(job["data"])}
        data |= {"fail_reason": job["reason"]} if job["reason"] else {}
        return answer(data | ({"publicaly_available_post_id": [int(job["post_id"])]} if job["post_id"] else {}))

    def _shown(self) -> list[dict[str, Any]]:
        return [{"id": one["post_id"], "title": one["info"].get("title", ""), "create_time": one["made"],
                 "like_count": 3, "comment_count": 1, "share_count": 2, "view_count": 250}
                for one in self.jobs.values() if one["post_id"]][::-1]  # fmt: skip

    @route("POST", r"/v2/video/list/")
    def videos(self, call: Call) -> Reply:
        return answer({"videos": self._shown()[: call.json["max_count"]]})

    @route("POST", r"/v2/video/query/")
    def query(self, call: Call) -> Reply:
        ids = call.json["filters"]["video_ids"]
        return answer({"videos": [one for one in self._shown() if one["id"] in ids]})
