"""The end of a login at a person's own machine: one request of the browser to a free port of loopback.

Called by `fleet accounts connect`. Light: it loads no web framework.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from fleet.core import clock
from fleet.core.errors import FleetError, InvalidInput

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
_WAIT_S = 15 * 60.0
_PAGE = b"<!doctype html><title>Fleet</title><p>You can close this page and go back to the terminal."


class Listener:
    """Waits for the browser."""

    def __init__(self, server: HTTPServer, answers: list[dict[str, list[str]]]) -> None:
        self._server, self._answers = server, answers
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"

    def code(self, state: str, *, wait_s: float = _WAIT_S) -> str:
        """Return the code of the login with this state. Raises InvalidInput for a refusal, FleetError after 15 min."""
        end_s = clock.monotonic_s() + wait_s
        while (left_s := end_s - clock.monotonic_s()) > 0:
            self._server.timeout = left_s
            self._server.handle_request()
            for answer in self._answers:
                if not secrets.compare_digest(answer.get("state", [""])[0].encode(), state.encode()):
                    continue
                if "code" in answer:
                    return answer["code"][0]
                raise InvalidInput("The login was refused.", fix="Run the command again, and allow Fleet to connect.")
            self._answers.clear()
        raise FleetError("Nobody logged in within 15 minutes.", fix="Run the command again.")


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on a free port until the block ends."""
    answers: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def log_message(self, *_: object) -> None:
            """Write nothing: the address holds the code."""

        def do_GET(self) -> None:
            answers.append(parse_qs(urlsplit(self.path).query))
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(_PAGE)))
            self.end_headers()
            self.wfile.write(_PAGE)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        yield Listener(server, answers)
