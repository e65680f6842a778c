"""When and how stores are synced, and which side of a field wins. Pure.

The shapes follow what sync systems do in the field: a three-way merge by field (git, OpenLinker), a cursor that
overlaps, and deletion that two complete sweeps and a read by id must agree on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

INTERVALS = {
    "5m": timedelta(minutes=5), "15m": timedelta(minutes=15), "30m": timedelta(minutes=30), "1h": timedelta(hours=1),
    "6h": timedelta(hours=6), "24h": timedelta(hours=24),
}  # fmt: skip
"""How often a store may be synced."""
MOST_PRIORITY = 10
_BACKOFF, _LONGEST_BACKOFF, _MOST_TRIES = timedelta(seconds=30), timedelta(hours=1), 10
_BREATHER = timedelta(seconds=30)
_OVERDUE = 3
"""So many intervals without a sync make the next one more urgent."""
GONE_AFTER = 2
"""Complete sweeps in a row that must miss an object."""
_MOST_DROP = 0.2
"""A sweep that misses a larger share of what is known is distrusted."""
_FEW = 3
"""So few missing objects are believed of any shop, as long as the sweep saw something."""


class Strategy(StrEnum):
    """What a sync reads: everything, what changed, named objects, or stock and orders alone."""

    FULL = "full"
    INCREMENTAL = "incremental"
    SELECTIVE = "selective"
    STOCK = "stock"


class Direction(StrEnum):
    """Where changes go: pull is store to catalogue, push is catalogue to store."""

    PULL = "pull"
    PUSH = "push"
    BOTH = "both"

    @property
    def pulls(self) -> bool:
        """Whether the catalogue takes changes of the store."""
        return self is not Direction.PUSH

    @property
    def pushes(self) -> bool:
        """Whether the store gets changes of the catalogue."""
        return self is not Direction.PULL


class ConflictRule(StrEnum):
    """Which side wins where both changed a field: source is the store, target the catalogue."""

    MANUAL = "manual"
    SOURCE = "source"
    TARGET = "target"
    NEWEST = "newest"


class Merge(StrEnum):
    """What becomes of a field. `AGREE`: both sides have the same value, which is the new base."""

    KEEP = "keep"
    AGREE = "agree"
    PULL = "pull"
    PUSH = "push"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """A sync that a person asked for. Without a strategy the agent chooses one."""

    strategy: Strategy | None
    direction: Direction | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSignals:
    """All inputs of the decision whether and how to sync a store. `dirty` counts catalogue changes not yet written."""

    now: datetime
    interval: timedelta
    full_every: timedelta
    stock_every: timedelta
    direction: Direction
    is_running: bool = False
    has_changes: bool = False
    """Whether the shop says which products changed."""
    has_stock_feed: bool = True
    """Whether stock must be read apart from products."""
    synced_at: datetime | None = None
    """The end of the last sync that succeeded and was not selective."""
    swept_at: datetime | None = None
    stock_at: datetime | None = None
    failed_syncs: int = 0
    failed_at: datetime | None = None
    events: int = 0
    event_priority: int = 0
    event_at: datetime | None = None
    """When the oldest pending event came."""
    dirty: int = 0
    request: SyncRequest | None = None


@dataclass(frozen=True, slots=True)
class SyncDecision:
    """Whether to sync now, how, and why."""

    is_due: bool
    reason: str
    strategy: Strategy = Strategy.INCREMENTAL
    direction: Direction = Direction.PULL
    priority: int = 0


def decide_sync(signals: StoreSignals) -> SyncDecision:
    """Return whether and how a store is synced now."""
    is_due, reason = should_sync(signals)
    if not is_due:
        return SyncDecision(False, reason)
    wanted = signals.request.direction if signals.request is not None else None
    return SyncDecision(True, reason, strategy(signals), wanted or signals.direction, priority(signals))


def should_sync(signals: StoreSignals) -> tuple[bool, str]:
    """Return whether to sync a store now, and the reason.

    A person's request comes first; a store that failed waits, longer after each failure in a row.
    """
    if signals.is_running:
        return False, "a sync is running"
    if signals.request is not None:
        return True, f"{signals.request.by} asked for it"
    if signals.failed_syncs and signals.failed_at is not None:
        wait = backoff(signals.failed_syncs)
        if signals.now < signals.failed_at + wait:
            return False, f"{signals.failed_syncs} syncs failed in a row: the next one waits"
    if signals.events:
        return True, f"{signals.events} events of the shop"
    if signals.synced_at is None:
        return True, "it was never synced"
    if signals.dirty and signals.direction.pushes:
        return True, f"{signals.dirty} changes of the catalogue"
    if signals.now >= signals.synced_at + signals.interval:
        return True, "its interval is over"
    return False, "it is in step"


def strategy(signals: StoreSignals) -> Strategy:
    """Return what a sync reads: the least that its reason needs, and everything once in a while."""
    if signals.request is not None and signals.request.strategy is not None:
        return signals.request.strategy
    if signals.swept_at is None or signals.now >= signals.swept_at + signals.full_every:
        return Strategy.FULL
    is_time = signals.synced_at is None or signals.now >= signals.synced_at + signals.interval
    if signals.request is None and (signals.events or (signals.dirty and signals.direction.pushes and not is_time)):
        return Strategy.SELECTIVE  # changes of the catalogue are written without a reading: a write expects a value
    is_stock_due = signals.stock_at is None or signals.now >= signals.stock_at + signals.stock_every
    if signals.has_stock_feed and is_stock_due:
        return Strategy.STOCK
    if not signals.has_changes:
        return Strategy.STOCK
    return Strategy.INCREMENTAL


def priority(signals: StoreSignals) -> int:
    """Return how urgent a sync is, 0 to 10: requests of people and orders first, the schedule last."""
    found = [1]
    if signals.request is not None:
        found.append(MOST_PRIORITY)
    if signals.events:
        found.append(signals.event_priority)
    if signals.dirty and signals.direction.pushes:
        found.append(6)
    if signals.synced_at is None:
        found.append(4)
    elif signals.now >= signals.synced_at + _OVERDUE * signals.interval:
        found.append(5)
    return min(MOST_PRIORITY, max(found))


class FailureKind(StrEnum):
    """How a call of a shop failed. `UNKNOWN`: it may have been done."""

    THROTTLED = "throttled"
    TRANSIENT = "transient"
    BUSINESS = "business"
    AUTH = "auth"
    UNKNOWN = "unknown"


class RetryStep(StrEnum):
    """What follows from a failure. `PROBE`: look for the effect before anything is sent again."""

    WAIT = "wait"
    PROBE = "probe"
    STOP = "stop"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """What follows from a failure, and when."""

    step: RetryStep
    wait: timedelta = timedelta(0)


def retry_policy(
    failure: FailureKind, tries: int, *, is_write: bool = False, is_idempotent: bool = True,
    asked_wait: timedelta | None = None,
) -> RetryDecision:  # fmt: skip
    """Return what follows after `tries` failures (from 1).

    Refusals are final; refused credentials need a person; an unknown write is probed unless repeating it is harmless.
    """
    if failure is FailureKind.AUTH:
        return RetryDecision(RetryStep.ASK)
    if failure is FailureKind.BUSINESS:
        return RetryDecision(RetryStep.STOP)
    if failure is FailureKind.THROTTLED:
        return RetryDecision(RetryStep.WAIT, _BREATHER if asked_wait is None else asked_wait)
    if failure is FailureKind.UNKNOWN and is_write and not is_idempotent:
        return RetryDecision(RetryStep.PROBE, _BREATHER)
    if tries >= _MOST_TRIES:
        return RetryDecision(RetryStep.ASK, _LONGEST_BACKOFF)
    return RetryDecision(RetryStep.WAIT, backoff(tries))


def next_size(size: int, took_s: float, most_s: float) -> int:
    """Return the most objects of the page after one of `size` objects that took `took_s` to read.

    `most_s`: the time that a page may take, a part of the lease. A page that takes longer than the lease is never
    stored, so pages double while they take an eighth of that at most, and halve from the half on.
    """
    if took_s > most_s / 2:
        return max(1, size // 2)
    return size * 2 if took_s <= most_s / 8 else size


def backoff(failures: int) -> timedelta:
    """Return the wait after so many failures in a row (from 1): 30 s, doubled each time, one hour at most."""
    times: int = 2 ** min(max(failures, 1) - 1, 12)
    return min(_LONGEST_BACKOFF, _BACKOFF * times)


def equal(one: Any, other: Any) -> bool:
    """Return whether two values of a field are the same."""
    return bool(one == other)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSides:
    """The three values of a field. None: the side does not have one; as `base`: both sides never agreed.

    `base_remote` is what the store made of `base` where it stores values in its own form; None: the same value.
    `can_push` False: the shop stores the field, and no action changes it. `is_pending`: a write of it is under way.
    """

    base: Any
    local: Any
    remote: Any
    base_remote: Any = None
    local_at: datetime | None = None
    remote_at: datetime | None = None
    can_push: bool = True
    is_pending: bool = False


def merge_field(
    sides: FieldSides, rule: ConflictRule, direction: Direction, same: Callable[[Any, Any], bool] = equal
) -> Merge:  # fmt: skip
    """Return what becomes of a field: a three-way merge, within the direction.

    What only one side changed goes along the direction; against the direction it goes only where the rule names the
    winner. What both changed differently follows the rule.
    """
    if sides.is_pending or sides.remote is None:
        return Merge.KEEP
    if same(sides.local, sides.remote):
        return Merge.AGREE
    if sides.local is None:
        return Merge.PULL if direction.pulls else Merge.KEEP
    has_local_moved = sides.base is None or not same(sides.local, sides.base)
    base_remote = sides.base if sides.base_remote is None else sides.base_remote
    has_remote_moved = sides.base is None or not same(sides.remote, base_remote)
    if not has_local_moved and not has_remote_moved:
        return Merge.KEEP
    if has_remote_moved and not has_local_moved:
        found = Merge.PULL if direction.pulls else Merge.PUSH if rule is ConflictRule.TARGET else Merge.KEEP
    elif has_local_moved and not has_remote_moved:
        found = Merge.PUSH if direction.pushes else Merge.PULL if rule is ConflictRule.SOURCE else Merge.KEEP
    else:
        found = _winner(sides, rule)
        if (found is Merge.PULL and not direction.pulls) or (found is Merge.PUSH and not direction.pushes):
            found = Merge.KEEP
    return Merge.KEEP if found is Merge.PUSH and not sides.can_push else found


def _winner(sides: FieldSides, rule: ConflictRule) -> Merge:
    if rule is ConflictRule.SOURCE:
        return Merge.PULL
    if rule is ConflictRule.TARGET:
        return Merge.PUSH
    if rule is ConflictRule.NEWEST and sides.local_at is not None and sides.remote_at is not None:
        return Merge.PUSH if sides.local_at > sides.remote_at else Merge.PULL
    return Merge.CONFLICT


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSides:
    """The stock of a variant at a location, in units.

    `has_local`: somebody else than the store's own orders has set the catalogue's number. `kept` units are promised to
    orders of other stores, or kept back. `told` is what the store is to have; `own_before` and `own_after` sum the
    movements by the store's own orders since
    `base` was agreed: recorded before `remote` was read, and after. Whether `remote` includes the latter is unknown.
    """

    base: int | None
    told: int
    remote: int
    has_local: bool = True
    kept: int = 0
    own_before: int = 0
    own_after: int = 0
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class StockMerge:
    """What becomes of stock: `delta` changes the catalogue, `push` is the number to write, None: nothing is written.

    `level` sets the catalogue's number instead: that of a store on first sight, sold or not, is what there is. `base`
    is the number agreed now; None: it stays. `includes_later`: it includes the movements of `own_after`.
    """

    delta: int = 0
    level: int | None = None
    push: int | None = None
    base: int | None = None
    includes_later: bool = False
    is_conflict: bool = False


def merge_stock(sides: StockSides, rule: ConflictRule, direction: Direction) -> StockMerge:
    """Return what becomes of stock. Counts add up: what the store changed by itself is added to the catalogue.

    Shipments of the store's own orders reach both sides by themselves, and are no change of the store. A number that
    could be read as either of two waits for the next reading.
    """
    if sides.is_pending:
        return StockMerge()
    if sides.base is None:
        return _first_stock(sides, rule, direction)
    expected, later = sides.base + sides.own_before, sides.base + sides.own_before + sides.own_after
    includes_later = False
    moved = sides.remote - expected
    if sides.own_after:
        includes_later = sides.remote == later
        if not includes_later and moved:
            return StockMerge()
        moved = 0
    if moved and not direction.pulls:
        # The catalogue is the only source: what the store changed by itself is written over.
        is_written = sides.told != sides.remote
        return StockMerge(push=sides.told if is_written else None, base=None if is_written else sides.remote)
    told = max(0, sides.told + moved)
    at_store = max(0, later) if sides.own_after else sides.remote
    if told == at_store:
        return StockMerge(delta=moved, base=sides.remote, includes_later=includes_later)
    return StockMerge(delta=moved, push=told if direction.pushes else None, base=sides.remote,
                      includes_later=includes_later)  # fmt: skip


def _first_stock(sides: StockSides, rule: ConflictRule, direction: Direction) -> StockMerge:
    """Return the first agreement. Movements of orders from before it are in the store's number already."""
    if not sides.has_local:
        if not direction.pulls:
            return StockMerge()
        kept = max(0, sides.remote - sides.kept)
        push = kept if kept != sides.remote and direction.pushes else None
        return StockMerge(level=sides.remote, push=push, base=sides.remote, includes_later=True)
    if sides.told == sides.remote:
        return StockMerge(base=sides.remote, includes_later=True)
    if rule is ConflictRule.SOURCE and direction.pulls:
        return StockMerge(delta=sides.remote - sides.told, base=sides.remote, includes_later=True)
    if rule is ConflictRule.TARGET or not direction.pulls:
        return StockMerge(push=sides.told) if direction.pushes else StockMerge()
    return StockMerge(is_conflict=True)


def told(on_hand: int, *, others: int, buffer: int) -> int:
    """Return the units that a store is told to have: physical units without those promised to orders of others."""
    return max(0, on_hand - others - buffer)


class SoldOut(StrEnum):
    """What becomes of the stock of a product at a store that has no products without units."""

    WRITE = "write"
    HIDE = "hide"
    SHOW = "show"


def sold_out(units: Collection[int], *, is_hidden: bool) -> SoldOut:
    """Return what becomes of a product by the units that its variants are to have at the store.

    One without any is hidden in place of a write. One that is hidden gets the units of all its variants, and is shown.
    """
    if not any(one > 0 for one in units):
        return SoldOut.HIDE
    return SoldOut.SHOW if is_hidden else SoldOut.WRITE


class MatchKind(StrEnum):
    """How an object of a store was found in the catalogue."""

    MAPPED = "mapped"
    FOUND = "found"
    NEW = "new"
    AMBIGUOUS = "ambiguous"
    """Several objects of the catalogue could be it: a person decides."""
    TAKEN = "taken"
    """The one that it could be is another object of the store already."""


@dataclass(frozen=True, slots=True)
class ProductMatch:
    """An object of the catalogue, or the candidates between which a person decides."""

    kind: MatchKind
    local_id: str | None = None
    candidates: tuple[str, ...] = ()


def match(
    *, mapped: str | None, skus: Collection[str], by_sku: Mapping[str, Sequence[str]], by_key: Sequence[str] = (),
    taken: Collection[str] = (),
) -> ProductMatch:  # fmt: skip
    """Return which product of the catalogue a product of a store is. Never guesses.

    `by_sku` names the local products that have a SKU, `by_key` those whose creation at the store is unconfirmed under
    its key, `taken` those that are another product of the store. Order: known identity, SKUs, key.
    """
    if mapped is not None:
        return ProductMatch(MatchKind.MAPPED, mapped)
    found = sorted({local for sku in skus if sku for local in by_sku.get(sku, ())}) or sorted(set(by_key))
    if not found:
        return ProductMatch(MatchKind.NEW)
    if len(found) > 1:
        return ProductMatch(MatchKind.AMBIGUOUS, candidates=tuple(found))
    if found[0] in taken:
        return ProductMatch(MatchKind.TAKEN, candidates=tuple(found))
    return ProductMatch(MatchKind.FOUND, found[0])


def is_trusted(*, known: int, missing: int) -> bool:
    """Return whether a complete sweep that misses so many of the known objects is believed.

    A shop that answers an empty page for all products, or loses a fifth of them at once, is more likely broken.
    """
    if not missing:
        return True
    if missing >= known:
        return False
    return missing <= _FEW or missing / known <= _MOST_DROP


class Gone(StrEnum):
    """Whether an object that a sweep missed is gone. `ASK`: read it by its id first."""

    WAIT = "wait"
    ASK = "ask"
    GONE = "gone"
    DISTRUST = "distrust"


def is_gone(*, missed: int, known: int, missing: int, is_vanished: bool | None = None) -> Gone:
    """Return whether an object is gone: two complete sweeps in a row missed it, and a read by its id says so.

    `missed` counts the sweeps with the newest one; `is_vanished` None: it was not read by its id.
    """
    if not is_trusted(known=known, missing=missing):
        return Gone.DISTRUST
    if missed < GONE_AFTER or is_vanished is False:
        return Gone.WAIT
    return Gone.ASK if is_vanished is None else Gone.GONE


class AfterUnknown(StrEnum):
    """What follows from a creation whose outcome nobody knows. `DUPLICATE`: a person decides."""

    DONE = "done"
    RESEND = "resend"
    WAIT = "wait"
    DUPLICATE = "duplicate"


def after_unknown(*, hits: int, age: timedelta, settle: timedelta) -> AfterUnknown:
    """Return what follows from a creation, by how many objects of the shop have its key or SKUs.

    A shop may still be working on it: nothing is sent again before `settle`.
    """
    if hits > 1:
        return AfterUnknown.DUPLICATE
    if hits == 1:
        return AfterUnknown.DONE
    return AfterUnknown.RESEND if age >= settle else AfterUnknown.WAIT


def stream_since(value: datetime | None, overlap_s: float) -> datetime | None:
    """Return where an incremental read begins: before the newest change that was seen, by the shop's overlap.

    Vendure stores the time of inserts in whole seconds: a read from exactly the cursor missed 20 of 20 new products.
    """
    return None if value is None else value - timedelta(seconds=overlap_s)
