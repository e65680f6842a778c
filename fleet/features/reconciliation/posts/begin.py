"""Which accounts have posts to compare, and how a comparison of one begins."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.access.models import DEFAULT_ORGANISATION
from fleet.accounts.directory import OpenAccount
from fleet.adapters import registry as adapters
from fleet.adapters.base import SurfaceObject
from fleet.adapters.manifest import Capability
from fleet.adapters.social import POST
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine import controls, publish, registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.features.reconciliation.models import ReconciliationRow
from fleet.features.reconciliation.posts import ledger
from fleet.features.reconciliation.posts.ledger import PostsAccount
from fleet.features.reconciliation.posts.run import AGAIN, RECONCILE
from fleet.features.stores import queries as stores

AGENT = "reconciler"
"""The kind of the agent whose jobs read the posts."""
_OPERATION = "posts"


def why_not(one: OpenAccount) -> str | None:
    """Return why an account's posts cannot be compared; None if they can."""
    if one.adapter not in adapters.names():
        return "no adapter of this fleet knows its network"
    operation = adapters.get(one.adapter).operation(_OPERATION)
    if operation.capability is Capability.UNSUPPORTED:
        return operation.rule or "this network gives no list of an account's posts"
    if not operation.is_on and _OPERATION not in one.operations:
        return f"{operation.rule} Allow it: `fleet adapters allow {one.key.name} {_OPERATION} --reason WHY`"
    return None if one.lost is None else "its credentials cannot be opened"


def accounts(deps: Deps) -> list[OpenAccount]:
    """Return the accounts through which agents post, that of the settings first."""
    with deps.db.transaction() as tx:
        used = ledger.accounts_with_agents(tx)
    return [one for one in deps.accounts.all() if one.key.id in used]


def comparable(deps: Deps) -> list[OpenAccount]:
    """Return the accounts whose posts can be compared."""
    return [one for one in accounts(deps) if why_not(one) is None]


def names(deps: Deps) -> list[str]:
    """Return the names of stores, and of accounts whose posts can be compared."""
    found = [one.name for one in stores.stores(deps)] if "stores" in registry.current() else []
    return [*found, *(one.key.name for one in comparable(deps) if one.key.name not in found)]


def not_comparable(deps: Deps) -> list[tuple[str, str]]:
    """Return the accounts through which agents post and whose posts cannot be compared, each with the reason."""
    return [(one.key.name, why) for one in accounts(deps) if (why := why_not(one)) is not None]


def address(deps: Deps, name: str, post_id: str, facts: Mapping[str, Any]) -> str | None:
    """Return the address of a post's page at its network, for people; None without one."""
    account = next((one for one in deps.accounts.all() if one.key.name == name), None)
    if account is None:
        return None
    return deps.links.of(account.key.id, SurfaceObject(action=POST.name, id=post_id,
                                                       username=str(facts.get("author", ""))))  # fmt: skip


def is_shown(tx: Tx) -> bool:
    """Say whether there can be a store, or there are posts at a network that lists those of an account."""
    if "stores" in registry.current() and stores.is_shown(tx):
        return True
    names = [name for name in adapters.names()
             if adapters.get(name).operation(_OPERATION).capability is not Capability.UNSUPPORTED]  # fmt: skip
    known, row = registry.current(), AgentRow
    kinds = [kind for kind, one in known.agents.items() if POST.name in one.actions]
    some = sa.select(row.id).where(row.surface.in_(names), row.kind.in_(kinds), row.deleted_at.is_(None))
    return bool(tx.scalar(sa.select(sa.exists(some))))


def request(deps: Deps, name: str, *, by: str) -> uuid.UUID:
    """Compare the posts of an account as soon as possible; return the run.

    Raises NotFound, Conflict for an account that is paused, is compared already, or whose network cannot be compared.
    """
    one = next((each for each in accounts(deps) if name in (each.key.name, str(each.key.id))), None)
    if one is None:
        raise NotFound(f"There is no store {name[:60]}, and no account of that name through which agents post.",
                       fix="`fleet accounts list` shows accounts.")  # fmt: skip
    why = why_not(one)
    if why is not None:
        raise Conflict(f"The posts of {one.key.name} cannot be compared: {why}.")
    with deps.db.transaction() as tx:
        held = next((each for each in controls.in_force(tx) if each.scope == "account"
                     and each.key == str(one.key.id)), None)  # fmt: skip
        if held is not None:
            raise Conflict(f"{one.key.name} is paused: {held.reason or held.set_by}.")
        agent_id = tx.scalar(sa.select(AgentRow.id).where(AgentRow.kind == AGENT, AgentRow.deleted_at.is_(None)))
        if agent_id is None:
            raise Conflict("The fleet has no reconciler.", fix="`fleet migrate` creates it.")
        run_id = begin(deps, tx, one, agent_id, reason=f"{by} asked for it", by=by)
        if run_id is None:
            raise Conflict(f"{name} is being compared already.", fix="`fleet reconcile runs` shows how far it is.")
        audit.note(tx, "reconciliation.requested", f"account:{one.key.name}")
        return run_id


def begin(
    deps: Deps, tx: Tx, one: OpenAccount, agent_id: uuid.UUID, *, reason: str, by: str | None = None,
    is_second_look: bool = False,
) -> uuid.UUID | None:  # fmt: skip
    """Begin the comparison of an account's posts; None while another one is running.

    `is_second_look`: only posts that were missed once are read again.
    """
    run_id, row = ids.new(), ReconciliationRow
    where = PostsAccount(one.key.id, one.key.name, one.adapter)
    new = insert(row).values(
        id=run_id, account_id=one.key.id, organisation_id=one.organisation_id or DEFAULT_ORGANISATION,
        reason=reason[:200], requested_by=by and by[:100], step=AGAIN if is_second_look else "",
    ).on_conflict_do_nothing().returning(row.id)  # fmt: skip
    if tx.scalar(new) is None:
        return None
    publish.add_jobs(tx, deps.publisher, [NewJob(
        run_id, agent_id, RECONCILE, one.adapter, payload={"run": str(run_id), "part": 0, "store": one.key.name},
        requested_by=by, account_id=where.job_account_id,
    )])  # fmt: skip
    return run_id


def last_full(tx: Tx, account_id: uuid.UUID) -> datetime | None:
    """Return when the posts of an account were compared last, apart from second looks."""
    row = ReconciliationRow
    query = sa.select(sa.func.max(row.started_at)).where(row.account_id == account_id, row.step != AGAIN)
    found: datetime | None = tx.scalar(query)
    return found
