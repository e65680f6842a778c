"""Decisions about listings: bounds of overrides, what a store cannot hold, what differs, periods of budgets. Pure.

Values of fields are those of `fleet.features.stores.values`, by the key "LOCAL_ID/FIELD".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from fleet.adapters import texts
from fleet.adapters.manifest import MediaRule, TextRule
from fleet.core.errors import InvalidInput

LONGEST_TITLE, LONGEST_DESCRIPTION = 300, 100_000
SECOND_LOOK = "after"
"""The cause of a difference: the store changed after it had taken the value."""
OTHER_FORM = "form"
"""The cause of a difference: the store holds the value otherwise than it was sent."""
SameOf = Callable[[str], Callable[[Any, Any], bool]]


def key(local_id: uuid.UUID, field: str) -> str:
    """Return the key of a field of a product or variant."""
    return f"{local_id}/{field}"


def field_of(written: str) -> tuple[uuid.UUID, str]:
    """Return the object and the field of a key."""
    local_id, _, field = written.partition("/")
    return uuid.UUID(local_id), field


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which a store has something else than was sent."""

    key: str
    label: str
    sent: Any
    found: Any
    cause: str

    @property
    def words(self) -> str:
        """The difference for people."""
        if self.cause == SECOND_LOOK:
            return f"{self.label} was changed at the store after it was published"
        return f"the store holds {self.label} otherwise than it was sent"

    def to_data(self) -> dict[str, Any]:
        """Return it as data."""
        return {name: getattr(self, name) for name in self.__slots__} | {"words": self.words}


def differences(
    sent: Mapping[str, Any], first: Mapping[str, Any], found: Mapping[str, Any], label: Callable[[str], str],
    same_of: SameOf,
) -> list[Difference]:  # fmt: skip
    """Return the fields that a store does not have as they were sent.

    `first` was read right after the write, `found` later: a value that changed between the two was changed by somebody
    at the store; one that was another at once is the store's own form of it.
    """
    result = []
    for name, value in sent.items():
        same = same_of(field_of(name)[1])
        now = found.get(name)
        if not same(now, value):
            was = first.get(name)
            cause = SECOND_LOOK if not same(was, now) else OTHER_FORM
            result.append(Difference(name, label(name), value, now, cause))
    return result


def unheld(values: Mapping[str, Any], rules_of: Mapping[str, TextRule], pictures: MediaRule | None) -> list[str]:
    """Return why a store cannot hold the values of a product, by the rules of its adapter."""
    problems = []
    for name in ("title", "description"):
        rule, said = rules_of.get(name), str(values.get(name) or "")
        if rule is not None and not texts.fits(said, rule):
            problems.append(f"{name}: {texts.length(said, rule):,} characters, {rule.most:,} allowed")
    if "title" in values and not str(values["title"]).strip():
        problems.append("title: it is empty")
    images = values.get("images") or []
    if pictures is not None and len(images) > pictures.most:
        problems.append(f"images: {len(images)} pictures, {pictures.most} allowed")
    return problems


def check_texts(title: str | None, description: str | None) -> None:
    """Refuse texts that no catalogue takes. Raises InvalidInput."""
    if title is not None and not (len(title.strip()) > 0 and len(title) <= LONGEST_TITLE and "\n" not in title):
        raise InvalidInput(f"title: one line of 1 to {LONGEST_TITLE} characters.")
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        raise InvalidInput(f"description: at most {LONGEST_DESCRIPTION:,} characters.")


def price_problem(price: int, *, catalogue: int | None, floor: int | None, percent: float) -> str:
    """Return why a store must not have a price of its own, in minor units; empty if it may."""
    if price < 0:
        return "it is negative"
    if floor is not None and price < floor:
        return "it is below the floor"
    if catalogue is None:
        return "the catalogue has no price to compare it with"
    if abs(price - catalogue) * 100 > catalogue * percent:
        return f"it is more than {percent:g} % from the catalogue's price"
    return ""


class BudgetKind(StrEnum):
    """What a budget of a store counts."""

    API_CALLS = "api_calls"
    SPEND = "spend"  # millionths of a dollar
    ACTIONS = "actions"  # writes


class BudgetPeriod(StrEnum):
    """How long a budget of a store lasts; weeks begin on Mondays. All periods are those of UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def begin_of(now: datetime, period: BudgetPeriod) -> date:
    """Return the first day of the period in which a moment is."""
    today = now.astimezone(UTC).date()
    match period:
        case BudgetPeriod.DAY:
            return today
        case BudgetPeriod.WEEK:
            return today - timedelta(days=today.weekday())
        case BudgetPeriod.MONTH:
            return today.replace(day=1)


def end_of(begin: date, period: BudgetPeriod) -> datetime:
    """Return when a period ends."""
    match period:
        case BudgetPeriod.DAY:
            after = begin + timedelta(days=1)
        case BudgetPeriod.WEEK:
            after = begin + timedelta(days=7)
        case BudgetPeriod.MONTH:
            after = (begin + timedelta(days=32)).replace(day=1)
    return datetime.combine(after, time(), UTC)


def is_spent(used: int, most: int, extension: int) -> bool:
    """Return whether nothing of a budget is left."""
    return used >= most + extension


def named(labels: Sequence[str], most: int = 3) -> str:
    """Return some labels for a sentence."""
    more = len(labels) - most
    return ", ".join(labels[:most]) + (f" and {more} more" if more > 0 else "")
