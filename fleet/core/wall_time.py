"""Wall times: the instant at which the clocks of a zone show a time, and what they show at an instant. Pure.

Called by the pages on which people type or drag times. A wall time that a clock change skips is moved on by the length
of the change; of one that happens twice the first is taken (RFC 5545, 3.3.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from whenever import Instant, PlainDateTime, TimeZoneNotFoundError, available_timezones

from fleet.core.errors import InvalidInput

_NOT_A_PLACE = ("localtime", "posixrules", "right/", "posix/", "Factory")


@dataclass(frozen=True, slots=True)
class Landing:
    """The instant of a wall time, and a sentence if the clock does not show it exactly once."""

    at: datetime
    note: str = ""


def zone_names() -> list[str]:
    """Return the names of all zones for a choice, UTC first."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith(_NOT_A_PLACE))]


def check_zone(name: str) -> str:
    """Return the name of a zone as it is written. Raises InvalidInput."""
    try:
        here = Instant.from_timestamp(0).to_tz(name)
    except (TimeZoneNotFoundError, ValueError, OSError):
        here = None
    if here is None or here.tz_id != name or name.startswith(_NOT_A_PLACE):
        raise InvalidInput(
            f"{name[:60]!r} is not a known time zone.", fix="Use an IANA name, such as Europe/Berlin or UTC."
        )
    return name


def local(at: datetime, zone: str) -> datetime:
    """Return what the clocks of a zone show at an instant."""
    return Instant(at.astimezone(UTC)).to_tz(zone).to_stdlib()


def land(day: date, wall: time, zone: str) -> Landing:
    """Return the instant at which the clocks of a zone show this time."""
    wanted = PlainDateTime(
        day.year, day.month, day.day, wall.hour, wall.minute, wall.second, nanosecond=wall.microsecond * 1000
    )
    first = wanted.assume_tz(zone, disambiguation="compatible")
    at = first.to_instant().to_stdlib()
    if first.to_plain() != wanted:
        shown = first.to_plain().time().to_stdlib()
        return Landing(at, f"The clocks skip {wall:%H:%M} on {day}: it is at {shown:%H:%M}.")
    if first.is_repeated():
        return Landing(at, f"The clocks show {wall:%H:%M} twice on {day}: it is at the first.")
    return Landing(at)
