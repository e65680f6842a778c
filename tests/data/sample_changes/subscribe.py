"""Agents subscribe to authors: the decision, the cap, the words, and the write through the adapter."""

import json
import random
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

from fleet import app
from fleet.adapters.base import Account, Action
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.gateway import Caps, WriteUsage
from fleet.engine import deps, registry
from fleet.features.publishing.rules import FeedObservation, SeenItem, decide

features = app.load()
subscribe = features.action_types["subscribe"]
feed = (SeenItem("p1", "zoe", "Zoe", "", done=("subscribe",)), SeenItem("p2", "max", "Max", ""))
moment = FeedObservation(
    now=datetime.now(UTC), agent_id=uuid.UUID(int=1), username="me", has_account=True, weights={"subscribe": 1.0},
    interests=(), feed=feed, usage=WriteUsage(), caps=Caps.of(features.action_types.values()), comment_lead=3,
)  # fmt: skip
decision = decide(moment, random.Random(1))
assert [(plan.kind, plan.target) for plan in decision.plans] == [("subscribe", "max")], decision
assert decision.thought == "I want to see more of Max."
assert features.job("subscribe").once_per_target
assert features.event("job.done", "subscribe").words == "subscribed to {to}"
assert "subscribe" in features.all_actions()
assert features.weights("gallery", {"subscribe": 0.2})["subscribe"] == 0.2
assert deps.caps_of(registry.load_settings(caps={"subscribe": {"gap_s": 60}}))["subscribe"].per_day == 50


class Gallery(BaseHTTPRequestHandler):
    """Notes what was asked for."""

    asked: list[tuple[str, str | None]] = []

    def do_POST(self) -> None:
        self.asked.append((self.path, self.headers["idempotency-key"]))
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


with HTTPServer(("127.0.0.1", 0), Gallery) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    adapter = FloImg(f"http://127.0.0.1:{server.server_port}", "fst_token")
    action = Action(subscribe, Account("1", "me", "Me", None), "key", subscribe.payload("max"))
    assert adapter.write(action, timeout_s=10).remote_id == "max"
    server.shutdown()
assert Gallery.asked == [("/api/users/max/subscribe", "key")], Gallery.asked
