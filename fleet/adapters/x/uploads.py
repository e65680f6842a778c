"""Uploads of pictures and videos to X: initialize, append by chunks, finalize, wait, alt text. Used by `x` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.adapters import base
from fleet.adapters.answers import bounded_s, dict_of, text_of
from fleet.adapters.manifest import MediaFile
from fleet.adapters.network import CallDeadline

CHUNK_BYTES = 1024 * 1024
_PAUSE_S, _NEAR_S = 5.0, 5.0
_CATEGORIES = {"image/gif": "tweet_gif", "video/mp4": "tweet_video"}
Call = Callable[..., dict[str, Any]]
Load = Callable[[], tuple[MediaFile, str]]
"""Returns a file and its alt text."""


def send_all(call: Call, files: Sequence[Load], known: Mapping[str, Any], deadline: CallDeadline) -> dict[str, Any]:
    """Return the media of a post, all of them ready. Raises UploadPending with those that X has, UploadsLost."""
    sent: list[dict[str, Any]] = [dict(one) for one in known.get("media", [])]
    for load in files[len(sent) :]:
        if len(sent) > len(known.get("media", [])) and deadline.is_near(_NEAR_S):
            raise base.UploadPending("pictures are uploaded", uploads={"media": sent}, retry_after_s=1)
        sent.append(_send(call, *load(), deadline))
    waits = [_look(call, one, deadline) for one in sent if not one["is_ready"]]
    if any(waits):
        raise base.UploadPending("X processes the media", uploads={"media": sent}, retry_after_s=max(waits))
    return {"media": sent}


def _send(call: Call, file: MediaFile, alt_text: str, deadline: CallDeadline) -> dict[str, Any]:
    request = {
        "media_type": file.content_type, "total_bytes": len(file.data),
        "media_category": _CATEGORIES.get(file.content_type, "tweet_image"),
    }  # fmt: skip
    begun = dict_of(call("POST", "/2/media/upload/initialize", json=request, timeout_s=deadline.left_s).get("data"))
    media_id = text_of(begun.get("id"), 30)
    if not media_id:
        raise base.Unreachable("X gives the upload no id")
    for index, start in enumerate(range(0, len(file.data), CHUNK_BYTES)):
        chunk = ("chunk", file.data[start : start + CHUNK_BYTES], "application/octet-stream")
        call("POST", f"/2/media/upload/{media_id}/append", form={"segment_index": str(index)}, files={"media": chunk},
             timeout_s=deadline.left_s)  # fmt: skip
    ended = dict_of(call("POST", f"/2/media/upload/{media_id}/finalize", timeout_s=deadline.left_s).get("data"))
    if alt_text:
        metadata = {"id": media_id, "metadata": {"alt_text": {"text": alt_text}}}
        call("POST", "/2/media/metadata", json=metadata, timeout_s=deadline.left_s)
    sent = {"id": media_id, "is_ready": True}
    _read(sent, ended)
    return sent


def _look(call: Call, one: dict[str, Any], deadline: CallDeadline) -> float:
    """Return for how long X still processes a file; 0 if it is ready."""
    query = {"command": "STATUS", "media_id": one["id"]}
    found = call("GET", "/2/media/upload", params=query, timeout_s=deadline.left_s)
    return _read(one, dict_of(found.get("data")))


def _read(one: dict[str, Any], found: dict[str, Any]) -> float:
    """Note whether X has processed a file; return how long to wait before the next look. Raises UploadsLost."""
    info = dict_of(found.get("processing_info"))
    state = info.get("state", "succeeded")
    if state == "failed":
        raise base.UploadsLost(f"X could not process the media: {text_of(dict_of(info.get('error')).get('name'), 100)}")
    one["is_ready"] = state == "succeeded"
    return 0.0 if one["is_ready"] else bounded_s(info.get("check_after_secs")) or _PAUSE_S
