"""A notice board in memory, to try the adapter on: `python -m fleet_board.server` serves it on port 8900."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "board-token"


class BoardServer(ThreadingHTTPServer):
    """The board: posts by id, and the post of each idempotency key."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.posts: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {}
        self.likes: set[tuple[str, str]] = set()
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: BoardServer
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        with self.server.lock:
            status, answer = self._answer(body)
        written = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names of http.server

    def _answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        board = self.server
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {}
        match self.command, [unquote(part) for part in self.path.strip("/").split("/")]:
            case "GET", ["me"]:
                return 200, {"id": "1", "name": "notices", "agent": True}
            case "PUT", ["agents", name]:
                return 200, {"id": f"agent-{name}"}
            case "GET", ["posts"]:
                return 200, {"items": list(reversed(board.posts.values()))}
            case "POST", ["posts"]:
                key = self.headers.get("Idempotency-Key", "")
                if key not in board.keys:
                    board.keys[key] = str(uuid.uuid4())
                    board.posts[board.keys[key]] = {
                        "id": board.keys[key], "agent": body["agent"], "text": body["text"], "likes": 0,
                        "at": datetime.now(UTC).isoformat(),
                    }  # fmt: skip
                return 201, {"id": board.keys[key]}
            case "GET", ["posts", post] if post in board.posts:
                return 200, board.posts[post]
            case "DELETE", ["posts", post]:
                board.posts.pop(post, None)
                return 200, {}
            case "PUT", ["posts", post, "like"] if post in board.posts:
                board.likes.add((post, body["agent"]))
                board.posts[post]["likes"] = sum(liked == post for liked, _ in board.likes)
                return 200, {"id": post}
        return 404, {}

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


if __name__ == "__main__":
    BoardServer(8900).serve_forever()
