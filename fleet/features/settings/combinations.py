"""The values of scopes that meet in an agent: a change of settings is checked in each combination."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.settings import SettingScope
from fleet.engine.agents import identities
from fleet.engine.agents.models import AgentRow
from fleet.engine.settings.layers import Values
from fleet.engine.settings.store import ScopeKey


def combinations(tx: Tx, values: Mapping[ScopeKey, Values]) -> Iterator[tuple[Values, ...]]:
    """Yield the values, weakest first, of each organisation, each persona in each of them, each account in its own, and
    each agent with all scopes that count for it. What has no values of its own is left out.
    """
    agents = {uuid.UUID(key.id): own for key, own in values.items() if key.scope is SettingScope.AGENT}
    of_organisations = [{}, *(own for key, own in values.items() if key.scope is SettingScope.ORGANISATION)]
    yield from ((own,) for own in of_organisations)
    of_accounts = _organisations_of_accounts(tx, values)
    for key, own in values.items():
        if key.scope is SettingScope.PERSONA:
            yield from ((organisation, own) for organisation in of_organisations)
        elif key.scope is SettingScope.ACCOUNT:
            for organisation in [_of(values, of_accounts[key.id])] if of_accounts.get(key.id) else of_organisations:
                yield organisation, own
    accounts = identities.accounts_of(tx, list(agents)) if agents else {}
    for agent_id, persona_id, organisation_id in _agents(tx, agents):
        persona = values.get(ScopeKey(SettingScope.PERSONA, persona_id or ""), {})
        for account in accounts.get(agent_id, ()):
            through = values.get(ScopeKey(SettingScope.ACCOUNT, str(account)), {})
            yield _of(values, organisation_id), persona, through, agents[agent_id]


def _of(values: Mapping[ScopeKey, Values], organisation_id: uuid.UUID | None) -> Values:
    return values.get(ScopeKey(SettingScope.ORGANISATION, str(organisation_id)), {})


def _agents(tx: Tx, agents: Mapping[uuid.UUID, Values]) -> list[tuple[uuid.UUID, str | None, uuid.UUID | None]]:
    query = sa.select(AgentRow.id, AgentRow.persona_id, AgentRow.organisation_id)
    return [row._tuple() for row in tx.execute(query.where(AgentRow.id.in_(agents)))] if agents else []


def _organisations_of_accounts(tx: Tx, values: Mapping[ScopeKey, Values]) -> dict[str, uuid.UUID | None]:
    """Return the organisation of each account with values, by its id; None for that of the settings."""
    ids = [uuid.UUID(key.id) for key in values if key.scope is SettingScope.ACCOUNT]
    query = sa.select(AccountRow.id, AccountRow.organisation_id).where(AccountRow.id.in_(ids))
    return {str(row.id): row.organisation_id for row in tx.execute(query)} if ids else {}
