"""Field types of pages: choices that may be empty, and texts without invisible characters.

Used by the pages about jobs and costs. Any URL or form gives a valid value or an error page; commands check the
meaning.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from fleet.core import text
from fleet.core.errors import InvalidInput

T = TypeVar("T")


def _or_none(value: object) -> object:
    return None if value == "" else value


Maybe = Annotated[T | None, BeforeValidator(_or_none)]
"""A choice; the empty one of a form is none."""
Name = Annotated[str, StringConstraints(max_length=100), AfterValidator(text.clean)]
"""What an agent, a persona or a provider is called."""
Words = Annotated[str, StringConstraints(max_length=300), AfterValidator(text.clean)]
"""A sentence of a person, such as a reason."""
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_utc(value: datetime) -> datetime:
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return max(_EARLIEST, min(_LATEST, moment)).astimezone(UTC)


MaybeMoment = Maybe[Annotated[datetime, AfterValidator(_in_utc)]]
"""A moment of a form or a link, or none. Without an offset it is UTC, which pages show; the calendar's ends are cut."""
JobId = Annotated[str, StringConstraints(max_length=60)]
"""A job's id or its beginning."""


class Since(StrEnum):
    """How far back a list goes."""

    HOUR = "1h"
    DAY = "1d"
    WEEK = "7d"

    @property
    def span(self) -> timedelta:
        """How long that is."""
        return {Since.HOUR: timedelta(hours=1), Since.DAY: timedelta(days=1), Since.WEEK: timedelta(days=7)}[self]

    @property
    def words(self) -> str:
        """What it is called in a choice."""
        return {Since.HOUR: "last hour", Since.DAY: "last day", Since.WEEK: "last week"}[self]


class Age(StrEnum):
    """How long something has been over."""

    HOUR = "last-hour"
    DAY = "last-day"
    WEEK = "last-week"
    OVER_A_DAY = "over-a-day"
    OVER_A_WEEK = "over-a-week"

    @property
    def limits(self) -> dict[str, timedelta]:
        """Return the same as ages of a filter."""
        spans = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
        return {"newer_than" if self.startswith("last") else "older_than": spans[self.rsplit("-", 1)[1]]}

    @property
    def words(self) -> str:
        """What it is called in a choice."""
        return self.replace("over-a-", "longer than a ").replace("-", " ")


def place(before: str) -> int | None:
    """Return the number of the entry below which a page of a list begins; None for the top. Raises InvalidInput."""
    if not before:
        return None
    if not before.isdecimal() or len(before) > 18:
        raise InvalidInput(f"{before!r} is no place in this list.", fix="Begin at its top.")
    return int(before)
