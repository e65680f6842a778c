"""Verbs on organisations: each is one transaction. Members of organisations may use none of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.access import audit, organisations
from fleet.access.organisations import Organisation
from fleet.accounts import service as accounts
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.core.settings import Settings, SettingScope
from fleet.engine import controls, dispatch
from fleet.engine.agents import commands as agents
from fleet.engine.agents import identities, loop, queries
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.deps import Deps
from fleet.engine.settings import store
from fleet.engine.settings.store import ScopeKey
from fleet.spending import ledger
from fleet.spending.budgets import Scope


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation with the numbers of its agents and accounts."""

    organisation: Organisation
    agents: int
    accounts: int


def listed(deps: Deps) -> list[OrganisationView]:
    """Return all organisations, the default one first, then by name."""
    with deps.db.transaction() as tx:
        return _views(tx, organisations.listed(tx))


def get(deps: Deps, name: str) -> OrganisationView:
    """Return one organisation by its name or id. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _views(tx, [organisations.named(tx, name)])[0]


def create(deps: Deps, name: str, *, voice: str = "") -> Organisation:
    """Create an organisation. Raises InvalidInput, Conflict for a taken name."""
    with deps.db.transaction() as tx:
        return organisations.create(tx, name, voice=voice)


def change(deps: Deps, which: str, *, name: str | None = None, voice: str | None = None) -> Organisation:
    """Rename an organisation, or change its voice. Raises NotFound, InvalidInput, Conflict."""
    with deps.db.transaction() as tx:
        return organisations.change(tx, organisations.named(tx, which), name=name, voice=voice)


def remove(deps: Deps, which: str, *, by: str) -> None:
    """Remove an organisation to which nothing belongs, with what was set for it. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        organisations.lock(tx)
        (view,) = _views(tx, [organisations.named(tx, which)])
        if view.agents or view.accounts:
            raise Conflict(
                f"{view.organisation.name} has {view.agents} agents and {view.accounts} accounts.",
                fix="Delete them, or move them: `fleet organisations move-agent` and `move-account`.",
            )
        organisations.remove(tx, view.organisation)
        _forget(deps, tx, view.organisation, by=by)


def add_member(deps: Deps, which: str, user: str) -> bool:
    """Let a user's role hold in an organisation, and no longer everywhere; return whether that changed anything.

    Raises NotFound, Conflict for the only owner whose role holds everywhere.
    """
    with deps.db.transaction() as tx:
        organisations.lock(tx)
        joined = organisations.named(tx, which)
        own = [one for one in organisations.listed(tx) if user in one.members]
        return organisations.set_member(tx, user, [*own, joined])


def remove_member(deps: Deps, which: str, user: str, *, everywhere: bool = False) -> bool:
    """End a membership; return whether there was one. Of the last one only with `everywhere`: the role then holds so.

    Raises NotFound, Conflict.
    """
    with deps.db.transaction() as tx:
        organisations.lock(tx)
        left = organisations.named(tx, which)
        if user not in left.members:
            return False
        rest = [one for one in organisations.listed(tx) if user in one.members and one.id != left.id]
        if not rest and not everywhere:
            raise Conflict(
                f"{user} is a member of {left.name} alone, and would have their role everywhere.",
                fix="Say that this is meant (`--everywhere`, the box on the page), or remove the user.",
            )
        return organisations.set_member(tx, user, rest)


def move_agent(deps: Deps, which: str, username: str) -> bool:
    """Let an agent, with all that it did, belong to another organisation; False if it does already.

    Raises NotFound, Conflict for an agent that acts through an account of another one, and for a system agent.
    """
    with deps.db.transaction() as tx:
        target = organisations.named(tx, which)
        agent = loop.lock(tx, queries.named(tx, username).id)
        if agent is None:
            raise NotFound(f"There is no agent {username[:60]!r}.", fix="`fleet agents list` shows them.")
        if agent.surface == NOWHERE:
            raise Conflict(f"{username} works for the whole fleet.", fix="It belongs to no organisation.")
        for one in identities.of_agent(tx, agent):
            agents.check_account(tx, one.account_id, target.id)
        if agent.organisation_id == target.id:
            return False
        own = deps.settings_of(agent.id, organisation_id=target.id)
        dispatch.refuse_endless_hours(deps, tx, agent.id, own)
        agent_id, has_other_hours = agent.id, _hours_of(own) != _hours_of(_settings(deps, agent))
        tx.execute(sa.update(AgentRow).where(AgentRow.id == agent.id).values(organisation_id=target.id))
        audit.note(tx, "agent.moved", f"agent:{username}", after={"organisation": target.name})
    if has_other_hours:
        dispatch.redraw(deps, agent_id)
    return True


def move_account(deps: Deps, which: str, name: str) -> bool:
    """Let an account belong to another organisation; False if it does already. Raises NotFound, Conflict while agents
    act through it, and for the account of the settings.
    """
    with deps.db.transaction() as tx:
        target, row = organisations.named(tx, which), accounts.named(tx, name, lock=True)
        if row.id == SETTINGS_ACCOUNT:
            raise Conflict(f"The account {row.name} is that of the settings: it counts for all.")
        if row.organisation_id == target.id:
            return False
        if users := identities.names_of_agents(tx, row.id, limit=3):
            raise Conflict(
                f"Agents act through {row.name}: {', '.join(users)}.",
                fix=f"`fleet accounts unassign {row.name} {users[0]}` first.",
            )
        tx.execute(sa.update(AccountRow).where(AccountRow.id == row.id).values(organisation_id=target.id))
        tx.afterwards(deps.accounts.expire)
        audit.note(tx, "account.moved", f"account:{row.name}", after={"organisation": target.name})
        return True


def _forget(deps: Deps, tx: Tx, removed: Organisation, *, by: str) -> None:
    """Remove what was set for an organisation that is no more."""
    key = str(removed.id)
    controls.resume(tx, "organisation", key, by=by)
    for budget in ledger.list_budgets(tx):
        if (budget.scope, budget.key) == (Scope.ORGANISATION, key):
            ledger.remove_budget(tx, budget.scope, key, budget.period, by=by)
    if store.unset_scope(tx, ScopeKey(SettingScope.ORGANISATION, key), by=by, reason="the organisation was removed"):
        tx.afterwards(deps.live.expire)


def _settings(deps: Deps, agent: AgentRow) -> Settings:
    return deps.settings_of(agent.id, organisation_id=agent.organisation_id)


def _hours_of(settings: Settings) -> tuple[tuple[str, ...], str]:
    return settings.agent_hours, settings.agent_timezone


def _views(tx: Tx, found: Sequence[Organisation]) -> list[OrganisationView]:
    counts: list[dict[uuid.UUID | None, int]] = []
    for table in (AgentRow, AccountRow):
        query = sa.select(table.organisation_id, sa.func.count()).where(table.deleted_at.is_(None))
        counts.append(dict(tx.execute(query.group_by(table.organisation_id)).tuples().all()))
    return [OrganisationView(one, counts[0].get(one.id, 0), counts[1].get(one.id, 0)) for one in found]
