"""Reads what the broker hands over, so that a malformed message reaches the dead letters and never ends a worker.

kombu parses a message from Redis in the worker's main loop, before any error handler of Celery: text that is not JSON,
an envelope of another shape, or a body that is not Base64 ends the process, and the message is gone. kombu also
unpacks a compressed body, of whatever size, before anybody asks for it. `workers.consumer` calls `install` once.
"""

from __future__ import annotations

import uuid
from base64 import b64decode, b64encode
from typing import Any, Never

from kombu import compression
from kombu.transport import redis as redis_transport
from kombu.utils.json import loads

UNREADABLE = "application/x-unreadable"
"""Content type of an envelope that stands for a malformed message: no consumer accepts it."""
LARGEST = 256 * 1024
"""Characters of a message. The fleet's own have about 1,000, a reply to `inspect` some 10,000."""
_KEPT = 16_000


def install() -> None:
    """Make kombu read envelopes with `read_envelope` and refuse compressed bodies. Process-wide; may be repeated."""
    if not hasattr(redis_transport, "loads"):  # a new kombu reads elsewhere: workers must not run unprotected
        raise RuntimeError("kombu.transport.redis no longer reads messages through `loads`")
    redis_transport.loads = read_envelope
    for content_type in compression.encoders():
        compression.register(_refuse, _refuse, content_type)


def read_envelope(text: str) -> Any:
    """Return a message's envelope as kombu expects it; a malformed message becomes the body of an unreadable one."""
    problem: str | None
    try:
        if len(text) > LARGEST:
            raise ValueError(f"longer than {LARGEST} characters")
        envelope = loads(text)
        problem = _problem(envelope)
    except (ValueError, TypeError, RecursionError, AttributeError, LookupError) as error:
        problem = str(error) or type(error).__name__
    return envelope if problem is None else _unreadable(text, problem)


def _problem(envelope: Any) -> str | None:
    """Return what kombu or Celery would trip over outside of its error handlers; None for a sound envelope."""
    if not isinstance(envelope, dict):
        return "the envelope is no object"
    properties, headers, body = envelope.get("properties"), envelope.get("headers"), envelope.get("body")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        return "the envelope has no delivery tag"
    if not isinstance(properties.get("delivery_info") or {}, dict):
        return "the delivery info is no object"
    if not isinstance(headers or {}, dict) or not isinstance((headers or {}).get("task", ""), str):
        return "the headers are no object, or name no task"
    if not isinstance(body, str | None):
        return "the body is no text"
    match properties.get("body_encoding"):
        case "base64":
            b64decode((body or "").encode("ascii"), validate=True)
        case None:
            pass
        case other:
            return f"unknown body encoding {str(other)[:40]!r}"
    return None


def _unreadable(text: str, problem: str) -> dict[str, Any]:
    kept = text[:_KEPT].encode("utf-8", errors="replace")
    return {
        "body": b64encode(kept).decode(),
        "content-type": UNREADABLE,
        "content-encoding": "binary",
        "headers": {"task": "?", "problem": problem[:200]},
        "properties": {"delivery_tag": str(uuid.uuid4()), "body_encoding": "base64", "delivery_info": {}},
    }


def _refuse(_: bytes) -> Never:
    raise ValueError("compressed messages are refused")
