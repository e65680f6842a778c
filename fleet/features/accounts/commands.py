"""Verbs about accounts that doors call. Each is one transaction, audited.

Locks are taken in the order of the engine: jobs, agents, accounts, controls.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from pydantic import SecretStr

from fleet.access import audit, organisations
from fleet.accounts import keys, service, tokens
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.accounts.service import NewAccount
from fleet.adapters import registry as adapters
from fleet.adapters.base import OutsideSystem
from fleet.adapters.gateway import NotAllowed
from fleet.adapters.manifest import AccountAccess
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, FleetError, InvalidInput
from fleet.core.settings import SettingScope
from fleet.engine import controls, registry
from fleet.engine.agents import identities, loop, queries
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger, snooze
from fleet.engine.settings import store
from fleet.engine.settings.store import ScopeKey
from fleet.features.accounts import connecting

_MOST_CHARS = 20_000


def within(deps: Deps, new: NewAccount, organisation: str) -> NewAccount:
    """Return an account to be created that belongs to a named organisation. Raises NotFound."""
    with deps.db.transaction() as tx:
        return replace(new, organisation_id=organisations.named(tx, organisation).id)


def possible_organisations(deps: Deps) -> list[str]:
    """Return the names of the organisations to which an account can belong; empty while there is one alone."""
    with deps.db.transaction() as tx:
        return organisations.choices(tx)


def add(deps: Deps, new: NewAccount, *, by: str) -> uuid.UUID:
    """Create an account. Raises NotFound (adapter), InvalidInput, Conflict for a taken name."""
    is_connected_later = adapters.get(new.adapter).oauth is not None and not new.credentials.strip()
    credentials = "" if is_connected_later else _credentials(new.credentials)
    new = replace(new, address=new.address.strip(), credentials=credentials)
    _connect(deps, new.adapter, new.address, new.credentials)
    ring = keys.ring(deps.settings)
    with deps.db.transaction() as tx:
        row = service.create(tx, ring, new, by=by)
        after = {"adapter": new.adapter, "address": new.address, "limits": dict(new.limits)}
        audit.note(tx, "account.created", f"account:{row.name}", after=after)
        return row.id


def change(
    deps: Deps, name: str, *, by: str, address: str | None = None, credentials: str | None = None,
    limits: Mapping[str, int] | None = None,
) -> bool:  # fmt: skip
    """Change the given fields of an account; return whether that resumed it after refused credentials.

    An address at another host needs the credentials again: otherwise a person who may not read the stored ones could
    send them to a host of their own. Raises NotFound, InvalidInput, Conflict for values that the settings hold, LostKey
    for a new address of an account whose stored credentials cannot be opened.
    """
    address = None if address is None else address.strip()
    credentials = None if credentials is None else _credentials(credentials)
    with deps.db.transaction() as tx:
        if credentials is not None:
            snooze.free_held(tx)
        row = service.changeable(tx, name, lock=True)
        is_elsewhere = address is not None and _origin(address) != _origin(row.address)
        if is_elsewhere and credentials is None and row.id != SETTINGS_ACCOUNT:
            raise InvalidInput(
                f"{address} is at another host, which does not get the stored credentials of {row.name}.",
                fix="Give the credentials, too (`fleet accounts change --address URL --credentials`).",
            )
        before = {"address": row.address, "limits": dict(row.limits)}
        row = service.change(
            tx, lambda: keys.ring(deps.settings), row, by=by, address=address, credentials=credentials, limits=limits
        )
        if address is not None or credentials is not None:
            stored = service.open_credentials(row, lambda: keys.ring(deps.settings)) if credentials is None else ""
            _connect(deps, row.adapter, row.address, credentials or stored)
        after = {"address": row.address, "limits": dict(row.limits)}
        tx.afterwards(deps.accounts.expire)
        if after != before:
            audit.note(tx, "account.changed", f"account:{row.name}", before=before, after=after)
        if credentials is None:
            return False
        tokens.take(tx, lambda: keys.ring(deps.settings), row.id)  # those of the credentials before
        audit.note(tx, "account.credentials_set", f"account:{row.name}")
        return controls.resume_refused(tx, row.id, by=by)


def stop(deps: Deps, name: str, *, by: str, reason: str = "") -> bool:
    """Stop an account: the jobs of its agents wait; False if it was stopped already. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = service.changeable(tx, name)
        stopped = controls.pause(tx, "account", str(row.id), by=by, reason=reason)
        return audit.noted(tx, stopped, "hold.set", f"account:{row.name}", reason=reason)


def resume(deps: Deps, name: str, *, by: str) -> bool:
    """Let an account go on, and the jobs that waited for it; False if it was not stopped. Raises NotFound."""
    with deps.db.transaction() as tx:
        snooze.free_held(tx)
        row = service.changeable(tx, name)
        return audit.noted(tx, controls.resume(tx, "account", str(row.id), by=by), "hold.lifted", f"account:{row.name}")


def remove(deps: Deps, name: str, *, by: str) -> None:
    """Forget an account, its credentials and its tokens, and revoke these at the system.

    Raises NotFound, Conflict while agents act through it or jobs are open.
    """
    with deps.db.transaction() as tx:
        row = service.changeable(tx, name, lock=True)
        users = identities.names_of_agents(tx, row.id, limit=3)
        if users and row.id != SETTINGS_ACCOUNT:
            fix = f"`fleet accounts unassign {row.name} {users[0]}`, or delete the agent."
            raise Conflict(f"Agents act through {row.name}: {', '.join(users)}.", fix=fix)
        if row.id != SETTINGS_ACCOUNT and (open_jobs := ledger.count_open(tx, row.id)):
            raise Conflict(
                f"{row.name} has {open_jobs} open job{'' if open_jobs == 1 else 's'}.",
                fix="Wait until they end, or cancel them.",
            )
        revocable = connecting.take(deps, tx, row)
        service.remove(tx, row, by=by)
        tx.afterwards(deps.accounts.expire)
        controls.resume(tx, "account", str(row.id), by=by)
        store.unset_scope(tx, ScopeKey(SettingScope.ACCOUNT, str(row.id)), by=by, reason="the account was removed")
        audit.note(tx, "account.removed", f"account:{row.name}")
    connecting.revoke(deps, revocable)


def assign(deps: Deps, name: str, username: str, *, by: str) -> bool:
    """Let an agent act through an account, too; False if it does already. Raises NotFound, Conflict, InvalidInput."""
    with deps.db.transaction() as tx:
        agent = _agent(tx, username)
        row = service.named(tx, name, lock=tx.organisations is None)
        assigned = identities.link(tx, agent, row.id)
        if assigned:
            events.emit(tx, "account.assigned", agent_id=agent.id, agent=agent.username, account=row.name, by=by)
        return audit.noted(tx, assigned, "account.assigned", f"agent:{agent.username}", account=row.name)


def unassign(deps: Deps, name: str, username: str, *, by: str) -> bool:
    """Let an agent act through an account no more and remove it there; False if it did not act through it.

    Raises NotFound, Conflict for the only account of an agent.
    """
    with deps.db.transaction() as tx:
        agent = _agent(tx, username)
        row = service.named(tx, name, lock=tx.organisations is None)
        left = identities.unlink(tx, agent, row.id)
        if left is None:
            return False
        for hook in registry.load_all(one.account_left for one in registry.current()):
            hook(deps, tx, left, by=by)
        events.emit(tx, "account.unassigned", agent_id=agent.id, agent=agent.username, account=row.name, by=by)
        return audit.noted(tx, True, "account.unassigned", f"agent:{agent.username}", account=row.name)


def is_allowed(deps: Deps, name: str) -> bool | None:
    """Say whether FLEET_ALLOWED_HOSTS lets agents act through an account; None if its credentials cannot be opened.

    Raises NotFound.
    """
    with deps.db.transaction() as tx:
        account_id = service.named(tx, name).id
    try:
        return deps.gateway(account_id).is_allowed_host
    except NotAllowed:
        return False
    except FleetError:
        return None


def _agent(tx: Tx, username: str) -> AgentRow:
    agent = loop.lock(tx, queries.named(tx, username).id)
    if agent is None or agent.surface == NOWHERE:
        raise InvalidInput(f"{username} acts through no account.", fix="Name an agent of a social platform.")
    return agent


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else address


def _credentials(written: str) -> str:
    credentials = written.strip()
    if not credentials or len(credentials) > _MOST_CHARS or "\0" in credentials:
        raise InvalidInput("The credentials are empty or far too long.", fix="Give the token of the account.")
    return credentials


def _connect(deps: Deps, adapter: str, address: str, credentials: str) -> OutsideSystem:
    """Let the adapter judge an address and credentials; it makes no call. Raises NotFound, InvalidInput."""
    return adapters.get(adapter).connect(AccountAccess(address, SecretStr(credentials), deps.settings.http_timeout_s))
