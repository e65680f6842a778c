"""What people have to know of a team: its checks at the end of each coordination, and the findings as rows.

A finding is opened when a check first sees it, escalated to people once, and ended when the check sees it no more.
Texts that were published are checked by the brand rules of the feature campaigns, if it is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from fleet.access.models import DEFAULT_ORGANISATION, OrganisationRow
from fleet.accounts.models import AccountRow
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.engine import controls, registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.brand_rules.rules import BrandRules, score
from fleet.features.leader.models import TeamFindingRow
from fleet.features.leader.rules import TeamFinding
from fleet.features.notices import service as operator_notices
from fleet.features.platforms.networks import NETWORKS
from fleet.spending import ledger as budgets
from fleet.spending.budgets import ALL, Scope

DEAD_LETTERS = 3
"""So many dead letters of an agent in a period are repeated ones."""
NEARLY_SPENT = 0.8
"""The share of a budget from which on it is nearly spent."""
_MOST_TEXTS = 500
_STOPPED_BY = (controls.REFUSED, controls.HEALTH, controls.BUDGET, "fleet")


def rules_of(deps: Deps) -> BrandRules | None:
    """Return the brand rules of the fleet; None in a fleet without campaigns."""
    return brands.of(deps, brands.DEFAULT) if "campaigns" in registry.current() else None


def look(
    tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime, rules: BrandRules | None
) -> list[TeamFinding]:  # fmt: skip
    """Return what is wrong with the agents and accounts of an organisation, and with what they published."""
    return [
        *_dead_letters(tx, organisation_id, since, until),
        *_stopped_accounts(tx, organisation_id),
        *_spent_budgets(tx, organisation_id),
        *(_off_brand(tx, organisation_id, since, until, rules) if rules is not None else ()),
    ]


def _own(organisation_id: uuid.UUID) -> sa.ColumnElement[bool]:
    return sa.and_(AgentRow.organisation_id == organisation_id, AgentRow.kind.in_([*NETWORKS]))


def _dead_letters(tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime) -> list[TeamFinding]:
    public = sorted(registry.current().kinds(lambda job: job.is_public))
    ended = (JobRow.finished_at >= since, JobRow.finished_at < until, JobRow.state == JobState.DEAD)
    query = sa.select(AgentRow.id, AgentRow.username, sa.func.count()).join(JobRow, JobRow.agent_id == AgentRow.id)
    query = query.where(_own(organisation_id), *ended, JobRow.kind.in_(public)).group_by(AgentRow.id)
    rows = tx.execute(query.having(sa.func.count() >= DEAD_LETTERS).order_by(AgentRow.username))
    return [
        TeamFinding("dead_letters", str(agent_id), f"{username} has repeated dead letters", str(agent_id))
        for agent_id, username, _ in rows
    ]


def _stopped_accounts(tx: Tx, organisation_id: uuid.UUID) -> list[TeamFinding]:
    """Return the accounts that the fleet stopped: refused or suspended, failing their checks, or without a budget."""
    held = {one.key: one for one in controls.in_force(tx) if one.scope == "account" and one.set_by in _STOPPED_BY}
    query = sa.select(AccountRow.id, AccountRow.name, AgentRow.id.label("agent_id"))
    query = query.join(AgentRow, AgentRow.account_id == AccountRow.id).where(_own(organisation_id))
    rows = tx.execute(query.where(AgentRow.deleted_at.is_(None)).order_by(AccountRow.name, AgentRow.username))
    found = {}
    for account_id, name, agent_id in rows:
        hold = held.get(str(account_id))
        if hold is not None and account_id not in found:
            why = hold.reason or f"paused by {hold.set_by}"
            found[account_id] = TeamFinding("account_stopped", str(account_id), f"account {name} is stopped: {why}",
                                        str(agent_id))  # fmt: skip
    return [*found.values()]


def _spent_budgets(tx: Tx, organisation_id: uuid.UUID) -> list[TeamFinding]:
    """Return the budgets of which most is used: the organisation's own, those of its agents, and the fleet's.

    The fleet's is a finding of the default organisation alone: others do not see it.
    """
    agents = dict(tx.execute(sa.select(AgentRow.id, AgentRow.username).where(
        _own(organisation_id), AgentRow.deleted_at.is_(None)
    )).tuples().all())  # fmt: skip
    names: dict[tuple[Scope, str], tuple[str, str | None]]
    names = {(Scope.AGENT, str(agent_id)): (f"agent {name}", str(agent_id)) for agent_id, name in agents.items()}
    names[Scope.ORGANISATION, str(organisation_id)] = ("the organisation", None)
    if organisation_id == DEFAULT_ORGANISATION:
        names[Scope.FLEET, ALL] = ("the fleet", None)
    found = []
    for one in budgets.list_budgets(tx):
        limit = one.limit_microusd + one.allowance_microusd
        if (one.scope, one.key) in names and one.spent_microusd >= NEARLY_SPENT * limit:
            whose, agent_id = names[one.scope, one.key]
            how = "spent" if one.spent_at or one.spent_microusd >= limit else "nearly spent"
            found.append(TeamFinding("budget", f"{one.scope}:{one.key}:{one.period}:{how}",
                                     f"the {one.period.each} budget of {whose} is {how}", agent_id))  # fmt: skip
    return found


def _off_brand(
    tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime, rules: BrandRules
) -> list[TeamFinding]:  # fmt: skip
    """Return the published texts that the brand rules of now object to, the newest first."""
    public = sorted(registry.current().kinds(lambda job: job.is_public))
    text = JobRow.result["text"].astext
    done = (JobRow.finished_at >= since, JobRow.finished_at < until, JobRow.state == JobState.DONE, text.is_not(None))
    query = sa.select(JobRow.id, AgentRow.id.label("agent_id"), AgentRow.username, text.label("text"))
    query = query.join(AgentRow, AgentRow.id == JobRow.agent_id).where(_own(organisation_id), *done)
    rows = tx.execute(query.where(JobRow.kind.in_(public)).order_by(JobRow.finished_at.desc()).limit(_MOST_TEXTS))
    found = []
    for job_id, agent_id, username, words in rows:
        reasons = score([words], rules).reasons
        if reasons:
            why = "; ".join(one.words for one in reasons)
            found.append(TeamFinding("brand", str(job_id), f"{username} published what is off brand: {why}"[:500],
                                 str(agent_id), str(job_id)))  # fmt: skip
    return found


def record(deps: Deps, tx: Tx, organisation_id: uuid.UUID, found: Sequence[TeamFinding]) -> int:
    """Open new findings, escalate them to people, and end those that are over; return how many are new."""
    row = TeamFindingRow
    is_open = (row.organisation_id == organisation_id, row.ended_at.is_(None))
    known = {(one.kind, one.subject): one for one in tx.session.scalars(sa.select(row).where(*is_open))}
    seen = {(one.kind, one.key): one for one in found}
    over = [one.id for key, one in known.items() if key not in seen]
    tx.execute(sa.update(row).where(row.id.in_(over)).values(ended_at=tx.sql_now))
    new = [one for key, one in seen.items() if key not in known]
    for one in new:
        agent_id = None if one.agent_id is None else uuid.UUID(one.agent_id)
        tx.execute(sa.insert(row).values(
            id=ids.new(), organisation_id=organisation_id, kind=one.kind, subject=one.key, words=one.words,
            agent_id=agent_id, job_id=None if one.job_id is None else uuid.UUID(one.job_id),
        ))  # fmt: skip
        events.emit(tx, "alert.team", agent_id=agent_id, organisation=str(organisation_id), finding=one.kind,
                    words=one.words, page="/team")  # fmt: skip
    if new:
        name = tx.scalar(sa.select(OrganisationRow.name).where(OrganisationRow.id == organisation_id))
        body = "\n".join(one.words for one in new[:20])
        operator_notices.add(deps, tx, "alert.team", f"Team of {name}: {len(new)} new findings", body)
    return len(new)
