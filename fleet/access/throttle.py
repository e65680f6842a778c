"""How often somebody may try to log in. Called by `fleet.runtime.accounts` before a password is looked at.

After five failures of a name, or twenty of an address, each further one doubles the wait, up to a quarter of an hour.
Who knows the password waits as well: otherwise the wait itself would tell whether a guess was right.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access.models import LoginFailureRow
from fleet.core.db import Tx

FREE_OF_NAME = 5
FREE_OF_ADDRESS = 20
_MOST = timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=24)
_CLOCK = sa.func.clock_timestamp()


def keys_of(name: str, address: str | None) -> dict[str, int]:
    """Return under what failures are counted, and how many of each are free."""
    found = {_of_name(name): FREE_OF_NAME}
    return found | ({_of_address(address): FREE_OF_ADDRESS} if address else {})


def _of_name(name: str) -> str:
    return f"name:{name.lower()[:100]}"


def _of_address(address: str) -> str:
    """Return under what an address is counted: of IPv6 the /64, within which whoever has one has all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"address:{address[:100]}"
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64)
    return f"address:{found}"


def wait_after(number: int, free: int) -> timedelta:
    """Return how long to wait after so many failures. Pure."""
    over = number - free
    return timedelta(0) if over < 0 else min(_MOST, timedelta(seconds=2 ** min(over, 12)))


def blocked_until(tx: Tx, name: str, address: str | None) -> datetime | None:
    """Return until when nobody is let in under this name or from this address; None if they may try."""
    free = keys_of(name, address)
    query = sa.select(LoginFailureRow.key, LoginFailureRow.number, LoginFailureRow.last_at)
    query = query.where(LoginFailureRow.key.in_(free), LoginFailureRow.last_at > _CLOCK - _FORGOTTEN_AFTER)
    until = max((last + wait_after(number, free[key]) for key, number, last in tx.execute(query)), default=None)
    return until if until is not None and until > tx.now() else None


def begin(tx: Tx, name: str, address: str | None) -> datetime | None:
    """Count a try of a name as a failure, which `succeeded` forgets; or return until when nobody may try.

    Counted before the password is looked at: many tries side by side would all be over before the first was counted.
    """
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(_of_name(name)))))
    until = blocked_until(tx, name, address)
    if until is None:
        _count(tx, _of_name(name))
    return until


def failed(tx: Tx, name: str, address: str | None) -> None:
    """Count a failure of an address; that of the name is counted already, and its wait begins now."""
    tx.execute(sa.update(LoginFailureRow).where(LoginFailureRow.key == _of_name(name)).values(last_at=_CLOCK))
    if address:
        _count(tx, _of_address(address))


def _count(tx: Tx, key: str) -> None:
    """Count a failure; what lies a day back is forgotten."""
    fresh = insert(LoginFailureRow).values(key=key, number=1)
    old = LoginFailureRow.last_at < _CLOCK - _FORGOTTEN_AFTER
    again = sa.case((old, 1), else_=LoginFailureRow.number + 1)
    tx.execute(fresh.on_conflict_do_update(index_elements=["key"], set_={"number": again, "last_at": _CLOCK}))


def prune(tx: Tx, *, limit: int) -> int:
    """Delete some of the failures that count no more, and return how many."""
    old = sa.select(LoginFailureRow.key).where(LoginFailureRow.last_at < _CLOCK - _FORGOTTEN_AFTER).limit(limit)
    return tx.execute(sa.delete(LoginFailureRow).where(LoginFailureRow.key.in_(old))).rowcount


def succeeded(tx: Tx, name: str) -> None:
    """Forget the failures of a name; those of an address stay, or one good account would hide guesses at others."""
    tx.execute(sa.delete(LoginFailureRow).where(LoginFailureRow.key == _of_name(name)))
