"""One check of an account: the adapter's own cheap call, its result as a row, and what follows for the account.

Two failed checks in a row stop the account: its jobs wait. A good one lets it go on. Only one check of an account runs
at a time, so a system that comes back is probed by one call and not by all waiting jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from fleet.accounts import text_lengths
from fleet.accounts.models import AccountRow
from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import AdapterError, CheckingAdapter, LimitSpent, RemoteAccount, TokenRefused
from fleet.adapters.manifest import TextLimitingAdapter, TextRule
from fleet.core import events, text
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.core.masking import mask
from fleet.engine import controls
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.adapters.health import rules
from fleet.features.adapters.models import AccountCheckRow

TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """The newest checks of one account."""

    checked_at: datetime
    is_ok: bool
    failures: int
    why: str
    took_ms: int
    is_labelled: bool | None
    username: str


def prepare(work: Work) -> Done | Skipped:
    """Check the account that a job names. Raises LimitSpent, and TokenRefused, which stops the account."""
    account_id = uuid.UUID(work.target)
    deps = work.deps
    key = deps.accounts.get(account_id).key
    with work.calling(key):
        adapter = deps.gateway(account_id).adapter
        if not isinstance(adapter, CheckingAdapter):
            return Skipped("its adapter has no check")
        since_s = deps.clock.monotonic_s()
        error: AdapterError | None = None
        found: RemoteAccount | None = None
        own: Mapping[str, TextRule] | None = None
        try:
            found = adapter.check(timeout_s=min(TIMEOUT_S, max(work.lease.left_s() / 2, 1.0)))
            own = _own_texts(adapter)
        except LimitSpent:
            raise
        except AdapterError as refused:
            error = refused
        took_ms = round((deps.clock.monotonic_s() - since_s) * 1000)
        record(deps, key, found, error, took_ms=took_ms)
        if own:
            with deps.db.transaction() as tx:
                text_lengths.store(tx, key.id, own)
        if isinstance(error, TokenRefused):
            raise error
    return Done(result={"account": key.name, "is_ok": error is None, "took_ms": took_ms})


def _own_texts(adapter: object) -> Mapping[str, TextRule] | None:
    """Return the text rules of the account's server; None if it has none or does not say them now."""
    if not isinstance(adapter, TextLimitingAdapter):
        return None
    try:
        return adapter.text_rules()
    except AdapterError:  # the account works; those that are stored hold
        return None


def record(deps: Deps, key: AccountKey, found: RemoteAccount | None, error: FleetError | None, *, took_ms: int) -> None:
    """Store a check, and stop its account or let it go on."""
    why = text.cut(text.clean(mask(str(error))), 300) if error is not None else ""
    with deps.db.transaction() as tx:
        if error is None:
            snooze.free_held(tx)
        before = newest(tx, [key.id]).get(key.id)
        tx.session.add(
            AccountCheckRow(
                account_id=key.id, is_ok=error is None, took_ms=took_ms, why=why,
                username=text.cut(text.clean(found.username), 200) if found else "",
                is_labelled=found.is_bot if found else before and before.is_labelled,
            )
        )  # fmt: skip
        if error is None:
            _let_go_on(tx, key)
            _warn_of_label(deps, tx, key, before, found)
        elif rules.stops(is_ok=False, failures_before=before.failures if before else 0):
            reason = f"{key.name} does not work: {why}"
            if controls.pause(tx, "account", str(key.id), by=controls.HEALTH, reason=reason):
                events.emit(tx, "account.unhealthy", account=key.name, why=why)


def _let_go_on(tx: Tx, key: AccountKey) -> None:
    held = [one for one in controls.in_force(tx) if (one.scope, one.key) == ("account", str(key.id))]
    if any(one.set_by == controls.HEALTH for one in held):
        controls.resume(tx, "account", str(key.id), by=controls.HEALTH)
        events.emit(tx, "account.healthy", account=key.name)


def _warn_of_label(
    deps: Deps, tx: Tx, key: AccountKey, before: CheckSummary | None, found: RemoteAccount | None
) -> None:
    kind = adapters.get(deps.accounts.get(key.id).adapter)
    is_missing = found is not None and found.is_bot is False and kind.labels is not None and bool(kind.labels.account)
    if is_missing and (before is None or before.is_labelled is not False):
        events.emit(tx, "account.unlabelled", account=key.name, label=kind.labels.account if kind.labels else "")


def newest(tx: Tx, account_ids: list[uuid.UUID]) -> Mapping[uuid.UUID, CheckSummary]:
    """Return the newest check of accounts, and how many failed since the last good one."""
    row, other = AccountCheckRow, aliased(AccountCheckRow)
    own = other.account_id == AccountRow.id
    good = sa.select(sa.func.max(other.id)).where(own, other.is_ok).correlate(AccountRow).scalar_subquery()
    last = sa.select(sa.func.max(other.id)).where(own).correlate(AccountRow).scalar_subquery()
    since_good = other.id > sa.func.coalesce(good, 0)
    failed = sa.select(sa.func.count()).select_from(other).where(own, since_good).correlate(AccountRow)
    query = sa.select(row, failed.scalar_subquery()).join(AccountRow, AccountRow.id == row.account_id)
    found = tx.execute(query.where(AccountRow.id.in_(account_ids), row.id == last))
    return {
        one.account_id: CheckSummary(one.at, one.is_ok, failures, one.why, one.took_ms, one.is_labelled, one.username)
        for one, failures in found
    }


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete checks that are older than `days`."""
    row = AccountCheckRow
    old = sa.select(row.id).where(row.at < tx.sql_now - sa.text(f"interval '{int(days)} days'")).limit(limit)
    return tx.execute(sa.delete(row).where(row.id.in_(old))).rowcount
