"""Controls: the kill switch and the pauses, by scope, in one table that is read before every write.

Called by `fleet.engine` inside its transactions. A pause with an end lifts itself; only a person turns the kill switch
off.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access.models import OrganisationRow
from fleet.accounts.models import AccountRow, key_of
from fleet.core import events
from fleet.core.db import Database, Tx
from fleet.core.errors import InvalidInput
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.agents.models import NOWHERE, AgentRow, ControlRow
from fleet.engine.scopes import ALL, SCOPES
from fleet.engine.sql import group_statement, statement

BUDGET = "budget"
"""`set_by` of a pause for a spent budget."""
REFUSED = "refusal"
"""`set_by` of the pause of an account whose credentials were refused."""
HEALTH = "health"
"""`set_by` of the pause of an account whose checks fail."""
_READ_HOLDS = statement("read_holds")
_READ_KILL_SWITCH = group_statement("read_kill_switch")
_A_MOMENT = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Hold:
    """One control in force. `until` None: until a person lifts it."""

    scope: str
    key: str
    hold: str
    reason: str
    until: datetime | None
    set_by: str
    set_at: datetime

    def words(self) -> str:
        """Return the control as text for people."""
        if self.hold == "kill":
            return f"kill switch: {self.reason or 'thrown by ' + self.set_by}"
        return f"{self._where} is paused: {self.reason or 'by ' + self.set_by}"

    @property
    def _where(self) -> str:
        """Return the scope as text. The key of an agent, account or organisation is an id, which people do not know."""
        if self.scope in ("fleet", "agent", "account", "organisation") and (self.key == ALL or _id(self.key)):
            return f"the {self.scope}"
        return f"{self.scope} {self.key}"


def in_force(tx: Tx) -> list[Hold]:
    """Return every control in force, the kill switch first."""
    row: Any = tx.run(_READ_HOLDS).fetchone()
    return read(row.holds)


def read(holds: Sequence[Any]) -> list[Hold]:
    """Return the controls in the column `holds` (`fleet/engine/sql/_holds.sql`)."""
    return [
        Hold(scope, key, hold, reason, datetime.fromisoformat(until) if until else None, by, datetime.fromisoformat(at))
        for scope, key, hold, reason, until, by, at in holds
    ]


def covering(
    holds: Sequence[Hold], agent: ActingAgent | AgentRow, kind: str | None = None, *, is_notice: bool = False
) -> Hold | None:
    """Return the control that covers an agent, or its jobs of a kind, or None. Pure. One without an end comes first.

    `is_notice`: the work notifies operators of events. Notices report the kill switch and pauses of agents, so only a
    pause of their own agent or kind of job covers them.
    """
    if not holds:
        return None
    keys = {"agent": str(agent.id), "kind": kind}
    if not is_notice:
        keys |= {"fleet": ALL, "surface": agent.surface, "persona": agent.persona_id}
        keys["organisation"] = None if agent.organisation_id is None else str(agent.organisation_id)
        if agent.surface != NOWHERE:
            keys["account"] = str(key_of(agent.account_id))
    hits = [hold for hold in holds if keys.get(hold.scope) == hold.key]
    return min(hits, key=lambda hold: (hold.hold != "kill", hold.until is not None), default=None)


def kill_reason(db: Database) -> str | None:
    """Return why the kill switch is on, or None. One indexed read: it runs before every outside write."""
    thrown = db.run(_READ_KILL_SWITCH, scope="fleet")
    return f"kill switch: {thrown[0].reason or 'thrown by ' + thrown[0].set_by}" if thrown else None


def account_hold(db: Database, account_id: uuid.UUID) -> str | None:
    """Return why an account is paused, or None.

    Calls through another agent's account check this besides the job's own.
    """
    which = (ControlRow.scope == "account", ControlRow.key == str(account_id))
    with db.transaction() as tx:
        in_force = sa.or_(ControlRow.until.is_(None), ControlRow.until > tx.sql_now)
        row = tx.execute(sa.select(ControlRow.reason, ControlRow.set_by).where(*which, in_force)).one_or_none()
    return None if row is None else str(row.reason or f"paused by {row.set_by}")


def throw_kill_switch(tx: Tx, *, by: str, reason: str) -> bool:
    """Forbid every outside write from the COMMIT on; False if it was on already."""
    thrown = _set(tx, "fleet", ALL, "kill", reason=reason, until=None, by=by)
    if thrown:
        events.emit(tx, "control.kill_switch.thrown", by=by, reason=reason)
    return thrown


def lift_kill_switch(tx: Tx, *, by: str) -> bool:
    """Allow outside writes again; False if it was not on. Only a person's command calls this."""
    lifted = _remove(tx, "fleet", ALL, "kill")
    if lifted:
        events.emit(tx, "control.kill_switch.lifted", by=by)
    return lifted


def pause(tx: Tx, scope: str, key: str, *, by: str, reason: str = "", until: datetime | None = None) -> bool:
    """Pause a scope; False if it was paused already. Raises InvalidInput for an unknown scope."""
    check(scope, key)
    paused = _set(tx, scope, key, "pause", reason=reason, until=until, by=by)
    if paused:
        ends = until.isoformat() if until else None
        events.emit(
            tx, "control.paused", **_whose(tx, scope, key), scope=scope, key=key, by=by, reason=reason, until=ends
        )
    return paused


def resume(tx: Tx, scope: str, key: str, *, by: str) -> bool:
    """Resume a scope; False if it was not paused."""
    check(scope, key)
    resumed = _remove(tx, scope, key, "pause")
    if resumed:
        events.emit(tx, "control.resumed", **_whose(tx, scope, key), scope=scope, key=key, by=by)
    return resumed


def resume_accounts(tx: Tx, adapter: str, *, by: str) -> bool:
    """Let the accounts of an outside system go on that the fleet paused itself; False if there are none."""
    resumed = [resume(tx, "account", str(one.id), by=by) for one in stopped_accounts(tx, adapter)]
    return any(resumed)


def stopped_accounts(tx: Tx, adapter: str) -> Sequence[AccountRow]:
    """Return the accounts of an outside system that the fleet paused itself, by name."""
    ours = (ControlRow.scope == "account", ControlRow.hold == "pause", AccountRow.adapter == adapter)
    query = sa.select(AccountRow).join(ControlRow, ControlRow.key == sa.cast(AccountRow.id, sa.Text))
    found = query.where(*ours, ControlRow.set_by.in_(("fleet", BUDGET, REFUSED, HEALTH))).order_by(AccountRow.name)
    return tx.session.scalars(found).all()


def resume_refused(tx: Tx, account_id: uuid.UUID, *, by: str) -> bool:
    """Let an account go on that the fleet stopped for refused credentials, since they have changed; False if not."""
    which = (ControlRow.scope == "account", ControlRow.key == str(account_id), ControlRow.hold == "pause")
    set_by = tx.scalar(sa.select(ControlRow.set_by).where(*which))
    return set_by == REFUSED and resume(tx, "account", str(account_id), by=by)


def end_pause_of_budget(tx: Tx, scope: str, key: str, *, by: str) -> bool:
    """Let a scope go on that an earlier version paused for a spent budget of the fleet's own; False if it did not."""
    pause = sa.select(ControlRow.set_by).where(
        ControlRow.scope == scope, ControlRow.key == key, ControlRow.hold == "pause"
    )
    return tx.scalar(pause) == BUDGET and resume(tx, scope, key, by=by)


def _whose(tx: Tx, scope: str, key: str) -> dict[str, Any]:
    """Return the agent, account or organisation that an event about a control concerns, if it is about one."""
    agent_id = _id(key) if scope == "agent" else None
    name = tx.scalar(sa.select(AgentRow.name).where(AgentRow.id == agent_id)) if agent_id else None
    if scope == "account":
        return {"account": tx.scalar(sa.select(AccountRow.name).where(AccountRow.id == _id(key)))}
    if scope == "organisation":
        name = tx.scalar(sa.select(OrganisationRow.name).where(OrganisationRow.id == _id(key)))
        return {"organisation": key, "organisation_name": name}  # its members see the event
    return {"agent_id": agent_id, "agent": name} if name else {}


def _id(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key)
    except ValueError:
        return None


def check(scope: str, key: str) -> None:
    """Raise InvalidInput for an unknown scope, and for a key where the scope takes none or one that is missing."""
    if scope not in SCOPES:
        raise InvalidInput(f"There is no scope {scope!r}.", fix=f"Scopes: {', '.join(SCOPES)}.")
    if (key == ALL) != (scope == "fleet"):
        raise InvalidInput(f"A pause of scope {scope} names {'nothing' if scope == 'fleet' else 'one ' + scope}.")


def _set(tx: Tx, scope: str, key: str, hold: str, *, reason: str, until: datetime | None, by: str) -> bool:
    """Insert a control, or replace one that has run out or ends sooner; False if an equal or longer one is in force.

    A difference of a moment is ignored: it is a second click on the same button.
    """
    values = {"reason": reason[:300], "until": until, "set_by": by[:100], "set_at": tx.sql_now}
    ends_sooner = (
        ControlRow.until.is_not(None)
        if until is None
        else sa.or_(ControlRow.until < until - _A_MOMENT, ControlRow.until <= tx.sql_now)
    )
    statement = (
        insert(ControlRow)
        .values(scope=scope, key=key, hold=hold, **values)
        .on_conflict_do_update(index_elements=["scope", "key", "hold"], set_=values, where=ends_sooner)
        .returning(ControlRow.hold)
    )
    return tx.scalar(statement) is not None


def _remove(tx: Tx, scope: str, key: str, hold: str) -> bool:
    gone = sa.delete(ControlRow).where(ControlRow.scope == scope, ControlRow.key == key, ControlRow.hold == hold)
    return tx.execute(gone).rowcount == 1
