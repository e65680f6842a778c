"""Emergency stop: one transaction that forbids every write of a scope, and tells its agents.

It uses the controls that there are: the kill switch for the fleet, the stop of a campaign, pauses for everything else.
Each is read once more just before every write (`engine.attempts.reserve.stopped`), so from its COMMIT on no write
begins; writes that had passed that check may still land. Ending the stop is ending the control, which may need an
approval.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import sqlalchemy as sa

from fleet.access import Permission, audit, organisations
from fleet.accounts import service as accounts
from fleet.accounts.models import AccountRow, key_of
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import publish, registry
from fleet.engine.agents import queries as agent_queries
from fleet.engine.agents.models import NOWHERE, AgentAccountRow, AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.controls import commands as controls
from fleet.features.leader.kinds import MessageType
from fleet.features.notices import service as operator_notices
from fleet.features.platforms.networks import NETWORKS

POINT = "leader.stops"
"""The feature of campaigns registers how a campaign is stopped here: a `CampaignStopper`."""


class CampaignStopper(Protocol):
    """Stops what a campaign publishes and nothing else of its agents. A campaign is named by its id or name."""

    def agents(self, tx: Tx, campaign: str) -> Sequence[uuid.UUID]: ...

    def stop(self, tx: Tx, campaign: str, *, by: str, reason: str) -> bool: ...

    def resume_command(self, tx: Tx, campaign: str) -> str: ...

    def in_flight(self, tx: Tx, campaign: str) -> int: ...


class StopScope(StrEnum):
    """What an emergency stop covers."""

    FLEET = "fleet"
    ORGANISATION = "organisation"
    NETWORK = "network"
    ACCOUNT = "account"
    AGENT = "agent"
    CAMPAIGN = "campaign"


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """The result of an emergency stop."""

    scope: StopScope
    key: str
    changed: bool
    """False: all of it was stopped already."""
    agents: int
    in_flight: int
    """Writes that had begun before and may still land."""
    resume: Sequence[str]
    """The commands that end the stop."""


def stop(deps: Deps, scope: StopScope, key: str = "", *, by: str, reason: str) -> EmergencyStop:
    """Forbid every write of a scope from the COMMIT on. Raises InvalidInput, NotFound, Conflict.

    The caller has checked `permission_of(scope)`.
    """
    if bool(key) == (scope is StopScope.FLEET):
        raise InvalidInput(
            f"A stop of scope {scope} names {'nothing' if scope is StopScope.FLEET else 'one ' + scope}.",
            fix="`fleet team stop fleet`, or `fleet team stop agent NAME`.",
        )
    with deps.db.transaction() as tx, deps.db.joined(tx):
        covered = _agents(tx, scope, key)
        if scope is StopScope.CAMPAIGN:
            changed = [_stopper().stop(tx, key, by=by, reason=reason)]
            resume = [_stopper().resume_command(tx, key)]
        else:
            pauses = _pauses(tx, scope, key, covered)
            changed = [_pause(deps, one, name, by=by, reason=reason) for one, name in pauses]
            resume = [_resume(*one) for one in pauses]
            _tell(deps, tx, covered, by=by, reason=reason)
        target = scope if scope is StopScope.FLEET else f"{scope}:{key}"
        audit.noted(tx, True, "team.stopped", target, reason=reason)
        for organisation_id in sorted({one.organisation_id for one in covered if one.organisation_id}):
            events.emit(tx, "team.stopped", organisation=str(organisation_id), scope=scope, key=key, by=by,
                        reason=reason, target=target.replace(":", " "), page="/controls")  # fmt: skip
        if scope is not StopScope.FLEET and any(changed):  # the kill switch reports itself
            body = f"By {by}. Reason: {reason or 'none given'}. `{resume[0]}` ends this."
            operator_notices.add(deps, tx, "team.stopped", f"Emergency stop: {target.replace(':', ' ')}", body)
    with deps.db.transaction() as tx:
        left = _stopper().in_flight(tx, key) if scope is StopScope.CAMPAIGN else _in_flight(tx, covered)
    return EmergencyStop(scope, key, any(changed), len(covered), left, tuple(resume))


def _in_flight(tx: Tx, covered: Sequence[AgentRow]) -> int:
    sending = (JobRow.agent_id.in_([one.id for one in covered]), JobRow.state == JobState.SENDING)
    return int(tx.scalar(sa.select(sa.func.count()).where(*sending, JobRow.lease_until > tx.sql_now)) or 0)


def permission_of(scope: StopScope) -> Permission:
    """Return what it takes to stop a scope."""
    return Permission.CONTROLS_KILL if scope is StopScope.FLEET else Permission.CONTROLS_PAUSE


def _agents(tx: Tx, scope: StopScope, key: str) -> list[AgentRow]:
    """Return the agents that a stop covers and that the caller sees. Raises InvalidInput, NotFound."""
    query = sa.select(AgentRow).where(AgentRow.surface != NOWHERE, AgentRow.deleted_at.is_(None))
    match scope:
        case StopScope.FLEET:
            which: sa.ColumnElement[bool] = sa.true()
        case StopScope.ORGANISATION:
            which = AgentRow.organisation_id == organisations.named(tx, key).id
        case StopScope.NETWORK:
            if key not in NETWORKS:
                raise InvalidInput(f"There is no network {key!r}.", fix=f"Networks: {', '.join(NETWORKS)}.")
            which = sa.or_(AgentRow.surface == key, _uses(accounts.listed(tx), key))
        case StopScope.ACCOUNT:
            account = accounts.named(tx, key)
            further = sa.exists().where(
                AgentAccountRow.agent_id == AgentRow.id, AgentAccountRow.account_id == account.id
            )
            mine = sa.func.coalesce(AgentRow.account_id, key_of(None)) == account.id
            which = sa.or_(mine, further)
        case StopScope.AGENT:
            which = AgentRow.id == agent_queries.named(tx, key).id
        case StopScope.CAMPAIGN:
            which = AgentRow.id.in_(_stopper().agents(tx, key))
    return list(tx.session.scalars(query.where(which).order_by(AgentRow.id)))


def _stopper() -> CampaignStopper:
    found: tuple[CampaignStopper, ...] = registry.current().extensions(POINT)
    if not found:
        raise InvalidInput("This fleet has no campaigns.", fix="Stop an agent, an account or a network.")
    return found[0]


def _uses(known: Sequence[AccountRow], network: str) -> sa.ColumnElement[bool]:
    ids_of = [one.id for one in known if one.adapter == network]
    return sa.exists().where(AgentAccountRow.agent_id == AgentRow.id, AgentAccountRow.account_id.in_(ids_of))


def _pauses(tx: Tx, scope: StopScope, key: str, covered: Sequence[AgentRow]) -> list[tuple[str, str]]:
    """Return the scopes and keys of the controls that make a stop. A member stops the own agents of a network."""
    if scope is StopScope.NETWORK and tx.organisations is None:
        return [("surface", key)]
    if scope is StopScope.NETWORK:
        if not covered:
            raise Conflict(f"No agent of yours is on the network {key}.", fix="Nothing has to be stopped.")
        return [("agent", one.username) for one in covered]
    return [(scope.value, key)]


def _pause(deps: Deps, scope: str, key: str, *, by: str, reason: str) -> bool:
    if scope == StopScope.FLEET:
        return controls.throw_kill_switch(deps, by=by, reason=reason)[0]
    return controls.pause(deps, scope, key, by=by, reason=reason)


def _resume(scope: str, key: str) -> str:
    return "fleet kill-switch off" if scope == StopScope.FLEET else f"fleet resume {scope} {key}"


def _tell(deps: Deps, tx: Tx, covered: Sequence[AgentRow], *, by: str, reason: str) -> None:
    """Send each agent of a platform the message of the stop."""
    publish.add_jobs(tx, deps.publisher, [
        NewJob(ids.new(), one.id, MessageType.EMERGENCY_STOP.value, one.kind, payload={"note": reason[:300]},
               requested_by=by, priority=registry.current().job(MessageType.EMERGENCY_STOP.value).priority)
        for one in covered if one.kind in NETWORKS
    ])  # fmt: skip
