"""A Mastodon server that behaves as its documentation says where `mastodon-mock` does not, on loopback.

Media are processed later (202, then 206), keys of posts end after an hour of the server's own clock, limits reset at an
ISO 8601 time, and the reply to a write can be lost after the write took effect.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge

KEY_LIFE = timedelta(hours=1)


@dataclass
class Server:
    """Its state, and the faults that a test sets."""

    url: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    statuses: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    media: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: int = 0
    """How often a medium is asked for before it is ready; -1: it is never, and refused."""
    media_status: int = 202
    lose: int = 0
    """How many replies to writes are lost."""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    """What the next calls are answered with, instead of being carried out."""
    calls: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    verifiers: dict[str, str] = field(default_factory=dict)
    """By code: the PKCE challenge that its login was begun with. A code is good for one exchange."""
    redirect_uris: dict[str, str] = field(default_factory=dict)
    """By code."""
    tokens: set[str] = field(default_factory=set)
    """The access tokens that it has issued and not revoked."""
    old: bool = False
    """Whether it is older than Mastodon 4.3: posts are read one at a time."""

    refused: dict[str, int] = field(default_factory=dict)
    """Statuses whose reading is answered with an error, by id."""
    most_chars: int = 500
    """The length of posts, as its administrator set it."""

    def status(self, status_id: str) -> dict[str, Any] | None:
        return next((one for one in self.statuses if one["id"] == status_id), None)


ME = {"id": "7", "acct": "lamp", "username": "lamp", "bot": True, "note": "", "source": {"note": ""}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: Server

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the names that the library calls

    def _handle(self) -> None:
        state = self.server_state
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        state.headers.append(dict(self.headers))
        state.calls.append(f"{self.command} {parts.path}")
        if state.answers:
            status, headers, answer = state.answers.pop(0)
        else:
            headers = {}
            status, answer = self._answer(parts.path, parse_qs(parts.query), body)
        if self.command != "GET" and status < 300 and state.lose and parts.path == "/api/v1/statuses":
            state.lose -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        text = json.dumps(answer).encode()
        self.send_response_only(status)
        for name, value in {"date": format_datetime(state.now, usegmt=True), "content-type": "application/json",
                            "content-length": str(len(text)), **headers}.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        state, verb = self.server_state, self.command
        if path in ("/api/v1/apps", "/oauth/token", "/oauth/revoke"):
            return self._authorise(path, {name: one[0] for name, one in parse_qs(body.decode()).items()})
        match [verb, *path.strip("/").split("/")[2:]]:
            case ["GET", "instance"]:
                return 200, {"configuration": {"statuses": {"max_characters": state.most_chars}}}
            case ["GET", "accounts", "verify_credentials"]:
                return 200, ME
            case ["GET", "accounts", "7", "statuses"]:
                before = int(query.get("max_id", [str(10**18)])[0])
                newest = sorted(state.statuses, key=lambda one: -int(one["id"]))
                return 200, [one for one in newest if int(one["id"]) < before][: int(query["limit"][0])]
            case ["POST", "media"]:
                found = str(len(state.media) + 100)
                state.media[found] = {"left": state.polls, "body": body}
                return state.media_status, {"id": found, "url": None if state.media_status == 202 else "x"}
            case ["GET", "media", found]:
                return self._medium(found)
            case ["GET", "statuses"]:
                if state.old:
                    return 404, {"error": "Record not found"}
                return 200, [one for one in state.statuses if one["id"] in query.get("id[]", [])]
            case ["POST", "statuses"]:
                return self._post(json.loads(body))
            case ["GET", "statuses", found, "source"]:
                one = state.status(found)
                return (200, {"id": found, "text": one["text"]}) if one else (404, {"error": "Record not found"})
            case ["GET", "statuses", found] if found in state.refused:
                return state.refused[found], {"error": "not now"}
            case ["GET", "statuses", found]:
                one = state.status(found)
                return (200, one) if one else (404, {"error": "Record not found"})
        return 404, {"error": "Record not found"}

    def _authorise(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        state = self.server_state
        if path == "/api/v1/apps":
            return 200, {"client_id": "app-1", "client_secret": "secret-of-the-app-1"}
        if (form["client_id"], form["client_secret"]) != ("app-1", "secret-of-the-app-1"):
            return 401, {"error": "invalid_client"}
        if path == "/oauth/revoke":
            state.tokens.discard(form["token"])
            return 200, {}
        code = form["code"]
        challenge, uri = state.verifiers.pop(code, ""), state.redirect_uris.get(code)
        if create_s256_code_challenge(form["code_verifier"]) != challenge or uri != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        state.tokens.add(f"access-of-{code}")
        return 200, {"access_token": f"access-of-{code}", "token_type": "Bearer", "scope": "read"}

    def _medium(self, found: str) -> tuple[int, Any]:
        one = self.server_state.media.get(found)
        if one is None:
            return 404, {"error": "Record not found"}
        if one["left"] < 0:
            return 422, {"error": "Error processing thumbnail for uploaded media"}
        one["left"] -= 1
        return (206, {"id": found, "url": None}) if one["left"] >= 0 else (200, {"id": found, "url": "x"})

    def _post(self, request: dict[str, Any]) -> tuple[int, Any]:
        state, key = self.server_state, self.headers.get("idempotency-key", "")
        at, known = state.keys.get(key, (state.now - KEY_LIFE, ""))
        if known and state.now < at + KEY_LIFE:
            one = state.status(known)
            return (200, one) if one else (404, {"error": "Record not found"})
        for medium in request.get("media_ids", []):
            if medium not in state.media:
                return 422, {"error": "Validation failed: media not found"}
            if state.media[medium]["left"] > 0:
                return 422, {"error": "Cannot attach files that have not finished processing. Try again in a moment!"}
        one = {
            "id": str(len(state.statuses) + 1000), "text": request["status"], "content": f"<p>{request['status']}</p>",
            "created_at": state.now.isoformat(), "in_reply_to_id": request.get("in_reply_to_id"), "account": ME,
            "visibility": request.get("visibility", "public"), "favourites_count": 1, "reblogs_count": 2,
            "replies_count": 3, "request": request,
        }  # fmt: skip
        state.statuses.append(one)
        if key:
            state.keys[key] = (state.now, one["id"])
        return 200, one


def log_in(state: Server, url: str, code: str) -> str:
    """Do as a person does who opens the address of a login and allows it; return where the browser is sent."""
    query = {name: one[0] for name, one in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{state.url}/oauth/authorize?") and query["code_challenge_method"] == "S256"
    state.verifiers[code], state.redirect_uris[code] = query["code_challenge"], query["redirect_uri"]
    return f"{query['redirect_uri']}?code={code}&state={query['state']}"


@contextmanager
def served() -> Iterator[Server]:
    """Serve on a free port of loopback."""
    state = Server()
    handler = type("Handler", (_Handler,), {"server_state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
