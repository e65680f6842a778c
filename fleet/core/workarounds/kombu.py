"""kombu: read messages from Redis without ending the worker, skip needless acknowledgements, measure a queue.

Incident: kombu parses a message in the worker's main loop, before any error handler of Celery; text that is not JSON,
an envelope of another shape or a body that is not Base64 ended the process, and the message was gone. It unpacks a
compressed body of any size. Private parts: `transport.redis.loads`, `Channel.Message`, `Channel._size`, the registry
`compression`, `Message.ack`. `workers.consumer` calls `install` once.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64decode, b64encode
from typing import Any, Never

from kombu import compression
from kombu.transport import redis as redis_transport
from kombu.transport import virtual
from kombu.utils.json import loads

UNREADABLE = "application/x-unreadable"
"""Content type of an envelope that stands for a malformed message: no consumer accepts it."""
LARGEST = 256 * 1024
"""Characters of a message. The fleet's own have about 1,000, a reply to `inspect` some 10,000."""
_KEPT = 16_000


def install() -> None:
    """Make kombu read messages with `parse` and `Envelope` and refuse compressed bodies. Process-wide; repeatable."""
    if not hasattr(redis_transport, "loads"):  # a new kombu reads elsewhere: workers must not run unprotected
        raise RuntimeError("kombu.transport.redis no longer reads messages through `loads`")
    redis_transport.loads = parse
    redis_transport.Channel.Message = Envelope
    for content_type in compression.encoders():
        encode: Any = compression.get_encoder(content_type)  # types-kombu knows nothing of the name beside it
        compression.register(encode[0], _refuse, content_type)


def parse(text: str) -> Any:
    """Parse JSON as kombu does; return a text that is no JSON, or too long, unchanged, for `Envelope` to handle."""
    try:
        return loads(text) if len(text) <= LARGEST else text
    except (ValueError, TypeError, RecursionError, AttributeError, LookupError):
        return text


class Envelope(virtual.Message):
    """A message from Redis; whatever is malformed becomes the body of an unreadable message."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        try:
            problem = _problem(payload)
        except (ValueError, LookupError) as error:
            problem = str(error) or type(error).__name__
        super().__init__(payload if problem is None else _unreadable(payload, problem), channel=channel, **options)


def _problem(envelope: Any) -> str | None:
    """Return the problem that would make kombu or Celery fail outside of its error handlers; None for a valid
    envelope.
    """
    if not isinstance(envelope, dict):
        return "no JSON object, or too long"
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


def _unreadable(payload: Any, problem: str) -> dict[str, Any]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
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


def skip_acknowledgement(message: Any) -> None:
    """Make a message's `ack` and `reject` do nothing. For queues without acknowledgements.

    kombu acknowledges there all the same, in two round trips with a new client for each.
    """
    message.ack = message.reject = _nothing


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing, in place of an acknowledgement."""


def queue_size(channel: Any, queue: str) -> int:
    """Return the number of messages in a queue; 0 for a queue that is not declared yet on Redis."""
    size = getattr(channel, "_size", None)  # Redis and memory transports; no declare needed
    if size is not None:
        return int(size(queue))
    declared = channel.queue_declare(queue, passive=True)
    return int(declared.message_count)
