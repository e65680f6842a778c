"""Videos and documents at LinkedIn: announced, sent in the parts that it names, and waited for. Called by the adapter.

Read on 2026-11-24: Videos API and Documents API (MP4 of 75 kB to 500 MB, 3 seconds to 30 minutes; documents of 100 MB
and 300 pages). The post names the URN with a title.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import count_of, dict_of, dicts_of, text_of
from fleet.adapters.http import HttpClient
from fleet.adapters.manifest import MediaFile, MediaRule
from fleet.adapters.network import CallDeadline

VIDEOS = MediaRule(most=1, types=("video/mp4",), most_bytes=500_000_000, best_ratio=9 / 16, min_ratio=0.42,
                   max_ratio=2.4, min_seconds=3, max_seconds=1800)  # fmt: skip
DOCUMENT_TYPE, MOST_DOCUMENT_BYTES = "application/pdf", 100_000_000
_MOST_PARTS = 1000
OpenUpload = Callable[[str, float], AbstractContextManager[tuple[HttpClient, str]]]
Call = Callable[..., dict[str, Any]]


def send_video(call: Call, opened: OpenUpload, owner: str, file: MediaFile, deadline: CallDeadline) -> str:
    """Send a video and return its URN. Raises Refused for another type, Unreachable, UploadsLost."""
    if file.content_type not in VIDEOS.types or len(file.data) > VIDEOS.most_bytes:
        raise base.Refused("LinkedIn takes MP4 videos of at most 500 MB")
    request = {"owner": owner, "fileSizeBytes": len(file.data), "uploadCaptions": False, "uploadThumbnail": False}
    path = "/rest/videos?action=initializeUpload"
    begun = call("POST", path, json={"initializeUploadRequest": request}, timeout_s=deadline.left_s)
    value = dict_of(begun.get("value"))
    urn, parts = text_of(value.get("video"), base.LONGEST_ID), dicts_of(value.get("uploadInstructions"))
    if not urn or not 0 < len(parts) <= _MOST_PARTS:
        raise base.Unreachable("LinkedIn does not say where the video goes")
    tags = []
    for part in parts:
        first, last = count_of(part.get("firstByte")), count_of(part.get("lastByte"))
        if first is None or last is None or not 0 <= first <= last < len(file.data):
            raise base.Unreachable("LinkedIn names a part that the video has not")
        tags.append(_put(opened, part, file.data[first : last + 1], deadline))
    done = {"video": urn, "uploadToken": text_of(value.get("uploadToken"), 2000), "uploadedPartIds": tags}
    path = "/rest/videos?action=finalizeUpload"
    call("POST", path, json={"finalizeUploadRequest": done}, timeout_s=deadline.left_s)
    return urn


def send_document(call: Call, opened: OpenUpload, owner: str, file: MediaFile, deadline: CallDeadline) -> str:
    """Send a PDF and return its URN. Raises Refused for another type, Unreachable, UploadsLost."""
    if file.content_type != DOCUMENT_TYPE or len(file.data) > MOST_DOCUMENT_BYTES:
        raise base.Refused("a document of Fleet is a PDF of at most 100 MB")
    path = "/rest/documents?action=initializeUpload"
    request = {"initializeUploadRequest": {"owner": owner}}
    value = dict_of(call("POST", path, json=request, timeout_s=deadline.left_s).get("value"))
    urn = text_of(value.get("document"), base.LONGEST_ID)
    if not urn:
        raise base.Unreachable("LinkedIn gives the document no id")
    _put(opened, value, file.data, deadline)
    return urn


def _put(opened: OpenUpload, part: dict[str, Any], data: bytes, deadline: CallDeadline) -> str:
    """Send one part and return its tag, which LinkedIn wants back."""
    with opened(text_of(part.get("uploadUrl"), 2000), deadline.left_s) as (client, place):
        answer = client.request("PUT", place, content=data, headers={"Content-Type": "application/octet-stream"})
    if not answer.is_success:
        raise base.Unreachable(f"LinkedIn does not take the file: {answer.status_code}")
    return str(answer.headers.get("etag", "")).strip('"')
