"""The live feed in the terminal of `fleet up`: read from the file that `fleet.features.activity.feed_file` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from fleet.cli.frame import render


class FeedReader:
    """The lines of a file that another process appends to, and empties when it is large."""

    def __init__(self, path: Path, *, position: str) -> None:
        """Begin the file anew: the feed goes on after `position`."""
        self._path = path
        path.write_text(f"{json.dumps({'position': position})}\n", encoding="utf-8")
        path.chmod(0o600)
        self._read = 0

    def new(self, *, verbose: bool) -> Iterator[Text]:
        """Yield the lines that have been added, quiet ones only if `verbose`."""
        size = 0
        with suppress(OSError):
            size = self._path.stat().st_size
        if size == self._read:
            return
        self._read = self._read if size > self._read else 0
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        for line in whole.splitlines():
            found = json.loads(line)
            if "words" in found and (verbose or not found["is_quiet"]):
                yield _shown(found)


def _shown(found: dict[str, Any]) -> Text:
    text = Text(f"{datetime.fromisoformat(found['at']).astimezone():%H:%M:%S} ", style="bright_black")
    if name := found["name"]:
        text.append(f"{render.safe(found['emoji'])} " if found["emoji"] else "")
        text.append(f"{render.clip(name, 60)} ", style="bold" if not found["tone"].startswith("dim") else "dim")
    return text.append(f"{found['sign']} {found['words']}".lstrip(), style=found["tone"])
