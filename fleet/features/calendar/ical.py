"""Entries as an iCalendar file (RFC 5545), for calendars of people: an event for each entry. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MEDIA_TYPE = "text/calendar"
_LONGEST_LINE = 75
"""In octets, without the line break (RFC 5545, 3.1)."""
_LONGEST_SUMMARY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IcalEvent:
    """One event. `uid` stays the same for as long as the entry is there."""

    uid: str
    at: datetime
    summary: str
    description: str
    category: str
    url: str
    is_certain: bool


def document(events: Iterable[IcalEvent], *, stamp: datetime) -> str:
    """Return the file with these events, as of a moment."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Fleet//Calendar//EN", "X-WR-CALNAME:Fleet"]
    for one in events:
        lines += _event(one, stamp)
    return "".join(f"{folded}\r\n" for line in (*lines, "END:VCALENDAR") for folded in _folded(line))


def _event(one: IcalEvent, stamp: datetime) -> Sequence[str]:
    return (
        "BEGIN:VEVENT", f"UID:{_escaped(one.uid)}", f"DTSTAMP:{_moment(stamp)}", f"DTSTART:{_moment(one.at)}",
        f"SUMMARY:{_escaped(one.summary[:_LONGEST_SUMMARY])}", f"DESCRIPTION:{_escaped(one.description)}",
        f"CATEGORIES:{_escaped(one.category)}", f"STATUS:{'CONFIRMED' if one.is_certain else 'TENTATIVE'}",
        *([f"URL:{one.url}"] if one.url else []), "TRANSP:TRANSPARENT", "END:VEVENT",
    )  # fmt: skip


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(words: str) -> str:
    """Return a text as RFC 5545, 3.3.11 has it: no character of it ends its line."""
    shown = "".join(one if one.isprintable() or one == "\n" else " " for one in words.replace("\r\n", "\n"))
    return shown.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """Return a line as several of at most 75 octets; all but the first begin with a blank. No character is cut."""
    found, now, size = [], "", 0
    for one in line:
        octets = len(one.encode("utf-8", "replace"))
        if size + octets > _LONGEST_LINE:
            found.append(now)
            now, size = " ", 1
        now += one
        size += octets
    return [*found, now]
