"""Names that features register: unique, and no longer than the columns that hold them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from fleet.core.errors import InvalidInput

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

LONGEST: Mapping[str, int] = {
    "kind of job": 20, "kind of agent": 20, "mode": 12, "requested action": 20, "action": 40, "event": 80,
    "username": 30,
}  # fmt: skip
"""The most characters of each: `jobs.kind`, `agents.kind`, `agents.autonomy`, `ticks.asked_for`,
`account_usage.operation`, `events.subject`, `agents.username`."""


def by_name(found: Iterable[T], name_of: Callable[[T], K], what: str) -> Mapping[K, T]:
    """Return registered parts by name. Raises InvalidInput for two of one name."""
    named: dict[K, T] = {}
    for one in found:
        if name_of(one) in named:
            raise InvalidInput(f"Two features register the {what} {name_of(one)!r}.")
        named[name_of(one)] = one
    return named


def only(found: Sequence[T], what: str) -> T | None:
    """Return the one part of its sort; None without any. Raises InvalidInput for several."""
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} features register the {what}; there is one.")
    return found[0] if found else None


def refuse_long(feature: str, what: str, names: Iterable[str]) -> None:
    """Raise InvalidInput for a name of a feature that its column cannot hold."""
    for name in names:
        if len(name) > LONGEST[what]:
            raise InvalidInput(
                f"The feature {feature} registers the {what} {name!r}, which has {len(name)} characters.",
                fix=f"Shorten it to at most {LONGEST[what]}.",
            )
