"""Accounts as the page, the API and the command show them: with their health, without their credentials."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fleet.accounts import service, tokens, usage
from fleet.accounts.keys import ring
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.accounts.tokens import TokenState
from fleet.accounts.usage import AccountUsage
from fleet.adapters import registry as adapters
from fleet.core.db import Tx
from fleet.core.masking import mask
from fleet.engine import controls, registry
from fleet.engine.agents import identities
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.engine.points.account_hooks import POINT, AccountHook

ROTATE_AFTER = timedelta(days=90)
WARN_BEFORE = timedelta(days=7)
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
    credentials_at: datetime | None
    can_connect: bool
    connected_at: datetime | None
    tokens_end_at: datetime | None
    """When only a person can renew the access: the end of the refresh token, or of an access token without one."""
    attention: str
    """What a person should do about its credentials; empty for nothing."""
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


def usage_of(deps: Deps, name: str, *, days: int = 30) -> Sequence[AccountUsage]:
    """Return the calls through an account by day, credential and operation, today first. Raises NotFound."""
    with deps.db.transaction() as tx:
        return usage.of_account(tx, service.named(tx, name).id, days=days)


def hook_of(deps: Deps, found: AccountView) -> AccountHook | None:
    """Return the webhook of an account; None for a system that sends none."""
    hooks = (look(deps, found.id, found.adapter) for look in registry.current().extensions(POINT))
    return next((hook for hook in hooks if hook is not None), None)


def _views(deps: Deps, tx: Tx, rows: Sequence[AccountRow]) -> list[AccountView]:
    now, connected = tx.now(), tokens.states(tx)
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
                row.id, row.name, row.adapter, address, row.id == SETTINGS_ACCOUNT, has_credentials,
                row.credentials_at, can_connect(row), *access_state(row, connected.get(row.id), now), dict(row.limits),
                counts.get(row.id, 0), state, mask(reason), hold.until if hold else None,
                trouble.lately if trouble else 0, mask(trouble.why) if trouble and trouble.lately else "",
                sent_ats[row.adapter].get(row.id), row.created_at, row.updated_at,
            )
        )  # fmt: skip
    return views


def can_connect(row: AccountRow) -> bool:
    """Say whether people connect an account by OAuth 2."""
    return (
        row.id != SETTINGS_ACCOUNT and row.adapter in adapters.names() and adapters.get(row.adapter).oauth is not None
    )


def access_state(
    row: AccountRow, state: TokenState | None, now: datetime
) -> tuple[datetime | None, datetime | None, str]:
    """Return when an account was connected, when its tokens end for good, and what a person should do. Pure."""
    is_connected = state is not None and state.connected_by is not None
    ends_at = state.ends_at if state is not None and is_connected else None
    connected_at = state.connected_at if state is not None and is_connected else None
    age = None if row.credentials_at is None else now - row.credentials_at
    connect = f"`fleet accounts connect {row.name}`"
    attention = ""
    if state is not None and state.is_lost:
        attention = f"The answer to the renewal of its tokens was lost: {connect}."
    elif ends_at is not None and ends_at <= now + WARN_BEFORE:
        attention = f"Its access ends at {ends_at:%Y-%m-%d %H:%M} UTC: {connect}."
    elif can_connect(row) and row.ciphertext is None:
        attention = f"It is not connected: {connect}."
    elif not is_connected and age is not None and age >= ROTATE_AFTER:
        attention = f"Its credentials are {age.days} days old: replace them (`fleet accounts set-token {row.name}`)."
    return connected_at, ends_at, attention


def access_of(deps: Deps, row: AccountRow) -> tuple[str, bool, str]:
    """Return an account's address, whether it has credentials, and why they cannot be opened."""
    if row.id == SETTINGS_ACCOUNT:
        settings, lost = deps.keys.settings, deps.keys.lost.get("service_token")
        return settings.gallery_url, bool(settings.service_token.get_secret_value()), str(lost or "")
    return row.address, row.key_id is not None, service.why_lost(row, lambda: ring(deps.settings))
