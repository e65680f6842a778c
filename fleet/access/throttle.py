"""Limits of login attempts. Called by `fleet.features.users.service` before a password is checked.

After five failures of a name, or twenty of an address, each further one doubles the wait, up to a quarter of an hour.
The right password waits as well: otherwise the wait would reveal whether a guess was right. At an address from which a
user has logged in before, their failures are counted separately: attackers elsewhere cannot lock the user out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access.models import AuditRow, LoginFailureRow
from fleet.core.db import Tx

FREE_OF_NAME = 5
FREE_OF_ADDRESS = 20
_MOST = timedelta(minutes=15)
_FORGOTTEN_AFTER = timedelta(hours=24)
_CLOCK = sa.func.clock_timestamp()


def _of_name(tx: Tx, name: str, address: str | None) -> str:
    """Return the key under which a name is counted: separately for its known addresses, together for all others."""
    name = name.lower()[:60]
    where = (AuditRow.target == f"user:{name}", AuditRow.action == "session.opened", AuditRow.address.is_not(None))
    homes = tx.session.scalars(sa.select(AuditRow.address).where(*where).distinct())
    is_home = address is not None and place_of(address) in {place_of(str(one)) for one in homes}
    return f"name:{name}@{place_of(str(address))}" if is_home else f"name:{name}"


def place_of(address: str) -> str:
    """Return the key under which an address is counted: of IPv6 the /64, since its holder can use any address in it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64)
    return str(found)


def _of_address(address: str) -> str:
    return f"address:{place_of(address)}"


def wait_after(number: int, free: int) -> timedelta:
    """Return how long to wait after so many failures. Pure."""
    over = number - free
    return timedelta(0) if over < 0 else min(_MOST, timedelta(seconds=2 ** min(over, 12)))


def begin(tx: Tx, name: str, address: str | None) -> datetime | None:
    """Count a login attempt as a failure, which `succeeded` clears; or return until when attempts are refused.

    Counted before the password is checked: parallel attempts would all be checked before the first was counted.
    """
    key = _of_name(tx, name, address)
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(key))))
    until = _blocked_until(tx, {key: FREE_OF_NAME} | ({_of_address(address): FREE_OF_ADDRESS} if address else {}))
    if until is None:
        _count(tx, key)
    return until


def _blocked_until(tx: Tx, free: Mapping[str, int]) -> datetime | None:
    """Return until when one of these keys is blocked; None if it is not."""
    query = sa.select(LoginFailureRow.key, LoginFailureRow.number, LoginFailureRow.last_at)
    query = query.where(LoginFailureRow.key.in_(free), LoginFailureRow.last_at > _CLOCK - _FORGOTTEN_AFTER)
    until = max((last + wait_after(number, free[key]) for key, number, last in tx.execute(query)), default=None)
    return until if until is not None and until > tx.now() else None


def failed(tx: Tx, name: str, address: str | None) -> None:
    """Count a failure of an address; that of the name is counted already, and its wait begins now."""
    key = _of_name(tx, name, address)
    tx.execute(sa.update(LoginFailureRow).where(LoginFailureRow.key == key).values(last_at=_CLOCK))
    if address:
        _count(tx, _of_address(address))


def _count(tx: Tx, key: str) -> None:
    """Count a failure; failures older than a day are forgotten."""
    fresh = insert(LoginFailureRow).values(key=key, number=1)
    old = LoginFailureRow.last_at < _CLOCK - _FORGOTTEN_AFTER
    again = sa.case((old, 1), else_=LoginFailureRow.number + 1)
    tx.execute(fresh.on_conflict_do_update(index_elements=["key"], set_={"number": again, "last_at": _CLOCK}))


def prune(tx: Tx, *, limit: int) -> int:
    """Delete some of the failures that count no more, and return how many."""
    old = sa.select(LoginFailureRow.key).where(LoginFailureRow.last_at < _CLOCK - _FORGOTTEN_AFTER).limit(limit)
    return tx.execute(sa.delete(LoginFailureRow).where(LoginFailureRow.key.in_(old))).rowcount


def succeeded(tx: Tx, name: str, address: str | None) -> None:
    """Clear the failures of a name; those of an address stay, or one known account would hide guesses at others."""
    tx.execute(sa.delete(LoginFailureRow).where(LoginFailureRow.key == _of_name(tx, name, address)))
