"""A round of the stream: what each listener is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core import clock
from fleet.core.events import Event, Position
from fleet.web.live.rounds import MOST_LINES, Round, Wants


@dataclass
class Line:
    """A line of the feed."""

    subject: str


class Plain:
    """A feed of plain texts."""

    def lines(self, events: Sequence[Event]) -> list[tuple[Position, Line]]:
        return [(one.position, Line(one.subject)) for one in events]

    def html(self, line: Line) -> str:
        return line.subject

    def more(self, number: int) -> str:
        return f"<li>{number} more at once</li>"


def flood(*subjects: str) -> Round:
    now = clock.now()
    events = [Event(Position(1, no), now, subject, None, None, {}) for no, subject in enumerate(subjects, 1)]
    return Round(Position(2, 1), events, Plain().lines(events), feed=Plain())


def test_of_a_flood_only_those_lines_are_counted_that_the_listener_may_hear_of() -> None:
    seen = flood(*["hook.received"] * 40, *["job.done"] * 2, *["job.done"] * MOST_LINES)
    everything = seen.told(Wants(feed=True), Position()).decode()
    some = seen.told(Wants(feed=True, but=("hook.*",)), Position()).decode()
    later = seen.told(Wants(feed=True, but=("hook.*",)), Position(1, 41)).decode()
    assert "42 more at once" in everything
    assert "42 more" not in some
    assert ">2 more at once" in some
    assert later.count("event: activity") == MOST_LINES + 1
    only_newest = flood(*["hook.received"] * 40, *["job.done"] * MOST_LINES)
    quiet = only_newest.told(Wants(feed=True, but=("hook.*",)), Position()).decode()
    assert quiet.count("event: activity") == MOST_LINES
