"""Write the feed to a file, a JSON object a line, for the terminal of `fleet up`, which reads no database itself.

Runs in a thread of the dashboard's process where FLEET_WEB_FEED names a file; without a dashboard `fleet up` runs
`python -m fleet.features.activity.feed_file`. A process that is started again goes on after the last line.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fleet import app
from fleet.core import logs
from fleet.core.errors import FleetError, Unavailable
from fleet.core.events import Event, Position
from fleet.engine import deps as runtime_deps
from fleet.engine.deps import Deps
from fleet.engine.events import event_text, positions
from fleet.features.activity import queries
from fleet.features.activity.agent_names import AgentNames

_EVERY_S = 1.0
_AWAY_S = 2.0
_PAGE = 500
_CAP_BYTES = 2_000_000
_LAST_BYTES = 20_000

log = logs.get(__name__)


class FeedFile:
    """The file and how far the events are read. It is emptied when it is large: a terminal reads on at once."""

    def __init__(self, deps: Deps, path: Path) -> None:
        self._deps, self._path = deps, path
        self._names = AgentNames(deps)
        self._read = _last_position(path)
        self._is_new = True

    def write_new(self) -> None:
        """Append a line for each event that is new. Raises Unavailable, OSError."""
        if self._read is None:
            self._read = queries.tail(self._deps)
        events = queries.read_after(self._deps, self._read, limit=_PAGE)
        if not events:
            return
        self._names.load(events)
        mode = "a" if self._path.exists() and self._path.stat().st_size < _CAP_BYTES else "w"
        with self._path.open(mode, encoding="utf-8") as file:
            # A line break first ends a line that a killed process wrote in part; readers skip it.
            file.write("\n" if self._is_new else "")
            self._is_new = True  # until all lines are whole: a full disk ends one anywhere
            file.writelines(f"{json.dumps(self._line(event))}\n" for event in events)
        self._is_new = False
        self._read = events[-1].position

    def _line(self, event: Event) -> dict[str, Any]:
        found = self._names.describe(event)
        line: dict[str, Any] = {"position": positions.written(event.position)}
        if found is None:
            return line
        return line | {
            "at": event.occurred_at.isoformat(), "name": self._names.name(event), "emoji": self._names.emoji(event),
            "sign": found.sign, "words": found.words, "tone": found.tone, "is_quiet": event_text.is_quiet(event),
            "url": self._names.url(event),
        }  # fmt: skip


def _last_position(path: Path) -> Position | None:
    """Return the position of the last whole line; None for a file without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError, TypeError, KeyError, FleetError):
            return positions.read(str(json.loads(line)["position"]))
    return None


def _write(deps: Deps, path: Path, ended: threading.Event) -> None:
    feed, wait_s = FeedFile(deps, path), 0.0
    while not ended.wait(wait_s):
        wait_s = _EVERY_S
        try:
            feed.write_new()
        except Unavailable:  # the database is started again; nothing is missed
            wait_s = _AWAY_S
        except Exception:
            log.exception("feed_not_written")
            wait_s = _AWAY_S


@contextmanager
def beside_web(deps: Deps) -> Iterator[None]:
    """Write the feed for as long as the block runs, if a file is named."""
    path = os.environ.get("FLEET_WEB_FEED", "")
    if not path:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_write, args=(deps, Path(path), ended), name="feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Write the feed to FLEET_WEB_FEED until SIGTERM."""
    app.load(app.chosen())
    settings = app.settings()
    logs.configure(settings.log_level, json=settings.log_json)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    deps = runtime_deps.build(settings)
    try:
        _write(deps, Path(os.environ["FLEET_WEB_FEED"]), ended)
    finally:
        deps.close()


if __name__ == "__main__":
    main()
