"""The feed that the dashboard's process writes to a file and the terminal of `fleet up` reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.commands.up.feed import FeedReader
from fleet.core import events
from fleet.core.events import Position
from fleet.engine.events import positions
from fleet.features.activity.feed_file import FeedFile
from tests.factories import Fleet


@pytest.fixture
def path(fleet: Fleet, tmp_path: Path) -> Path:
    """Return the file; it begins before every event."""
    return tmp_path / "feed"


def happens(fleet: Fleet, name: str) -> None:
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "agent.lesson.learned", why=name)


def names(reader: FeedReader) -> list[str]:
    return [line.plain.split(" ", 1)[1] for line in reader.new(verbose=True)]


def test_a_terminal_shows_each_event_once_although_the_writer_was_killed_in_mid_line(fleet: Fleet, path: Path) -> None:
    """Symptom: the half line ended `fleet up`, and the next writer left out what had happened meanwhile."""
    reader = FeedReader(path, position=positions.written(Position(0, 0)))
    assert path.stat().st_mode & 0o077 == 0
    happens(fleet, "first")
    FeedFile(fleet.deps, path).write_new()
    (first,) = names(reader)
    assert "first" in first
    with path.open("a", encoding="utf-8") as file:
        file.write('{"position": "1-')
    happens(fleet, "second")
    assert names(reader) == []
    FeedFile(fleet.deps, path).write_new()
    (second,) = names(reader)
    assert "second" in second


def test_an_event_after_a_full_disk_is_not_glued_to_half_a_line(
    fleet: Fleet, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, text: str) -> None:
            self.file.write(text)

        def writelines(self, lines: Iterable[str]) -> None:
            self.file.write(next(iter(lines))[:12])
            raise OSError(28, "No space left on device")

    reader, writer = FeedReader(path, position=positions.written(Position(0, 0))), FeedFile(fleet.deps, path)
    happens(fleet, "first")
    writer.write_new()
    happens(fleet, "second")
    with monkeypatch.context() as patch:
        real = Path.open
        patch.setattr(Path, "open", lambda self, *given, **more: FullDisk(real(self, *given, **more)))
        with pytest.raises(OSError, match="No space"):
            writer.write_new()
    writer.write_new()
    assert ["second" in name for name in names(reader)] == [False, True]


def test_a_terminal_reads_on_when_the_file_is_emptied_and_waits_when_it_is_gone(fleet: Fleet, path: Path) -> None:
    reader, writer = FeedReader(path, position=positions.written(Position(0, 0))), FeedFile(fleet.deps, path)
    happens(fleet, "first")
    writer.write_new()
    assert len(names(reader)) == 1
    path.unlink()
    assert names(reader) == []
    happens(fleet, "second")
    writer.write_new()
    assert len(names(reader)) == 1
