"""The REST API as commands use it: one client for a server that was named, the running fleet and this very process.

`Door.api` chooses: `--server`; else the fleet that runs from the home folder, with the token of its run file; else the
app in this process, as the local administrator (`fleet.web.local_app`). Answers and errors are the same everywhere.
"""

from __future__ import annotations

import ipaddress
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fleet.cli.frame.failures import ApprovalPending
from fleet.core import clock
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound, Unavailable
from fleet.core.workarounds import httpx as http_deadline

with http_deadline.without_commands():
    import httpx

if TYPE_CHECKING:
    from fleet.sandbox.processes.runfile import RunInfo

Answer = Mapping[str, Any]
"""What the API answers: always an object, empty for an answer without a body."""
USER_HEADER = "x-fleet-user"
"""Names the person at the terminal; the server reads it only beside the token of its run file."""

_TIMEOUT_S = 30.0
_TRIES = 3
_MOST_BYTES = 16 * 1024 * 1024
"""More than any page of the API has; a larger answer is refused."""
_LARGEST_PAGE = 200
_FIELD = re.compile(r"(?:^|(?<=; ))(?:body|query|path)\.(?=[a-z])")
"""In which part of a request a wrong field stands; people at a terminal know it by its name alone."""
_REQUESTS = "/api/v1/approvals/"
_ERRORS: Mapping[int, type[FleetError]] = {
    404: NotFound, 409: Conflict, 412: Conflict, 413: InvalidInput, 422: InvalidInput, 429: Unavailable,
    503: Unavailable,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of a list and the cursor of the rows below them; None at the end."""

    items: list[Answer]
    next: str | None

    def data(self) -> Answer:
        """Return the list as the API answers it."""
        return {"items": self.items, "next": self.next}


class Api:
    """The API of one fleet. All methods raise FleetError with the server's own message and fix."""

    def __init__(self, client: httpx.Client, *, fallback: Callable[[], httpx.Client] | None = None) -> None:
        """Take a client whose base is the API; `fallback` makes another one where nothing listens at the first."""
        self._client = client
        self._fallback = fallback

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, **query: Any) -> Answer:
        """Return one thing. Parameters that are None are left out."""
        return self._send("GET", path, query=query)

    def list(self, path: str, *, limit: int = 50, cursor: str | None = None, **query: Any) -> Listed:
        """Return up to `limit` rows of a list, over as many pages as that takes."""
        items: list[Answer] = []
        query = {name: _plain(value) for name, value in query.items()}  # "since 2 h ago" is one moment on all pages
        while True:
            answer = self.get(path, limit=min(limit - len(items), _LARGEST_PAGE), cursor=cursor, **query)
            found, cursor = answer.get("items"), answer.get("next")
            if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
                raise stranger(200)
            items += found
            if cursor is None or not found or len(items) >= limit:
                return Listed(items, cursor)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """Make or do something."""
        return self._send("POST", path, body=body, query=query)

    def put(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """Replace something."""
        return self._send("PUT", path, body=body, query=query)

    def patch(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """Change something."""
        return self._send("PATCH", path, body=body, query=query)

    def delete(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """Remove something."""
        return self._send("DELETE", path, body=body, query=query)

    def _send(self, method: str, path: str, *, query: Mapping[str, Any],
              body: Mapping[str, Any] | None = None) -> Answer:  # fmt: skip
        """Send a request. After a broken connection it is sent again under the same key, so it is done once."""
        asked = {name: _plain(value) for name, value in query.items() if value is not None and value != ()}
        headers = {} if method == "GET" else {"idempotency-key": str(uuid.uuid4())}
        for attempt in range(1, _TRIES + 1):
            try:
                json = None if body is None else _plain(body)
                with self._client.stream(method, path, params=asked, json=json, headers=headers) as answer:
                    http_deadline.read(answer, _MOST_BYTES, httpx.DecodingError)
            except httpx.ConnectError as error:
                if self._fallback is not None:
                    self._client.close()
                    self._client, self._fallback = self._fallback(), None
                elif attempt == _TRIES:
                    raise _no_answer(error) from None
            except httpx.TransportError as error:
                if attempt == _TRIES:
                    raise _no_answer(error) from None
            except httpx.DecodingError:
                raise stranger(200) from None
            else:
                return _read(answer)
        raise _no_answer(httpx.ConnectError("no connection"))


def at(*parts: object) -> str:
    """Return a path of the API: `at("agents", name, "start")`; every part is quoted."""
    # A dot that stands alone would be another path: what is asked of the agent "." would be asked of all.
    return "/" + "/".join(quote(str(part), safe="").replace(".", "%2E") for part in parts)


def stranger(status: int) -> Unavailable:
    """Return the error for an answer that no Fleet gives."""
    return Unavailable(f"The server answers {status}, and not as Fleet would.", fix="Is this the dashboard's address?")


def running_fleet(home: Path | None) -> RunInfo | None:
    """Return the fleet that runs from a home; None if none does, or if the environment names another database."""
    from fleet.sandbox.processes.runfile import RunFile

    folder = home if home is not None else Path(_environment("FLEET_HOME") or ".fleet")
    running = RunFile.read(folder.absolute())
    named = _environment("FLEET_DATABASE_URL")
    return running if running is not None and named in ("", running.database_url) else None


def _environment(name: str) -> str:
    """Return a variable of the environment or of `.env`, as the settings read it; empty if neither has it.

    Reads no settings: to load their models takes longer than a whole command may.
    """
    if name in os.environ:
        return os.environ[name]
    if not Path(".env").is_file():
        return ""
    from dotenv import dotenv_values

    return dotenv_values(".env").get(name) or ""


def local(running: RunInfo, user: str) -> httpx.Client:
    """Return a client of the dashboard of a fleet that runs on this machine, for the system's user."""
    return _client(f"{running.urls['web']}/api/v1", running.token, {USER_HEADER: user})


def remote(server: str, token: str) -> httpx.Client:
    """Return a client of another fleet's dashboard. Raises InvalidInput for an address or a token that is none."""
    if not token:
        raise InvalidInput("--server needs a token.", fix="Set FLEET_TOKEN; `fleet tokens create` makes one there.")
    server = server.rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise InvalidInput(f"--server is no address: {server}.", fix="Write it as https://fleet.example.org.")
    if not token.isascii() or not token.isprintable():
        raise InvalidInput("FLEET_TOKEN contains characters that no token has.", fix="Set it to the token alone.")
    try:
        address = httpx.URL(f"{server}/api/v1")
    except httpx.InvalidURL:
        raise InvalidInput(f"--server is no address: {server}.", fix="Write it as https://fleet.example.org.") from None
    if address.scheme == "http" and not _is_loopback(address.host):
        raise InvalidInput(
            "--server by http:// sends the token in clear text over the network.",
            fix=f"Write https://, or forward a port: ssh -L 8630:localhost:8630 {address.host}",
        )
    return _client(str(address), token)


def _client(base_url: str, token: str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    # What is not encrypted goes to no proxy of the environment either.
    client = httpx.Client(
        base_url=base_url, timeout=_TIMEOUT_S, follow_redirects=False, trust_env=base_url.startswith("https://"),
        headers={"authorization": f"Bearer {token}", "accept": "application/json", "accept-encoding": "identity",
                 **(headers or {})},
    )  # fmt: skip
    http_deadline.bound(client, httpx.ReadTimeout)
    return client


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    """Return a value as the API takes it; a length of time becomes the moment that long ago."""
    match value:
        case timedelta():
            return _plain(clock.now() - value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case uuid.UUID():
            return str(value)
        case tuple() | list():
            return [_plain(one) for one in value]
        case Mapping():
            return {name: _plain(one) for name, one in value.items()}
    return value


def _read(answer: httpx.Response) -> Answer:
    """Return what was answered, an object always. Raises the FleetError that stands in it, ApprovalPending."""
    try:
        body = answer.json() if answer.content else {}
        if answer.status_code == 202 and answer.headers.get("location", "").startswith(_REQUESTS):
            raise ApprovalPending(body)
        if answer.is_success and isinstance(body, dict):
            return body
        refused = problem({**body, "status": answer.status_code})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise stranger(answer.status_code) from None
    if answer.status_code == 401:
        raise FleetError(
            "The server does not accept this token.",
            fix="Set FLEET_TOKEN to a token of that fleet that has not expired and was not revoked.",
        )
    raise refused


def problem(found: Answer) -> FleetError:
    """Return the error that a problem of the API stands for. Raises KeyError for what is none."""
    fix = found.get("fix")
    kind = _ERRORS.get(found["status"], FleetError)
    return kind(_FIELD.sub("", str(found["detail"])), fix=None if fix is None else str(fix))


def _no_answer(error: httpx.TransportError) -> Unavailable:
    return Unavailable(
        f"The server does not answer ({type(error).__name__}).", fix="Is its address right, and is it up?"
    )
