"""What is a discrepancy, how grave it is, what to do about it, and whether Fleet may do that by itself. Pure.

Types, severities and limits are those of the original design: stock that differs by more than 5 units is medium, by
more than 50 critical; prices that differ by 0.01 or less are equal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from fleet.adapters.shops import decimals_of
from fleet.features.reconciliation.noise import same_content
from fleet.features.stores.rules import ConflictRule, Direction, told

_STOCK_MEDIUM, _STOCK_CRITICAL = 5, 50
_LEAST_PRICE_CENTS = 1
PRICE, STOCK = "variant.price", "stock"


class DiscrepancyType(StrEnum):
    """The types of discrepancies of stores."""

    MISSING_LOCAL = "missing_local"
    MISSING_REMOTE = "missing_remote"
    DATA_MISMATCH = "data_mismatch"
    INVENTORY_DRIFT = "inventory_drift"
    PRICE_DRIFT = "price_drift"


class PostDifference(StrEnum):
    """The types of discrepancies of posts: the ledger against what a network shows.

    `OUTCOME_FOUND`: the network shows the post of a dead letter whose outcome nobody knows.
    """

    DELETED_THERE = "deleted_there"
    CHANGED_TEXT = "changed_text"
    FOREIGN_POST = "foreign_post"
    OUTCOME_FOUND = "outcome_found"


class DiscrepancySeverity(StrEnum):
    """How grave a discrepancy is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place, from 0 for low."""
        return list(DiscrepancySeverity).index(self)


class Moved(StrEnum):
    """Which side changed since both last agreed. `UNKNOWN`: they never agreed."""

    LOCAL = "local"
    REMOTE = "remote"
    BOTH = "both"
    UNKNOWN = "unknown"


class Context(StrEnum):
    """What else is known of a discrepancy, the first that applies.

    `BUSY`: orders of the store move this stock. `RECENT`: the change is so new that a sync may not have seen it.
    `PEERS_LOCAL` and `PEERS_REMOTE`: all other stores have the catalogue's value, or this store's. `QUIET`: nothing.
    """

    BUSY = "busy"
    RECENT = "recent"
    PEERS_LOCAL = "peers_local"
    PEERS_REMOTE = "peers_remote"
    QUIET = "quiet"


class Remedy(StrEnum):
    """What to do: write to the store, take from the store, create here, create there, map anew, or nothing.

    Of a post: accept what its network shows.
    """

    PUSH = "push"
    PULL = "pull"
    IMPORT = "import"
    PUBLISH = "publish"
    RELINK = "relink"
    ACCEPT = "accept"
    NONE = "none"


def units_here(on_hand: int, *, others: int, buffer: int, direction: Direction) -> int:
    """Return the units that a store is to have; of one that is only read, nothing is kept back for other stores."""
    return told(on_hand, others=others, buffer=buffer) if direction.pushes else on_hand


class FixPermission(StrEnum):
    """What follows from a discrepancy: a fix, a question to people, nothing until people look, or another reading."""

    FIX = "fix"
    ASK = "ask"
    LEAVE = "leave"
    COMPARE_AGAIN = "compare_again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A field as both sides have it, and what they last agreed on: values as JSON, None for a side without one.

    `base_there` is what the store made of `base`; None: the same. `has_open_write`: a job is about to write the field.
    `is_newer`: a side changed after the store was read. `is_busy`: orders of the store move this stock.
    """

    field: str
    local: Any
    remote: Any
    base: Any = None
    base_there: Any = None
    local_at: datetime | None = None
    remote_at: datetime | None = None
    has_open_write: bool = False
    is_newer: bool = False
    is_busy: bool = False
    can_push: bool = True


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference that is no noise."""

    type: DiscrepancyType
    severity: DiscrepancySeverity
    moved: Moved
    action: Remedy


class NoDifference(StrEnum):
    """Two sides that do not differ: they agree, or what was read is too old to tell."""

    AGREE = "agree"
    COMPARE_AGAIN = "compare_again"


@dataclass(frozen=True, slots=True)
class FixPolicy:
    """What a store's settings say about fixes."""

    direction: Direction = Direction.BOTH
    conflicts: ConflictRule = ConflictRule.MANUAL
    fix_from: float = 0.95
    ask_from: DiscrepancySeverity | None = DiscrepancySeverity.HIGH
    """People are asked from this severity on; None: never."""
    fixes: Collection[DiscrepancyType] = frozenset(DiscrepancyType)


def type_of(field: str) -> DiscrepancyType:
    """Return the type of a difference in a field."""
    if field == PRICE:
        return DiscrepancyType.PRICE_DRIFT
    return DiscrepancyType.INVENTORY_DRIFT if is_stock(field) else DiscrepancyType.DATA_MISMATCH


def is_stock(field: str) -> bool:
    """Say whether a field is the stock at a location."""
    return field == STOCK or field.startswith("s:")


def severity_of(kind: DiscrepancyType, local: Any = None, remote: Any = None) -> DiscrepancySeverity:
    """Return how grave a discrepancy is; stock by the difference in units."""
    if kind is DiscrepancyType.INVENTORY_DRIFT:
        apart = abs(int(local or 0) - int(remote or 0))
        if apart > _STOCK_CRITICAL:
            return DiscrepancySeverity.CRITICAL
        return DiscrepancySeverity.MEDIUM if apart > _STOCK_MEDIUM else DiscrepancySeverity.LOW
    return {
        DiscrepancyType.MISSING_LOCAL: DiscrepancySeverity.MEDIUM,
        DiscrepancyType.MISSING_REMOTE: DiscrepancySeverity.HIGH,
        DiscrepancyType.DATA_MISMATCH: DiscrepancySeverity.HIGH, DiscrepancyType.PRICE_DRIFT: DiscrepancySeverity.LOW,
    }[kind]  # fmt: skip


def same(field: str, one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same content, perhaps in another form.

    Prices are compared in their currency: 0.01 apart is rounding. Amounts of other currencies are never the same.
    """
    if one is None or other is None:
        return one is other
    if field == PRICE:
        if one["currency"] != other["currency"]:
            return False
        return bool(abs(one["minor"] - other["minor"]) * 100 <= _LEAST_PRICE_CENTS * 10 ** decimals_of(one["currency"]))
    if is_stock(field):
        return int(one) == int(other)
    return same_content(field, one, other)


def moved(sides: Sides) -> Moved | None:
    """Return which side changed since both agreed; None if neither did: the store keeps the value in a form of its own.

    A base in which both sides have the same value is one that a stock level can miss: numbers have no form.
    """
    if sides.base is None:
        return Moved.UNKNOWN
    there = sides.base if sides.base_there is None else sides.base_there
    has_local = not same(sides.field, sides.local, sides.base)
    has_remote = not same(sides.field, sides.remote, there)
    if has_local and has_remote:
        return Moved.BOTH
    if has_local:
        return Moved.LOCAL
    return Moved.REMOTE if has_remote else None


def compare(sides: Sides, policy: FixPolicy) -> Discrepancy | NoDifference:
    """Compare the two sides of a field.

    Returns `COMPARE_AGAIN` for differences that an open write, or a change after the reading, may explain.
    """
    if sides.remote is None or same(sides.field, sides.local, sides.remote):
        return NoDifference.AGREE
    side = moved(sides)
    if side is None:
        return NoDifference.AGREE
    if sides.has_open_write or sides.is_newer:
        return NoDifference.COMPARE_AGAIN
    kind = type_of(sides.field)
    return Discrepancy(kind, severity_of(kind, sides.local, sides.remote), side, suggest(sides, side, policy))


def suggest(sides: Sides, side: Moved, policy: FixPolicy) -> Remedy:
    """Return what to do about a difference, by the side that moved; both by the store's rule for conflicts."""
    if sides.local is None:
        return Remedy.PULL
    if side is Moved.LOCAL:
        found = Remedy.PUSH
    elif side is Moved.REMOTE:
        found = Remedy.PULL if policy.direction.pulls else Remedy.PUSH
    elif policy.conflicts is ConflictRule.SOURCE:
        found = Remedy.PULL
    elif policy.conflicts is ConflictRule.TARGET:
        found = Remedy.PUSH
    elif policy.conflicts is ConflictRule.NEWEST and sides.local_at is not None and sides.remote_at is not None:
        found = Remedy.PUSH if sides.local_at > sides.remote_at else Remedy.PULL
    else:
        found = Remedy.NONE
    return Remedy.NONE if found is Remedy.PUSH and not sides.can_push else found


def context_of(
    sides: Sides, side: Moved, *, now: datetime, settles: timedelta, peers: Mapping[str, Any] | None = None
) -> Context:  # fmt: skip
    """Return the context of a difference. `settles` is the time in which a sync sees a change."""
    if sides.is_busy:
        return Context.BUSY
    times = {Moved.LOCAL: (sides.local_at,), Moved.REMOTE: (sides.remote_at,)}.get(
        side, (sides.local_at, sides.remote_at)
    )
    if any(one is not None and now - one < settles for one in times):
        return Context.RECENT
    values = list((peers or {}).values())
    if values and all(same(sides.field, one, sides.local) for one in values):
        return Context.PEERS_LOCAL
    if values and all(same(sides.field, one, sides.remote) for one in values):
        return Context.PEERS_REMOTE
    return Context.QUIET


def may_fix(
    *, kind: DiscrepancyType, severity: DiscrepancySeverity, action: Remedy, confidence: float, policy: FixPolicy,
    is_unchanged: bool = True,
) -> FixPermission:  # fmt: skip
    """Return what may follow from a discrepancy.

    Values that are no longer those compared are compared again. Severe ones are people's. The others are fixed from the
    setting's confidence on, if the rule names their type and the store's direction has the action.
    """
    if not is_unchanged:
        return FixPermission.COMPARE_AGAIN
    if policy.ask_from is not None and severity.rank >= policy.ask_from.rank:
        return FixPermission.ASK
    follows = {
        Remedy.PUSH: policy.direction.pushes, Remedy.PULL: policy.direction.pulls,
        Remedy.IMPORT: policy.direction.pulls, Remedy.PUBLISH: policy.direction.pushes, Remedy.RELINK: True,
    }.get(action, False)  # fmt: skip
    is_sure = confidence >= policy.fix_from and kind in policy.fixes
    return FixPermission.FIX if is_sure and follows else FixPermission.LEAVE


def is_due(*, now: datetime, last_at: datetime | None, every: timedelta | None, is_running: bool) -> bool:
    """Return whether a store is compared now. `every` None: only when people ask."""
    if is_running or every is None:
        return False
    return last_at is None or now >= last_at + every
