"""Words that no database keeps: half of an emoji, which surfaces send that cut captions short, and NUL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.base import Account
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.social import FeedItem
from fleet.engine import tick as tick_of
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.models import TickRow
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from tests.factories import Fleet

ADA = Account("a", "ada", "Ada", None)


@pytest.fixture
def surface() -> Iterator[FloImg]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    Thread(target=server.serve_forever, daemon=True).start()
    adapter = FloImg(f"http://127.0.0.1:{server.server_port}", "token", timeout_s=5)
    yield adapter
    adapter.close()
    server.shutdown()


class _Odd(BaseHTTPRequestHandler):
    """A surface whose captions end in half an emoji and hold a NUL; it refuses whatever is not its feed."""

    def do_GET(self) -> None:
        is_feed = self.path.startswith("/api/showcase?")
        body = (
            b'{"items": [{"id": "p1", "description": "A lamp \\ud83d\\u0000 \\ud83d\\ude00",'
            b' "user": {"name": "Z\\ude00"}}]}'
            if is_feed
            else b'{"error": "no \\ud83d\\u0000"}'
        )
        self.send_response(200 if is_feed else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_surfaces_words_are_made_whole_at_the_wall(surface: FloImg) -> None:
    (item,) = surface.feed(ADA, limit=20)
    assert (item.caption, item.author_name) == ("A lamp \ufffd\ufffd 😀", "Z\ufffd")
    with pytest.raises(base.Refused, match="no \ufffd\ufffd"):
        surface.item(ADA, "p1")


def test_a_decision_that_cannot_be_written_down_ends_its_tick(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def record(*_: object) -> None:
        raise sa.exc.DataError("INSERT", {}, ValueError("no database keeps this"))

    monkeypatch.setattr(tick_of, "_record", record)
    agent = fleet.agent()
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    with fleet.deps.db.transaction() as tx:
        row = tx.session.get_one(TickRow, (agent, 1))
    assert row.state == "skipped" and row.error is not None


@pytest.mark.parametrize("caption", ["A lamp \ud83d", "A lamp \x00"])
def test_a_post_with_odd_words_stops_no_agent(fleet: Fleet, caption: str) -> None:
    agent = fleet.agent()
    dispatch(fleet.deps)
    fleet.surface.posts = [FeedItem("p1", "zoe", "Zoe", caption, datetime.now(UTC))]
    tick(fleet.deps, TickKey(agent, 1))
    with fleet.deps.db.transaction() as tx:
        assert tx.session.get_one(TickRow, (agent, 1)).state == "decided"
