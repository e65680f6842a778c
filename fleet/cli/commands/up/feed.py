"""The live feed in the terminal of `fleet up`: read from the file that `fleet.features.activity.feed_file` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from fleet.cli.frame import render
from fleet.sandbox import disk


class FeedReader:
    """The lines of a file that another process appends to, and empties when it is large."""

    def __init__(self, path: Path, *, position: str) -> None:
        """Start the file anew: the feed goes on after `position`. Raises FleetError."""
        self._path = path
        disk.write_private(path, f"{json.dumps({'position': position})}\n")
        self._read = 0

    def new(self, *, verbose: bool) -> Iterator[Text]:
        """Yield the lines that have been added, quiet ones only if `verbose`."""
        for line in self._added():
            with suppress(ValueError, TypeError, KeyError):  # a part of a line: its writer was killed, or began anew
                found = json.loads(line)
                if "words" in found and (verbose or not found["is_quiet"]):
                    yield _shown(found)

    def _added(self) -> list[bytes]:
        """Return the whole lines that were added; none if the file cannot be read now."""
        with suppress(OSError), self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            self._read = self._read if size >= self._read else 0
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole) + len(end)
            return whole.splitlines()
        return []


def _shown(found: dict[str, Any]) -> Text:
    text = Text(f"{datetime.fromisoformat(found['at']).astimezone():%H:%M:%S} ", style="bright_black")
    if name := found["name"]:
        text.append(f"{render.safe(found['emoji'])} " if found["emoji"] else "")
        text.append(f"{render.clip(name, 60)} ", style="bold" if not found["tone"].startswith("dim") else "dim")
    return text.append_text(
        render.linked(f"{found['sign']} {found['words']}".lstrip(), found.get("url"), found["tone"])
    )
