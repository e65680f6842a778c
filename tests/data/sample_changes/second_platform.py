"""The second platform is known, connects with the credentials of its account, and posts with the idempotency key."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from pydantic import SecretStr

from fleet import app
from fleet.adapters import registry
from fleet.adapters.base import Account, Action
from fleet.adapters.manifest import AccountAccess
from fleet.adapters.social import POST, PostPayload, social

app.load()


class Server(BaseHTTPRequestHandler):
    """Notes what was asked for."""

    asked: list[tuple[str, ...]] = []

    def do_POST(self) -> None:
        self.asked.append((self.path, self.headers["authorization"], self.headers["idempotency-key"]))
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"id": "s1"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


with HTTPServer(("127.0.0.1", 0), Server) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    adapters = [registry.get("pixelfed").connect(AccountAccess(address, SecretStr(token))) for token in ("one", "two")]
    for adapter in adapters:
        action = Action(POST, Account("1", "me", "Me", None), "key", PostPayload("Hello", ""))
        assert social(adapter).write(action, timeout_s=10).remote_id == "s1"
    server.shutdown()
assert Server.asked == [("/api/v1/statuses", f"Bearer {token}", "key") for token in ("one", "two")], Server.asked
