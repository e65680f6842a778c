"""The adapter of an account whose system has limits: takes room before each call, and reports what responses say.

Made by `around` when an account is connected; the engine sees an adapter with the same methods. An adapter without
limits is returned as it is, so its calls need no statement more.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fleet.accounts import usage
from fleet.accounts.directory import OpenAccount
from fleet.adapters import registry as adapters
from fleet.adapters.base import Account, Action, Adapter, AnyAction, LimitSpent, Throttled
from fleet.adapters.limits import Observation, counted_requests
from fleet.adapters.manifest import BACKGROUND_READS, READ_METHODS
from fleet.core import logs
from fleet.core.db import visibility
from fleet.core.errors import Unavailable
from fleet.engine.deps import Deps
from fleet.features.adapters.configuration import in_force
from fleet.features.adapters.limits.limiter import CountedLimit, Limiter, RoomRequest, TakenRoom, limits_of
from fleet.features.adapters.limits.window import Caller

_LEFT = 0.2
"""A response is adopted when less of a limit is left than this share: most responses need no statement."""
_MOST_RESERVED = 10_000
_DAY_S = 86_400.0
log = logs.get(__name__)
_operation: ContextVar[str] = ContextVar("fleet_adapter_operation", default="")


def around(deps: Deps, account: OpenAccount, connect: Callable[[OpenAccount], Adapter]) -> Adapter:
    """Connect an account; return its adapter within its limits, if its system has any."""
    kind = adapters.get(account.adapter) if account.adapter in adapters.names() else None
    if kind is None or not kind.limits:
        return connect(account)
    room = _Room(deps, account, connect)
    return _guarded(type(room.adapter))(room)  # type: ignore[no-any-return]


class _Room:
    """The room of one account in its limits, and its adapter with the time limit in force."""

    def __init__(self, deps: Deps, account: OpenAccount, connect: Callable[[OpenAccount], Adapter]) -> None:
        self._deps, self._db, self._kind = deps, deps.db, adapters.get(account.adapter)
        self._limiter = Limiter(deps.db)
        self._account, self._connect = account, connect
        self._reserved: dict[str, TakenRoom] = {}
        self._lock = threading.Lock()
        self._timeout_s = self._own_timeout_s()
        self._adapter = self._connected()
        self._limits: tuple[Mapping[str, int], tuple[CountedLimit, ...]] = ({}, self._limits_with({}))

    @property
    def adapter(self) -> Adapter:
        """The account's adapter; connected anew, without a call, after a person gave its calls another time limit."""
        wanted = self._own_timeout_s()
        with self._lock:
            if wanted != self._timeout_s:
                self._timeout_s = wanted
                self._adapter = self._connected()
            return self._adapter

    @property
    def limits(self) -> tuple[CountedLimit, ...]:
        """The limits of the account, in the sizes that are in force now."""
        sizes = in_force.sizes(self._deps, self._kind, self._account.key.id, self._account.organisation_id)
        known, limits = self._limits
        if sizes != known:
            limits = self._limits_with(sizes)
            self._limits = sizes, limits
        return limits

    def shorter(self, timeout_s: float) -> float:
        """Return a time limit of a call, or the one that people gave the account's calls if that is shorter."""
        own = self._own_timeout_s()
        return timeout_s if own is None else min(timeout_s, own)

    def _own_timeout_s(self) -> float | None:
        account = self._account
        return in_force.timeout_s(self._deps, account.adapter, account.key.id, account.organisation_id)

    def _connected(self) -> Adapter:
        access = replace(self._account.access, observe=self.observe)
        if self._timeout_s is not None:
            access = replace(access, timeout_s=self._timeout_s)
        return self._connect(replace(self._account, access=access))

    def _limits_with(self, sizes: Mapping[str, int]) -> tuple[CountedLimit, ...]:
        return limits_of(self._kind, self._account, self._adapter, sizes)

    def call(self, operation: str, caller: Caller, make: Callable[[], Any], *, is_reserved: bool = False) -> Any:
        """Take room, make a call, and adopt a refusal. Raises LimitSpent, and what the call raises."""
        request = RoomRequest(operation, caller, self.limits, operation in BACKGROUND_READS)
        if not is_reserved:
            self._limiter.take(request)
        token = _operation.set(operation)
        is_refused = True
        try:
            with counted_requests() as requests:
                made = make()
            is_refused = False
        except Throttled as error:
            if not isinstance(error, LimitSpent) and error.retry_after_s is not None:
                self.observe(Observation(blocked_for=timedelta(seconds=min(max(error.retry_after_s, 0.0), _DAY_S))))
            raise
        finally:
            _operation.reset(token)
            self._count(operation, is_refused=is_refused)
            self._add_requests(request, requests.sent)
        return made

    def _add_requests(self, request: RoomRequest, sent: int) -> None:
        try:
            self._limiter.add_requests(request, sent)
        except Unavailable as error:
            log.warning("requests_not_counted", account=self._account.key.name, error=str(error))

    def _count(self, operation: str, *, is_refused: bool) -> None:
        """Count a call for its credential. A lost database loses the count, not the call."""
        units = sum(one.limit.cost_of(operation) for one in self.limits)
        microusd = round(self._kind.operation(operation).usd * 1_000_000)
        try:
            with visibility.restricted(None), self._db.transaction() as tx:
                usage.record(tx, self._account.key, operation, is_refused=is_refused, units=units, microusd=microusd)
        except Unavailable as error:
            log.warning("call_not_counted", account=self._account.key.name, error=str(error))

    def reserve(self, action: AnyAction) -> None:
        """Take the room of a write that follows. Raises LimitSpent."""
        taken = self._limiter.take(RoomRequest(action.type.name, _caller(action), self.limits))
        with self._lock:
            while len(self._reserved) >= _MOST_RESERVED:  # of writes that came to nothing between both calls
                self._reserved.pop(next(iter(self._reserved)))
            self._reserved[action.key] = taken

    def claim(self, action: AnyAction) -> bool:
        """Return whether room was reserved for a write, once."""
        with self._lock:
            return self._reserved.pop(action.key, None) is not None

    def release(self, action: AnyAction) -> None:
        """Give back the room of a write that is not made."""
        with self._lock:
            taken = self._reserved.pop(action.key, None)
        if taken is not None:
            self._limiter.give_back(taken)

    def observe(self, seen: Observation) -> None:
        """Adopt what a response says, if little is left. A lost database loses the observation, not the response."""
        if not seen.says_anything or not _matters(seen):
            return
        try:
            self._limiter.observe(_operation.get(), self.limits, seen)
        except Unavailable as error:
            log.warning("limit_not_adopted", account=self._account.key.name, error=str(error))


def _matters(seen: Observation) -> bool:
    if seen.blocked_for is not None or seen.most is None or seen.remaining is None:
        return True
    return seen.remaining <= _LEFT * seen.most


def _caller(of: object) -> Caller:
    """Return who makes a call: the job of a write, else the agent that reads."""
    if isinstance(of, Action):
        return Caller(of.key, of.account.agent_id)
    agent_id = of.agent_id if isinstance(of, Account) else ""
    return Caller(agent_id, agent_id)


class _Guarded:
    """The base of adapters with limits; `_guarded` adds the methods of the adapter within."""

    def __init__(self, room: _Room) -> None:
        adapter: Any = room.adapter
        self._room = room
        # Protocols look for attributes without calling __getattr__, from Python 3.12 on.
        self.name, self.actions, self.third_party = adapter.name, adapter.actions, adapter.third_party
        self.scheme, self.host, self.port = adapter.scheme, adapter.host, adapter.port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._room.adapter, name)

    def write(self, action: AnyAction, *, timeout_s: float) -> Any:
        """Make one write with room in all limits. Raises LimitSpent, and what the adapter raises."""
        is_reserved = self._room.claim(action)
        make = functools.partial(self._room.adapter.write, action, timeout_s=self._room.shorter(timeout_s))
        return self._room.call(action.type.name, _caller(action), make, is_reserved=is_reserved)

    def reserve(self, action: AnyAction) -> None:
        """Take the room of a write that follows. Raises LimitSpent."""
        self._room.reserve(action)

    def release(self, action: AnyAction) -> None:
        """Give back the room of a write that is not made."""
        self._room.release(action)


@functools.cache
def _guarded(kind: type[Any]) -> Any:
    """Return the class for adapters of a class. It has the same methods, as protocols are checked by them."""
    methods: Mapping[str, Any] = {
        name: _limited(name, READ_METHODS[name]) if name in READ_METHODS else _passed(name)
        for name, _ in inspect.getmembers(kind, callable)
        if not name.startswith("_") and name not in _Guarded.__dict__
    }
    return type(f"Guarded{kind.__name__}", (_Guarded,), dict(methods))


def _limited(method: str, operation: str) -> Callable[..., Any]:
    def call(self: _Guarded, *args: Any, **kwargs: Any) -> Any:
        if "timeout_s" in kwargs:
            kwargs["timeout_s"] = self._room.shorter(kwargs["timeout_s"])
        make = functools.partial(getattr(self._room.adapter, method), *args, **kwargs)
        return self._room.call(operation, _caller(args[0] if args else None), make)

    return call


def _passed(method: str) -> Callable[..., Any]:
    def call(self: _Guarded, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._room.adapter, method)(*args, **kwargs)

    return call
