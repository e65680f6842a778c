"""When a user is notified: topics, defaults by role, quiet hours, grouping and the hour of the digest. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from fleet.access.roles import Permission, Role, allows
from fleet.features.notices.topics import Topic

GROUPED = timedelta(minutes=5)
"""The least time between two messages to one user: what comes up meanwhile is in one message."""


ABOUT = {
    Topic.REQUESTS: "Requests that I may decide",
    Topic.FAILURES: "Failures and dead letters of my agents",
    Topic.ALARMS: "Alarms: kill switch, pauses, spent budgets, refused accounts",
    Topic.DIGEST: "A daily digest of what waits",
    Topic.REPORTS: "Reports of days, weeks and months, when they are built",
}
NEEDS = {
    Topic.REQUESTS: Permission.DRAFTS_DECIDE,
    Topic.FAILURES: Permission.JOBS_VIEW,
    Topic.ALARMS: Permission.CONTROLS_VIEW,
    Topic.DIGEST: Permission.FLEET_VIEW,
    Topic.REPORTS: Permission.FLEET_VIEW,
}
"""The permission that each topic needs: a user who loses it is not told any more."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a user is told, and when. Quiet hours may pass midnight; hours are of the zone."""

    topics: tuple[Topic, ...]
    zone: str = "UTC"
    quiet_from: int | None = None
    quiet_until: int | None = None
    digest_hour: int = 8


def defaults(role: Role) -> Choices:
    """Return the choices of a user who has made none: everything that asks for an act."""
    is_crew = allows(role, Permission.CONTROLS_PAUSE)
    topics = (Topic.REQUESTS, Topic.FAILURES, *((Topic.ALARMS,) if is_crew else ()))
    return Choices(tuple(one for one in topics if allows(role, NEEDS[one])))


def is_quiet(choices: Choices, now: datetime) -> bool:
    """Return whether a moment is in the quiet hours."""
    start, end = choices.quiet_from, choices.quiet_until
    if start is None or end is None or start == end:
        return False
    hour = now.astimezone(ZoneInfo(choices.zone)).hour
    return start <= hour < end if start < end else hour >= start or hour < end


def may_send(choices: Choices, sent_at: datetime | None, now: datetime) -> bool:
    """Return whether a message may go to a user now."""
    return not is_quiet(choices, now) and (sent_at is None or now - sent_at >= GROUPED)


def digest_due(choices: Choices, digest_on: date | None, now: datetime) -> date | None:
    """Return the day whose digest is due, if it is; each day has one, at its hour or later."""
    local = now.astimezone(ZoneInfo(choices.zone))
    is_due = Topic.DIGEST in choices.topics and local.hour >= choices.digest_hour
    return local.date() if is_due and digest_on != local.date() else None


def title(topics: Collection[str], number: int) -> str:
    """Return the title of a message with this many lines."""
    if set(topics) == {Topic.REQUESTS}:
        return "1 request for approval" if number == 1 else f"{number:,} requests for approval"
    if set(topics) == {Topic.DIGEST}:
        return "What waits in the fleet"
    if set(topics) == {Topic.REPORTS}:
        return "A report of the fleet" if number == 1 else f"{number:,} reports of the fleet"
    return "1 notice of the fleet" if number == 1 else f"{number:,} notices of the fleet"
