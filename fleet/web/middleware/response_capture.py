"""A complete response of the app, for middleware that reads it before it is sent."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class CapturedResponse:
    """Status, headers as ASGI has them, and body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """Return a header's value; empty if there is none. `name` is in small letters."""
        return next((value for given, value in self.headers if given.lower() == name), b"")

    def with_headers(self, *more: tuple[bytes, bytes]) -> CapturedResponse:
        """Return the response with these headers, replacing those of the same names."""
        names = {name for name, _ in more}
        kept = (one for one in self.headers if one[0].lower() not in names)
        return CapturedResponse(self.status, (*kept, *more), self.body)

    async def send(self, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


async def answered(app: ASGIApp, scope: Scope, receive: Receive) -> CapturedResponse:
    """Run the app and return its response. Not for streams: they would be delayed to their end."""
    said: list[Message] = []

    async def listen(message: Message) -> None:
        said.append(message)

    await app(scope, receive, listen)
    start = next(message for message in said if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in said if message["type"] == "http.response.body")
    return CapturedResponse(
        start["status"], tuple((bytes(name), bytes(value)) for name, value in start["headers"]), body
    )
