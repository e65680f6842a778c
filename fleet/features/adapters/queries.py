"""What pages, API and commands show of adapters: manifests, what is used of limits, checks of accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from fleet.accounts import service
from fleet.accounts.models import AccountRow
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import AdapterType
from fleet.core.errors import FleetError, NotFound
from fleet.engine import controls
from fleet.engine.deps import Deps
from fleet.features.adapters.health import checks
from fleet.features.adapters.health.checks import CheckSummary
from fleet.features.adapters.limits import window
from fleet.features.adapters.limits.window import Caller
from fleet.features.adapters.models import AccountCheckRow, LimitRow

_MOST_CHECKS = 200


@dataclass(frozen=True, slots=True)
class LimitUse:
    """What is used of one limit now."""

    adapter: str
    name: str
    account: str | None
    """None: accounts share it."""
    used: int
    most: int
    window_s: float
    waiting: int
    """Calls that wait for room."""
    room_at: datetime | None
    """When a call that costs one unit has room; None: now."""
    blocked_until: datetime | None
    """Until when the system refuses every call, as it said."""
    seen_most: int | None
    """The size of the limit as the system gives it, if it is another."""
    updated_at: datetime

    @property
    def share(self) -> float:
        """The used share."""
        return self.used / self.most

    @property
    def is_near(self) -> bool:
        """Whether people are warned."""
        return self.share >= window.NEAR


@dataclass(frozen=True, slots=True)
class AccountOfAdapter:
    """An account as the page of its adapter shows it."""

    name: str
    stopped: str
    """Why it is stopped; empty if it is not."""
    operations: Mapping[str, Mapping[str, str]]
    """The operations that people switched on: reason, by, at."""
    last: CheckSummary | None


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """One check of an account."""

    account: str
    at: datetime
    is_ok: bool
    took_ms: int
    why: str
    username: str
    is_labelled: bool | None


def manifests() -> list[AdapterType]:
    """Return the adapters that load, built-in ones first."""
    found = []
    for name in adapters.names():
        try:
            found.append(adapters.get(name))
        except (FleetError, ImportError, AttributeError):  # a package that does not load hides no other; its accounts
            continue  # say why
    return found


def manifest(name: str) -> AdapterType:
    """Return one adapter. Raises NotFound."""
    found = next((one for one in manifests() if one.name == name), None)
    if found is None:
        raise NotFound(f"There is no adapter {name[:60]!r}.", fix="`fleet adapters list` shows them.")
    return found


def operation_names(kinds: Sequence[AdapterType]) -> list[str]:
    """Return the operations that any of these adapters names, in their order."""
    return list(dict.fromkeys(one.name for kind in kinds for one in kind.operations))


def limits(deps: Deps, adapter: str = "") -> list[LimitUse]:
    """Return what is used of limits, the fullest first."""
    with deps.db.transaction() as tx:
        query = sa.select(LimitRow, AccountRow.name).outerjoin(AccountRow, AccountRow.id == LimitRow.account_id)
        if adapter:
            query = query.where(LimitRow.adapter == adapter)
        now = tx.now()
        rows = tx.execute(query.where(AccountRow.deleted_at.is_(None)))
        found = [_use(row, account, now.timestamp()) for row, account in rows if row.state]
    return sorted(found, key=lambda one: (-one.share, one.adapter, one.account or "", one.name))


def _use(row: LimitRow, account: str | None, now: float) -> LimitUse:
    state = row.state
    found = window.load(state, most=state["most"], window_s=state["window_s"], now=now)
    found.advance(now)
    room_at = found.wait_until(Caller("", ""), 1, now)
    blocked = found.blocked_until if found.blocked_until > now else None
    return LimitUse(
        row.adapter, row.name, account, found.used(), found.most, found.window_s, len(found.tickets),
        _moment(room_at), _moment(blocked), found.seen_most, row.updated_at,
    )  # fmt: skip


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def accounts_of(deps: Deps, adapter: str) -> list[AccountOfAdapter]:
    """Return the accounts of an adapter with their newest checks."""
    with deps.db.transaction() as tx:
        rows = [row for row in service.listed(tx) if row.adapter == adapter]
        newest = checks.newest(tx, [row.id for row in rows])
        held = {one.key: one.reason or one.words() for one in controls.in_force(tx) if one.scope == "account"}
        return [AccountOfAdapter(row.name, held.get(str(row.id), ""), row.operations, newest.get(row.id))
                for row in rows]  # fmt: skip


def history(deps: Deps, *, adapter: str = "", account: str = "", limit: int = 50) -> list[AccountCheck]:
    """Return the newest checks, newest first. Raises NotFound for an unknown account."""
    row = AccountCheckRow
    query = sa.select(row, AccountRow.name).join(AccountRow, AccountRow.id == row.account_id)
    with deps.db.transaction() as tx:
        if account:
            query = query.where(row.account_id == service.named(tx, account).id)
        if adapter:
            query = query.where(AccountRow.adapter == adapter)
        found = tx.execute(query.order_by(row.id.desc()).limit(min(limit, _MOST_CHECKS)))
        return [
            AccountCheck(name, one.at, one.is_ok, one.took_ms, one.why, one.username, one.is_labelled)
            for one, name in found
        ]
