"""Raw bodies of webhooks, read no further than a limit."""

from __future__ import annotations

from fastapi import Request

MOST_HOOK_BYTES = 262_144
"""Maximum size of a webhook's body."""


async def bounded_body(request: Request) -> bytes | None:
    """Return the body, or None as soon as it is longer than the limit. A dependency of routes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_HOOK_BYTES:
            return None
    return bytes(body)
