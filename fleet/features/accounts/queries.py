"""Accounts as the page, the API and the command show them: with their health, without their credentials."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fleet.accounts import service
from fleet.accounts.keys import ring
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.core.db import Tx
from fleet.core.masking import mask
from fleet.engine import controls
from fleet.engine.agents import identities
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats

_MOST_NAMES = 1000


class AccountState(StrEnum):
    """Whether agents act through an account."""

    ACTIVE = "active"
    STOPPED = "stopped"  # by a person, or because its credentials were refused
    LOST = "lost"  # no key of the key store opens its credentials


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account with its health."""

    id: uuid.UUID
    name: str
    adapter: str
    address: str
    is_from_settings: bool
    has_credentials: bool
    limits: Mapping[str, int]
    agents: int
    state: AccountState
    reason: str
    """Why it is not active; empty if it is."""
    until: datetime | None
    """When a stop ends by itself."""
    failures: int
    """Attempts and ticks of the last five minutes that failed at it."""
    last_error: str
    last_write_at: datetime | None
    created_at: datetime
    updated_at: datetime


def listed(deps: Deps) -> list[AccountView]:
    """Return all accounts: that of the settings, then the others by name."""
    with deps.db.transaction() as tx:
        return _views(deps, tx, service.listed(tx))


def get(deps: Deps, name: str) -> AccountView:
    """Return one account by its name or id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _views(deps, tx, [service.named(tx, name)])[0]


def agents_of(deps: Deps, account_id: uuid.UUID) -> list[str]:
    """Return the usernames of the agents that act through an account, the first 1,000."""
    with deps.db.transaction() as tx:
        return identities.names_of_agents(tx, account_id, limit=_MOST_NAMES)


def _views(deps: Deps, tx: Tx, rows: Sequence[AccountRow]) -> list[AccountView]:
    holds = {hold.key: hold for hold in controls.in_force(tx) if hold.scope == "account"}
    failed, counts = stats.failed_calls(tx), identities.counts(tx)
    sent_ats = {name: stats.last_sent_at(tx, name) for name in {row.adapter for row in rows}}
    views = []
    for row in rows:
        address, has_credentials, lost = access_of(deps, row)
        hold, trouble = holds.get(str(row.id)), failed.get(row.id)
        state = AccountState.STOPPED if hold else AccountState.LOST if lost else AccountState.ACTIVE
        reason = (hold.reason or f"by {hold.set_by}") if hold else lost
        views.append(
            AccountView(
                row.id, row.name, row.adapter, address, row.id == SETTINGS_ACCOUNT, has_credentials, dict(row.limits),
                counts.get(row.id, 0), state, mask(reason), hold.until if hold else None,
                trouble.lately if trouble else 0, mask(trouble.why) if trouble and trouble.lately else "",
                sent_ats[row.adapter].get(row.id), row.created_at, row.updated_at,
            )
        )  # fmt: skip
    return views


def access_of(deps: Deps, row: AccountRow) -> tuple[str, bool, str]:
    """Return an account's address, whether it has credentials, and why they cannot be opened."""
    if row.id == SETTINGS_ACCOUNT:
        settings, lost = deps.keys.settings, deps.keys.lost.get("service_token")
        return settings.gallery_url, bool(settings.service_token.get_secret_value()), str(lost or "")
    return row.address, row.key_id is not None, service.why_lost(row, lambda: ring(deps.settings))
