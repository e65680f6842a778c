"""The limiter: takes room in all limits that apply to a call, or in none. Rows in Postgres count for all processes.

Threads of a process that call at the same moment share a transaction (group commit), and are served in turn within it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from fleet.accounts.directory import OpenAccount
from fleet.adapters.base import LimitSpent, OutsideSystem
from fleet.adapters.limits import Observation
from fleet.adapters.manifest import AdapterType, Limit, LimitScope
from fleet.core import events, text
from fleet.core.db import Database, Tx, sql, visibility
from fleet.core.db.sql import GroupStatement
from fleet.core.group_commit import NO_END_MS
from fleet.features.adapters.limits import window
from fleet.features.adapters.limits.window import Caller, Window

_STATEMENTS = "fleet.features.adapters.sql"
_LOCK = GroupStatement(sql.read(_STATEMENTS, "lock_limits"))
_SAVE = GroupStatement(sql.read(_STATEMENTS, "save_limits"))
_ADD = GroupStatement(sql.read(_STATEMENTS, "add_limits"))


@dataclass(frozen=True, slots=True)
class CountedLimit:
    """A limit of a manifest, as the row that counts it: for one account, one host or one app."""

    key: str
    limit: Limit
    adapter: str
    account: OpenAccount

    @property
    def account_id(self) -> uuid.UUID | None:
        """The account that has it alone."""
        return self.account.key.id if self.limit.scope is LimitScope.ACCOUNT else None


def limits_of(
    kind: AdapterType, account: OpenAccount, system: OutsideSystem, sizes: Mapping[str, int] = MappingProxyType({})
) -> tuple[CountedLimit, ...]:
    """Return the limits of a manifest for an account; `sizes` are those that people gave limits, by name."""
    scopes = {
        LimitScope.ACCOUNT: f"account:{account.key.id}",
        LimitScope.HOST: f"host:{kind.name}:{system.host[:200]}:{system.port}",
        LimitScope.APP: f"app:{kind.name}",
    }
    limits = [replace(one, most=sizes.get(one.name, one.most)) for one in kind.limits]
    return tuple(CountedLimit(f"{scopes[one.scope]}/{one.name}", one, kind.name, account) for one in limits)


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """A call that needs room."""

    operation: str
    caller: Caller
    limits: tuple[CountedLimit, ...]
    is_background: bool = False
    """Whether it leaves room to others: no room is held for it while it waits."""

    @property
    def costs(self) -> Mapping[str, int]:
        """The units by the key of each limit that applies."""
        costs = {one.key: one.limit.cost_of(self.operation) for one in self.limits}
        return {key: cost for key, cost in costs.items() if cost}


@dataclass(frozen=True, slots=True)
class TakenRoom:
    """The units that a call has taken, for `give_back`."""

    request: RoomRequest
    cells: Mapping[str, int]


class Limiter:
    """Takes room for the calls of this process."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def take(self, request: RoomRequest) -> TakenRoom:
        """Take the room of a call in all its limits. Raises LimitSpent, and then nothing is taken; Unavailable."""
        if not request.costs:
            return TakenRoom(request, {})
        with visibility.restricted(None):  # members' calls count like everybody's
            end = self._db.together(_take_all, (self._db, request))
        if isinstance(end, LimitSpent):
            raise end
        return end

    def give_back(self, taken: TakenRoom) -> None:
        """Give back the room of a call that was not made."""

        def change(windows: Mapping[str, Window], now: float) -> None:  # noqa: ARG001 - as `_changed` calls it
            for key, found in windows.items():
                found.give_back(taken.cells[key], taken.request.costs[key])

        self._change([one for one in taken.request.limits if one.key in taken.cells], change)

    def add_requests(self, request: RoomRequest, sent: int) -> None:
        """Count the requests of an operation beyond those that it had room for, even where there is no room."""
        costs = request.costs
        beyond = {one.key: sent - costs[one.key] for one in request.limits
                  if one.limit.by_request and sent > costs.get(one.key, sent)}  # fmt: skip

        def change(windows: Mapping[str, Window], now: float) -> None:
            for key, found in windows.items():
                found.take(request.caller, beyond[key], now)

        self._change([one for one in request.limits if one.key in beyond], change)

    def observe(self, operation: str, limits: Sequence[CountedLimit], seen: Observation) -> None:
        """Adopt what a response to an operation said about limits."""
        about = [one for one in limits if one.limit.name == seen.limit]
        about = about or [one for one in limits if one.limit.cost_of(operation)]

        def change(windows: Mapping[str, Window], now: float) -> None:
            chosen = _limit_meant(seen, about, windows)
            room_in = 0.0 if seen.reset_in is None else seen.reset_in.total_seconds()
            blocked_in = 0.0 if seen.blocked_for is None else seen.blocked_for.total_seconds()
            windows[chosen.key].observe(
                now, most=seen.most, room=seen.remaining, room_until=now + room_in, blocked_until=now + blocked_in,
            )  # fmt: skip

        self._change(about, change)

    def _change(self, limits: Sequence[CountedLimit], change: Any) -> None:
        if limits:
            with visibility.restricted(None), _locked(self._db, limits, NO_END_MS) as (_, windows, now):
                change(windows, now)


def _limit_meant(seen: Observation, limits: Sequence[CountedLimit], windows: Mapping[str, Window]) -> CountedLimit:
    """Return the limit that a response is about: of the same size, else the one that is used most."""
    same = [one for one in limits if one.limit.most == seen.most]
    return max(same or limits, key=lambda one: windows[one.key].used() / one.limit.most)


def _take_all(asked: list[tuple[Database, RoomRequest]], patience_ms: int) -> Sequence[TakenRoom | LimitSpent]:
    """Serve calls in the order in which they came, in one transaction."""
    limits = {one.key: one for _, request in asked for one in request.limits if one.key in request.costs}
    with _locked(asked[0][0], list(limits.values()), patience_ms) as (tx, windows, now):
        ends = [_serve(request, windows, now) for _, request in asked]
        for key, found in windows.items():
            if found.is_near(now):
                _warn(tx, limits[key], found)
    return ends


def _serve(request: RoomRequest, windows: Mapping[str, Window], now: float) -> TakenRoom | LimitSpent:
    waits = {}
    for key, cost in request.costs.items():
        until = windows[key].wait_until(request.caller, cost, now, is_background=request.is_background)
        if until is not None:
            waits[key] = until
    if not waits:
        return TakenRoom(request, {key: windows[key].take(request.caller, cost, now)
                                   for key, cost in request.costs.items()})  # fmt: skip
    latest = max(waits, key=lambda key: waits[key])
    for key in () if request.is_background else waits:
        windows[key].queue(request.caller, request.costs[key], waits[latest])
    limit = next(one for one in request.limits if one.key == latest)
    return LimitSpent(spent_words(limit), retry_after_s=waits[latest] - now)


def spent_words(one: CountedLimit) -> str:
    """Return why a call waits, for people."""
    return f"limit of {one.adapter}: {one.limit.most:,} units in {text.span(one.limit.window.total_seconds())} are used"


def _warn(tx: Tx, one: CountedLimit, found: Window) -> None:
    events.emit(
        tx, "adapter.limit.near", adapter=one.adapter, account=one.account.key.name, limit=one.limit.name,
        used=found.used(), most=one.limit.most, window_s=one.limit.window.total_seconds(),
    )  # fmt: skip


@contextmanager
def _locked(
    db: Database, limits: Sequence[CountedLimit], patience_ms: int
) -> Iterator[tuple[Tx, dict[str, Window], float]]:
    """Open a transaction with the rows of limits locked; yield it, their states by key, and the time. Then store them.

    Rows that are not there are inserted by a transaction before: one that holds other rows could deadlock.
    """
    missing: list[CountedLimit] = []
    while True:
        if missing:
            new = [{"key": one.key, "adapter": one.adapter, "name": one.limit.name, "account_id": one.account_id}
                   for one in missing]  # fmt: skip
            with db.transaction() as tx:
                tx.run_all(_ADD, new, patience_ms=patience_ms)
        with db.transaction() as tx:
            rows = tx.run_all(_LOCK, [{"key": one.key} for one in limits], patience_ms=patience_ms)
            missing = [one for one, row in zip(limits, rows, strict=True) if not row]
            if missing:
                continue
            now = rows[0][0].at.timestamp()
            windows = {one.key: _window(one, row[0].state, now) for one, row in zip(limits, rows, strict=True)}
            yield tx, windows, now
            states = [{"key": key, "state": found.to_data()} for key, found in windows.items()]
            tx.run_all(_SAVE, states, patience_ms=patience_ms)
            return


def _window(one: CountedLimit, state: Mapping[str, Any], now: float) -> Window:
    found = window.load(state, most=one.limit.most, window_s=one.limit.window.total_seconds(), now=now)
    found.advance(now)
    return found
